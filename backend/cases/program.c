#include "backend/cases/program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/ir/build.h"
#include "backend/ir/passes.h"

enum { GUARD_AFTER = 67 }; /* elements */

/* A variable with one operand inside it. */
typedef struct guarded {
    int32_t variable;              /* -1: none */
    int64_t offset;                /* first element of the operand */
    int64_t count;                 /* elements of the operand */
    int64_t total;                 /* elements of the variable */
    size_t size;                   /* bytes of an element on the device */
    unsigned char *image, *result; /* [total * size] as uploaded, as downloaded */
} guarded;

struct ms_case_program {
    const ms_op_case *test; /* borrowed */
    ms_case_layout layout;
    ms_device *device; /* borrowed */
    ms_variables *variables;
    ms_graph *graph, *finished;
    ms_store *store;
    ms_program *program;
    int32_t scalars;
    guarded in[MS_MAX_INPUTS], out[MS_MAX_OUTPUTS];
    int32_t over[MS_MAX_OUTPUTS]; /* the input that output k is assigned over, -1: none */
    ms_case_finding planted;      /* to be done by the next run */
};

/* The first input that output k may share storage with and no earlier output does, -1: none. */
static int alias_of(const ms_op_case *test, int k) {
    for (int i = 0; i < test->n_inputs; i++) {
        bool taken = false;
        for (int j = 0; j < k; j++) taken = taken || alias_of(test, j) == i;
        if (!taken && ms_case_has_input(test, i) && ms_op_may_alias(test->op, k, i) &&
            test->dtype[i] == test->out[k].dtype)
            return i;
    }
    return -1;
}

const char *ms_case_layout_text(ms_case_layout layout, char *out, size_t size) {
    if (layout.kind == MS_LAYOUT_UNASSIGNED)
        snprintf(out, size, "output %d unused", layout.output);
    else if (layout.kind == MS_LAYOUT_ARENA && layout.output >= 0)
        snprintf(out, size, "output %d in place", layout.output);
    else
        snprintf(out, size, "%s", (const char *[]){"plain", "", "all in place", "assigned over an input"}[layout.kind]);
    return out;
}

bool ms_case_layout_applies(const ms_op_case *test, ms_case_layout layout) {
    if (layout.kind == MS_LAYOUT_PLAIN) return true;
    int present = 0;
    for (int k = 0; k < test->n_outputs; k++) present += !(test->absent_outputs >> k & 1u);
    if (layout.kind == MS_LAYOUT_UNASSIGNED)
        return present > 1 && layout.output < test->n_outputs && !(test->absent_outputs >> layout.output & 1u);
    ms_op_kind kind = ms_op_get(test->op)->kind;
    if (kind == MS_OP_KIND_COMPOSITE || kind == MS_OP_KIND_FREE || layout.output >= test->n_outputs) return false;
    if (layout.output >= 0) return test->n_outputs > 1 && alias_of(test, layout.output) >= 0;
    for (int k = 0; k < test->n_outputs; k++)
        if (alias_of(test, k) >= 0) return true;
    return false;
}

/* ---- building ---- */

static ms_status add_operand(ms_case_program *p, const char *name, ms_dtype dtype, const ms_shape *shape,
                             guarded *out) {
    int index;
    out->count = ms_shape_count(shape);
    /* Two bytes are packed in words where a device has no 16-bit storage: there operands stand at whole words. */
    out->offset = p->layout.offset + (ms_dtype_size(dtype) == 2 ? p->layout.offset % 2 : 0);
    out->total = out->offset + out->count + GUARD_AFTER;
    out->size = ms_device_element_bytes(p->device, dtype);
    MS_TRY(ms_variables_add(p->variables, name, MS_VARIABLE_INPUT, dtype, ms_shape_1(out->total), &index));
    out->variable = index;
    out->image = malloc((size_t)out->total * out->size);
    out->result = malloc((size_t)out->total * out->size);
    if (out->image && out->result) return MS_OK;
    return MS_FAIL(MS_OUT_OF_MEMORY, "case: no memory for %lld elements", (long long)out->total);
}

