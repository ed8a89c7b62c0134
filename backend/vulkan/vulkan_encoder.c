/* Building dispatches: see vulkan_kernel.h. */
#include "backend/vulkan/vulkan_encoder.h"

#include <stdlib.h>
#include <string.h>

#include "backend/vulkan/vulkan_pipeline.h"

bool ms_vulkan_same_place(const ms_operand *a, const ms_operand *b) {
    return a->region == b->region && a->variable == b->variable && a->offset_bytes == b->offset_bytes;
}

bool ms_vulkan_is_aligned(const ms_operand *operand, int64_t bytes) { return operand->offset_bytes % bytes == 0; }

static int64_t element_bytes(const ms_operand *operand) { return (int64_t)ms_dtype_size(operand->dtype); }

ms_operand ms_vulkan_part(const ms_operand *operand, int64_t first, int64_t count) {
    ms_operand part = *operand;
    part.offset_bytes += first * element_bytes(operand);
    part.shape = ms_shape_1(count);
    part.count = count;
    return part;
}

ms_operand ms_vulkan_workspace(ms_dtype dtype, int64_t offset_bytes, int64_t count) {
    return (ms_operand){.region = MS_REGION_WORKSPACE,
                        .variable = -1,
                        .offset_bytes = offset_bytes,
                        .dtype = dtype,
                        .shape = ms_shape_1(count),
                        .count = count};
}

ms_operand ms_vulkan_absent(void) { return (ms_operand){.region = MS_REGION_NONE, .variable = -1}; }

ms_vulkan_dispatch ms_vulkan_dispatch_of(const char *shader, uint32_t size_x, uint32_t size_y, uint32_t size_z) {
    ms_vulkan_dispatch dispatch = {.shader = shader};
    ms_vulkan_constant_u32(&dispatch, size_x);
    ms_vulkan_constant_u32(&dispatch, size_y);
    ms_vulkan_constant_u32(&dispatch, size_z);
    return dispatch;
}

void ms_vulkan_constant_u32(ms_vulkan_dispatch *dispatch, uint32_t value) {
    if (dispatch->n_constants < MS_VULKAN_MAX_CONSTANTS) dispatch->constants[dispatch->n_constants] = value;
    dispatch->n_constants++;
}

