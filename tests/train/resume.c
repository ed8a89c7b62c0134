/* What a resumed run takes over, compares and says. */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "model/data/shard.h"
#include "platform/file.h"
#include "tests/model/data_files.h"
#include "tests/support/suite.h"
#include "tests/train/runs.h"

static ms_device *device;

static void open_all(void) {
    data_folder_create();
    const ms_device_options options = {.name = "cpu", .numerics = MS_NUMERICS_EXACT, .n_threads = 1};
    ms_must(ms_device_open(&options, &device));
}

static void close_all(void) {
    ms_device_close(device);
    data_folder_remove();
}

/* Tries to go on; the run is left as it is. */
static ms_status try_to_resume(const ms_run_options *options, const char *name) {
    ms_run *run;
    ms_run_folder folder;
    ms_must(ms_run_folder_resume(data_path(name), &folder));
    ms_must(ms_run_open(device, options, &run));
    ms_status status = ms_run_resume(run, &folder);
    char message[1024];
    snprintf(message, sizeof message, "%s", ms_status_message());
    ms_run_close(run);
    return status == MS_OK ? MS_OK : MS_FAIL(status, "%s", message);
}

static ms_run_options on_shards(int64_t n_steps) {
    ms_run_options options = runs_small(n_steps);
    options.data = data_path("data");
    options.trainer.model.vocabulary = 0;
    return options;
}

/* Flips the lowest bit of one token of a shard. */
static void flip_token(const char *path, long i_token) {
    FILE *file = fopen(path, "r+b");
    ck_assert_ptr_nonnull(file);
    long at = MS_SHARD_HEADER_BYTES + 2 * i_token;
    ck_assert_int_eq(fseek(file, at, SEEK_SET), 0);
    int byte = fgetc(file);
    ck_assert_int_eq(fseek(file, at, SEEK_SET), 0);
    fputc(byte ^ 1, file);
    ck_assert_int_eq(fclose(file), 0);
}

START_TEST(a_flipped_token_is_found) {
    runs_prepare_data("data");
    ms_run_options options = on_shards(2), longer = on_shards(4);
    ms_run *run = runs_new(device, &options, "run");
    ck_assert_int_eq(runs_count(run->folder.log, "SHA-256 as dataset.json has them, checked in"), 1);
    ms_run_close(run);
    const char *shard = data_path("data/data_train_000000.bin");
    flip_token(shard, 700);
    data_check_error(try_to_resume(&longer, "run"), MS_CORRUPT, "data_train_000000.bin: SHA-256");
    ms_must(ms_run_open(device, &options, &run));
    data_check_error(ms_run_create(run, data_path("other")), MS_CORRUPT, "changed since it was prepared");
    ck_assert(!ms_file_exists(data_path("other")));
    ms_run_close(run);
    /* Without a sidecar there is nothing to compare a new run's data with, but a resumed one's with the checkpoint's.
     */
    ck_assert_int_eq(unlink(data_path("data/dataset.json")), 0);
    longer.trainer.model.vocabulary = 257;
    data_check_error(try_to_resume(&longer, "run"), MS_MISMATCH, "others than the run's");
    flip_token(shard, 700);
    run = runs_resume(device, &longer, "run");
    ck_assert_int_eq(run->trainer->step, 4);
    ms_run_close(run);
}
END_TEST

START_TEST(other_shards_of_the_same_tokenizer_are_found) {
    runs_prepare_data("data");
    ms_run_options options = on_shards(2), longer = on_shards(4);
    ms_run_close(runs_new(device, &options, "run"));
    runs_prepare_other_data("data2");
    longer.data = data_path("data2");
    data_check_error(try_to_resume(&longer, "run"), MS_MISMATCH, "others than the run's");
}
END_TEST

START_TEST(a_shard_that_is_cut_in_mid_run) {
    runs_prepare_data("data");
    ms_run_options options = on_shards(1000);
    ms_run *run;
    ms_must(ms_run_open(device, &options, &run));
    ms_must(ms_run_create(run, data_path("run")));
    ck_assert_int_eq(truncate(data_path("data/data_train_000000.bin"), 3000), 0);
    ck_assert_int_eq(ms_run_train(run), MS_CORRUPT);
    ck_assert_ptr_nonnull(strstr(ms_status_message(), "the file has 3000"));
    ms_run_close(run);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("resume");
    TCase *tests = tcase_create("resume");
    tcase_add_checked_fixture(tests, open_all, close_all);
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, a_flipped_token_is_found);
    tcase_add_test(tests, other_shards_of_the_same_tokenizer_are_found);
    tcase_add_test(tests, a_shard_that_is_cut_in_mid_run);
    suite_add_tcase(suite, tests);
    return ms_suite_run(suite);
}