static ms_status add_variables(ms_case_program *p) {
    const ms_op_case *test = p->test;
    char name[16];
    int index;
    MS_TRY(ms_variables_create(&p->variables));
    MS_TRY(ms_variables_add(p->variables, "scalars", MS_VARIABLE_INPUT, MS_DTYPE_F32, ms_shape_1(MS_CASE_N_SCALARS),
                            &index));
    p->scalars = index;
    for (int i = 0; i < test->n_inputs; i++) {
        snprintf(name, sizeof name, "in%d", i);
        if (ms_case_has_input(test, i)) MS_TRY(add_operand(p, name, test->dtype[i], &test->shape[i], &p->in[i]));
    }
    for (int k = 0; k < test->n_outputs; k++) {
        snprintf(name, sizeof name, "out%d", k);
        bool stored =
            !(test->absent_outputs >> k & 1u) && !(p->layout.kind == MS_LAYOUT_UNASSIGNED && p->layout.output == k);
        if (stored && p->over[k] < 0) MS_TRY(add_operand(p, name, test->out[k].dtype, &test->out[k].shape, &p->out[k]));
    }
    return MS_OK;
}

/* A copy that no pass removes: all rows. */
static ms_tensor copy_of(ms_graph *graph, ms_tensor x) {
    const ms_shape shape = ms_graph_tensor(graph, x)->shape;
    return ms_slice(graph, x, 0, shape.dim[shape.rank >= 2 ? shape.rank - 2 : 0]);
}

static bool is_temporary(const ms_case_program *p, int i) {
    if (p->layout.kind != MS_LAYOUT_ARENA) return false;
    for (int k = 0; k < p->test->n_outputs; k++)
        if ((p->layout.output < 0 || p->layout.output == k) && ms_op_may_alias(p->test->op, k, i)) return true;
    return false;
}

static ms_tensor view_of(const ms_case_program *p, const guarded *operand, const ms_shape *shape) {
    return ms_view(p->graph, operand->variable, operand->offset, *shape);
}

static void store_output(const ms_case_program *p, int k, ms_tensor value) {
    const ms_op_case *test = p->test;
    if (p->over[k] >= 0) {
        ms_assign(p->graph, value, view_of(p, &p->in[p->over[k]], &test->shape[p->over[k]]));
    } else if (p->out[k].variable >= 0) {
        if (p->layout.kind == MS_LAYOUT_ARENA) value = copy_of(p->graph, value);
        ms_assign(p->graph, value, view_of(p, &p->out[k], &test->out[k].shape));
    }
}

static ms_status build_graph(ms_case_program *p) {
    const ms_op_case *test = p->test;
    ms_tensor in[MS_MAX_INPUTS], out[MS_MAX_OUTPUTS];
    MS_TRY(ms_graph_create(p->variables, p->scalars, &p->graph));
    for (int i = 0; i < test->n_inputs; i++) {
        in[i] = MS_NO_TENSOR;
        if (!ms_case_has_input(test, i)) continue;
        in[i] = view_of(p, &p->in[i], &test->shape[i]);
        if (is_temporary(p, i)) in[i] = copy_of(p->graph, in[i]);
    }
    if (test->op == MS_OP_ASSIGN)
        out[0] = in[0];
    else
        MS_TRY(ms_graph_add(p->graph, test->op, in, test->n_inputs, &test->attributes, out));
    for (int k = 0; k < test->n_outputs; k++) store_output(p, k, out[k]);
    MS_TRY(ms_graph_status(p->graph));
    return ms_graph_finish(p->graph, &p->finished);
}

static ms_status check_aliased(const ms_case_program *p) {
    if (p->layout.kind != MS_LAYOUT_ARENA) return MS_OK;
    ms_program_report report;
    ms_program_get_report(p->program, &report);
    if (report.n_aliased > 0) return MS_OK;
    return MS_FAIL(MS_INTERNAL, "case: %s was not planned in place", ms_op_get(p->test->op)->name);
}

static ms_status create(ms_case_program *p) {
    MS_TRY(add_variables(p));
    MS_TRY(build_graph(p));
    MS_TRY(ms_store_create(p->device, p->variables, &p->store));
    MS_TRY(ms_program_compile(p->store, p->finished, &p->program));
    return check_aliased(p);
}

ms_status ms_case_program_create(ms_device *device, const ms_op_case *test, ms_case_layout layout,
                                 ms_case_program **out) {
    *out = NULL;
    ms_case_program *p = calloc(1, sizeof *p);
    if (!p) return MS_FAIL(MS_OUT_OF_MEMORY, "case: no memory");
    p->test = test;
    p->layout = layout;
    p->device = device;
    for (int i = 0; i < MS_MAX_INPUTS; i++) p->in[i].variable = -1;
    for (int k = 0; k < MS_MAX_OUTPUTS; k++) {
        p->out[k].variable = p->over[k] = -1;
        if (layout.kind == MS_LAYOUT_OVERWRITE && k < test->n_outputs) p->over[k] = alias_of(test, k);
    }
    ms_status status = create(p);
    if (status != MS_OK) {
        ms_case_program_destroy(p);
        return status;
    }
    *out = p;
    return MS_OK;
}

