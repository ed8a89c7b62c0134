#include "cli/verify/production_case.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "backend/ir/build.h"
#include "backend/ir/passes.h"
#include "platform/clock.h"
#include "platform/signals.h"

enum { SLAB_FAST, SLAB_EXACT, SLAB_MAGNITUDE, SLAB_ADDED, N_SLABS };

static bool is_attention(ms_op op) { return op == MS_OP_ATTENTION || op == MS_OP_ATTENTION_GRAD; }

/* ---- building ---- */

static ms_status add_variables(ms_production_case *c) {
    char name[16];
    MS_TRY(ms_variables_create(&c->variables));
    for (int i = 0; i < c->shape->n_inputs; i++) {
        c->in[i] = -1;
        if (!ms_case_has_input(c->shape, i)) continue;
        snprintf(name, sizeof name, "in%d", i);
        MS_TRY(
            ms_variables_add(c->variables, name, MS_VARIABLE_INPUT, c->shape->dtype[i], c->shape->shape[i], &c->in[i]));
    }
    for (int k = 0; k < c->shape->n_outputs; k++) {
        snprintf(name, sizeof name, "out%d", k);
        MS_TRY(ms_variables_add(c->variables, name, MS_VARIABLE_OUTPUT, c->shape->out[k].dtype, c->shape->out[k].shape,
                                &c->out[k]));
    }
    return MS_OK;
}

static ms_status build(ms_production_case *c) {
    ms_graph *graph;
    ms_tensor in[MS_MAX_INPUTS], out[MS_MAX_OUTPUTS];
    MS_TRY(ms_graph_create(c->variables, -1, &graph));
    for (int i = 0; i < c->shape->n_inputs; i++) in[i] = c->in[i] < 0 ? MS_NO_TENSOR : ms_view_all(graph, c->in[i]);
    ms_status status = ms_graph_add(graph, c->shape->op, in, c->shape->n_inputs, &c->shape->attributes, out);
    for (int k = 0; status == MS_OK && k < c->shape->n_outputs; k++)
        ms_assign(graph, out[k], ms_view_all(graph, c->out[k]));
    if (status == MS_OK) status = ms_graph_finish(graph, &c->graph);
    ms_graph_destroy(graph);
    return status;
}

ms_status ms_production_case_open(const ms_production_devices *devices, const ms_op_case *shape,
                                  ms_production_case *out) {
    memset(out, 0, sizeof *out);
    out->devices = devices;
    out->shape = shape;
    out->inputs = (ms_production_inputs){.shape = shape, .seed = shape->seed};
    MS_TRY(add_variables(out));
    return build(out);
}

static void close_side(ms_production_side *side) {
    ms_program_destroy(side->program);
    ms_store_destroy(side->store);
    memset(side, 0, sizeof *side);
}

void ms_production_case_close(ms_production_case *c) {
    close_side(&c->fast);
    close_side(&c->exact);
    close_side(&c->magnitude);
    ms_production_bounds_finish(&c->bounds);
    ms_graph_destroy(c->graph);
    ms_variables_destroy(c->variables);
    for (int i = 0; i < MS_MAX_INPUTS; i++) free(c->inputs.given[i]);
    for (int i = 0; i < N_SLABS; i++) free(c->slabs[i]);
    memset(c, 0, sizeof *c);
}

/* ---- what it takes ---- */

static double elements_of(const ms_op_case *shape, bool inputs) {
    double sum = 0;
    for (int i = 0; inputs && i < shape->n_inputs; i++)
        if (ms_case_has_input(shape, i)) sum += (double)ms_shape_count(&shape->shape[i]);
    for (int k = 0; !inputs && k < shape->n_outputs; k++) sum += (double)ms_shape_count(&shape->out[k].shape);
    return sum;
}

