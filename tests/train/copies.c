/* A run's copies of tokenizer.json and dataset.json: what is damaged is found before the first step. */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "platform/file.h"
#include "tests/model/data_files.h"
#include "tests/support/suite.h"
#include "tests/train/runs.h"

static const char *const names[] = {"tokenizer.json", "dataset.json"};
enum { EMPTY, CUT, PIPE, LINK, FOLDER, FOREIGN, N_DAMAGES };

static char *text_of(const char *path) {
    char *text;
    size_t size;
    ms_must(ms_file_read(path, &text, &size));
    return text;
}

/* The character at this distance from each place of `part`. */
static void replace(char *text, const char *part, size_t at, char with) {
    for (char *found = strstr(text, part); found; found = strstr(found + 1, part)) found[at] = with;
}

/* FOREIGN: well made, of another tokenizer. */
static void damage(const char *path, int how) {
    char *text;
    size_t size;
    ms_must(ms_file_read(path, &text, &size));
    ck_assert_int_eq(unlink(path), 0);
    if (how == EMPTY) ms_must(ms_file_write(path, "", 0));
    if (how == CUT) ms_must(ms_file_write(path, text, strlen(text) / 2));
    if (how == PIPE) ck_assert_int_eq(mkfifo(path, 0600), 0);
    if (how == FOLDER) ms_must(ms_directory_create(path));
    if (how == LINK) {
        ms_must(ms_file_write(data_path("behind"), text, strlen(text)));
        ck_assert_int_eq(symlink(data_path("behind"), path), 0);
    }
    if (how == FOREIGN) {
        replace(text, "\"tokenizer_sha256\": \"", strlen("\"tokenizer_sha256\": \""), 'a');
        replace(text, "<|endoftext|>", 2, 'E');
        ms_must(ms_file_write(path, text, strlen(text)));
    }
    free(text);
}

static ms_status try_to_resume(const ms_run_options *options, const char *name) {
    ms_run *run;
    ms_run_folder folder;
    char message[1024];
    ms_must(ms_run_folder_resume(data_path(name), &folder));
    ms_must(ms_run_open(runs_device, options, &run));
    ms_status status = ms_run_resume(run, &folder);
    snprintf(message, sizeof message, "%s", ms_status_message());
    ms_run_close(run);
    return status == MS_OK ? MS_OK : MS_FAIL(status, "%s", message);
}

static ms_run_options with_text(int64_t n_steps) {
    ms_run_options options = runs_on_shards(n_steps);
    options.sample = (ms_sample_request){.prompt = "L", .n_tokens = 2, .sampling = {.temperature = 1}};
    return options;
}

START_TEST(a_damaged_copy_is_written_again) {
    runs_prepare_data("data");
    ms_run_options options = with_text(2);
    ms_run_close(runs_new(&options, "run"));
    int64_t n_steps = 2;
    for (int i = 0; i < 2; i++)
        for (int how = 0; how <= N_DAMAGES; how++) { /* the last: it is missing */
            char path[64], expected[96];
            snprintf(path, sizeof path, "run/%s", names[i]);
            char *whole = text_of(data_path(path));
            if (how < N_DAMAGES)
                damage(data_path(path), how);
            else
                ck_assert_int_eq(unlink(data_path(path)), 0);
            ms_run_options longer = with_text(++n_steps);
            ms_run *run = runs_resume(&longer, "run");
            ms_must(ms_run_sample(run, stdout));
            snprintf(expected, sizeof expected, "the run's copy of %s %s", names[i],
                     how < N_DAMAGES ? "was damaged" : "is missing");
            ck_assert_int_eq(runs_count(run->folder.log, expected), how < N_DAMAGES ? how + 1 : 1);
            ck_assert_int_eq(runs_count(run->folder.log, "the run's copy of"), i * (N_DAMAGES + 1) + how + 1);
            ms_run_close(run);
            char *now = text_of(data_path(path));
            ck_assert(!ms_is_link(data_path(path)));
            ck_assert_str_eq(now, whole);
            free(now);
            free(whole);
        }
}
END_TEST

/* A copy that the data cannot replace is the error, before the first step; without damage nothing is amiss. */
START_TEST(a_damaged_copy_without_a_source_is_named) {
    runs_prepare_data("data");
    ms_run_options options = with_text(2), longer = with_text(4);
    char *data = strdup(options.data);
    options.data = longer.data = data;
    longer.trainer.model.vocabulary = options.trainer.model.vocabulary = 257;
    ms_run_close(runs_new(&options, "run"));
    for (int i = 0; i < 2; i++) {
        char path[64], source[64], expected[96];
        snprintf(path, sizeof path, "run/%s", names[i]);
        snprintf(source, sizeof source, "data/%s", names[i]);
        snprintf(expected, sizeof expected, "the run's copy of %s is damaged: ", names[i]);
        char *whole = text_of(data_path(path));
        char *of_data = text_of(data_path(source));
        ck_assert_int_eq(unlink(data_path(source)), 0);
        for (int how = 0; how < N_DAMAGES; how++) {
            damage(data_path(path), how);
            ms_expect(try_to_resume(&longer, "run"), MS_CORRUPT, expected);
            ck_assert_int_eq(runs_count(data_path("run/metrics.jsonl"), "\"loss\""), 2);
            ck_assert(ms_remove_one(data_path(path)));
            ms_must(ms_file_write(data_path(path), whole, strlen(whole)));
        }
        ms_must(try_to_resume(&options, "run"));
        ms_must(ms_file_write(data_path(source), of_data, strlen(of_data)));
        free(whole);
        free(of_data);
    }
    free(data);
}
END_TEST

/* A folder with something in it is somebody's: it stays, and is named. */
START_TEST(what_is_in_the_way_is_not_removed) {
    runs_prepare_data("data");
    ms_run_options options = with_text(2), longer = with_text(4);
    ms_run_close(runs_new(&options, "run"));
    ck_assert_int_eq(unlink(data_path("run/dataset.json")), 0);
    ms_must(ms_directory_create(data_path("run/dataset.json")));
    data_write_text("run/dataset.json/precious", "x");
    ms_expect(try_to_resume(&longer, "run"), MS_IO, "the run's copy of dataset.json is damaged, and cannot be written");
    ck_assert(ms_file_exists(data_path("run/dataset.json/precious")));
}
END_TEST

/* What becomes of the copies in mid-run takes nothing from the text at the end. */
START_TEST(the_text_at_the_end_needs_no_copy) {
    runs_prepare_data("data");
    ms_run_options options = with_text(2);
    ms_run *run = runs_begin(&options, "run");
    damage(data_path("run/dataset.json"), EMPTY);
    ms_must(ms_run_train(run));
    ms_must(ms_run_sample(run, stdout));
    ms_run_close(run);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("copies");
    TCase *tests = tcase_create("copies");
    tcase_add_checked_fixture(tests, runs_open, runs_close);
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, a_damaged_copy_is_written_again);
    tcase_add_test(tests, a_damaged_copy_without_a_source_is_named);
    tcase_add_test(tests, what_is_in_the_way_is_not_removed);
    tcase_add_test(tests, the_text_at_the_end_needs_no_copy);
    suite_add_tcase(suite, tests);
    return ms_suite_run(suite);
}
