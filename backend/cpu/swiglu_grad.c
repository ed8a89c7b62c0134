/* swiglu_grad: with s = sigmoid(gate):  dgate = (dy up) (s (1 + gate (1 - s))),  dup = dy (gate s); dgate may be gate
   and dup may be up. */
#include "backend/cpu/share.h"
#include "backend/cpu/sigmoid.h"

typedef struct swiglu_grad_job {
    const real *gate, *up, *dy;
    real *dgate, *dup; /* NULL: not wanted */
    int64_t count;
} swiglu_grad_job;

static void swiglu_grad_task(void *context, int64_t i_task, int i_thread) {
    (void)i_thread;
    const swiglu_grad_job *job = context;
    const real *gate = job->gate, *up = job->up, *dy = job->dy;
    real *dgate = job->dgate, *dup = job->dup;
    ms_range range = ms_chunk_range(i_task, MS_CHUNK, job->count);
    if (dgate && dup) {
#pragma GCC ivdep
        for (int64_t i = range.begin; i < range.end; i++) {
            real g = gate[i], u = up[i], s = ms_sigmoid(g);
            dup[i] = dy[i] * (g * s);
            dgate[i] = (dy[i] * u) * (s * (1 + g * (1 - s)));
        }
    } else if (dgate) {
#pragma GCC ivdep
        for (int64_t i = range.begin; i < range.end; i++) {
            real g = gate[i], s = ms_sigmoid(g);
            dgate[i] = (dy[i] * up[i]) * (s * (1 + g * (1 - s)));
        }
    } else if (dup) {
#pragma GCC ivdep
        for (int64_t i = range.begin; i < range.end; i++) dup[i] = dy[i] * (gate[i] * ms_sigmoid(gate[i]));
    }
}

ms_status MS_KERNEL(swiglu_grad)(const ms_cpu_call *call) {
    swiglu_grad_job job = {call->in[0].data,  call->in[1].data,  call->in[2].data,
                           call->out[0].data, call->out[1].data, ms_shape_count(&call->in[0].shape)};
    ms_pool_run(call->pool, ms_chunk_count(job.count, MS_CHUNK), swiglu_grad_task, &job);
    return MS_OK;
}

size_t MS_WORKSPACE(swiglu_grad)(const ms_cpu_call *call) { return (void)call, (size_t)0; }
