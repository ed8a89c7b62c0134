/* The configuration's part of a command line: overrides and their precedence, keys given twice, keys without effect. */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/config/config.h"
#include "cli/config/config_effect.h"
#include "cli/config/config_request.h"
#include "tests/support/suite.h"
#include "train/settings.h"

static ms_config config;

static void reset(void) { ms_config_defaults(&config); }

/* Fails unless `status` came with a message that holds `part`. */
static void expect(ms_status got, ms_status status, const char *part) {
    ck_assert_msg(got == status, "status %s (%s), expected %s", ms_status_text(got), ms_status_message(),
                  ms_status_text(status));
    ck_assert_msg(strstr(ms_status_message(), part) != NULL, "message '%s' lacks '%s'", ms_status_message(), part);
}

struct arguments {
    ms_config_request config;
    bool dry_run;
};
static const ms_option option_rows[] = {
    MS_CONFIG_OPTIONS,
    {"dry-run", MS_OPTION_FLAG, offsetof(struct arguments, dry_run), NULL, NULL, "Plan only"},
    {NULL, MS_OPTION_END, 0, NULL, NULL, NULL}};
static const ms_command train = {"train",        NULL, "Trains.", option_rows, 0, 0, ms_config_request_dotted,
                                 MS_CONFIG_NOTES};

static ms_config_given given; /* by the last parse */

/* Parses up to 8 words into `config`. */
static ms_status parse(const char *const *words) {
    char *argv[10] = {"train"};
    int argc = 1;
    while (words[argc - 1]) {
        argv[argc] = (char *)(uintptr_t)words[argc - 1];
        argc++;
    }
    struct arguments arguments = {0};
    ms_positionals rest;
    given = (ms_config_given){.keys = {false}};
    MS_TRY(ms_options_parse(&train, argc, argv, &arguments, &rest));
    return ms_config_request_resolve(&arguments.config, &config, &given);
}

START_TEST(command_line_wins_over_file_over_preset) {
    char path[] = "/tmp/ms_config_XXXXXX";
    int file = mkstemp(path);
    ck_assert_int_ge(file, 0);
    const char *yaml = "model:\n  layers: 5\ntrain:\n  seed: 7\n  tokens: 50000\n";
    ck_assert_int_eq(write(file, yaml, strlen(yaml)), (ssize_t)strlen(yaml));
    close(file);
    const char *words[] = {"--train.seed=9", "--steps",   "11",  "--config", path,
                           "--preset=micro", "--muon.lr", "0.5", NULL};
    ck_assert_msg(parse(words) == MS_OK, "%s", ms_status_message());
    unlink(path);
    ck_assert_int_eq(config.train.seed, 9);   /* command line over file */
    ck_assert_int_eq(config.model.layers, 5); /* file over preset */
    ck_assert_int_eq(config.model.width, 32); /* preset over defaults */
    ck_assert_double_eq(config.muon.lr, 0.5);
    ck_assert_int_eq(ms_config_steps(&config), 11); /* --steps switches the file's tokens off */
}
END_TEST

START_TEST(reference_names_work) {
    const char *words[] = {"--preset",         "tiny", "--train_tokens",    "200000",
                           "--track_manifold", "true", "--optimizer=adamw", NULL};
    ck_assert_msg(parse(words) == MS_OK, "%s", ms_status_message());
    ck_assert_int_eq(ms_config_steps(&config), 48);
    ck_assert(config.tracker.enabled);
    ck_assert_int_eq(config.optimizer.name, MS_OPTIMIZER_ADAMW);
    const char *dashes[] = {"--train-tokens=8192", "--track-manifold=off", "--model.kv-heads", "1", NULL};
    ck_assert_msg(parse(dashes) == MS_OK, "%s", ms_status_message());
    ck_assert_int_eq(ms_config_steps(&config), 2);
    ck_assert(!config.tracker.enabled);
    ck_assert_int_eq(config.model.kv_heads, 1);
}
END_TEST

