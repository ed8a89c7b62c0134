// fill: y = value everywhere.  f32, bf16 (rounded), i32 and u16 (the value must be an integer of that type).
// Definition: backend/cpu/fill.c.
#include <math.h>

#include "platform/bf16.h"
#include "backend/cuda/ops/elementwise.cuh"

// U: an element's bits.
template <class U> struct fill_op {
    enum { WIDTH = MS_PACK_WIDTH(U) };
    U *y;
    U element;
    unsigned int word; // as many elements as fit

    template <int W> __device__ void run(unsigned int i) const {
        if constexpr (W == 1) {
            y[i] = element;
        } else {
            *reinterpret_cast<uint4 *>(y + i) = make_uint4(word, word, word, word);
        }
    }
};

static ms_status fill_words(const ms_cuda_call *call, unsigned int bits) {
    fill_op<unsigned int> op = {(unsigned int *)call->out[0].data, bits, bits};
    return ms_run_elements(call, op, call->out[0].count);
}

static ms_status fill_halves(const ms_cuda_call *call, unsigned short bits) {
    fill_op<unsigned short> op = {(unsigned short *)call->out[0].data, bits, bits | (unsigned int)bits << 16};
    return ms_run_elements(call, op, call->out[0].count);
}

static ms_status fill_integers(const ms_cuda_call *call, double value) {
    bool is_i32 = call->out[0].dtype == MS_DTYPE_I32;
    double low = is_i32 ? -2147483648.0 : 0.0, high = is_i32 ? 2147483647.0 : 65535.0;
    if (!(value >= low && value <= high) || value != floor(value))
        return MS_FAIL(MS_INVALID, "fill: %g is not a value of %s", value, ms_dtype_name(call->out[0].dtype));
    return is_i32 ? fill_words(call, (unsigned int)(int32_t)value) : fill_halves(call, (unsigned short)value);
}

extern "C" ms_status ms_cuda_fill(const ms_cuda_call *call) {
    const ms_operand *y = &call->out[0];
    if (!y->data) return MS_OK;
    float value = call->attributes->fill.value;
    unsigned int bits;
    memcpy(&bits, &value, sizeof bits);
    switch (y->dtype) {
    case MS_DTYPE_F32:
        return fill_words(call, bits);
    case MS_DTYPE_BF16:
        return fill_halves(call, ms_bf16_from_f32(value));
    case MS_DTYPE_I32:
    case MS_DTYPE_U16:
        return fill_integers(call, (double)value);
    default:
        return MS_FAIL(MS_UNSUPPORTED, "fill: no %s", ms_dtype_name(y->dtype));
    }
}

extern "C" size_t ms_cuda_fill_workspace(const ms_cuda_call *call) { return (void)call, (size_t)0; }