static uint32_t bits_of(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

void ms_vulkan_constant_f32(ms_vulkan_dispatch *dispatch, float value) {
    ms_vulkan_constant_u32(dispatch, bits_of(value));
}

void ms_vulkan_constant_dtype(ms_vulkan_dispatch *dispatch, const ms_operand *operand) {
    ms_vulkan_constant_u32(dispatch, operand->dtype == MS_DTYPE_BF16);
}

static void push_address(ms_vulkan_dispatch *dispatch, const ms_operand *operand, bool read, bool write) {
    if (dispatch->n_operands < MS_VULKAN_MAX_OPERANDS) {
        dispatch->operands[dispatch->n_operands].operand = *operand;
        dispatch->operands[dispatch->n_operands].read = read;
        dispatch->operands[dispatch->n_operands].write = write;
    }
    dispatch->n_operands++;
}

void ms_vulkan_push_read(ms_vulkan_dispatch *dispatch, const ms_operand *operand) {
    push_address(dispatch, operand, true, false);
}
void ms_vulkan_push_write(ms_vulkan_dispatch *dispatch, const ms_operand *operand) {
    push_address(dispatch, operand, false, true);
}
void ms_vulkan_push_update(ms_vulkan_dispatch *dispatch, const ms_operand *operand) {
    push_address(dispatch, operand, true, true);
}

void ms_vulkan_push_step_scalars(ms_vulkan_dispatch *dispatch) {
    ms_operand scalars = ms_vulkan_absent();
    scalars.region = MS_REGION_STEP_SCALARS;
    push_address(dispatch, &scalars, true, false);
}

void ms_vulkan_push_fault(ms_vulkan_dispatch *dispatch, int64_t limit) {
    ms_operand fault = ms_vulkan_absent();
    fault.region = MS_REGION_FAULT;
    push_address(dispatch, &fault, false, false); /* reports do not order dispatches */
    dispatch->fault_limit = limit;
}

void ms_vulkan_push_u32(ms_vulkan_dispatch *dispatch, uint32_t value) {
    if (dispatch->n_numbers < MS_VULKAN_PUSH_BYTES / 4) dispatch->numbers[dispatch->n_numbers] = value;
    dispatch->n_numbers++;
}
void ms_vulkan_push_i32(ms_vulkan_dispatch *dispatch, int32_t value) { ms_vulkan_push_u32(dispatch, (uint32_t)value); }
void ms_vulkan_push_f32(ms_vulkan_dispatch *dispatch, float value) { ms_vulkan_push_u32(dispatch, bits_of(value)); }

void ms_vulkan_push_coefficient(ms_vulkan_dispatch *dispatch, ms_coefficient coefficient) {
    ms_vulkan_push_f32(dispatch, coefficient.constant);
    ms_vulkan_push_i32(dispatch, coefficient.scalar);
}

static ms_status grow(ms_vulkan_encoder *encoder) {
    if (encoder->n_steps < encoder->capacity) return MS_OK;
    int capacity = encoder->capacity ? 2 * encoder->capacity : 64;
    ms_vulkan_step *steps = realloc(encoder->steps, (size_t)capacity * sizeof *steps);
    if (!steps) return MS_FAIL(MS_OUT_OF_MEMORY, "vulkan: no host memory for %d dispatches", capacity);
    encoder->steps = steps;
    encoder->capacity = capacity;
    return MS_OK;
}

static ms_status check_dispatch(const ms_vulkan_encoder *encoder, const ms_vulkan_dispatch *dispatch,
                                const uint32_t groups[3], int n_numbers) {
    const char *name = dispatch->shader;
    if (dispatch->n_constants > MS_VULKAN_MAX_CONSTANTS || dispatch->n_operands > MS_VULKAN_MAX_OPERANDS ||
        8 * dispatch->n_operands + 4 * n_numbers > MS_VULKAN_PUSH_BYTES)
        return MS_FAIL(MS_INTERNAL, "vulkan: shader %s: %d constants, %d operands, %d numbers are too many", name,
                       dispatch->n_constants, dispatch->n_operands, n_numbers);
    uint64_t invocations = (uint64_t)dispatch->constants[0] * dispatch->constants[1] * dispatch->constants[2];
    if (invocations == 0 || invocations > encoder->limits->max_invocations)
        return MS_FAIL(MS_UNSUPPORTED, "vulkan: shader %s: workgroups of %llu invocations, at most %u here", name,
                       (unsigned long long)invocations, encoder->limits->max_invocations);
    for (int i = 0; i < 3; i++)
        if (groups[i] < 1 || groups[i] > 65535)
            return MS_FAIL(MS_UNSUPPORTED, "vulkan: shader %s: %u workgroups along axis %d, 1 to 65535 are possible",
                           name, groups[i], i);
    for (int i = 0; i < dispatch->n_operands; i++) {
        const ms_operand *operand = &dispatch->operands[i].operand;
        if (operand->count > INT32_MAX)
            return MS_FAIL(MS_UNSUPPORTED, "vulkan: shader %s: operand of %lld elements, at most 2^31 - 1 are possible",
                           name, (long long)operand->count);
        if (operand->region != MS_REGION_NONE && operand->offset_bytes % 4 != 0 && !encoder->limits->storage16)
            return MS_FAIL(
                MS_UNSUPPORTED,
                "vulkan: shader %s: an operand at byte %lld, a multiple of 4 is needed without 16-bit storage", name,
                (long long)operand->offset_bytes);
    }
    return MS_OK;
}

ms_status ms_vulkan_emit(ms_vulkan_encoder *encoder, const ms_vulkan_dispatch *dispatch, uint32_t groups_x,
                         uint32_t groups_y, uint32_t groups_z) {
    const uint32_t groups[3] = {groups_x, groups_y, groups_z};
    int n_numbers = dispatch->n_numbers + (dispatch->fault_limit > 0);
    MS_TRY(check_dispatch(encoder, dispatch, groups, n_numbers));
    MS_TRY(grow(encoder));
    ms_vulkan_step *step = &encoder->steps[encoder->n_steps];
    memset(step, 0, sizeof *step);
    MS_TRY(ms_vulkan_shader_find(encoder->limits, dispatch->shader, &step->shader));
    step->n_constants = dispatch->n_constants;
    memcpy(step->constants, dispatch->constants, sizeof step->constants);
    step->n_accesses = dispatch->n_operands;
    for (int i = 0; i < dispatch->n_operands; i++) {
        const ms_operand *operand = &dispatch->operands[i].operand;
        step->accesses[i] = (ms_vulkan_access){.region = operand->region,
                                               .variable = operand->variable,
                                               .offset_bytes = operand->offset_bytes,
                                               .size_bytes = ms_operand_bytes(operand),
                                               .read = dispatch->operands[i].read,
                                               .write = dispatch->operands[i].write};
        size_t end = (size_t)(operand->offset_bytes + ms_operand_bytes(operand));
        if (operand->region == MS_REGION_WORKSPACE && end > encoder->workspace_bytes) encoder->workspace_bytes = end;
    }
    memcpy(step->numbers, dispatch->numbers, sizeof step->numbers);
    step->n_numbers = n_numbers;
    if (dispatch->fault_limit > 0) step->numbers[dispatch->n_numbers] = encoder->first_node + (uint32_t)encoder->node;
    step->fault_limit = dispatch->fault_limit;
    step->flops = dispatch->flops;
    memcpy(step->groups, groups, sizeof step->groups);
    step->node = encoder->node;
    encoder->n_steps++;
    return MS_OK;
}

ms_status ms_vulkan_emit_linear(ms_vulkan_encoder *encoder, const ms_vulkan_dispatch *dispatch, int64_t n_groups) {
    const int64_t most = 65535;
    if (n_groups <= most) return ms_vulkan_emit(encoder, dispatch, (uint32_t)n_groups, 1, 1);
    int64_t rows = (n_groups + most - 1) / most, columns = (n_groups + rows - 1) / rows;
    if (rows > most)
        return MS_FAIL(MS_UNSUPPORTED, "vulkan: shader %s: %lld workgroups, at most %lld are possible",
                       dispatch->shader, (long long)n_groups, (long long)(most * most));
    return ms_vulkan_emit(encoder, dispatch, (uint32_t)columns, (uint32_t)rows, 1);
}
