/* random_normal: y = deviation * standard normal.  Elements 4q .. 4q+3 come from Philox4x32-10 with counter
   {q low, q high, step, 0} and key ms_philox_key(seed, stream).  Words (w0, w1) and (w2, w3) make a pair each:
   ms_formula_normal_pair. */
#include "backend/cpu/philox.h"
#include "backend/cpu/share.h"
#include "backend/formulas.h"
#include "platform/random.h"

typedef struct random_normal_job {
    real *y;
    int64_t count;
    uint64_t key;
    uint32_t step;
    real deviation;
} random_normal_job;

enum { NORMAL_GROUP = 64 }; /* counters per pass, so that each stage is a vector loop */

static void normal_pairs(const uint32_t *w0, const uint32_t *w1, real deviation, real *y0, real *y1) {
    for (int i = 0; i < NORMAL_GROUP; i++) {
        ms_pair pair = ms_formula_normal_pair(w0[i], w1[i], deviation);
        y0[i] = pair.first;
        y1[i] = pair.second;
    }
}

/* y [4 NORMAL_GROUP]: the elements of counters first .. first + NORMAL_GROUP - 1. */
static void normal_group(const random_normal_job *job, uint64_t first, real *y) {
    uint32_t words[4][NORMAL_GROUP];
    real normals[4][NORMAL_GROUP];
    const uint32_t key[2] = {(uint32_t)job->key, (uint32_t)(job->key >> 32)};
    uint32_t step = job->step;
    for (int i = 0; i < NORMAL_GROUP; i++) {
        uint64_t q = first + (uint64_t)i;
        const uint32_t counter[4] = {(uint32_t)q, (uint32_t)(q >> 32), step, 0};
        uint32_t word[4];
        ms_philox(counter, key, word);
        for (int w = 0; w < 4; w++) words[w][i] = word[w];
    }
    normal_pairs(words[0], words[1], job->deviation, normals[0], normals[1]);
    normal_pairs(words[2], words[3], job->deviation, normals[2], normals[3]);
    for (int i = 0; i < NORMAL_GROUP; i++)
        for (int w = 0; w < 4; w++) y[4 * i + w] = normals[w][i];
}

static void random_normal_task(void *context, int64_t i_task, int i_thread) {
    (void)i_thread;
    const random_normal_job *job = context;
    ms_range range = ms_chunk_range(i_task, MS_CHUNK, job->count);
    for (int64_t begin = range.begin; begin < range.end; begin += 4 * NORMAL_GROUP) {
        real group[4 * NORMAL_GROUP];
        int64_t n = range.end - begin < 4 * NORMAL_GROUP ? range.end - begin : 4 * NORMAL_GROUP;
        normal_group(job, (uint64_t)begin / 4, group);
        memcpy(job->y + begin, group, (size_t)n * sizeof(real));
    }
}

ms_status MS_KERNEL(random_normal)(const ms_cpu_call *call) {
    if (!ms_is_given(&call->out[0])) return MS_OK;
    const ms_random_normal_attributes *attributes = &call->attributes->random_normal;
    random_normal_job job = {call->out[0].data, ms_shape_count(&call->out[0].shape), 0, 0, 0};
    job.key = ms_philox_key(attributes->seed, attributes->stream);
    if (attributes->step_scalar >= 0) {
        real step = ((const real *)call->step_scalars)[attributes->step_scalar];
        if (!(step >= 0 && step <= 16777216))
            return MS_FAIL(MS_INVALID, "random_normal: step %g is not in [0, 2^24]", (double)step);
        job.step = (uint32_t)step;
    }
    job.deviation = ms_coefficient_value(call, attributes->deviation);
    ms_pool_run(call->pool, ms_chunk_count(job.count, MS_CHUNK), random_normal_task, &job);
    return MS_OK;
}

size_t MS_WORKSPACE(random_normal)(const ms_cpu_call *call) { return (void)call, (size_t)0; }
