#include "backend/call_list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void set_operand(const ms_graph *graph, const ms_plan *plan, ms_tensor tensor, ms_operand *operand) {
    *operand = (ms_operand){.variable = -1};
    if (tensor == MS_NO_TENSOR) return;
    const ms_tensor_info *info = ms_graph_tensor(graph, tensor);
    const ms_place *place = &plan->places[tensor];
    operand->dtype = info->dtype;
    operand->shape = info->shape;
    operand->count = ms_shape_count(&info->shape);
    if (place->offset < 0) return;
    operand->region = place->variable >= 0 ? MS_REGION_VARIABLE : MS_REGION_ARENA;
    operand->variable = place->variable;
    operand->offset_bytes = place->offset;
}

static void set_call(const ms_graph *graph, const ms_plan *plan, int32_t i_node, ms_op_call *call) {
    const ms_node *node = ms_graph_node(graph, i_node);
    call->op = node->op;
    call->node = i_node;
    call->layer = node->layer;
    call->attributes = node->attributes;
    for (int i = 0; i < MS_MAX_INPUTS; i++)
        set_operand(graph, plan, i < node->n_inputs ? node->inputs[i] : MS_NO_TENSOR, &call->in[i]);
    for (int k = 0; k < MS_MAX_OUTPUTS; k++)
        set_operand(graph, plan, k < node->n_outputs ? node->outputs[k] : MS_NO_TENSOR, &call->out[k]);
    call->gemm = ms_gemm_of(call->op, &call->attributes, &call->in[0].shape, &call->in[1].shape);
    call->cost = ms_node_cost(graph, node);
}

/* What a run writes: where some result lies, and the destinations of assignments. */
static ms_status find_written(ms_call_list *list) {
    bool *is_written = calloc((size_t)list->n_variables + 1, sizeof *is_written);
    if (!is_written) return MS_FAIL(MS_OUT_OF_MEMORY, "program: no memory for %d variables", list->n_variables);
    for (int32_t i = 0; i < list->n_calls; i++) {
        const ms_op_call *call = &list->calls[i];
        for (int k = 0; k < MS_MAX_OUTPUTS; k++)
            if (call->out[k].region == MS_REGION_VARIABLE) is_written[call->out[k].variable] = true;
        if (call->op == MS_OP_ASSIGN) is_written[call->in[1].variable] = true;
    }
    for (int32_t i = 0; i < list->n_variables; i++)
        if (is_written[i]) list->written[list->n_written++] = i;
    free(is_written);
    return MS_OK;
}

ms_status ms_call_list_create(const ms_graph *graph, const ms_plan *plan, ms_call_list **out) {
    *out = NULL;
    ms_call_list *list = calloc(1, sizeof *list);
    if (!list) return MS_FAIL(MS_OUT_OF_MEMORY, "program: no memory for a list of calls");
    list->n_calls = ms_graph_n_nodes(graph);
    list->n_variables = ms_variables_count(ms_graph_variables(graph));
    list->step_scalars = ms_graph_step_scalars(graph);
    list->arena_bytes = plan->arena_bytes;
    list->calls = calloc((size_t)list->n_calls + 1, sizeof *list->calls);
    list->written = calloc((size_t)list->n_variables + 1, sizeof *list->written);
    ms_status status = MS_OK;
    if (!list->calls || !list->written)
        status = MS_FAIL(MS_OUT_OF_MEMORY, "program: no memory for %d calls", list->n_calls);
    for (int32_t i = 0; status == MS_OK && i < list->n_calls; i++) set_call(graph, plan, i, &list->calls[i]);
    if (status == MS_OK) status = find_written(list);
    if (status != MS_OK) {
        ms_call_list_destroy(list);
        return status;
    }
    *out = list;
    return MS_OK;
}

void ms_call_list_destroy(ms_call_list *list) {
    if (!list) return;
    free(list->calls);
    free(list->written);
    free(list);
}

static void resolve(ms_operand *operand, void *const *variables, void *arena) {
    if (operand->region == MS_REGION_NONE) return;
    char *base = operand->region == MS_REGION_VARIABLE ? variables[operand->variable] : arena;
    operand->data = base + operand->offset_bytes;
}

void ms_call_list_resolve(ms_call_list *list, void *const *variables, void *arena) {
    for (int32_t i = 0; i < list->n_calls; i++) {
        ms_op_call *call = &list->calls[i];
        for (int j = 0; j < MS_MAX_INPUTS; j++) resolve(&call->in[j], variables, arena);
        for (int k = 0; k < MS_MAX_OUTPUTS; k++) resolve(&call->out[k], variables, arena);
    }
}

void ms_op_times_set(ms_op_times *times, bool on) { *times = (ms_op_times){.on = on}; }

const char *ms_op_call_text(const ms_op_call *call, char *out, size_t size) {
    snprintf(out, size, "%s (node %d, layer %d)", ms_op_get(call->op)->name, (int)call->node, (int)call->layer);
    return out;
}

ms_status ms_op_call_note(ms_status status, const ms_op_call *call) {
    char text[96];
    return ms_status_note(status, "%s", ms_op_call_text(call, text, sizeof text));
}

static void append_operand(char *text, size_t size, const ms_operand *operand) {
    char shape[48];
    size_t used = strlen(text);
    if (operand->count == 0 || used + sizeof shape >= size) return;
    snprintf(text + used, size - used, " %s%s", ms_dtype_name(operand->dtype),
             ms_shape_text(&operand->shape, shape, sizeof shape));
}

const char *ms_operands_text(const ms_operand *in, const ms_operand *out_operands, char *out, size_t size) {
    out[0] = '\0';
    for (int i = 0; i < MS_MAX_INPUTS; i++) append_operand(out, size - sizeof " ->", &in[i]);
    strcat(out, " ->");
    for (int k = 0; k < MS_MAX_OUTPUTS; k++) append_operand(out, size, &out_operands[k]);
    return out;
}