ms_status ms_production_case_bytes(const ms_production_case *c, double *out_bytes) {
    double operands = 0;
    ms_program_report fast, exact;
    for (int v = 0; v < ms_variables_count(c->variables); v++) {
        const ms_variable *variable = ms_variables_get(c->variables, v);
        operands += (double)ms_shape_count(&variable->shape) * (double)ms_dtype_size(variable->dtype);
    }
    MS_TRY(ms_program_estimate(c->devices->fast, c->graph, &fast));
    MS_TRY(ms_program_estimate(c->devices->exact, c->graph, &exact));
    *out_bytes = (is_attention(c->shape->op) ? 3 : 2) * operands +
                 (double)(fast.arena_bytes + fast.workspace_bytes + exact.arena_bytes + exact.workspace_bytes);
    return MS_OK;
}

static int n_fills(ms_op op) { return op == MS_OP_MATMUL || op == MS_OP_GRAM ? 2 : 1; }

void ms_production_case_work(const ms_production_case *c, double *out_flops, double *out_elements) {
    double runs = n_fills(c->shape->op);
    if (is_attention(c->shape->op)) runs = 2;
    *out_flops = runs * ms_graph_cost(c->graph).flops;
    if (c->shape->op == MS_OP_ATTENTION_GRAD) *out_flops *= 1.2; /* and the pass before it */
    *out_elements = runs * (elements_of(c->shape, true) + elements_of(c->shape, false));
}

/* ---- running ---- */

static ms_status create_side(const ms_production_case *c, ms_device *device, ms_production_side *out) {
    MS_TRY(ms_store_create(device, c->variables, &out->store));
    return ms_program_compile(out->store, c->graph, &out->program);
}

/* Of the sums with every term positive: do and v become their magnitudes, o the negative of its own, so that do v - do
   o is |do||v| + |do||o|; q and k have one sign in each head. */
static void make_positive(ms_op op, int i, ms_dtype dtype, int64_t count, void *data) {
    bool negative = op == MS_OP_ATTENTION_GRAD && i == 3, is_changed = i == 2 || negative || i == 5;
    for (int64_t e = 0; is_changed && e < count; e++) {
        if (dtype == MS_DTYPE_BF16) {
            uint16_t *bits = (uint16_t *)data + e;
            *bits = (uint16_t)(negative ? *bits | 0x8000u : *bits & 0x7fffu);
        } else {
            float *value = (float *)data + e;
            *value = negative ? -fabsf(*value) : fabsf(*value);
        }
    }
}

static ms_status upload_input(ms_production_case *c, int i) {
    int64_t count = ms_shape_count(&c->shape->shape[i]);
    void *data = c->slabs[SLAB_ADDED];
    for (int64_t begin = 0; begin < count; begin += MS_PRODUCTION_SLAB) {
        int64_t n = count - begin < MS_PRODUCTION_SLAB ? count - begin : MS_PRODUCTION_SLAB;
        ms_production_input(&c->inputs, i, begin, n, data);
        ms_production_bounds_see(&c->bounds, i, begin, n, data);
        MS_TRY(ms_store_upload(c->exact.store, c->in[i], begin, n, data));
        if (c->fast.store) MS_TRY(ms_store_upload(c->fast.store, c->in[i], begin, n, data));
        if (!c->magnitude.store) continue;
        make_positive(c->shape->op, i, c->shape->dtype[i], n, data);
        MS_TRY(ms_store_upload(c->magnitude.store, c->in[i], begin, n, data));
    }
    return ms_signals_check("verify");
}

static ms_status run_inputs(ms_production_case *c) {
    ms_production_bounds_finish(&c->bounds);
    MS_TRY(ms_production_bounds_init(&c->inputs, &c->devices->rounding, &c->bounds));
    for (int i = 0; i < c->shape->n_inputs; i++)
        if (c->in[i] >= 0) MS_TRY(upload_input(c, i));
    ms_production_bounds_close(&c->bounds);
    if (c->fast.program) MS_TRY(ms_program_run(c->fast.program));
    MS_TRY(ms_program_run(c->exact.program));
    return c->magnitude.program ? ms_program_run(c->magnitude.program) : MS_OK;
}

