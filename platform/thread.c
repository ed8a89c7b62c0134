#define _GNU_SOURCE
#include "platform/thread.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

/* How long an idle worker looks for the next loop before it sleeps: a training step issues loops every few tens of
   microseconds, and waking a sleeping thread costs about as much. */
enum { SPIN_ROUNDS = 4000 };

struct ms_pool {
    int n_threads;
    int n_started; /* workers that really run */
    pthread_t *workers;
    pthread_mutex_t mutex; /* guards sleeping and waking only */
    pthread_cond_t wake;
    atomic_uint generation; /* counts loops; a change is the signal to start */
    atomic_bool closing;
    atomic_int n_sleeping;
    atomic_int n_busy;    /* workers that have not yet left the current loop */
    _Atomic int64_t next; /* next task of the current loop */
    int64_t n_tasks;
    ms_task task;
    void *context;
};

typedef struct worker_start {
    ms_pool *pool;
    int i_thread;
} worker_start;

static void pause_processor(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
}

static void take_tasks(ms_pool *pool, int i_thread) {
    for (;;) {
        int64_t i_task = atomic_fetch_add_explicit(&pool->next, 1, memory_order_relaxed);
        if (i_task >= pool->n_tasks) return;
        pool->task(pool->context, i_task, i_thread);
    }
}

static void await_generation(ms_pool *pool, unsigned seen) {
    for (int i = 0; i < SPIN_ROUNDS; i++) {
        if (atomic_load_explicit(&pool->generation, memory_order_acquire) != seen) return;
        pause_processor();
    }
    pthread_mutex_lock(&pool->mutex);
    atomic_fetch_add(&pool->n_sleeping, 1);
    while (atomic_load(&pool->generation) == seen) pthread_cond_wait(&pool->wake, &pool->mutex);
    atomic_fetch_sub(&pool->n_sleeping, 1);
    pthread_mutex_unlock(&pool->mutex);
}

/* Publishes a new loop (or the end) to all workers. */
static void advance_generation(ms_pool *pool) {
    atomic_fetch_add(&pool->generation, 1);
    if (atomic_load(&pool->n_sleeping) > 0) {
        pthread_mutex_lock(&pool->mutex);
        pthread_cond_broadcast(&pool->wake);
        pthread_mutex_unlock(&pool->mutex);
    }
}

static void *worker_main(void *argument) {
    worker_start start = *(worker_start *)argument;
    free(argument);
    ms_pool *pool = start.pool;
    unsigned seen = 0;
    for (;;) {
        await_generation(pool, seen);
        seen = atomic_load_explicit(&pool->generation, memory_order_acquire);
        if (atomic_load(&pool->closing)) return NULL;
        take_tasks(pool, start.i_thread);
        atomic_fetch_sub_explicit(&pool->n_busy, 1, memory_order_release);
    }
}

ms_status ms_pool_create(int n_threads, ms_pool **out) {
    *out = NULL;
    if (n_threads < 1 || n_threads > 1024)
        return MS_FAIL(MS_INVALID, "thread pool: %d threads, must be 1 to 1024", n_threads);
    ms_pool *pool = calloc(1, sizeof *pool);
    if (!pool) return MS_FAIL(MS_OUT_OF_MEMORY, "thread pool: no memory");
    pool->n_threads = n_threads;
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->wake, NULL);
    pool->workers = calloc((size_t)n_threads, sizeof *pool->workers);
    ms_status status = pool->workers ? MS_OK : MS_FAIL(MS_OUT_OF_MEMORY, "thread pool: no memory");
    for (int i = 0; status == MS_OK && i < n_threads - 1; i++) {
        worker_start *start = malloc(sizeof *start);
        if (start) *start = (worker_start){pool, i + 1};
        if (!start || pthread_create(&pool->workers[i], NULL, worker_main, start) != 0) {
            free(start);
            status = MS_FAIL(MS_OUT_OF_MEMORY, "thread pool: cannot start thread %d of %d", i + 1, n_threads);
        } else {
            pool->n_started++;
        }
    }
    if (status != MS_OK) {
        ms_pool_destroy(pool);
        return status;
    }
    *out = pool;
    return MS_OK;
}

void ms_pool_destroy(ms_pool *pool) {
    if (!pool) return;
    atomic_store(&pool->closing, true);
    advance_generation(pool);
    for (int i = 0; i < pool->n_started; i++) pthread_join(pool->workers[i], NULL);
    pthread_cond_destroy(&pool->wake);
    pthread_mutex_destroy(&pool->mutex);
    free(pool->workers);
    free(pool);
}

int ms_pool_size(const ms_pool *pool) { return pool ? pool->n_threads : 1; }

void ms_pool_run(ms_pool *pool, int64_t n_tasks, ms_task task, void *context) {
    if (!pool || pool->n_started == 0 || n_tasks <= 1) {
        for (int64_t i = 0; i < n_tasks; i++) task(context, i, 0);
        return;
    }
    pool->task = task;
    pool->context = context;
    pool->n_tasks = n_tasks;
    atomic_store_explicit(&pool->next, 0, memory_order_relaxed);
    atomic_store_explicit(&pool->n_busy, pool->n_started, memory_order_relaxed);
    advance_generation(pool);
    take_tasks(pool, 0);
    /* All workers must have left the loop before its fields may change. */
    for (int i = 0; atomic_load_explicit(&pool->n_busy, memory_order_acquire) > 0; i++) {
        if (i < SPIN_ROUNDS) {
            pause_processor();
        } else {
            sched_yield();
        }
    }
}

int ms_processor_count(void) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0) return CPU_COUNT(&set);
    return 1;
}
