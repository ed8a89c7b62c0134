/* Reading the text form of a graph back: see print.c for its grammar.  Every error names its line. */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "backend/ir/attributes.h"
#include "backend/ir/passes.h"
#include "backend/ir/text.h"

enum { WORD_BYTES = 64 };
static const int64_t max_count = (int64_t)1 << 48; /* of elements, rows: far above any machine, far below overflow */

typedef struct parser {
    const char *at; /* next character */
    int line;
    ms_variables *variables;
    ms_graph *graph;
    int step_scalars;
} parser;

/* ---- characters and words ---- */

static void skip_spaces(parser *p) {
    while (*p->at == ' ') p->at++;
}

static ms_status unexpected(const parser *p, const char *wanted) {
    int length = 0;
    while (length < 20 && p->at[length] && p->at[length] != '\n') length++;
    if (length == 0) return MS_FAIL(MS_CORRUPT, "%s expected at the end of the line", wanted);
    return MS_FAIL(MS_CORRUPT, "%s expected at \"%.*s\"", wanted, length, p->at);
}

static bool accept(parser *p, const char *text) {
    skip_spaces(p);
    size_t length = strlen(text);
    if (strncmp(p->at, text, length) != 0) return false;
    p->at += length;
    return true;
}

static ms_status expect(parser *p, const char *text) {
    if (accept(p, text)) return MS_OK;
    return unexpected(p, text);
}

/* Letters, digits and underscores. */
static ms_status read_word(parser *p, const char *what, char out[WORD_BYTES]) {
    skip_spaces(p);
    size_t length = 0;
    while (isalnum((unsigned char)p->at[length]) || p->at[length] == '_') length++;
    if (length == 0 || length >= WORD_BYTES) return unexpected(p, what);
    memcpy(out, p->at, length);
    out[length] = '\0';
    p->at += length;
    return MS_OK;
}

static ms_status read_integer(parser *p, const char *what, int64_t low, int64_t high, int64_t *out) {
    skip_spaces(p);
    char *end;
    errno = 0;
    long long value = strtoll(p->at, &end, 10);
    if (end == p->at || isspace((unsigned char)*p->at)) return unexpected(p, what);
    if (errno != 0 || value < low || value > high)
        return MS_FAIL(MS_CORRUPT, "%s is %.*s, must be %" PRId64 " to %" PRId64, what, (int)(end - p->at), p->at, low,
                       high);
    p->at = end;
    *out = value;
    return MS_OK;
}

static ms_status read_uint64(parser *p, const char *what, uint64_t *out) {
    skip_spaces(p);
    char *end;
    errno = 0;
    if (!isdigit((unsigned char)*p->at)) return unexpected(p, what);
    *out = strtoull(p->at, &end, 10);
    if (errno != 0) return MS_FAIL(MS_CORRUPT, "%s is above 2^64 - 1", what);
    p->at = end;
    return MS_OK;
}

static ms_status read_float(parser *p, const char *what, float *out) {
    skip_spaces(p);
    char *end;
    *out = strtof(p->at, &end);
    if (end == p->at || isspace((unsigned char)*p->at)) return unexpected(p, what);
    p->at = end;
    return MS_OK;
}

static ms_status read_dtype(parser *p, ms_dtype *out) {
    char word[WORD_BYTES];
    MS_TRY(read_word(p, "dtype", word));
    for (int i = 0; i < MS_DTYPE_COUNT; i++) {
        if (strcmp(word, ms_dtype_name((ms_dtype)i)) != 0) continue;
        *out = (ms_dtype)i;
        return MS_OK;
    }
    return MS_FAIL(MS_CORRUPT, "no dtype is called %s", word);
}