static void free_operand(guarded *operand) {
    free(operand->image);
    free(operand->result);
}

void ms_case_program_destroy(ms_case_program *p) {
    if (!p) return;
    ms_program_destroy(p->program);
    ms_store_destroy(p->store);
    ms_graph_destroy(p->finished);
    ms_graph_destroy(p->graph);
    ms_variables_destroy(p->variables);
    for (int i = 0; i < MS_MAX_INPUTS; i++) free_operand(&p->in[i]);
    for (int k = 0; k < MS_MAX_OUTPUTS; k++) free_operand(&p->out[k]);
    free(p);
}

bool ms_case_program_stores(const ms_case_program *p, int k) { return p->over[k] >= 0 || p->out[k].variable >= 0; }

/* ---- values ---- */

ms_status ms_case_values_init(const ms_op_case *test, ms_case_values *out) {
    memset(out, 0, sizeof *out);
    bool good = true;
    for (int i = 0; i < test->n_inputs; i++) {
        if (!ms_case_has_input(test, i)) continue;
        out->in[i] = malloc((size_t)ms_shape_count(&test->shape[i]) * ms_dtype_size(test->dtype[i]));
        good = good && out->in[i];
    }
    for (int k = 0; k < test->n_outputs; k++) {
        out->out[k] = calloc((size_t)ms_shape_count(&test->out[k].shape), sizeof(double));
        good = good && out->out[k];
    }
    if (!good) {
        ms_case_values_finish(out);
        return MS_FAIL(MS_OUT_OF_MEMORY, "case: no memory for the values of %s", ms_op_get(test->op)->name);
    }
    for (int i = 0; i < test->n_inputs; i++)
        if (out->in[i]) ms_case_fill_input(test, i, out->in[i]);
    return MS_OK;
}

void ms_case_values_finish(ms_case_values *values) {
    for (int i = 0; i < MS_MAX_INPUTS; i++) free(values->in[i]);
    for (int k = 0; k < MS_MAX_OUTPUTS; k++) free(values->out[k]);
    memset(values, 0, sizeof *values);
}

/* ---- running ---- */

/* A quiet NaN with a payload that no arithmetic makes, cut to the element's size; no index for an integer. */
static uint64_t poison_of(ms_dtype dtype, size_t size) {
    if (size == 8) return 0xFFFDA5A5A5A5A5A5u;
    if (dtype == MS_DTYPE_F32) return 0xFFE5A5A5u;
    return size == 4 ? 0xA5A5A5A5u : 0xFFE5u;
}

static uint64_t bits_at(const unsigned char *data, int64_t i, size_t size) {
    uint64_t bits = 0; /* little-endian, as all that this program runs on */
    memcpy(&bits, data + (size_t)i * size, size);
    return bits;
}

static void fill_poison(guarded *operand, ms_dtype dtype) {
    uint64_t poison = poison_of(dtype, operand->size);
    for (int64_t i = 0; i < operand->total; i++)
        memcpy(operand->image + (size_t)i * operand->size, &poison, operand->size);
}

/* Bits as the device holds them: doubles where that is what it has. */
static ms_status write_elements(ms_case_program *p, const guarded *o, int64_t offset, int64_t count, const void *data) {
    if (o->size == sizeof(double)) return ms_store_upload_f64(p->store, o->variable, offset, count, data);
    return ms_store_upload(p->store, o->variable, offset, count, data);
}

static ms_status upload(ms_case_program *p, guarded *operand, ms_dtype dtype, const void *values) {
    if (operand->variable < 0) return MS_OK;
    fill_poison(operand, dtype);
    unsigned char *inside = operand->image + (size_t)operand->offset * operand->size;
    if (values && operand->size == sizeof(double))
        for (int64_t i = 0; i < operand->count; i++) ((double *)(void *)inside)[i] = (double)((const float *)values)[i];
    else if (values)
        memcpy(inside, values, (size_t)operand->count * operand->size);
    return write_elements(p, operand, 0, operand->total, operand->image);
}

static ms_status upload_scalars(ms_case_program *p) {
    return ms_store_upload(p->store, p->scalars, 0, MS_CASE_N_SCALARS, p->test->scalars);
}

static void report(ms_case_finding *finding, ms_case_memory memory, int operand_index, bool is_output, const guarded *o,
                   int64_t i) {
    if (finding->memory != MS_CASE_MEMORY_GOOD) return;
    *finding = (ms_case_finding){
        memory, is_output, operand_index, i - o->offset, bits_at(o->image, i, o->size), bits_at(o->result, i, o->size)};
}

