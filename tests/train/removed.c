/* What is removed from a run, or put in the place of a part of it, while the run trains: an error that names it, and
   nothing is written elsewhere. */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "platform/directory.h"
#include "platform/file.h"
#include "tests/model/data_files.h"
#include "tests/support/suite.h"
#include "tests/train/runs.h"

static ms_run *run;

/* A run of two steps that was begun and has made none. */
static void open_all(void) {
    runs_open();
    ms_run_options small = runs_small(2);
    small.checkpoint_every = small.checkpoints_kept = 1;
    small.probe = true;
    small.spectra = MS_SPECTRA_FULL;
    small.hash_every = 1;
    small.tracking.every_step = MS_EVERY_STEP_SIGMA_MAX;
    run = runs_begin(&small, "run");
}

static void close_all(void) {
    ms_run_close(run);
    runs_close();
}

static size_t count_entries(const char *name) {
    ms_listing names;
    ms_must(ms_listing_read(data_path(name), &names));
    size_t n = names.n;
    ms_listing_finish(&names);
    return n;
}

START_TEST(a_link_in_the_place_of_checkpoints_is_not_followed) {
    /* Names that saving and pruning would take. */
    ms_must(ms_directory_create(data_path("elsewhere/step_00000000")));
    ms_must(ms_directory_create(data_path("elsewhere/step_00000000.tmp")));
    data_write_text("elsewhere/step_00000000/precious", "x");
    data_write_text("elsewhere/step_00000000.tmp/precious", "x");
    ck_assert_int_eq(rename(data_path("run/checkpoints"), data_path("run/moved")), 0);
    ck_assert_int_eq(symlink(data_path("elsewhere"), data_path("run/checkpoints")), 0);
    ms_expect(ms_run_train(run), MS_IO, "run/checkpoints was removed, renamed or replaced");
    ck_assert_uint_eq(count_entries("elsewhere"), 2);
    ck_assert(ms_file_exists(data_path("elsewhere/step_00000000/precious")));
    ck_assert(ms_file_exists(data_path("elsewhere/step_00000000.tmp/precious")));
    ck_assert_uint_eq(count_entries("run/moved"), 0);
}
END_TEST

/* Another folder is not it either, and one that is gone does not come back. */
START_TEST(another_folder_or_none_is_not_the_checkpoints) {
    ms_must(ms_directory_remove(data_path("run/checkpoints")));
    ms_expect(ms_run_folder_check(&run->folder), MS_IO, "run/checkpoints was removed");
    ms_expect(ms_run_train(run), MS_IO, "run/checkpoints was removed");
    ck_assert(!ms_file_exists(data_path("run/checkpoints")));
    ms_must(ms_directory_create(data_path("run/checkpoints")));
    ms_expect(ms_run_folder_check(&run->folder), MS_IO, "run/checkpoints was removed");
}
END_TEST

static const char *const logs[] = {
    "run/run.log",      "run/metrics.jsonl",   "run/spectra.jsonl",      "run/probes.jsonl",
    "run/hashes.jsonl", "run/sigma_max.jsonl", "run/spectra/index.jsonl"};
enum { N_LOGS = sizeof logs / sizeof *logs };

/* The first look comes with the first checkpoint, which is saved before it. */
START_TEST(a_log_that_is_removed_is_named) {
    ck_assert_int_eq(unlink(data_path(logs[_i % N_LOGS])), 0);
    if (_i >= N_LOGS) data_write_text(logs[_i % N_LOGS], ""); /* replaced */
    ms_expect(ms_run_train(run), MS_IO, logs[_i % N_LOGS] + strlen("run/"));
    ck_assert_ptr_nonnull(strstr(ms_status_message(), "was removed, renamed or replaced"));
    ck_assert_int_eq(run->saved_step, 0);
    ck_assert(ms_is_directory(data_path("run/checkpoints/step_00000000")));
}
END_TEST

START_TEST(a_configuration_that_is_removed_is_named) {
    ck_assert_int_eq(unlink(data_path("run/config.yaml")), 0);
    ms_expect(ms_run_train(run), MS_IO, "run/config.yaml was removed");
    ck_assert_int_eq(run->saved_step, 0); /* what was trained is not lost with it */
}
END_TEST

START_TEST(a_configuration_that_is_changed_is_named) {
    if (_i == 0) {
        data_write_text("run/config.yaml", "colour: red\n");
    } else {
        ck_assert_int_eq(unlink(data_path("run/config.yaml")), 0);
        ck_assert_int_eq(symlink("/dev/null", data_path("run/config.yaml")), 0);
    }
    ms_expect(ms_run_train(run), MS_IO, "run/config.yaml was changed or replaced");
    ck_assert_int_eq(run->saved_step, 0);
}
END_TEST

START_TEST(a_run_that_is_left_alone_ends_well) {
    ms_must(ms_run_train(run));
    ck_assert_int_eq(run->saved_step, 2);
    ck_assert_uint_eq(count_entries("run/checkpoints"), 1);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("removed");
    TCase *tests = tcase_create("removed");
    tcase_add_checked_fixture(tests, open_all, close_all);
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, a_link_in_the_place_of_checkpoints_is_not_followed);
    tcase_add_test(tests, another_folder_or_none_is_not_the_checkpoints);
    tcase_add_loop_test(tests, a_log_that_is_removed_is_named, 0, 2 * N_LOGS);
    tcase_add_test(tests, a_configuration_that_is_removed_is_named);
    tcase_add_loop_test(tests, a_configuration_that_is_changed_is_named, 0, 2);
    tcase_add_test(tests, a_run_that_is_left_alone_ends_well);
    suite_add_tcase(suite, tests);
    return ms_suite_run(suite);
}
