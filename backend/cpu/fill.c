/* fill: y = value everywhere.  f32, bf16 (rounded), i32 and u16 (the value must be an integer of that type). */
#include <math.h>

#include "platform/bf16.h"
#include "backend/cpu/share.h"

typedef struct fill_job {
    void *y;
    int64_t count;
    real value;      /* 4- or 8-byte element */
    int32_t integer; /* i32 */
    uint16_t half;   /* 2-byte element */
    ms_dtype dtype;
} fill_job;

static void fill_task(void *context, int64_t i_task, int i_thread) {
    (void)i_thread;
    const fill_job *job = context;
    ms_range range = ms_chunk_range(i_task, MS_CHUNK, job->count);
    if (job->dtype == MS_DTYPE_F32) {
        for (int64_t i = range.begin; i < range.end; i++) ((real *)job->y)[i] = job->value;
    } else if (job->dtype == MS_DTYPE_I32) {
        for (int64_t i = range.begin; i < range.end; i++) ((int32_t *)job->y)[i] = job->integer;
    } else {
        for (int64_t i = range.begin; i < range.end; i++) ((uint16_t *)job->y)[i] = job->half;
    }
}

ms_status MS_KERNEL(fill)(const ms_cpu_call *call) {
    const ms_operand *y = &call->out[0];
    if (!ms_is_given(y)) return MS_OK;
    double value = (double)call->attributes->fill.value;
    fill_job job = {y->data, ms_shape_count(&y->shape), (real)value, 0, 0, y->dtype};
    double low = y->dtype == MS_DTYPE_I32 ? -2147483648.0 : 0.0,
           high = y->dtype == MS_DTYPE_I32 ? 2147483647.0 : 65535.0;
    switch (y->dtype) {
    case MS_DTYPE_F32:
        break;
    case MS_DTYPE_BF16:
        job.half = ms_bf16_from_f32((float)value);
        break;
    case MS_DTYPE_I32:
    case MS_DTYPE_U16:
        if (!(value >= low && value <= high) || value != floor(value))
            return MS_FAIL(MS_INVALID, "fill: %g is not a value of %s", value, ms_dtype_name(y->dtype));
        job.integer = (int32_t)value;
        job.half = (uint16_t)job.integer;
        break;
    default:
        return MS_FAIL(MS_UNSUPPORTED, "fill: no %s", ms_dtype_name(y->dtype));
    }
    ms_pool_run(call->pool, ms_chunk_count(job.count, MS_CHUNK), fill_task, &job);
    return MS_OK;
}

size_t MS_WORKSPACE(fill)(const ms_cpu_call *call) { return (void)call, (size_t)0; }
