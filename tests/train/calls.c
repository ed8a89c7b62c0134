/* Calls that a program through the library gets wrong: what they are answered with, and what right ones do beside their
   result. */
#include <check.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/data/tokenizer.h"
#include "platform/directory.h"
#include "tests/support/suite.h"
#include "tests/train/jobs.h"

static void expect(ms_status status, const char *part) { ms_expect(status, MS_INVALID, part); }

START_TEST(test_no_path) {
    ms_tokenizer *tokenizer;
    expect(ms_tokenizer_open(NULL, &tokenizer), "tokenizer: the path is NULL, must name a file or a folder");
    ck_assert_ptr_null(tokenizer);
}
END_TEST

static job small_job(void) {
    const ms_trainer_options options = job_small_options();
    return job_open(&options);
}

START_TEST(test_a_trainer_that_is_not_allocated) {
    job j = small_job();
    char weights[65], state[65];
    double loss;
    ms_step_result result;
    const ms_save_request request = {j.data, "none", NULL, 0, false};
    ms_batch_source source = ms_dataset_source(j.data);
#define NOT_ALLOCATED ": the trainer is not allocated, call ms_trainer_allocate first"
    expect(ms_trainer_hashes(j.trainer, weights, state), "train: hashes" NOT_ALLOCATED);
    expect(ms_trainer_save(j.trainer, "/nonexistent/x", &request, weights, state), "train: a checkpoint" NOT_ALLOCATED);
    expect(ms_trainer_load(j.trainer, NULL, j.data), "train: loading" NOT_ALLOCATED);
    expect(ms_trainer_initialise(j.trainer), "train: initialisation" NOT_ALLOCATED);
    expect(ms_trainer_step(j.trainer, source, NULL, &result), "train: a step" NOT_ALLOCATED);
    expect(ms_trainer_evaluate(j.trainer, source, 1, &loss), "train: evaluation" NOT_ALLOCATED);
#undef NOT_ALLOCATED
    job_close(&j);
}
END_TEST

START_TEST(test_saving_makes_parents) {
    job j = small_job();
    char base[] = "/tmp/ms_calls_XXXXXX", checkpoints[64], weights[65], state[65];
    ck_assert_ptr_nonnull(mkdtemp(base));
    snprintf(checkpoints, sizeof checkpoints, "%s/none/x", base);
    ms_must(ms_trainer_allocate(j.trainer));
    ms_must(ms_trainer_initialise(j.trainer));
    const ms_save_request request = {j.data, "none", NULL, 0, false};
    ms_must(ms_trainer_save(j.trainer, checkpoints, &request, weights, state));
    ms_checkpoint *checkpoint;
    ms_must(ms_checkpoint_open(checkpoints, 0, &checkpoint));
    ms_checkpoint_close(checkpoint);
    ms_must(ms_directory_remove(base));
    job_close(&j);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("train/calls");
    TCase *tcase = tcase_create("calls");
    tcase_add_test(tcase, test_no_path);
    tcase_add_test(tcase, test_a_trainer_that_is_not_allocated);
    tcase_add_test(tcase, test_saving_makes_parents);
    suite_add_tcase(suite, tcase);
    return ms_suite_run(suite);
}
