#define _GNU_SOURCE
#include "platform/thread.h"

#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "platform/cgroup.h"
#include "platform/clock.h"

/* How long a thread looks for what it waits for before it sleeps: waking it costs time, and a thread that looks takes
   the processor from one that has work.  Chosen by the time of a step (docs/performance.md). */
static const double SPIN_SECONDS = 50e-6;

/* A worker that lost so much of a loop to other work, and more than half of it, is not asked for ALONE times as long:
   its caller, waiting for the task it had begun, lost the same. */
static const double LOST_SECONDS = 200e-6;
enum { ALONE = 4 };

/* The loop that is open, in one word: so a worker joins only while it is, and the caller sees who is inside. */
enum {
    INSIDE = (1 << 12) - 1, /* number of workers in the loop */
    OPEN = 1 << 12,         /* workers may join */
    AWAITED = 1 << 13,      /* the caller sleeps until the last worker leaves */
};

/* A loop does not need its workers: who does not come in time, because other work has the processors, is not waited
   for, and finds the loop closed.  Its caller waits only for tasks that have begun. */
struct ms_pool {
    int n_threads;
    int n_started; /* workers that really run */
    pthread_t *workers;
    double spin_seconds;    /* 0 with more threads than processors: somebody else always needs this one */
    atomic_uint generation; /* counts loops; a change is the signal to start; workers sleep on it */
    atomic_uint state;      /* INSIDE, OPEN, AWAITED; the caller sleeps on it */
    atomic_bool closing;
    _Atomic double alone_until; /* ms_clock_seconds() until which the caller works alone */
    atomic_int n_sleeping;
    _Atomic int64_t next; /* next task of the current loop */
    /* Written only while no loop is open and nobody is inside. */
    int64_t n_tasks;
    ms_task task;
    void *context;
};

typedef struct worker_start {
    ms_pool *pool;
    int i_thread;
} worker_start;

/* Sleeps until a wake, unless *word is no longer `seen`; may return early. */
static void futex_wait(atomic_uint *word, unsigned seen) {
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
}

static void futex_wake(atomic_uint *word, int n) { syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, n, NULL, NULL, 0); }

static void pause_processor(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
}

/* Looks at *word until (*word & mask) differs from `seen`, for a short time.  True: it does. */
static bool spin(const ms_pool *pool, atomic_uint *word, unsigned mask, unsigned seen, bool until_equal) {
    enum { ROUNDS = 16 }; /* between looks at the clock */
    double begin = 0;
    for (;;) {
        for (int i = 0; i < ROUNDS; i++) {
            if (((atomic_load_explicit(word, memory_order_acquire) & mask) == seen) == until_equal) return true;
            if (pool->spin_seconds == 0) return false;
            pause_processor();
        }
        double now = ms_clock_seconds();
        if (begin == 0) begin = now;
        if (now - begin > pool->spin_seconds) return false;
    }
}

static void wake_workers(ms_pool *pool, int n) {
    if (atomic_load(&pool->n_sleeping) > 0) futex_wake(&pool->generation, n);
}

/* Each thread that finds work wakes two more: all are awake soon, and none without need. */
static void take_tasks(ms_pool *pool, int i_thread) {
    enum { WOKEN_BY_EACH = 2 };
    for (bool first = true;; first = false) {
        int64_t i_task = atomic_fetch_add_explicit(&pool->next, 1, memory_order_relaxed);
        int64_t n_left = pool->n_tasks - 1 - i_task;
        if (n_left < 0) return;
        if (first && n_left > 0) wake_workers(pool, n_left < WOKEN_BY_EACH ? (int)n_left : WOKEN_BY_EACH);
        pool->task(pool->context, i_task, i_thread);
    }
}