static ms_status read_shape(parser *p, ms_shape *out) {
    memset(out, 0, sizeof *out);
    int64_t count = 1;
    MS_TRY(expect(p, "["));
    do {
        if (out->rank == MS_MAX_RANK) return MS_FAIL(MS_CORRUPT, "a shape has more than %d dimensions", MS_MAX_RANK);
        int64_t dimension;
        MS_TRY(read_integer(p, "a dimension", 1, max_count, &dimension));
        if (count > max_count / dimension)
            return MS_FAIL(MS_CORRUPT, "a shape has more than %" PRId64 " elements", max_count);
        count *= dimension;
        out->dim[out->rank++] = dimension;
    } while (accept(p, ","));
    return expect(p, "]");
}

static ms_status read_tensor(parser *p, ms_tensor *out) {
    int64_t id;
    MS_TRY(expect(p, "%"));
    MS_TRY(read_integer(p, "a tensor number", 0, INT32_MAX - 1, &id));
    *out = (ms_tensor)id;
    return MS_OK;
}

/* ---- attributes ---- */

static ms_status read_coefficient(parser *p, ms_coefficient *out) {
    int64_t scalar = -1;
    MS_TRY(read_float(p, "a number", &out->constant));
    if (accept(p, "*s")) {
        if (p->step_scalars < 0) return MS_FAIL(MS_CORRUPT, "a step scalar in a graph without step scalars");
        const ms_variable *scalars = ms_variables_get(p->variables, p->step_scalars);
        MS_TRY(read_integer(p, "a step scalar", 0, ms_shape_count(&scalars->shape) - 1, &scalar));
    }
    out->scalar = (int32_t)scalar;
    return MS_OK;
}

static ms_status read_numbers(parser *p, int64_t *out) {
    for (int i = 0; i < MS_MAX_ROW_GROUPS; i++) {
        MS_TRY(expect(p, i ? "," : "["));
        MS_TRY(read_integer(p, "a number of rows", 0, max_count, &out[i]));
    }
    return expect(p, "]");
}

static ms_status read_bool(parser *p, bool *out) {
    *out = accept(p, "true");
    if (*out) return MS_OK;
    return expect(p, "false");
}

static ms_status read_attribute(parser *p, const ms_attribute *attribute, ms_attributes *out) {
    void *field = (char *)out + attribute->offset;
    int64_t number = 0;
    MS_TRY(expect(p, attribute->name));
    MS_TRY(expect(p, "="));
    switch (attribute->type) {
    case MS_ATTRIBUTE_FLOAT:
        return read_float(p, attribute->name, field);
    case MS_ATTRIBUTE_INT:
        MS_TRY(read_integer(p, attribute->name, INT32_MIN, INT32_MAX, &number));
        *(int32_t *)field = (int32_t)number;
        return MS_OK;
    case MS_ATTRIBUTE_INT64:
        return read_integer(p, attribute->name, -max_count, max_count, field);
    case MS_ATTRIBUTE_UINT64:
        return read_uint64(p, attribute->name, field);
    case MS_ATTRIBUTE_BOOL:
        return read_bool(p, field);
    case MS_ATTRIBUTE_DTYPE:
        return read_dtype(p, field);
    case MS_ATTRIBUTE_SHAPE:
        return read_shape(p, field);
    case MS_ATTRIBUTE_COEFFICIENT:
        return read_coefficient(p, field);
    case MS_ATTRIBUTE_INT64S:
        return read_numbers(p, field);
    }
    return MS_FAIL(MS_INTERNAL, "attribute %s has no known type", attribute->name);
}

/* ---- lines ---- */

