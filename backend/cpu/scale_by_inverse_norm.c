/* scale_by_inverse_norm: y = x r with r = 1 / (factor sqrt(ss) + epsilon), one ss per matrix of the stack.  x, y
   [batch,R,C] (y may be x), ss [batch,1]. */
#include "backend/cpu/share.h"
#include "backend/formulas.h"

typedef struct scale_job {
    const real *x, *ss;
    real *y;
    int64_t size; /* of one matrix */
    real factor, epsilon;
} scale_job;

static void scale_task(void *context, int64_t i_task, int i_thread) {
    (void)i_thread;
    const scale_job *job = context;
    int64_t per_matrix = ms_chunk_count(job->size, MS_CHUNK), matrix = i_task / per_matrix;
    ms_range range = ms_chunk_range(i_task % per_matrix, MS_CHUNK, job->size);
    real inverse = ms_formula_inverse_norm(job->ss[matrix], job->factor, job->epsilon);
    const real *x = job->x + matrix * job->size;
    real *y = job->y + matrix * job->size;
#pragma GCC ivdep
    for (int64_t i = range.begin; i < range.end; i++) y[i] = ms_formula_mul(x[i], inverse);
}

ms_status MS_KERNEL(scale_by_inverse_norm)(const ms_cpu_call *call) {
    if (!ms_is_given(&call->out[0])) return MS_OK;
    ms_matrix_shape matrix = ms_shape_matrix(&call->in[0].shape);
    scale_job job = {call->in[0].data, call->in[1].data, call->out[0].data, matrix.rows * matrix.columns, 0, 0};
    job.factor = (real)call->attributes->inverse_norm.factor;
    job.epsilon = (real)call->attributes->inverse_norm.epsilon;
    ms_pool_run(call->pool, matrix.batch * ms_chunk_count(job.size, MS_CHUNK), scale_task, &job);
    return MS_OK;
}

size_t MS_WORKSPACE(scale_by_inverse_norm)(const ms_cpu_call *call) { return (void)call, (size_t)0; }
