/* Between bf16 storage and the precision of the kernels: ms_cpu_conversion.  f64 is rounded directly, not by way of
   f32. */
#include "platform/bf16.h"
#include "backend/cpu/share.h"

typedef struct widen_job {
    const void *x;
    void *y;
    int64_t count;
} widen_job;

static void widen_task(void *context, int64_t i_task, int i_thread) {
    (void)i_thread;
    const widen_job *job = context;
    const uint16_t *x = job->x;
    real *y = job->y;
    ms_range range = ms_chunk_range(i_task, MS_CHUNK, job->count);
    for (int64_t i = range.begin; i < range.end; i++) y[i] = (real)ms_f32_from_bf16(x[i]);
}

static void narrow_task(void *context, int64_t i_task, int i_thread) {
    (void)i_thread;
    const widen_job *job = context;
    const real *x = job->x;
    uint16_t *y = job->y;
    ms_range range = ms_chunk_range(i_task, MS_CHUNK, job->count);
    for (int64_t i = range.begin; i < range.end; i++) y[i] = MS_BF16_FROM_REAL(x[i]);
}

void MS_KERNEL(widen)(ms_pool *pool, const uint16_t *x, int64_t count, void *out_y) {
    widen_job job = {x, out_y, count};
    ms_pool_run(pool, ms_chunk_count(count, MS_CHUNK), widen_task, &job);
}

void MS_KERNEL(narrow)(ms_pool *pool, const void *x, int64_t count, uint16_t *out_y) {
    widen_job job = {x, out_y, count};
    ms_pool_run(pool, ms_chunk_count(count, MS_CHUNK), narrow_task, &job);
}
