/* cast: y = x between f32 and bf16, rounding to nearest even. */
#include "platform/bf16.h"
#include "backend/cpu/share.h"

typedef struct cast_job {
    const void *x;
    void *y;
    int64_t count;
} cast_job;

static void to_bf16(void *context, int64_t i_task, int i_thread) {
    (void)i_thread;
    const cast_job *job = context;
    const real *x = job->x;
    uint16_t *y = job->y;
    ms_range range = ms_chunk_range(i_task, MS_CHUNK, job->count);
#pragma GCC ivdep
    for (int64_t i = range.begin; i < range.end; i++) y[i] = MS_BF16_FROM_REAL(x[i]);
}

static void from_bf16(void *context, int64_t i_task, int i_thread) {
    (void)i_thread;
    const cast_job *job = context;
    const uint16_t *x = job->x;
    real *y = job->y;
    ms_range range = ms_chunk_range(i_task, MS_CHUNK, job->count);
#pragma GCC ivdep
    for (int64_t i = range.begin; i < range.end; i++) y[i] = (real)ms_f32_from_bf16(x[i]);
}

ms_status MS_KERNEL(cast)(const ms_cpu_call *call) {
    const ms_operand *x = &call->in[0], *y = &call->out[0];
    if (!ms_is_given(y)) return MS_OK;
    if (x->dtype == y->dtype) {
        ms_copy_all(call, x, y->data);
        return MS_OK;
    }
    cast_job job = {x->data, y->data, ms_shape_count(&x->shape)};
    ms_pool_run(call->pool, ms_chunk_count(job.count, MS_CHUNK), y->dtype == MS_DTYPE_BF16 ? to_bf16 : from_bf16, &job);
    return MS_OK;
}

size_t MS_WORKSPACE(cast)(const ms_cpu_call *call) { return (void)call, (size_t)0; }
