/* Going back to an older checkpoint: what is newer goes when all else is known to be possible, and is needed. */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "platform/file.h"
#include "tests/model/data_files.h"
#include "tests/support/suite.h"
#include "tests/train/runs.h"

static ms_run_options every_second(int64_t n_steps) {
    ms_run_options options = runs_small(n_steps);
    options.checkpoint_every = 2;
    options.tracker_every = 2;
    options.config_text = "a: 1\n";
    options.settings_text = n_steps == 6 ? "train.steps=6\n" : "train.steps=other\n";
    return options;
}

/* The caller closes the run whatever comes back. */
static ms_status go_back(const ms_run_options *options, int64_t step, ms_run **out) {
    ms_run_folder folder;
    ms_must(ms_run_folder_resume(data_path("run"), &folder));
    ms_must(ms_run_open(runs_device, options, out));
    return ms_run_resume_at(*out, &folder, step);
}

static char *text_of(const char *name) {
    char *text;
    size_t size;
    ms_must(ms_file_read(data_path(name), &text, &size));
    return text;
}

static const char *const kept[] = {"run/config.yaml", "run/metrics.jsonl", "run/spectra.jsonl"};
enum { N_KEPT = sizeof kept / sizeof *kept };

static void read_kept(char *texts[N_KEPT]) {
    for (int i = 0; i < N_KEPT; i++) texts[i] = text_of(kept[i]);
}

/* The run has what it had, and frees the texts. */
static void expect_kept(char *texts[N_KEPT]) {
    for (int i = 0; i < N_KEPT; i++) {
        char *now = text_of(kept[i]);
        ck_assert_str_eq(now, texts[i]);
        free(now);
        free(texts[i]);
    }
    for (int step = 0; step <= 6; step += 2) {
        char name[64];
        snprintf(name, sizeof name, "run/checkpoints/step_%08d/state.json", step);
        ck_assert_msg(ms_file_exists(data_path(name)), "%s is gone", name);
    }
}

/* Of logs that are written no more, the lines of the steps that go. */
START_TEST(lines_that_go_are_those_of_all_logs) {
    static const char *const logs[] = {"run/metrics.jsonl", "run/spectra.jsonl", "run/probes.jsonl", "run/hashes.jsonl",
                                       "run/sigma_max.jsonl"};
    ms_run_options options = every_second(6), plain = every_second(2);
    options.probe = true;
    options.hash_every = 1;
    options.tracking.every_step = MS_EVERY_STEP_SIGMA_MAX;
    plain.tracker_every = 0;
    plain.n_steps = 3;
    ms_run_close(runs_new(&options, "other"));
    ck_assert_int_eq(rename(data_path("other"), data_path("all")), 0);
    ms_run_folder folder;
    ms_run *run;
    ms_must(ms_run_folder_resume(data_path("all"), &folder));
    ms_must(ms_run_open(runs_device, &plain, &run));
    ms_must(ms_run_resume_at(run, &folder, 2));
    ms_run_close(run);
    for (int i = 0; i < 5; i++) {
        char name[64], *text;
        snprintf(name, sizeof name, "all%s", logs[i] + 3);
        text = text_of(name);
        ck_assert_msg(strstr(text, "\"step\":2,") && !strstr(text, "\"step\":4,") && !strstr(text, "\"step\":6,"),
                      "%s: %s", name, text);
        free(text);
    }
}
END_TEST

START_TEST(nothing_goes_when_there_is_nothing_to_do) {
    ms_run_options options = every_second(6);
    ms_run_close(runs_new(&options, "run"));
    for (int64_t n_steps = 3; n_steps <= 4; n_steps++) {
        ms_run_options fewer = every_second(n_steps);
        char *texts[N_KEPT];
        ms_run *run;
        read_kept(texts);
        ms_must(go_back(&fewer, 4, &run));
        ms_must(ms_run_train(run));
        ms_must(ms_run_sample(run, stdout));
        ck_assert(run->finished);
        ck_assert_int_eq(run->trainer->step, 4);
        ck_assert_uint_eq(strlen(run->weights_sha256), 64);
        ck_assert_int_eq(runs_count(run->folder.log, "the run is left as it is, with 1 checkpoints of later steps"),
                         (int)n_steps - 2);
        ck_assert_int_eq(runs_count(run->folder.log, "removed"), 0);
        ms_run_close(run);
        expect_kept(texts);
    }
}
END_TEST