static ms_status read_variable(parser *p) {
    char word[WORD_BYTES];
    int64_t index;
    ms_dtype dtype = MS_DTYPE_F32;
    ms_shape shape;
    MS_TRY(read_integer(p, "the variable's number", 0, INT32_MAX, &index));
    MS_TRY(read_word(p, "kind of variable", word));
    int kind = 0;
    while (ms_variable_kind_word(kind) && strcmp(word, ms_variable_kind_word(kind)) != 0) kind++;
    if (!ms_variable_kind_word(kind)) return MS_FAIL(MS_CORRUPT, "no kind of variable is called %s", word);
    MS_TRY(read_dtype(p, &dtype));
    MS_TRY(read_shape(p, &shape));
    if (index != ms_variables_count(p->variables))
        return MS_FAIL(MS_CORRUPT, "variable %" PRId64 " stands where %d belongs", index,
                       ms_variables_count(p->variables));
    if (*p->at == ' ') p->at++;
    size_t length = strcspn(p->at, "\n");
    if (memchr(p->at, '\r', length))
        return MS_FAIL(MS_CORRUPT, "the name of variable %" PRId64 " has a line break", index);
    char *name = strndup(p->at, length);
    if (!name) return MS_FAIL(MS_OUT_OF_MEMORY, "no memory for a name of %zu bytes", length);
    p->at += length;
    int added;
    ms_status status = ms_variables_add(p->variables, name, (ms_variable_kind)kind, dtype, shape, &added);
    free(name);
    return status;
}

/* After "%<id> = view". */
static ms_status read_view(parser *p, ms_tensor id) {
    int64_t variable, offset;
    ms_dtype dtype = MS_DTYPE_F32;
    ms_shape shape;
    MS_TRY(read_integer(p, "the variable's number", 0, ms_variables_count(p->variables) - 1, &variable));
    MS_TRY(expect(p, "offset="));
    MS_TRY(read_integer(p, "offset", 0, max_count, &offset));
    MS_TRY(read_dtype(p, &dtype));
    MS_TRY(read_shape(p, &shape));
    if (dtype != ms_variables_get(p->variables, (int)variable)->dtype)
        return MS_FAIL(MS_CORRUPT, "the view is %s, its variable is not", ms_dtype_name(dtype));
    if (id != ms_graph_n_tensors(p->graph))
        return MS_FAIL(MS_CORRUPT, "tensor %%%" PRId32 " stands where %%%d belongs", id, ms_graph_n_tensors(p->graph));
    ms_tensor view = ms_view(p->graph, (int)variable, offset, shape);
    MS_TRY(ms_graph_status(p->graph));
    if (view != id) return MS_FAIL(MS_CORRUPT, "the view is the same as %%%" PRId32, view);
    return MS_OK;
}

typedef struct declared_output {
    ms_tensor id;
    ms_dtype dtype;
    ms_shape shape;
} declared_output;

static ms_status check_outputs(const parser *p, const declared_output *declared, const ms_tensor *made, int n) {
    char have[64], want[64];
    for (int i = 0; i < n; i++) {
        const ms_tensor_info *info = ms_graph_tensor(p->graph, made[i]);
        if (declared[i].id != made[i])
            return MS_FAIL(MS_CORRUPT, "tensor %%%" PRId32 " stands where %%%" PRId32 " belongs", declared[i].id,
                           made[i]);
        if (declared[i].dtype != info->dtype || !ms_shape_equal(&declared[i].shape, &info->shape))
            return MS_FAIL(MS_CORRUPT, "tensor %%%" PRId32 " is said to be %s %s and is %s %s", made[i],
                           ms_dtype_name(declared[i].dtype), ms_shape_text(&declared[i].shape, want, sizeof want),
                           ms_dtype_name(info->dtype), ms_shape_text(&info->shape, have, sizeof have));
    }
    return MS_OK;
}

static ms_status read_inputs(parser *p, ms_tensor inputs[MS_MAX_INPUTS], int *out_n) {
    *out_n = 0;
    MS_TRY(expect(p, "("));
    if (accept(p, ")")) return MS_OK;
    do {
        if (*out_n == MS_MAX_INPUTS) return MS_FAIL(MS_CORRUPT, "more than %d inputs", MS_MAX_INPUTS);
        ms_tensor *input = &inputs[(*out_n)++];
        *input = MS_NO_TENSOR;
        if (!accept(p, "_")) MS_TRY(read_tensor(p, input));
    } while (accept(p, ","));
    return expect(p, ")");
}

