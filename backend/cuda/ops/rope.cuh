// The transposed rotary embedding of one head, for the gradient: backend/cpu/rope.h.  Number i of a head belongs to the
// pair (2k, 2k + 1) when interleaved, else (k, k + D/2); a row of the table holds cos [D/2] and sin [D/2].  Which of both is
// known at compile time: a branch between loads makes the later ones wait for the earlier.
#ifndef MS_BACKEND_CUDA_ROPE_CUH
#define MS_BACKEND_CUDA_ROPE_CUH

#include "backend/cuda/ops/pack.cuh"

// The heads of an operand [N,heads*D], and their angles.
struct ms_rope_heads {
    const float *table; // [sequence,D]
    unsigned int n_heads, size, sequence;
};

// The head's row of the table.
static __device__ __forceinline__ const float *ms_rope_angles(const ms_rope_heads &rope, unsigned int head) {
    return rope.table + head / rope.n_heads % rope.sequence * rope.size;
}

// Numbers i to i + W - 1 of the head that begins at dy, turned back; packs need half a head to be whole packs.
template <int W, bool INTERLEAVED, class T>
static __device__ __forceinline__ ms_pack<W> ms_rope_transposed(const ms_rope_heads &rope, unsigned int head,
                                                                const T *dy, unsigned int i) {
    const float *cosine = ms_rope_angles(rope, head), *sine = cosine + rope.size / 2;
    unsigned int half_size = rope.size / 2;
    ms_pack<W> turned, u = ms_load_pack<W>(dy, i);
    if constexpr (INTERLEAVED) {
#pragma unroll
        for (int j = 0; j < W; j++) {
            unsigned int k = (i + j) / 2;
            bool is_first = (i + j) % 2 == 0;
            float v = W == 1 ? ms_load_element(dy, i ^ 1u) : u.x[j ^ (W > 1)];
            float a = ms_mul(u.x[j], cosine[k]), b = ms_mul(v, sine[k]);
            turned.x[j] = is_first ? ms_add(a, b) : ms_sub(a, b);
        }
    } else {
        bool is_first = i < half_size;
        unsigned int k = is_first ? i : i - half_size;
        ms_pack<W> v = ms_load_pack<W>(dy, is_first ? i + half_size : k);
        ms_pack<W> a = ms_pack_mul(u, ms_load_pack<W>(cosine, k)), b = ms_pack_mul(v, ms_load_pack<W>(sine, k));
#pragma unroll
        for (int j = 0; j < W; j++) turned.x[j] = is_first ? ms_add(a.x[j], b.x[j]) : ms_sub(a.x[j], b.x[j]);
    }
    return turned;
}

#endif
