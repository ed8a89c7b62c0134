/* The trainer with a rule of its user's on the layer matrices: it trains, its state goes into checkpoints with its own
   names and shapes, and training goes on from there to the bit. */
#include <check.h>
#include <stdlib.h>

#include "cli/config/config.h"
#include "cli/config/trainer_config.h"
#include "platform/directory.h"
#include "platform/file.h"
#include "tests/optim/row_adam.h"
#include "tests/support/suite.h"
#include "tests/train/jobs.h"

enum { N_STEPS = 30, N_MORE = 3 };

static const row_adam_settings settings = {.lr = 0.01, .beta1 = 0.9f, .beta2 = 0.95f, .epsilon = 1e-8f};

static job micro_job(void) {
    static ms_config config; /* the trainer borrows its device's name */
    ms_config_defaults(&config);
    ms_must(ms_config_load_preset(&config, "micro"));
    ms_trainer_options options = ms_trainer_options_from_config(&config, 0);
    options.optimizer.matrices_rule = (ms_rule_use){&row_adam_rule, &settings};
    return job_start(&options);
}

/* Loss of the last of n steps; the rates are those of the two rules. */
static double train(job *j, int n) {
    ms_step_result result = {0};
    for (int i = 0; i < n; i++) {
        ms_must(ms_trainer_step(j->trainer, ms_dataset_source(j->data), NULL, &result));
        const ms_trainer_options *options = &j->trainer->options;
        double factor = ms_schedule_factor(&options->schedule, j->trainer->step - 1);
        ck_assert_double_eq(result.lr, settings.lr * factor);
        ck_assert_double_eq(result.adamw_lr, options->optimizer.adamw.lr * factor);
    }
    return result.loss;
}

START_TEST(test_trains_and_goes_on_from_a_checkpoint) {
    char base[] = "/tmp/ms_rule_XXXXXX", weights[2][65], state[2][65], saved[2][65];
    ck_assert_ptr_nonnull(mkdtemp(base));
    job first = micro_job(), second = micro_job();
    double first_loss = train(&first, 1), last_loss = train(&first, N_STEPS - 1);
    /* 4.58 to 4.17; with the rate of the rule 0 it ends at 4.40. */
    ck_assert_msg(last_loss < 0.93 * first_loss, "loss %g after %d steps, %g before", last_loss, N_STEPS, first_loss);
    const ms_save_request request = {first.data, "none", NULL, 0, false};
    ms_must(ms_trainer_save(first.trainer, base, &request, saved[0], saved[1]));
    train(&first, N_MORE);

    ms_checkpoint *checkpoint;
    const ms_safetensor *tensor, *matrix;
    const char *name = "blocks.1.feed_forward.up.weight";
    ms_must(ms_checkpoint_open(base, N_STEPS, &checkpoint));
    ms_must(ms_safetensors_find(ms_checkpoint_model(checkpoint), name, &matrix));
    ms_must(ms_safetensors_find(ms_checkpoint_optimizer(checkpoint),
                                "row_second_moment.blocks.1.feed_forward.up.weight", &tensor));
    ck_assert_int_eq(tensor->rank, 1);
    ck_assert_int_eq(tensor->shape[0], matrix->shape[0]);
    ms_must(ms_trainer_load(second.trainer, checkpoint, second.data));
    ms_checkpoint_close(checkpoint);
    train(&second, N_MORE);

    ms_must(ms_trainer_hashes(first.trainer, weights[0], state[0]));
    ms_must(ms_trainer_hashes(second.trainer, weights[1], state[1]));
    ck_assert_str_eq(weights[0], weights[1]);
    ck_assert_str_eq(state[0], state[1]);
    ck_assert_str_ne(state[0], saved[1]);
    job_close(&first);
    job_close(&second);
    ms_directory_remove(base);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("own_rule");
    TCase *tcase = tcase_create("own_rule");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, test_trains_and_goes_on_from_a_checkpoint);
    suite_add_tcase(suite, tcase);
    return ms_suite_run(suite);
}
