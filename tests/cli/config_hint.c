/* Which keys are named where one does not exist. */
#include <check.h>

#include "cli/config/config.h"
#include "tests/support/suite.h"

static const struct {
    const char *name, *hint;
} hints[] = {{"muon.learning_rate", "muon.lr"},
             {"model.depth", "model.layers"},
             {"lr", "muon.lr, sgd.lr or adamw.lr"},
             {"model.layer", "model.layers"},
             {"mode.layers", "model.layers"},
             {"mon.lr", "muon.lr"},
             {"model.lr", "muon.lr, sgd.lr or adamw.lr"},
             {"learning-rate", "muon.lr, sgd.lr or adamw.lr"},
             {"train.warmup", "schedule.warmup_steps"},
             {"train.warmup_step", "schedule.warmup_steps"},
             {"adamw.weight_decay", "adamw.matrix_decay"},
             {"muon.weight_decay", "muon.decay"},
             {"train.batch_size", "train.batch_sequences"},
             {"every", "validation.every, checkpoint.every, tracker.every or log.every"},
             {"trian.sed", "train.seed"},
             {"muon.nothing_like_it", NULL},
             {"model.name", NULL},
             {"", NULL}};

START_TEST(hints_name_what_is_meant) {
    char hint[MS_CONFIG_HINT_SIZE];
    bool found = ms_config_hint(hints[_i].name, "", hint);
    ck_assert_msg(found == (hints[_i].hint != NULL), "%s: %s", hints[_i].name, hint);
    ck_assert_str_eq(hint, found ? hints[_i].hint : "");
}
END_TEST

int main(void) {
    Suite *suite = suite_create("config_hint");
    TCase *tests = tcase_create("config_hint");
    tcase_add_loop_test(tests, hints_name_what_is_meant, 0, sizeof hints / sizeof *hints);
    suite_add_tcase(suite, tests);
    return ms_suite_run(suite);
}
