/* A fixed team of threads that shares the tasks of one parallel loop.  Tasks are numbered; which thread takes which
   task is not defined, so a task's result must depend on its number alone: then nothing depends on the number of
   threads. */
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

/* Runs all tasks and returns when the last has ended; the caller takes part.  Not thread-safe on one pool, and a task
   must not call it on its own pool.  pool == NULL runs the tasks on the caller. */
void ms_pool_run(ms_pool *pool, int64_t n_tasks, ms_task task, void *context);

/* Number of processors this process may use. */
int ms_processor_count(void);

#endif