/* Guards are as they were; inside is unchanged (an input) or no longer poison (an output). */
static void check_operand(const guarded *o, int index, bool is_output, bool written, ms_case_finding *finding) {
    int64_t begin = o->offset, end = begin + o->count;
    for (int64_t i = 0; i < o->total; i++) {
        bool inside = i >= begin && i < end, same = bits_at(o->image, i, o->size) == bits_at(o->result, i, o->size);
        if (!inside && !same) report(finding, MS_CASE_MEMORY_GUARD, index, is_output, o, i);
        if (inside && !written && !same) report(finding, MS_CASE_MEMORY_INPUT, index, is_output, o, i);
        if (inside && is_output && same) report(finding, MS_CASE_MEMORY_UNWRITTEN, index, is_output, o, i);
    }
}

static ms_status download(ms_case_program *p, guarded *o) {
    if (o->variable < 0) return MS_OK;
    if (o->size == sizeof(double))
        return ms_store_download_f64(p->store, o->variable, 0, o->total, (double *)(void *)o->result);
    return ms_store_download(p->store, o->variable, 0, o->total, o->result);
}

/* ---- planted faults ---- */

static int first_in_variable(const guarded *operands, int n) {
    for (int i = 0; i < n; i++)
        if (operands[i].variable >= 0 && operands[i].count > 0) return i;
    return -1;
}

void ms_case_program_plant(ms_case_program *p, ms_case_memory fault, ms_case_finding *out_finding) {
    bool is_output = fault != MS_CASE_MEMORY_INPUT;
    int operand = is_output ? first_in_variable(p->out, MS_MAX_OUTPUTS) : first_in_variable(p->in, MS_MAX_INPUTS);
    p->planted = (ms_case_finding){.memory = MS_CASE_MEMORY_GOOD};
    if (operand >= 0 && p->layout.kind != MS_LAYOUT_OVERWRITE) {
        const guarded *o = is_output ? &p->out[operand] : &p->in[operand];
        int64_t index = fault == MS_CASE_MEMORY_GUARD ? o->count : o->count / 2;
        p->planted = (ms_case_finding){.memory = fault, .is_output = is_output, .operand = operand, .index = index};
    }
    *out_finding = p->planted;
}

/* Another lowest bit than was uploaded, or what was. */
static ms_status make_planted(ms_case_program *p) {
    ms_case_finding planted = p->planted;
    p->planted = (ms_case_finding){.memory = MS_CASE_MEMORY_GOOD};
    if (planted.memory == MS_CASE_MEMORY_GOOD) return MS_OK;
    const guarded *o = planted.is_output ? &p->out[planted.operand] : &p->in[planted.operand];
    uint64_t bits = bits_at(o->image, o->offset + planted.index, o->size);
    if (planted.memory != MS_CASE_MEMORY_UNWRITTEN) bits ^= 1u;
    return write_elements(p, o, o->offset + planted.index, 1, &bits);
}

/* ---- one run ---- */

ms_status ms_case_program_run(ms_case_program *p, ms_case_values *values, ms_case_finding *out_finding) {
    const ms_op_case *test = p->test;
    memset(out_finding, 0, sizeof *out_finding);
    MS_TRY(upload_scalars(p));
    for (int i = 0; i < test->n_inputs; i++) MS_TRY(upload(p, &p->in[i], test->dtype[i], values->in[i]));
    for (int k = 0; k < test->n_outputs; k++) MS_TRY(upload(p, &p->out[k], test->out[k].dtype, NULL));
    MS_TRY(ms_program_run(p->program));
    MS_TRY(make_planted(p));
    for (int i = 0; i < test->n_inputs; i++) MS_TRY(download(p, &p->in[i]));
    for (int k = 0; k < test->n_outputs; k++) MS_TRY(download(p, &p->out[k]));
    bool overwritten[MS_MAX_INPUTS] = {false};
    for (int k = 0; k < test->n_outputs; k++) {
        const guarded *o = p->over[k] >= 0 ? &p->in[p->over[k]] : &p->out[k];
        if (p->over[k] >= 0) overwritten[p->over[k]] = true;
        if (o->variable < 0) continue;
        if (p->over[k] < 0) check_operand(o, k, true, true, out_finding);
        memcpy(values->out[k], o->result + (size_t)o->offset * o->size, (size_t)o->count * o->size);
    }
    for (int i = 0; i < test->n_inputs; i++)
        if (p->in[i].variable >= 0) check_operand(&p->in[i], i, false, overwritten[i], out_finding);
    return MS_OK;
}
