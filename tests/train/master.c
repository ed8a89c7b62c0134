/* Runs with weights and optimizer state in bf16: every value that is stored is one, from the first on, and a run goes
   on from its checkpoint to the bit. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "tests/model/data_files.h"
#include "tests/support/suite.h"
#include "tests/train/runs.h"

/* How many values of weights and states are no bf16, and how many there are. */
static int64_t n_wider(const ms_trainer *trainer, int64_t *out_n) {
    int64_t n_wider = 0;
    *out_n = 0;
    for (int i = 0; i < ms_variables_count(trainer->variables); i++) {
        const ms_variable *variable = ms_variables_get(trainer->variables, i);
        if (variable->kind != MS_VARIABLE_PARAMETER && variable->kind != MS_VARIABLE_STATE) continue;
        int64_t count = ms_shape_count(&variable->shape);
        uint32_t *bits = malloc((size_t)count * sizeof *bits);
        ms_must(ms_store_download(trainer->store, i, 0, count, bits));
        for (int64_t j = 0; j < count; j++) n_wider += (bits[j] & 0xffffu) != 0;
        *out_n += count;
        free(bits);
    }
    return n_wider;
}

static ms_run_options with(ms_dtype master, ms_optimizer_kind kind, int64_t n_steps) {
    ms_run_options options = runs_small(n_steps);
    options.trainer.optimizer.master = master;
    options.trainer.optimizer.kind = kind;
    return options;
}

START_TEST(every_stored_value_is_bf16) {
    int64_t n;
    const ms_run_options options = with(MS_DTYPE_BF16, (ms_optimizer_kind)_i, 4);
    ms_run *run = runs_begin(&options, "run");
    ck_assert_int_eq(n_wider(run->trainer, &n), 0);
    ck_assert_int_gt(n, 20000);
    ms_must(ms_run_train(run));
    ck_assert_int_eq(n_wider(run->trainer, &n), 0);
    const ms_run_options plain = with(MS_DTYPE_F32, (ms_optimizer_kind)_i, 4);
    ms_run *f32 = runs_new(&plain, "f32");
    ck_assert_int_gt(n_wider(f32->trainer, &n), n / 2);
    ms_run_close(f32);
    ms_run_close(run);
}
END_TEST

START_TEST(a_resumed_run_has_the_bits_of_a_whole_one) {
    const ms_run_options whole_options = with(MS_DTYPE_BF16, MS_OPTIMIZER_MUON, 6);
    const ms_run_options half_options = with(MS_DTYPE_BF16, MS_OPTIMIZER_MUON, 3);
    ms_run *whole = runs_new(&whole_options, "whole");
    ms_run_close(runs_new(&half_options, "half"));
    ms_run *half = runs_resume(&whole_options, "half");
    ck_assert_str_eq(half->weights_sha256, whole->weights_sha256);
    ck_assert_str_eq(half->state_sha256, whole->state_sha256);
    ms_run_close(half);
    ms_run_close(whole);
}
END_TEST

START_TEST(other_types_are_refused) {
    ms_run_options options = with(MS_DTYPE_I32, MS_OPTIMIZER_MUON, 3);
    ms_run *run;
    ck_assert_int_eq(ms_run_open(runs_device, &options, &run), MS_INVALID);
    ck_assert_ptr_nonnull(strstr(ms_status_message(), "optimizer: master is "));
}
END_TEST

int main(void) {
    Suite *suite = suite_create("master");
    TCase *tcase = tcase_create("master");
    tcase_add_checked_fixture(tcase, runs_open, runs_close);
    tcase_add_loop_test(tcase, every_stored_value_is_bf16, 0, MS_OPTIMIZER_COUNT);
    tcase_add_test(tcase, a_resumed_run_has_the_bits_of_a_whole_one);
    tcase_add_test(tcase, other_types_are_refused);
    suite_add_tcase(suite, tcase);
    return ms_suite_run(suite);
}
