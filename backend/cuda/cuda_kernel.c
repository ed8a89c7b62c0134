#include "backend/cuda/cuda_kernel.h"

#include <stdio.h>
#include <string.h>

static void append_shape(char *text, size_t size, const ms_cuda_operand *operand) {
    char shape[48];
    size_t used = strlen(text);
    if (operand->count == 0 || used + sizeof shape >= size) return;
    snprintf(text + used, size - used, " %s%s", ms_dtype_name(operand->dtype),
             ms_shape_text(&operand->shape, shape, sizeof shape));
}

void ms_cuda_shapes_text(const ms_cuda_call *call, char *out, size_t size) {
    out[0] = '\0';
    for (int i = 0; i < MS_MAX_INPUTS; i++) append_shape(out, size - sizeof " ->", &call->in[i]);
    strcat(out, " ->");
    for (int i = 0; i < MS_MAX_OUTPUTS; i++) append_shape(out, size, &call->out[i]);
}

ms_status ms_cuda_launched(const ms_cuda_call *call) {
    cudaError_t error = cudaGetLastError();
    if (error == cudaSuccess) return MS_OK;
    char shapes[400];
    ms_cuda_shapes_text(call, shapes, sizeof shapes);
    return ms_status_note(ms_cuda_status(error, "launch"), "%s:%s", ms_op_get(call->op)->name, shapes);
}