/* From the op's name on. */
static ms_status read_node(parser *p, const declared_output *declared, int n_declared) {
    char word[WORD_BYTES];
    ms_tensor inputs[MS_MAX_INPUTS], made[MS_MAX_OUTPUTS];
    int n_inputs;
    int64_t layer = -1;
    MS_TRY(read_word(p, "name of an op", word));
    ms_op op = ms_op_find(word);
    if (op == MS_OP_COUNT) return MS_FAIL(MS_CORRUPT, "no op is called %s", word);
    if (n_declared != ms_op_get(op)->n_outputs)
        return MS_FAIL(MS_CORRUPT, "%s has %d outputs, not %d", word, ms_op_get(op)->n_outputs, n_declared);
    MS_TRY(read_inputs(p, inputs, &n_inputs));
    ms_attributes attributes;
    memset(&attributes, 0, sizeof attributes);
    const ms_attribute *attribute;
    for (int i = 0; (attribute = ms_op_attribute(op, i)) != NULL; i++)
        MS_TRY_NOTE(read_attribute(p, attribute, &attributes), "%s", word);
    if (accept(p, "layer=")) MS_TRY(read_integer(p, "layer", 0, INT32_MAX, &layer));
    ms_graph_set_layer(p->graph, (int)layer);
    ms_graph_set_recomputed(p->graph, accept(p, "recomputed"));
    MS_TRY(ms_graph_add(p->graph, op, inputs, n_inputs, &attributes, made));
    return check_outputs(p, declared, made, n_declared);
}

static ms_status read_outputs_and_node(parser *p) {
    declared_output declared[MS_MAX_OUTPUTS];
    int n = 0;
    skip_spaces(p);
    if (*p->at != '%') return read_node(p, NULL, 0);
    do {
        if (n == MS_MAX_OUTPUTS) return MS_FAIL(MS_CORRUPT, "more than %d outputs", MS_MAX_OUTPUTS);
        declared_output *output = &declared[n++];
        MS_TRY(read_tensor(p, &output->id));
        if (n == 1 && accept(p, "= view ")) return read_view(p, output->id);
        MS_TRY(read_dtype(p, &output->dtype));
        MS_TRY(read_shape(p, &output->shape));
    } while (accept(p, ","));
    MS_TRY(expect(p, "="));
    return read_node(p, declared, n);
}

static ms_status end_line(parser *p) {
    skip_spaces(p);
    if (*p->at != '\n' && *p->at != '\0') return unexpected(p, "the end of the line");
    if (*p->at == '\n') {
        p->at++;
        p->line++;
    }
    return MS_OK;
}

static ms_status read_text(parser *p) {
    int64_t step_scalars = -1;
    MS_TRY(expect(p, "graph"));
    if (accept(p, "step_scalars="))
        MS_TRY(read_integer(p, "the number of the step scalars", 0, INT32_MAX, &step_scalars));
    MS_TRY(end_line(p));
    while (accept(p, "variable ")) {
        MS_TRY(read_variable(p));
        MS_TRY(end_line(p));
    }
    p->step_scalars = (int)step_scalars;
    MS_TRY(ms_graph_create(p->variables, p->step_scalars, &p->graph));
    while (*p->at) {
        MS_TRY(read_outputs_and_node(p));
        MS_TRY(end_line(p));
    }
    ms_graph_set_layer(p->graph, -1);
    ms_graph_set_recomputed(p->graph, false);
    return MS_OK;
}

ms_status ms_graph_parse(const char *text, ms_variables **out_variables, ms_graph **out_graph) {
    *out_variables = NULL;
    *out_graph = NULL;
    parser p = {.at = text, .line = 1, .step_scalars = -1};
    MS_TRY(ms_variables_create(&p.variables));
    ms_status status = read_text(&p);
    if (status != MS_OK) {
        ms_graph_destroy(p.graph);
        ms_variables_destroy(p.variables);
        return ms_status_note(status, "graph text, line %d", p.line);
    }
    *out_variables = p.variables;
    *out_graph = p.graph;
    return MS_OK;
}
