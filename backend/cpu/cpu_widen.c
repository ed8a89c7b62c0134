#include "backend/cpu/cpu_widen.h"

#include <string.h>

/* A call in f32 made from one with bf16 operands. */
typedef struct wide_call {
    ms_cpu_call call; /* of the operands below: none in bf16; data of the widened ones is not set */
    ms_operand in[MS_MAX_INPUTS], out[MS_MAX_OUTPUTS];
    int64_t in_at[MS_MAX_INPUTS];   /* bytes from the workspace's start, -1: the operand is taken as it is */
    int64_t out_at[MS_MAX_OUTPUTS]; /* likewise; may be the place of an input that the op works in place on */
    size_t workspace_bytes;         /* the kernel's scratch, then the widened operands */
} wide_call;

/* Whether the kernel itself takes bf16. */
static bool takes_bf16(ms_op op) {
    return op == MS_OP_FILL || op == MS_OP_CAST || op == MS_OP_SLICE || op == MS_OP_INSERT || op == MS_OP_INSERT_ROWS ||
           op == MS_OP_RESHAPE || op == MS_OP_ASSIGN;
}

static bool is_widened(const ms_cpu_call *call) {
    bool found = false;
    for (int i = 0; i < MS_MAX_INPUTS; i++) found |= call->in[i].dtype == MS_DTYPE_BF16;
    for (int k = 0; k < MS_MAX_OUTPUTS; k++) found |= call->out[k].dtype == MS_DTYPE_BF16;
    return found && !takes_bf16(call->op);
}

/* Room for an operand at the end of the workspace; every place is a multiple of 64 bytes. */
static int64_t append(wide_call *wide, const ms_operand *operand, size_t real_bytes) {
    size_t at = (wide->workspace_bytes + 63) / 64 * 64;
    wide->workspace_bytes = at + (size_t)ms_shape_count(&operand->shape) * real_bytes;
    return (int64_t)at;
}

/* The place of a widened input that output k may be computed in, -1: none. */
static int64_t place_in_input(const wide_call *wide, int k) {
    const ms_cpu_call *call = &wide->call;
    for (int i = 0; i < MS_MAX_INPUTS; i++) {
        bool fits = wide->in_at[i] >= 0 && ms_op_may_alias(call->op, k, i) &&
                    ms_shape_count(&call->in[i].shape) == ms_shape_count(&call->out[k].shape);
        for (int j = 0; fits && j < k; j++) fits = wide->out_at[j] != wide->in_at[i];
        if (fits) return wide->in_at[i];
    }
    return -1;
}

static void lay_out(const ms_cpu_kernel_entry *kernel, const ms_cpu_call *call, wide_call *out) {
    size_t real_bytes = kernel->conversion->real_bytes;
    memcpy(out->in, call->in, sizeof out->in);
    memcpy(out->out, call->out, sizeof out->out);
    for (int i = 0; i < MS_MAX_INPUTS; i++)
        if (out->in[i].dtype == MS_DTYPE_BF16) out->in[i].dtype = MS_DTYPE_F32;
    for (int k = 0; k < MS_MAX_OUTPUTS; k++)
        if (out->out[k].dtype == MS_DTYPE_BF16) out->out[k].dtype = MS_DTYPE_F32;
    out->call = *call;
    out->call.in = out->in;
    out->call.out = out->out;
    out->workspace_bytes = kernel->workspace(&out->call);
    for (int i = 0; i < MS_MAX_INPUTS; i++)
        out->in_at[i] = call->in[i].dtype == MS_DTYPE_BF16 ? append(out, &call->in[i], real_bytes) : -1;
    for (int k = 0; k < MS_MAX_OUTPUTS; k++) {
        out->out_at[k] = -1;
        if (call->out[k].dtype != MS_DTYPE_BF16) continue;
        out->out_at[k] = place_in_input(out, k);
        if (out->out_at[k] < 0) out->out_at[k] = append(out, &call->out[k], real_bytes);
    }
}

size_t ms_cpu_kernel_workspace(const ms_cpu_kernel_entry *kernel, const ms_cpu_call *call) {
    if (!is_widened(call)) return kernel->workspace(call);
    wide_call wide;
    lay_out(kernel, call, &wide);
    return wide.workspace_bytes;
}

ms_status ms_cpu_kernel_run(const ms_cpu_kernel_entry *kernel, const ms_cpu_call *call) {
    if (!is_widened(call)) return kernel->run(call);
    const ms_cpu_conversion *conversion = kernel->conversion;
    wide_call wide;
    lay_out(kernel, call, &wide);
    char *base = call->workspace;
    for (int i = 0; i < MS_MAX_INPUTS; i++) {
        if (wide.in_at[i] < 0) continue;
        wide.in[i].data = base + wide.in_at[i];
        conversion->widen(call->pool, call->in[i].data, ms_shape_count(&call->in[i].shape), wide.in[i].data);
    }
    for (int k = 0; k < MS_MAX_OUTPUTS; k++)
        if (wide.out_at[k] >= 0 && call->out[k].data) wide.out[k].data = base + wide.out_at[k];
    MS_TRY(kernel->run(&wide.call));
    for (int k = 0; k < MS_MAX_OUTPUTS; k++)
        if (wide.out_at[k] >= 0 && call->out[k].data)
            conversion->narrow(call->pool, wide.out[k].data, ms_shape_count(&call->out[k].shape), call->out[k].data);
    return MS_OK;
}