START_TEST(bad_overrides_are_usage_errors) {
    const char *unknown[] = {"--model.layer", "3", NULL};
    expect(parse(unknown), MS_USAGE, "unknown key model.layer; did you mean model.layers?");
    const char *value[] = {"--model.layers", "x", NULL};
    expect(parse(value), MS_USAGE, "model.layers: 'x' is not an integer (allowed: 1 to 4096)");
    const char *near[] = {"--learning-rate", "0.1", NULL};
    expect(parse(near), MS_USAGE, "unknown option --learning-rate; did you mean --muon.lr, --sgd.lr or --adamw.lr?");
    const char *nothing[] = {"--nothing-like-it", NULL};
    expect(parse(nothing), MS_USAGE, "unknown option --nothing-like-it; see muonscope train --help");
    const char *alias[] = {"--steps", "many", NULL};
    expect(parse(alias), MS_USAGE, "--steps: train.steps: 'many'");
    const char *missing[] = {"--model.layers", NULL};
    expect(parse(missing), MS_USAGE, "--model.layers needs a value");
}
END_TEST

START_TEST(a_key_is_given_once) {
    const char *twice[] = {"--steps", "3", "--steps=5", NULL};
    expect(parse(twice), MS_USAGE, "--steps 3 and --steps 5: train.steps is given twice; leave one out");
    const char *both[] = {"--model.kv-heads", "3", "--train-tokens", "4", "--train.tokens", "5", NULL};
    expect(parse(both), MS_USAGE, "--train-tokens 4 and --train.tokens 5: train.tokens is given twice");
}
END_TEST

/* Words of a command line, and the lines of warning, or the error, that they get: "" for none. */
static const struct {
    const char *words[9], *warnings, *error;
} effects[] = {
    {{"--optimizer", "adamw", "--muon.lr", "0.1", "--muon.decay", "0.1"},
     "muon.lr, muon.decay have no effect: optimizer.name is adamw; leave them out or set optimizer.name muon or "
     "normuon\n",
     NULL},
    {{"--optimizer", "normuon", "--muon.lr", "0.1", "--normuon.beta2", "0.9"}, "", NULL},
    {{"--normuon.beta2", "0.9", "--sgd.lr", "1"},
     "normuon.beta2 has no effect: optimizer.name is muon; leave it out or set optimizer.name normuon\n"
     "sgd.lr has no effect: optimizer.name is muon; leave it out or set optimizer.name sgd\n",
     NULL},
    {{"--adamw.matrix_lr", "0.1"},
     "adamw.matrix_lr 0.1 has no effect: optimizer.name is muon; leave it out or set optimizer.name adamw\n",
     NULL},
    {{"--adamw.matrix_lr", "0", "--muon.decay", "0", "--muon.decay_mode", "none"}, "", NULL},
    {{"--muon.decay_mode", "both"},
     "muon.decay_mode both has no effect: muon.decay is 0; leave it out or set another muon.decay\n",
     NULL},
    {{"--muon.decay", "0.1"},
     NULL,
     "muon.decay 0.1 has no effect: muon.decay_mode is none; leave it out or set another muon.decay_mode"},
    {{"--muon.decay", "0.1", "--muon.decay_mode", "update", "--intervention.cautious_decay", "true"},
     NULL,
     "intervention.cautious_decay true has no effect: muon.decay_mode is update; leave it out or set muon.decay_mode "
     "decoupled or both"},
    {{"--optimizer", "sgd", "--intervention.cautious_decay", "yes"}, NULL, "sgd.decay is 0"},
    {{"--muon.spectral_exponent", "0.5", "--muon.coefficients", "jordan"}, NULL, "muon.spectral_exponent is 0.5"},
    {{"--init.sigma_gate", "1"},
     NULL,
     "init.sigma_gate 1 has no effect: model.activation is relu2; leave it out or set model.activation swiglu"},
    {{"--intervention.noise_place", "after", "--intervention.noise_last_layer", "0", "--intervention.noise", "-0.0"},
     "intervention.noise_place, intervention.noise_last_layer have no effect: intervention.noise is -0; leave them out "
     "or set another intervention.noise\n",
     NULL},
    {{"--intervention.qk_clip", "100"},
     NULL,
     "intervention.qk_clip 100 has no effect: attention.qk_norm is true; leave it out or set attention.qk_norm false"},
    {{"--intervention.qk_clip", "100", "--attention.qk_norm", "no", "--train.control", "noise"},
     NULL,
     "intervention.qk_clip 100 has no effect: train.control is noise; leave it out or set another train.control"},
    {{"--intervention.qk_clip", "100", "--attention.qk_norm", "no"}, "", NULL},
    {{"--init.depth_factor", "2"},
     "init.depth_factor has no effect: init.scheme is normal; leave it out or set another init.scheme\n",
     NULL},
    {{"--init.depth_factor", "2", "--init.scheme", "slope"}, "", NULL},
    {{"--schedule.final_fraction", "0.1", "--schedule.decay_fraction", "0.1"},
     "schedule.final_fraction has no effect: schedule.name is constant; leave it out or set another schedule.name\n"
     "schedule.decay_fraction has no effect: schedule.name is constant; leave it out or set schedule.name wsd\n",
     NULL},
    {{"--tracker.probe", "no", "--tracker.probe_tokens", "9", "--tracker.every", "7"},
     "tracker.probe_tokens has no effect: tracker.probe is false; leave it out or set tracker.probe true\n",
     NULL},
    {{"--track_manifold", "no", "--tracker.probe_tokens", "9", "--tracker.every", "7"},
     "tracker.probe_tokens, tracker.every have no effect: tracker.enabled is false; leave them out or set "
     "tracker.enabled true\n",
     NULL},
    {{"--track_manifold", "no", "--tracker.probe", "no", "--sample.tokens", "0", "--data.directory", "synthetic"},
     "",
     NULL},
    {{"--schedule.steps", "9", "--schedule.at_resume", "keep"},
     "schedule.steps 9 has no effect: schedule.name is constant; leave it out or set another schedule.name\n"
     "schedule.at_resume has no effect: schedule.name is constant; leave it out or set another schedule.name\n",
     NULL},
    {{"--preset", "blueberry-88m-published"}, "", NULL},
    {{"--preset", "blueberry-88m-published", "--steps", "7"}, "", NULL},
};