static ms_status take_slabs(ms_production_case *c) {
    for (int i = 0; i < N_SLABS; i++) {
        c->slabs[i] = malloc(MS_PRODUCTION_SLAB * sizeof(float));
        if (!c->slabs[i]) return MS_FAIL(MS_OUT_OF_MEMORY, "verify: no memory for a slab of results");
    }
    return MS_OK;
}

static ms_status download_whole(ms_production_case *c, int k, void **out) {
    int64_t count = ms_shape_count(&c->shape->out[k].shape);
    *out = malloc((size_t)count * ms_dtype_size(c->shape->out[k].dtype));
    if (!*out) return MS_FAIL(MS_OUT_OF_MEMORY, "verify: no memory for %lld results", (long long)count);
    return ms_store_download(c->exact.store, c->out[k], 0, count, *out);
}

/* o and lse of the same q, k and v, by `exact`. */
static ms_status give_forward(ms_production_case *c) {
    ms_op_case shape = ms_case_of(MS_OP_ATTENTION);
    ms_production_case forward;
    shape.attributes = c->shape->attributes;
    shape.seed = c->shape->seed;
    for (int i = 0; i < 3; i++) ms_case_input(&shape, c->shape->dtype[i], c->shape->shape[i], MS_CASE_NORMAL);
    MS_TRY(ms_case_infer(&shape));
    ms_status status = ms_production_case_open(c->devices, &shape, &forward);
    if (status == MS_OK) status = take_slabs(&forward);
    if (status == MS_OK) status = create_side(&forward, c->devices->exact, &forward.exact);
    if (status == MS_OK) status = run_inputs(&forward);
    for (int k = 0; status == MS_OK && k < 2; k++) status = download_whole(&forward, k, &c->inputs.given[3 + k]);
    ms_production_case_close(&forward);
    return status;
}

static ms_status prepare(ms_production_case *c) {
    MS_TRY(take_slabs(c));
    if (c->shape->op == MS_OP_ATTENTION_GRAD) MS_TRY(give_forward(c));
    MS_TRY(create_side(c, c->devices->fast, &c->fast));
    MS_TRY(create_side(c, c->devices->exact, &c->exact));
    return is_attention(c->shape->op) ? create_side(c, c->devices->exact, &c->magnitude) : MS_OK;
}

/* ---- judging ---- */

static uint32_t bits_of(ms_dtype dtype, const void *data, int64_t i) {
    uint32_t bits = 0;
    size_t size = ms_dtype_size(dtype);
    memcpy(&bits, (const char *)data + (size_t)i * size, size);
    return bits;
}

static void judge_slab(const ms_production_case *c, int k, int64_t begin, int64_t count, ms_verify_row *row) {
    ms_dtype dtype = c->shape->out[k].dtype;
    bool has_added = c->shape->op == MS_OP_MATMUL && ms_case_has_input(c->shape, 2);
    for (int64_t i = 0; i < count; i++) {
        ms_production_result result = {.output = k, .index = begin + i};
        double found = ms_production_element(dtype, c->slabs[SLAB_FAST], i), error;
        result.exact = ms_production_element(dtype, c->slabs[SLAB_EXACT], i);
        if (c->magnitude.store) result.magnitude = fabs(ms_production_element(dtype, c->slabs[SLAB_MAGNITUDE], i));
        if (has_added) result.added = ms_production_element(c->shape->dtype[2], c->slabs[SLAB_ADDED], i);
        error = fabs(found - result.exact);
        double bound = ms_production_bound(&c->bounds, &result);
        double ratio = error == 0 ? 0 : error / bound; /* infinite where nothing may differ */
        if (isnan(ratio)) ratio = HUGE_VAL;
        row->worst = fmax(row->worst, ratio);
        if (ratio <= 1 || row->has_difference) continue;
        row->verdict = MS_VERDICT_BOUND;
        row->has_difference = true;
        row->output = k;
        row->index = result.index;
        row->expected = bits_of(dtype, c->slabs[SLAB_EXACT], i);
        row->found = bits_of(dtype, c->slabs[SLAB_FAST], i);
    }
}

