/* The text form of a graph:

     graph step_scalars=2
     variable 0 parameter f32 [4,3] blocks.up.weight
     variable 1 input i32 [5] targets
     %0 = view 0 offset=0 f32 [4,3]
     %1 f32 [4,3] = axpby(%0) a=0.5*s1 b=0 layer=3
     assign(%1, %0)

   Tensor ids are those of the graph, so that the text names what messages and plans name.  Floats have 9 digits, which
   give the same bits back; _ is an absent optional input; a coefficient c*s2 is c times step scalar 2. */
#include <inttypes.h>

#include "backend/ir/attributes.h"
#include "backend/ir/passes.h"
#include "backend/ir/text.h"

const char *ms_variable_kind_word(int kind) {
    static const char *const words[] = {"parameter", "state", "gradient", "input", "constant", "output"};
    return kind >= 0 && kind <= MS_VARIABLE_OUTPUT ? words[kind] : NULL;
}

static void print_shape(const ms_shape *shape, FILE *stream) {
    for (int i = 0; i < shape->rank; i++) fprintf(stream, "%c%" PRId64, i ? ',' : '[', shape->dim[i]);
    fputc(']', stream);
}

static void print_numbers(const int64_t *numbers, FILE *stream) {
    for (int i = 0; i < MS_MAX_ROW_GROUPS; i++) fprintf(stream, "%c%" PRId64, i ? ',' : '[', numbers[i]);
    fputc(']', stream);
}

static void print_attribute(const ms_attribute *attribute, const ms_attributes *attributes, FILE *stream) {
    const void *field = (const char *)attributes + attribute->offset;
    const ms_coefficient *coefficient = field;
    fprintf(stream, " %s=", attribute->name);
    switch (attribute->type) {
    case MS_ATTRIBUTE_FLOAT:
        fprintf(stream, "%.9g", (double)*(const float *)field);
        break;
    case MS_ATTRIBUTE_INT:
        fprintf(stream, "%" PRId32, *(const int32_t *)field);
        break;
    case MS_ATTRIBUTE_INT64:
        fprintf(stream, "%" PRId64, *(const int64_t *)field);
        break;
    case MS_ATTRIBUTE_UINT64:
        fprintf(stream, "%" PRIu64, *(const uint64_t *)field);
        break;
    case MS_ATTRIBUTE_BOOL:
        fputs(*(const bool *)field ? "true" : "false", stream);
        break;
    case MS_ATTRIBUTE_DTYPE:
        fputs(ms_dtype_name(*(const ms_dtype *)field), stream);
        break;
    case MS_ATTRIBUTE_SHAPE:
        print_shape(field, stream);
        break;
    case MS_ATTRIBUTE_COEFFICIENT:
        fprintf(stream, "%.9g", (double)coefficient->constant);
        if (coefficient->scalar >= 0) fprintf(stream, "*s%" PRId32, coefficient->scalar);
        break;
    case MS_ATTRIBUTE_INT64S:
        print_numbers(field, stream);
        break;
    }
}

static ms_status print_variables(const ms_variables *variables, FILE *stream) {
    for (int i = 0; i < ms_variables_count(variables); i++) {
        const ms_variable *variable = ms_variables_get(variables, i);
        for (const char *c = variable->name; *c; c++)
            if (*c == '\n' || *c == '\r')
                return MS_FAIL(MS_INVALID, "graph: the name of variable %d has a line break", i);
        fprintf(stream, "variable %d %s %s ", i, ms_variable_kind_word((int)variable->kind),
                ms_dtype_name(variable->dtype));
        print_shape(&variable->shape, stream);
        fprintf(stream, " %s\n", variable->name);
    }
    return MS_OK;
}

/* The views with ids below `end`, from *next on: views are numbered together with the nodes' outputs. */
static void print_views(const ms_graph *graph, ms_tensor *next, ms_tensor end, FILE *stream) {
    for (; *next < end; (*next)++) {
        const ms_tensor_info *info = ms_graph_tensor(graph, *next);
        if (info->producer >= 0) continue;
        fprintf(stream, "%%%" PRId32 " = view %" PRId32 " offset=%" PRId64 " %s ", *next, info->variable, info->offset,
                ms_dtype_name(info->dtype));
        print_shape(&info->shape, stream);
        fputc('\n', stream);
    }
}

static void print_node(const ms_graph *graph, const ms_node *node, FILE *stream) {
    for (int i = 0; i < node->n_outputs; i++) {
        const ms_tensor_info *info = ms_graph_tensor(graph, node->outputs[i]);
        fprintf(stream, "%s%%%" PRId32 " %s ", i ? ", " : "", node->outputs[i], ms_dtype_name(info->dtype));
        print_shape(&info->shape, stream);
    }
    fprintf(stream, "%s%s(", node->n_outputs ? " = " : "", ms_op_get(node->op)->name);
    for (int i = 0; i < node->n_inputs; i++) {
        if (i) fputs(", ", stream);
        if (node->inputs[i] == MS_NO_TENSOR)
            fputc('_', stream);
        else
            fprintf(stream, "%%%" PRId32, node->inputs[i]);
    }
    fputc(')', stream);
    const ms_attribute *attribute;
    for (int i = 0; (attribute = ms_op_attribute(node->op, i)) != NULL; i++)
        print_attribute(attribute, &node->attributes, stream);
    if (node->layer >= 0) fprintf(stream, " layer=%" PRId32, node->layer);
    if (node->recomputed) fputs(" recomputed", stream);
    fputc('\n', stream);
}

ms_status ms_graph_print(const ms_graph *graph, FILE *stream) {
    MS_TRY(ms_graph_status(graph));
    fputs("graph", stream);
    if (ms_graph_step_scalars(graph) >= 0) fprintf(stream, " step_scalars=%d", ms_graph_step_scalars(graph));
    fputc('\n', stream);
    MS_TRY(print_variables(ms_graph_variables(graph), stream));
    ms_tensor next = 0;
    for (int i = 0; i < ms_graph_n_nodes(graph); i++) {
        const ms_node *node = ms_graph_node(graph, i);
        ms_tensor end = next; /* all views with an id below the node's own tensors, and those it reads */
        for (int k = 0; k < node->n_inputs; k++)
            if (node->inputs[k] >= end) end = node->inputs[k] + 1;
        for (int k = 0; k < node->n_outputs; k++)
            if (node->outputs[k] > end) end = node->outputs[k];
        print_views(graph, &next, end, stream);
        print_node(graph, node, stream);
    }
    print_views(graph, &next, ms_graph_n_tensors(graph), stream);
    if (ferror(stream)) return MS_FAIL(MS_IO, "graph: its text could not be written");
    return MS_OK;
}
