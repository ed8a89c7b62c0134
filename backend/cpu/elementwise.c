/* The ops of kind ELEMENTWISE: one loop each over the op's formula (backend/formulas.h).  All operands have one shape,
   and an output may be an input. */
#include "backend/cpu/share.h"
#include "backend/formulas.h"

typedef struct elementwise_job {
    const real *in[MS_MAX_INPUTS];
    real *out[MS_MAX_OUTPUTS]; /* NULL: not wanted */
    int64_t count;
} elementwise_job;

/* The loops, by numbers of inputs and outputs.  A formula is a constant where they are called, so that it is inlined
   and its loop vectorised. */
#define LOOP static inline __attribute__((always_inline)) void

LOOP loop_1_1(const elementwise_job *job, ms_range range, real (*formula)(real)) {
    const real *x = job->in[0];
    real *y = job->out[0];
#pragma GCC ivdep
    for (int64_t i = range.begin; i < range.end; i++) y[i] = formula(x[i]);
}

LOOP loop_2_1(const elementwise_job *job, ms_range range, real (*formula)(real, real)) {
    const real *x0 = job->in[0], *x1 = job->in[1];
    real *y = job->out[0];
#pragma GCC ivdep
    for (int64_t i = range.begin; i < range.end; i++) y[i] = formula(x0[i], x1[i]);
}

LOOP loop_3_2(const elementwise_job *job, ms_range range, ms_pair (*formula)(real, real, real)) {
    const real *x0 = job->in[0], *x1 = job->in[1], *x2 = job->in[2];
    real *first = job->out[0], *second = job->out[1];
    if (first && second) {
#pragma GCC ivdep
        for (int64_t i = range.begin; i < range.end; i++) {
            ms_pair pair = formula(x0[i], x1[i], x2[i]);
            first[i] = pair.first;
            second[i] = pair.second;
        }
    } else if (first) {
#pragma GCC ivdep
        for (int64_t i = range.begin; i < range.end; i++) first[i] = formula(x0[i], x1[i], x2[i]).first;
    } else {
#pragma GCC ivdep
        for (int64_t i = range.begin; i < range.end; i++) second[i] = formula(x0[i], x1[i], x2[i]).second;
    }
}

static ms_status run(const ms_cpu_call *call, ms_task task) {
    elementwise_job job = {{0}, {0}, ms_shape_count(&call->in[0].shape)};
    bool is_wanted = false;
    for (int i = 0; i < MS_MAX_INPUTS; i++) job.in[i] = call->in[i].data;
    for (int i = 0; i < MS_MAX_OUTPUTS; i++) {
        job.out[i] = call->out[i].data;
        is_wanted = is_wanted || job.out[i];
    }
    if (is_wanted) ms_pool_run(call->pool, ms_chunk_count(job.count, MS_CHUNK), task, &job);
    return MS_OK;
}

/* The kernel of each row of ops.def. */
#define KERNEL_PRIMITIVE(lower, n_in, n_out)
#define KERNEL_FREE(lower, n_in, n_out)
#define KERNEL_COMPOSITE(lower, n_in, n_out)
#define KERNEL_ELEMENTWISE(lower, n_in, n_out)                                                                         \
    static void lower##_task(void *context, int64_t i_task, int i_thread) {                                            \
        (void)i_thread;                                                                                                \
        const elementwise_job *job = context;                                                                          \
        loop_##n_in##_##n_out(job, ms_chunk_range(i_task, MS_CHUNK, job->count), ms_formula_##lower);                  \
    }                                                                                                                  \
    ms_status MS_KERNEL(lower)(const ms_cpu_call *call) { return run(call, lower##_task); }                            \
    size_t MS_WORKSPACE(lower)(const ms_cpu_call *call) { return (void)call, (size_t)0; }
#define OP(upper, lower, kind, min_in, max_in, n_out, ...) KERNEL_##kind(lower, max_in, n_out)
#include "backend/ir/ops.def"
#undef OP
