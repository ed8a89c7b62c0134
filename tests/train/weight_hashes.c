/* hashes.jsonl: which steps have a line, of what the hashes are, and that nothing else changes by it. */
#include "train/weight_hashes.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "model/checkpoint/checkpoint.h"
#include "platform/file.h"
#include "tests/model/data_files.h"
#include "tests/support/suite.h"
#include "tests/train/runs.h"

static ms_run_options hashed(int64_t n_steps, int64_t every) {
    ms_run_options options = runs_small(n_steps);
    options.hash_every = every;
    return options;
}

static char *read_text(const char *path) {
    char *text;
    size_t size;
    ms_must(ms_file_read(path, &text, &size));
    return text;
}

/* The steps of the lines, "0 1 3 6 7". */
static const char *steps_of(const char *path) {
    static char steps[256];
    char *text = read_text(path);
    steps[0] = '\0';
    for (const char *line = text; *line; line = strchr(line, '\n') + 1)
        sprintf(steps + strlen(steps), "%s%d", *steps ? " " : "", atoi(line + strlen("{\"step\":")));
    free(text);
    return steps;
}

START_TEST(lines_are_of_the_weights) {
    ms_run_options options = hashed(7, 3), without = hashed(7, 0);
    ms_run *run = runs_new(&options, "hashed"), *plain = runs_new(&without, "plain");
    ck_assert_str_eq(run->weights_sha256, plain->weights_sha256);
    ck_assert_str_eq(run->state_sha256, plain->state_sha256);
    ck_assert(!ms_file_exists(data_path("plain/hashes.jsonl")));
    ck_assert_str_eq(steps_of(data_path("hashed/hashes.jsonl")), "0 1 3 6 7");
    /* The last line has what the last checkpoint has. */
    ms_checkpoint *checkpoint;
    ms_must(ms_checkpoint_open(data_path("hashed/checkpoints"), 7, &checkpoint));
    const ms_safetensors *file = ms_checkpoint_model(checkpoint);
    size_t n = ms_safetensors_count(file);
    ck_assert_uint_gt(n, 8);
    for (size_t i = 0; i < n; i++) {
        char hash[65], pair[300];
        ms_must(ms_tensors_sha256(ms_safetensors_at(file, i), 1, hash));
        snprintf(pair, sizeof pair, "\"%s\":\"%s\"", ms_safetensors_at(file, i)->name, hash);
        ck_assert_msg(runs_count(data_path("hashed/hashes.jsonl"), pair) > 0, "no %s", pair);
    }
    ms_checkpoint_close(checkpoint);
    ms_run_close(run);
    ms_run_close(plain);
}
END_TEST

/* A resumed run writes what a straight one writes; lines of steps after its checkpoint, bad and repeated ones go. */
START_TEST(a_resumed_run_has_the_same_lines) {
    ms_run_options half = hashed(6, 3), whole = hashed(9, 3);
    ms_run_close(runs_new(&whole, "whole"));
    ms_run_close(runs_new(&half, "half"));
    char *straight = read_text(data_path("whole/hashes.jsonl")), *text = read_text(data_path("half/hashes.jsonl"));
    size_t size = 2 * strlen(text) + 200;
    char *longer = malloc(size);
    ck_assert_ptr_nonnull(longer);
    snprintf(longer, size, "%s%s{\"step\":8,\"tokens\":1,\"sha256\":{}}\nnonsense\n{\"step\":9,\"tok", text, text);
    data_write_text("half/hashes.jsonl", longer);
    ms_run *run = runs_resume(&whole, "half");
    ck_assert_int_eq(runs_count(run->folder.log, "dropped 1 lines that are no JSON object"), 1);
    ck_assert_int_eq(runs_count(run->folder.log, "dropped 4 lines that say again"), 1);
    ms_run_close(run);
    free(text);
    text = read_text(data_path("half/hashes.jsonl"));
    ck_assert_str_eq(text, straight);
    free(text);
    free(straight);
    free(longer);
}
END_TEST

START_TEST(lines_that_are_missing_are_counted) {
    ms_run_options half = hashed(6, 3), whole = hashed(9, 3), off = hashed(12, 0);
    ms_run_close(runs_new(&half, "run"));
    data_write_text("run/hashes.jsonl", "");
    ms_run *run = runs_resume(&whole, "run");
    ck_assert_int_eq(runs_count(run->folder.log, "hashes.jsonl: 3 lines of snapshots up to the checkpoint are missing"),
                     1);
    ms_run_close(run);
    ck_assert_str_eq(steps_of(data_path("run/hashes.jsonl")), "9");
    /* Switched off, it keeps what there is up to the checkpoint. */
    char *text = read_text(data_path("run/hashes.jsonl"));
    char more[4096];
    snprintf(more, sizeof more, "%s{\"step\":10,\"tokens\":1,\"sha256\":{}}\n", text);
    data_write_text("run/hashes.jsonl", more);
    ms_run_close(runs_resume(&off, "run"));
    ck_assert_str_eq(steps_of(data_path("run/hashes.jsonl")), "9");
    free(text);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("weight_hashes");
    TCase *tests = tcase_create("weight_hashes");
    tcase_add_checked_fixture(tests, runs_open, runs_close);
    tcase_add_test(tests, lines_are_of_the_weights);
    tcase_add_test(tests, a_resumed_run_has_the_same_lines);
    tcase_add_test(tests, lines_that_are_missing_are_counted);
    suite_add_tcase(suite, tests);
    return ms_suite_run(suite);
}
