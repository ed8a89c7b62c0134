// random_normal: y = deviation * standard normal, by Philox4x32-10 (Salmon et al. 2011) and Box & Muller (1958): a
// thread makes the four numbers of one counter.  Definition: backend/cpu/random_normal.c, platform/random.c.  A step
// outside of [0, 2^24] is reported, and nothing is written.
#include "backend/cpu/philox.h"
#include "backend/cuda/ops/elementwise.cuh"
#include "backend/cuda/ops/formulas.cuh"

enum { MAX_STEP = 1 << 24 };

static __device__ __forceinline__ uint4 philox(uint4 c, uint2 key) {
#pragma unroll
    for (int i = 0; i < 10; i++) {
        unsigned int high0 = __umulhi(0xD2511F53u, c.x), low0 = 0xD2511F53u * c.x;
        unsigned int high1 = __umulhi(0xCD9E8D57u, c.z), low1 = 0xCD9E8D57u * c.z;
        c = make_uint4(high1 ^ c.y ^ key.x, low1, high0 ^ c.w ^ key.y, low0);
        key.x += 0x9E3779B9u;
        key.y += 0xBB67AE85u;
    }
    return c;
}

struct random_normal_op {
    enum { WIDTH = 1 }; // counters
    float *y;
    bool is_packs;      // the quads of y are at 16-byte addresses
    unsigned int count; // of y
    uint2 key;
    ms_coefficient deviation;
    int step_scalar; // -1: the step is 0
    const float *step_scalars;
    ms_cuda_fault *fault;
    unsigned int node;

    template <int W> __device__ void run(unsigned int i_counter) const {
        float step = step_scalar >= 0 ? step_scalars[step_scalar] : 0.0f;
        if (!(step >= 0.0f && step <= (float)MAX_STEP)) {
            bool is_large = step > (float)MAX_STEP;
            if (i_counter == 0) ms_report_fault(fault, node, is_large ? (int)fminf(step, 2147483520.0f) : -1);
            return;
        }
        uint4 word = philox(make_uint4(i_counter, 0u, (unsigned int)step, 0u), key);
        float scale = ms_coefficient_value(deviation, step_scalars);
        auto low = ms_exact_formulas::ms_formula_normal_pair(word.x, word.y, scale);
        auto high = ms_exact_formulas::ms_formula_normal_pair(word.z, word.w, scale);
        const ms_pack<4> quad = {{low.first, low.second, high.first, high.second}};
        unsigned int begin = 4 * i_counter;
        if (is_packs && count - begin >= 4) {
            ms_store_pack<4>(y, begin, quad);
        } else {
#pragma unroll
            for (unsigned int j = 0; j < 4; j++)
                if (j < count - begin) y[begin + j] = quad.x[j];
        }
    }
};

extern "C" ms_status ms_cuda_random_normal(const ms_cuda_call *call) {
    const ms_operand *y = &call->out[0];
    if (!y->data) return MS_OK;
    const ms_random_normal_attributes *attributes = &call->attributes->random_normal;
    uint64_t key = ms_philox_key(attributes->seed, attributes->stream);
    *call->fault_limit = (int64_t)MAX_STEP + 1;
    random_normal_op op = {(float *)y->data,
                           ms_is_packs(y, 4, 4),
                           (unsigned int)y->count,
                           make_uint2((unsigned int)key, (unsigned int)(key >> 32)),
                           attributes->deviation,
                           attributes->step_scalar,
                           call->step_scalars,
                           call->fault,
                           call->node};
    return ms_launch_elementwise<1>(call, op, (y->count + 3) / 4);
}

extern "C" size_t ms_cuda_random_normal_workspace(const ms_cuda_call *call) { return (void)call, (size_t)0; }
