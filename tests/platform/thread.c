/* The team of threads: every task of every loop runs once, and nobody sleeps through the end.  The thread in the
   background: one job at a time, the first error stays. */
#include <check.h>
#include <stdatomic.h>
#include <time.h>

#include "platform/background.h"
#include "platform/thread.h"
#include "tests/support/suite.h"

enum { MOST_TASKS = 40 };

typedef struct loop {
    /* Not atomic: one thread has a task, and the caller sees the loop's end. */
    int n_runs[MOST_TASKS];
    int n_threads;
} loop;

static void count(void *context, int64_t i_task, int i_thread) {
    loop *l = context;
    if (i_thread < 0 || i_thread >= l->n_threads) return;
    l->n_runs[i_task]++;
}

static void run_loops(int n_threads, int n_loops, bool pauses) {
    ms_pool *pool;
    loop l = {.n_threads = n_threads};
    int wanted[MOST_TASKS] = {0};
    ms_must(ms_pool_create(n_threads, &pool));
    for (int i = 0; i < n_loops; i++) {
        int n_tasks = i % (MOST_TASKS + 1);
        /* Longer than a thread looks for work before it sleeps. */
        if (pauses) nanosleep(&(struct timespec){0, 100000}, NULL);
        ms_pool_run(pool, n_tasks, count, &l);
        for (int j = 0; j < n_tasks; j++) wanted[j]++;
        ck_assert_mem_eq(l.n_runs, wanted, sizeof wanted);
    }
    ms_pool_destroy(pool);
}

START_TEST(many_short_loops) {
    run_loops(1, 2000, false);
    run_loops(2, 20000, false);
    run_loops(ms_processor_affinity() + 3, 10000, false);
    run_loops(64, 2000, false);
}
END_TEST

START_TEST(workers_that_sleep) {
    run_loops(2, 500, true);
    run_loops(ms_processor_affinity() + 3, 500, true);
}
END_TEST

START_TEST(pools_end_at_once) {
    for (int i = 0; i < 300; i++) run_loops(1 + i % 9, i % 3, false);
}
END_TEST

enum { TEAM = 5 };

static void compute(void *context, int64_t i_task, int i_thread) {
    atomic_int *n_taken = context;
    volatile double sum = 0;
    for (int i = 0; i < 100000; i++) sum = sum + (double)i_task;
    atomic_fetch_add(&n_taken[i_thread], 1);
}

/* With tasks of some 0.1 ms, more of them than threads, nobody sleeps for good: each thread takes one at last. */
START_TEST(all_are_woken) {
    enum { MOST_LOOPS = 20000 };
    ms_pool *pool;
    atomic_int n_taken[TEAM] = {0};
    int n_awake = 0;
    ms_must(ms_pool_create(TEAM, &pool));
    for (int i = 0; i < MOST_LOOPS && n_awake < TEAM; i++) {
        if (i % 2 == 0) nanosleep(&(struct timespec){0, 1000000}, NULL);
        ms_pool_run(pool, 3 * TEAM, compute, n_taken);
        n_awake = 0;
        for (int j = 0; j < TEAM; j++) n_awake += n_taken[j] > 0;
    }
    ck_assert_int_eq(n_awake, TEAM);
    ms_pool_destroy(pool);
}
END_TEST

START_TEST(sizes) {
    ms_pool *pool;
    ck_assert_int_eq(ms_pool_create(0, &pool), MS_INVALID);
    ck_assert_int_eq(ms_pool_create(1025, &pool), MS_INVALID);
    ck_assert_int_ge(ms_processor_count(), 1);
    ck_assert_int_le(ms_processor_count(), ms_processor_affinity());
}
END_TEST

typedef struct beside {
    int n_jobs, fails_at; /* not atomic: the caller waits before it looks */
} beside;

static ms_status count_job(void *context) {
    beside *b = context;
    return ++b->n_jobs == b->fails_at ? MS_FAIL(MS_NUMERIC, "job %d", b->n_jobs) : MS_OK;
}

START_TEST(jobs_beside_the_caller) {
    beside b = {0, 4};
    ms_background *background;
    ms_must(ms_background_create(count_job, &b, &background));
    ms_must(ms_background_wait(background));
    for (int i = 1; i < 4; i++) {
        ms_background_start(background);
        ms_must(ms_background_wait(background));
        ck_assert_int_eq(b.n_jobs, i);
        ck_assert(!ms_background_is_busy(background));
    }
    for (int i = 0; i < 2; i++) {
        ms_background_start(background);
        ms_expect(ms_background_wait(background), MS_NUMERIC, "job 4");
        ck_assert_int_eq(b.n_jobs, 4); /* no job after an error */
    }
    ms_expect(ms_background_close(background), MS_NUMERIC, "job 4");
    ms_must(ms_background_close(NULL));
}
END_TEST

/* What is closed at work ends its job first. */
START_TEST(closed_at_work) {
    for (int i = 0; i < 100; i++) {
        beside b = {0, 0};
        ms_background *background;
        ms_must(ms_background_create(count_job, &b, &background));
        if (i % 2) ms_background_start(background);
        ms_must(ms_background_close(background));
        ck_assert_int_eq(b.n_jobs, i % 2);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("thread");
    TCase *tests = tcase_create("thread");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, many_short_loops);
    tcase_add_test(tests, workers_that_sleep);
    tcase_add_test(tests, pools_end_at_once);
    tcase_add_test(tests, all_are_woken);
    tcase_add_test(tests, sizes);
    tcase_add_test(tests, jobs_beside_the_caller);
    tcase_add_test(tests, closed_at_work);
    suite_add_tcase(suite, tests);
    return ms_suite_run(suite);
}
