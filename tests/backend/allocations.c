/* A training step allocates nothing: its memory is planned, and taken before the second step. */
#include <stdatomic.h>
#include <stdlib.h>

#include "cli/config/config.h"
#include "cli/config/trainer_config.h"
#include "tests/support/suite.h"

static atomic_long n_calls;
static atomic_size_t largest; /* bytes of one malloc */

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);

void *__wrap_malloc(size_t size) {
    atomic_fetch_add(&n_calls, 1);
    if (size > atomic_load(&largest)) atomic_store(&largest, size);
    return __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size) {
    atomic_fetch_add(&n_calls, 1);
    return __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size) {
    atomic_fetch_add(&n_calls, 1);
    return __real_realloc(memory, size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size) {
    atomic_fetch_add(&n_calls, 1);
    return __real_aligned_alloc(alignment, size);
}

/* Tokens 0, 1, 2, ... below a vocabulary of 96, sequences of 32. */
static ms_status next_batch(void *context, int n_sequences, int32_t *out_tokens, int32_t *out_targets) {
    int32_t *drawn = context;
    for (int i = 0; i < n_sequences * 32; i++) {
        out_tokens[i] = (*drawn)++ % 96;
        out_targets[i] = i % 32 == 31 ? -1 : *drawn % 96;
    }
    return MS_OK;
}

START_TEST(test_step_allocates_nothing) {
    ms_config config;
    ms_device *device;
    ms_trainer *trainer;
    ms_step_result result;
    int32_t drawn = 0;
    ms_batch_source source = {.next = next_batch, .context = &drawn};
    ms_config_defaults(&config);
    ms_must(ms_config_load_preset(&config, "micro"));
    ms_must(ms_config_set(&config, "train.accumulation", "2"));
    ms_must(ms_config_set(&config, "train.numerics", _i ? "exact" : "fast"));
    ms_must(ms_config_set(&config, "train.threads", "2"));
    ms_trainer_options options = ms_trainer_options_from_config(&config, 0);
    ms_device_options device_options = ms_device_options_from_config(&config);
    ms_must(ms_device_open(&device_options, &device));
    ms_must(ms_trainer_open(device, &options, &trainer));
    ms_must(ms_trainer_allocate(trainer));
    ms_must(ms_trainer_initialise(trainer));
    ms_must(ms_trainer_step(trainer, source, NULL, &result));
    /* Check's own macros allocate: none between the two readings. */
    ms_status status = MS_OK;
    long before = atomic_load(&n_calls);
    for (int i = 0; status == MS_OK && i < 5; i++) status = ms_trainer_step(trainer, source, NULL, &result);
    long after = atomic_load(&n_calls);
    ms_must(status);
    ck_assert_int_gt(before, 0); /* the counter counts */
    ck_assert_int_eq(after - before, 0);
    ms_trainer_close(trainer);
    ms_device_close(device);
}
END_TEST

/* The matmul that is timed on the CPU is as large as the plan allows, and no larger. */
START_TEST(test_peak_keeps_to_the_plan) {
    static const struct {
        size_t most_bytes, takes;
    } cases[] = {{0, 12 * 1024 * 1024},
                 {12582912, 12 * 1024 * 1024},
                 {12582911, 12 * 768 * 768},
                 {2 << 20, 12 * 384 * 384},
                 {1, 12 * 384 * 384}};
    ms_device_options cpu = {.name = "cpu", .numerics = MS_NUMERICS_EXACT, .n_threads = 1};
    ms_device *device;
    ms_must(ms_device_open(&cpu, &device));
    ck_assert(ms_device_has_peak(device));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double flops = 0;
        atomic_store(&largest, 0);
        ms_must(ms_device_measure_peak(device, cases[i].most_bytes, &flops));
        ck_assert_uint_eq(atomic_load(&largest), cases[i].takes);
        ck_assert_double_gt(flops, 1e8);
    }
    ms_device_close(device);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("allocations");
    TCase *tcase = tcase_create("allocations");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, test_step_allocates_nothing, 0, 2);
    tcase_add_test(tcase, test_peak_keeps_to_the_plan);
    suite_add_tcase(suite, tcase);
    return ms_suite_run(suite);
}
