/* A fixed team of threads that shares the tasks of one parallel loop.  Tasks are numbered; which thread takes which
   task is not defined, so a task's result must depend on its number alone: then nothing depends on the number of
   threads.  Tasks compute and do not wait, neither for each other nor for a device: a loop whose workers lose time is
   taken for one beside other work, and the caller works alone for a while. */
#ifndef MS_PLATFORM_THREAD_H
#define MS_PLATFORM_THREAD_H

#include <stdint.h>

#include "platform/status.h"

typedef struct ms_pool ms_pool;

/* i_task in [0, n_tasks); i_thread in [0, n_threads) names the executing thread, for per-thread scratch. */
typedef void (*ms_task)(void *context, int64_t i_task, int i_thread);

/* Starts n_threads - 1 workers (the caller of ms_pool_run is the last one).  1 <= n_threads <= 1024.
   MS_INVALID, MS_OUT_OF_MEMORY. */
ms_status ms_pool_create(int n_threads, ms_pool **out);
void ms_pool_destroy(ms_pool *pool);
int ms_pool_size(const ms_pool *pool);

/* Runs all tasks and returns when the last has ended; the caller takes part, and does not wait for workers that other
   work keeps from a processor.  Threads that have nothing to do sleep, after about 50 microseconds.  Not thread-safe on
   one pool, and a task must not call it on its own pool.  pool == NULL runs the tasks on the caller. */
void ms_pool_run(ms_pool *pool, int64_t n_tasks, ms_task task, void *context);

/* Number of processors on which this process may run (its affinity), whatever share of them it may take. */
int ms_processor_affinity(void);

/* Number of processors that this process may fill: the smaller of its affinity and the quotas of its cgroups, rounded
   up, at least 1.  The default number of threads: with more, they wait for each other. */
int ms_processor_count(void);

#endif