static ms_status judge(ms_production_case *c, ms_verify_row *row) {
    for (int k = 0; k < c->shape->n_outputs; k++) {
        int64_t count = ms_shape_count(&c->shape->out[k].shape);
        for (int64_t begin = 0; begin < count; begin += MS_PRODUCTION_SLAB) {
            int64_t n = count - begin < MS_PRODUCTION_SLAB ? count - begin : MS_PRODUCTION_SLAB;
            MS_TRY(ms_store_download(c->fast.store, c->out[k], begin, n, c->slabs[SLAB_FAST]));
            MS_TRY(ms_store_download(c->exact.store, c->out[k], begin, n, c->slabs[SLAB_EXACT]));
            if (c->magnitude.store)
                MS_TRY(ms_store_download(c->magnitude.store, c->out[k], begin, n, c->slabs[SLAB_MAGNITUDE]));
            if (c->shape->op == MS_OP_MATMUL && ms_case_has_input(c->shape, 2))
                ms_production_input(&c->inputs, 2, begin, n, c->slabs[SLAB_ADDED]);
            judge_slab(c, k, begin, n, row);
        }
        MS_TRY(ms_signals_check("verify"));
    }
    return MS_OK;
}

/* ---- the whole ---- */

static ms_status check_fill(ms_production_case *c, ms_production_fill fill, ms_verify_row *row) {
    c->inputs.fill = fill;
    MS_TRY(run_inputs(c));
    double before = row->worst;
    row->worst = 0;
    MS_TRY(judge(c, row));
    size_t used = strlen(row->message);
    const char *name = fill == MS_PRODUCTION_WHOLE ? "whole numbers" : "all bits";
    snprintf(row->message + used, sizeof row->message - used, "%s%s: %.2g of the bound", used ? "; " : "", name,
             row->worst);
    if (!isnan(before)) row->worst = fmax(row->worst, before);
    return MS_OK;
}

static ms_status check_faults(ms_production_case *c, const ms_verify_row *like, ms_verify_report *report) {
    c->inputs.fill = c->shape->op == MS_OP_CROSS_ENTROPY ? MS_PRODUCTION_NORMAL : MS_PRODUCTION_WHOLE;
    MS_TRY(run_inputs(c));
    for (int fault = 0; fault < MS_PRODUCTION_FAULT_COUNT; fault++) {
        ms_verify_row row = *like;
        double begin = ms_clock_seconds();
        snprintf(row.message, sizeof row.message, "planted: %s", ms_production_fault_text((ms_production_fault)fault));
        row.worst = 0;
        if (fault > 0) MS_TRY(ms_program_run(c->fast.program)); /* without the fault before */
        MS_TRY(ms_production_fault_make(c, (ms_production_fault)fault));
        MS_TRY(judge(c, &row));
        row.seconds = ms_clock_seconds() - begin;
        MS_TRY(ms_verify_report_add(report, &row));
        ms_verify_report_planted(report, ms_verdict_is_difference(row.verdict));
    }
    return MS_OK;
}

ms_status ms_production_case_check(ms_production_case *c, ms_verify_row *row, ms_verify_report *faults) {
    double begin = ms_clock_seconds();
    MS_TRY(prepare(c));
    if (faults) return check_faults(c, row, faults);
    ms_op op = c->shape->op;
    if (op != MS_OP_CROSS_ENTROPY) MS_TRY(check_fill(c, MS_PRODUCTION_WHOLE, row));
    if (!is_attention(op)) MS_TRY(check_fill(c, MS_PRODUCTION_NORMAL, row));
    row->seconds = ms_clock_seconds() - begin;
    return MS_OK;
}