START_TEST(keys_without_effect) {
    char *warnings;
    ck_assert_msg(parse(effects[_i].words) == MS_OK, "%s", ms_status_message());
    ms_status status = ms_config_check_effect(&config, &given, &warnings);
    if (effects[_i].error) {
        expect(status, MS_INVALID, effects[_i].error);
        ck_assert_ptr_null(warnings);
        return;
    }
    ck_assert_msg(status == MS_OK, "%s", ms_status_message());
    ck_assert_str_eq(warnings, effects[_i].warnings);
    free(warnings);
}
END_TEST

/* Loads a text as --config does. */
static void load_given(const char *text) {
    char path[] = "/tmp/ms_config_XXXXXX";
    int file = mkstemp(path);
    ck_assert_int_ge(file, 0);
    ck_assert_int_eq(write(file, text, strlen(text)), (ssize_t)strlen(text));
    close(file);
    given = (ms_config_given){.keys = {false}};
    ck_assert_msg(ms_config_load_file(&config, path, &given) == MS_OK, "%s", ms_status_message());
    unlink(path);
}

/* A file says what somebody wants; the config.yaml of a run has every key. */
START_TEST(keys_of_files_without_effect) {
    char *warnings, *all, *written;
    load_given("sgd:\n  lr: 2\ntrain:\n  steps: 9\n  tokens: 50000\n");
    ck_assert_int_eq(ms_config_check_effect(&config, &given, &warnings), MS_OK);
    ck_assert_str_eq(warnings,
                     "sgd.lr has no effect: optimizer.name is muon; leave it out or set optimizer.name sgd\n"
                     "train.steps has no effect: train.tokens is 50000; leave it out or set train.tokens 0\n");
    free(warnings);
    config.muon.decay = 0.1; /* what the run was switched to */
    ck_assert_int_eq(ms_config_text(&config, &all), MS_OK);
    ck_assert_int_eq(ms_settings_file(all, "", &written), MS_OK);
    load_given(written);
    ck_assert_int_eq(ms_config_check_effect(&config, &given, &warnings), MS_OK);
    ck_assert_str_eq(warnings, "");
    ck_assert_msg(ms_config_check(&config) == MS_OK, "%s", ms_status_message());
    free(warnings);
    free(all);
    free(written);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("config_request");
    TCase *tests = tcase_create("config_request");
    tcase_add_checked_fixture(tests, reset, NULL);
    tcase_add_test(tests, command_line_wins_over_file_over_preset);
    tcase_add_test(tests, reference_names_work);
    tcase_add_test(tests, bad_overrides_are_usage_errors);
    tcase_add_test(tests, a_key_is_given_once);
    tcase_add_loop_test(tests, keys_without_effect, 0, sizeof effects / sizeof *effects);
    tcase_add_test(tests, keys_of_files_without_effect);
    suite_add_tcase(suite, tests);
    return ms_suite_run(suite);
}