static void await_generation(ms_pool *pool, unsigned seen) {
    if (spin(pool, &pool->generation, UINT_MAX, seen, false)) return;
    atomic_fetch_add(&pool->n_sleeping, 1);
    while (atomic_load(&pool->generation) == seen) futex_wait(&pool->generation, seen);
    atomic_fetch_sub(&pool->n_sleeping, 1);
}

/* A worker joins the loop.  False: it is closed. */
static bool join_loop(ms_pool *pool) {
    unsigned state = atomic_load(&pool->state);
    while (state & OPEN)
        if (atomic_compare_exchange_weak(&pool->state, &state, state + 1)) return true;
    return false;
}

static double processor_seconds(void) {
    struct timespec time;
    return clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time) == 0 ? (double)time.tv_sec + 1e-9 * (double)time.tv_nsec : 0;
}

static void work(ms_pool *pool, int i_thread) {
    double begin = ms_clock_seconds(), begin_processor = processor_seconds();
    take_tasks(pool, i_thread);
    double end = ms_clock_seconds();
    if (end - begin <= LOST_SECONDS) return;
    double lost = end - begin - (processor_seconds() - begin_processor);
    if (lost > LOST_SECONDS && lost > 0.5 * (end - begin)) atomic_store(&pool->alone_until, end + ALONE * lost);
}

static void leave_loop(ms_pool *pool) {
    if (atomic_fetch_sub(&pool->state, 1) == (AWAITED | 1)) futex_wake(&pool->state, 1);
}

/* The caller ends the loop and waits for the workers inside: then its fields may change. */
static void close_loop(ms_pool *pool) {
    atomic_fetch_and(&pool->state, ~(unsigned)OPEN);
    if (spin(pool, &pool->state, INSIDE, 0, true)) return;
    unsigned state = atomic_fetch_or(&pool->state, AWAITED) | AWAITED;
    while ((state & INSIDE) > 0) {
        futex_wait(&pool->state, state);
        state = atomic_load(&pool->state);
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
        if (!join_loop(pool)) continue;
        work(pool, start.i_thread);
        leave_loop(pool);
    }
}

ms_status ms_pool_create(int n_threads, ms_pool **out) {
    *out = NULL;
    if (n_threads < 1 || n_threads > 1024)
        return MS_FAIL(MS_INVALID, "thread pool: %d threads, must be 1 to 1024", n_threads);
    ms_pool *pool = calloc(1, sizeof *pool);
    if (!pool) return MS_FAIL(MS_OUT_OF_MEMORY, "thread pool: no memory");
    pool->n_threads = n_threads;
    pool->spin_seconds = n_threads > ms_processor_count() ? 0 : SPIN_SECONDS;
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
    atomic_fetch_add(&pool->generation, 1);
    wake_workers(pool, INT_MAX);
    for (int i = 0; i < pool->n_started; i++) pthread_join(pool->workers[i], NULL);
    free(pool->workers);
    free(pool);
}

int ms_pool_size(const ms_pool *pool) { return pool ? pool->n_threads : 1; }

void ms_pool_run(ms_pool *pool, int64_t n_tasks, ms_task task, void *context) {
    if (!pool || pool->n_started == 0 || n_tasks <= 1 || ms_clock_seconds() < atomic_load(&pool->alone_until)) {
        for (int64_t i = 0; i < n_tasks; i++) task(context, i, 0);
        return;
    }
    pool->task = task;
    pool->context = context;
    pool->n_tasks = n_tasks;
    atomic_store_explicit(&pool->next, 0, memory_order_relaxed);
    atomic_store(&pool->state, OPEN);
    atomic_fetch_add(&pool->generation, 1); /* take_tasks wakes those who sleep */
    take_tasks(pool, 0);
    close_loop(pool);
}

int ms_processor_affinity(void) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0) return CPU_COUNT(&set);
    return 1;
}

int ms_processor_count(void) {
    int n = ms_processor_affinity(), quota = ms_cgroup_processors("");
    return quota > 0 && quota < n ? quota : n;
}