/* Whatever is in the way of going on is found before the first checkpoint, line or setting is lost. */
START_TEST(nothing_goes_when_it_cannot_go_on) {
    static const char *const paths[] = {"run/spectra",      "run/spectra.jsonl", "run/metrics.jsonl",
                                        "run/hashes.jsonl", "run/samples.txt",   "run/spectra/index.jsonl"};
    ms_run_options options = every_second(6), other = every_second(8);
    ms_run_close(runs_new(&options, "run"));
    ms_must(ms_directory_create(data_path("elsewhere")));
    for (int i = 0; i < 6; i++) {
        const char *path = data_path(paths[i]), *moved = data_path("elsewhere/moved");
        char *texts[N_KEPT];
        ms_run *run;
        read_kept(texts);
        bool was_there = ms_file_exists(path);
        if (was_there) ms_must(ms_rename(path, moved));
        if (i == 5) ms_must(ms_directory_create(data_path("run/spectra")));
        if (i == 0)
            ck_assert_int_eq(symlink(data_path("elsewhere"), path), 0);
        else if (was_there) /* to the very lines: opening it would cut nothing, and fail */
            ck_assert_int_eq(symlink(moved, path), 0);
        else
            ck_assert_int_eq(mkfifo(path, 0600), 0);
        ck_assert_int_eq(go_back(&other, 2, &run), MS_IO);
        ck_assert_msg(strstr(ms_status_message(), paths[i]) != NULL, "%s", ms_status_message());
        ms_run_close(run);
        ck_assert_int_eq(unlink(path), 0);
        if (was_there) ms_must(ms_rename(moved, path));
        expect_kept(texts);
    }
    /* With nothing in the way it goes on, and what the last failure left is no hindrance. */
    ms_run *run;
    ms_must(go_back(&other, 2, &run));
    ck_assert(!ms_file_exists(data_path("run/checkpoints/step_00000004")));
    ck_assert(!ms_file_exists(data_path("run/checkpoints/step_00000006")));
    ms_must(ms_run_train(run));
    ck_assert_int_eq(runs_count(run->folder.metrics, "\"loss\""), 8);
    ms_run_close(run);
}
END_TEST

/* What a killed removal leaves goes also where all checkpoints are kept, and no save takes its name. */
START_TEST(leftovers_go) {
    ms_run_options options = every_second(6), longer = every_second(8);
    ms_run_close(runs_new(&options, "run"));
    const char *left = data_path("run/checkpoints/step_00000005.0123456789abcdef.tmp");
    ms_must(ms_directory_create(left));
    ms_run_close(runs_resume(&longer, "run"));
    ck_assert(!ms_is_directory(left));
    ck_assert(ms_is_directory(data_path("run/checkpoints/step_00000000")));
}
END_TEST

/* A link with the name of a checkpoint is none, wherever it leads. */
START_TEST(a_link_is_no_checkpoint) {
    ms_run_options options = every_second(6), longer = every_second(8);
    ms_run_close(runs_new(&options, "run"));
    const char *newest = data_path("run/checkpoints/step_00000006"), *moved = data_path("moved");
    ms_must(ms_rename(newest, moved));
    ck_assert_int_eq(symlink(moved, newest), 0);
    ms_run *run;
    for (int64_t step = -1; step <= 6; step += 7) {
        char expected[256];
        snprintf(expected, sizeof expected, "the newest intact one is of step 4: --resume %s --step 4",
                 data_path("run"));
        ms_expect(go_back(&longer, step, &run), MS_CORRUPT, "checkpoints/step_00000006: it is a symbolic link");
        ms_expect(MS_CORRUPT, MS_CORRUPT, expected);
        ms_run_close(run);
    }
    ms_must(go_back(&longer, 4, &run)); /* which removes the link, and nothing behind it */
    ck_assert(!ms_is_link(newest));
    ck_assert(ms_file_exists(data_path("moved/state.json")));
    ms_run_close(run);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("older");
    TCase *tests = tcase_create("older");
    tcase_add_checked_fixture(tests, runs_open, runs_close);
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, lines_that_go_are_those_of_all_logs);
    tcase_add_test(tests, nothing_goes_when_there_is_nothing_to_do);
    tcase_add_test(tests, nothing_goes_when_it_cannot_go_on);
    tcase_add_test(tests, leftovers_go);
    tcase_add_test(tests, a_link_is_no_checkpoint);
    suite_add_tcase(suite, tests);
    return ms_suite_run(suite);
}
