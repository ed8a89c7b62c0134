/* Gradients of every differentiable op against central differences, in f64 on the oracle device: the loss is a sum of
   the op's outputs with random weights, so that every element of the Jacobian counts. */
#include "tests/ops/gradient.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/backend.h"
#include "backend/ir/build.h"
#include "backend/ir/gradient.h"
#include "backend/ir/passes.h"
#include "platform/random.h"
#include "tests/ops/runner.h"

#define CHECK_OK(call)                                                                                                 \
    do {                                                                                                               \
        ms_status check_status_ = (call);                                                                              \
        ck_assert_msg(check_status_ == MS_OK, "%s: %s", what, ms_status_message());                                    \
    } while (0)

enum { MAX_SAMPLES = 40 }; /* elements of an input that are varied, spread evenly */

/* How outputs become a loss. */
typedef enum loss_kind {
    LOSS_WEIGHTED, /* sum of output k times random weights, for the first n_loss outputs */
    LOSS_SUM,      /* scale * sum of output 0: what cross_entropy accepts */
    LOSS_OUTPUT    /* output 0 is the loss */
} loss_kind;

typedef struct gradient_case {
    ms_op_case test;
    loss_kind loss;
    int n_loss;
    int fixed;      /* input without gradient, -1: none */
    int64_t misled; /* planted fault: the element is compared with one this many places further */
} gradient_case;

/* The loss and its gradients as one program. */
typedef struct rig {
    ms_variables *variables;
    ms_graph *graph, *finished;
    ms_device *device;
    ms_store *store;
    ms_program *program;
    int input[MS_MAX_INPUTS], weight[MS_MAX_OUTPUTS], gradient[MS_MAX_INPUTS], loss; /* variables; -1: none */
} rig;

static int add_variable(rig *r, const char *what, int i, ms_variable_kind kind, ms_dtype dtype, ms_shape shape) {
    char name[32];
    int index;
    snprintf(name, sizeof name, "%d.%d", (int)kind, i);
    CHECK_OK(ms_variables_add(r->variables, name, kind, dtype, shape, &index));
    return index;
}

static ms_tensor build_loss(rig *r, const gradient_case *gc, const ms_tensor *outputs, const char *what) {
    ms_graph *graph = r->graph;
    if (gc->loss == LOSS_OUTPUT) return outputs[0];
    if (gc->loss == LOSS_SUM)
        return ms_axpby(graph, ms_constant(gc->test.attributes.cross_entropy.scale), ms_sum(graph, outputs[0]),
                        ms_constant(0), MS_NO_TENSOR);
    ms_tensor loss = MS_NO_TENSOR;
    for (int k = 0; k < gc->n_loss; k++) {
        ms_shape shape = ms_graph_tensor(graph, outputs[k])->shape;
        r->weight[k] = add_variable(r, what, k, MS_VARIABLE_CONSTANT, MS_DTYPE_F32, shape);
        ms_tensor term = ms_sum(graph, ms_mul(graph, outputs[k], ms_view_all(graph, r->weight[k])));
        loss = k == 0 ? term : ms_add(graph, loss, term);
    }
    return loss;
}

static void rig_init(rig *r, const gradient_case *gc, const char *what) {
    const ms_op_case *test = &gc->test;
    memset(r, 0, sizeof *r);
    CHECK_OK(ms_variables_create(&r->variables));
    CHECK_OK(ms_graph_create(r->variables, -1, &r->graph));
    ms_tensor inputs[MS_MAX_INPUTS], outputs[MS_MAX_OUTPUTS], wrt[MS_MAX_INPUTS], gradients[MS_MAX_INPUTS];
    int wrt_input[MS_MAX_INPUTS], n_wrt = 0;
    for (int i = 0; i < test->n_inputs; i++) {
        r->gradient[i] = r->input[i] = -1;
        inputs[i] = MS_NO_TENSOR;
        if (test->shape[i].rank == 0) continue;
        r->input[i] = add_variable(r, what, i, MS_VARIABLE_PARAMETER, test->dtype[i], test->shape[i]);
        inputs[i] = ms_view_all(r->graph, r->input[i]);
        if (test->dtype[i] != MS_DTYPE_F32 || i == gc->fixed) continue;
        r->gradient[i] = add_variable(r, what, i, MS_VARIABLE_GRADIENT, MS_DTYPE_F32, test->shape[i]);
        wrt_input[n_wrt] = i;
        wrt[n_wrt++] = inputs[i];
    }
    CHECK_OK(ms_graph_add(r->graph, test->op, inputs, test->n_inputs, &test->attributes, outputs));
    ms_tensor loss = build_loss(r, gc, outputs, what);
    CHECK_OK(ms_gradients(r->graph, loss, wrt, n_wrt, NULL, gradients));
    r->loss = add_variable(r, what, 0, MS_VARIABLE_OUTPUT, MS_DTYPE_F32, ms_shape_1(1));
    ms_assign(r->graph, loss, ms_view_all(r->graph, r->loss));
    for (int j = 0; j < n_wrt; j++) ms_assign(r->graph, gradients[j], ms_view_all(r->graph, r->gradient[wrt_input[j]]));
    CHECK_OK(ms_graph_status(r->graph));
    CHECK_OK(ms_graph_finish(r->graph, &r->finished));
    ms_device_options options = {"cpu", MS_NUMERICS_ORACLE, 2};
    CHECK_OK(ms_device_open(&options, &r->device));
    CHECK_OK(ms_store_create(r->device, r->variables, &r->store));
    CHECK_OK(ms_program_compile(r->store, r->finished, &r->program));
}

static void rig_finish(rig *r) {
    ms_program_destroy(r->program);
    ms_store_destroy(r->store);
    ms_device_close(r->device);
    ms_graph_destroy(r->finished);
    ms_graph_destroy(r->graph);
    ms_variables_destroy(r->variables);
}

/* Random contents of a variable; returns what was written (doubles or i32). */
static void *upload_random(const rig *r, const ms_op_case *test, int variable, uint64_t seed, const char *what) {
    const ms_variable *info = ms_variables_get(r->variables, variable);
    int64_t count = ms_shape_count(&info->shape);
    double *values = malloc((size_t)count * sizeof *values);
    for (int64_t e = 0; e < count; e++) {
        if (info->dtype == MS_DTYPE_I32) {
            ((int32_t *)values)[e] = test->low + (int32_t)(ms_split_mix(&seed) % (uint64_t)(test->high - test->low));
        } else {
            values[e] = 4 * ms_split_mix_uniform(&seed) - 2;
        }
    }
    CHECK_OK(info->dtype == MS_DTYPE_I32 ? ms_store_upload(r->store, variable, 0, count, values)
                                         : ms_store_upload_f64(r->store, variable, 0, count, values));
    return values;
}

static double loss_at(const rig *r, int variable, int64_t element, double value, const char *what) {
    double loss;
    CHECK_OK(ms_store_upload_f64(r->store, variable, element, 1, &value));
    CHECK_OK(ms_program_run(r->program));
    CHECK_OK(ms_store_download_f64(r->store, r->loss, 0, 1, &loss));
    return loss;
}

/* d loss / d input i, a sample of elements.  h = 2e-5: the difference's own error is about h^2 = 4e-10, rounding about
   1e-16 |loss| / h = 1e-11 |loss|. */
static void check_input(const rig *r, int i, const double *values, int64_t misled, const char *what) {
    const double h = 2e-5;
    int64_t count = ms_shape_count(&ms_variables_get(r->variables, r->input[i])->shape);
    double *gradient = malloc((size_t)count * sizeof *gradient), size = 0;
    CHECK_OK(ms_program_run(r->program));
    CHECK_OK(ms_store_download_f64(r->store, r->gradient[i], 0, count, gradient));
    for (int64_t e = 0; e < count; e++) size = fmax(size, fabs(gradient[e]));
    ck_assert_msg(size > 0 && isfinite(size), "%s: gradient of input %d is all zero or not finite", what, i);
    int64_t n_wrong = 0, step = count > MAX_SAMPLES ? count / MAX_SAMPLES : 1;
    for (int64_t e = 0; e < count; e += step) {
        double up = loss_at(r, r->input[i], e, values[e] + h, what);
        double down = loss_at(r, r->input[i], e, values[e] - h, what);
        double difference = (up - down) / (2 * h);
        loss_at(r, r->input[i], e, values[e], what);
        bool right = fabs(difference - gradient[(e + misled) % count]) <= 1e-6 * size;
        n_wrong += !right;
        ck_assert_msg(right || misled > 0, "%s: gradient of input %d, element %lld: %.12g, difference quotient %.12g",
                      what, i, (long long)e, gradient[e], difference);
    }
    ck_assert_msg(misled == 0 || n_wrong > 0, "%s: a planted fault was not seen", what);
    free(gradient);
}

static void check_gradient(const gradient_case *gc) {
    static uint64_t seed = 100;
    char what[64];
    snprintf(what, sizeof what, "%s (gradient case %llu)", ms_op_get(gc->test.op)->name, (unsigned long long)seed);
    rig r;
    rig_init(&r, gc, what);
    double *values[MS_MAX_INPUTS] = {NULL};
    for (int i = 0; i < gc->test.n_inputs; i++)
        if (r.input[i] >= 0) values[i] = upload_random(&r, &gc->test, r.input[i], seed * 100 + (uint64_t)i, what);
    for (int k = 0; gc->loss == LOSS_WEIGHTED && k < gc->n_loss; k++)
        free(upload_random(&r, &gc->test, r.weight[k], seed * 100 + 50 + (uint64_t)k, what));
    for (int i = 0; i < gc->test.n_inputs; i++)
        if (r.gradient[i] >= 0) check_input(&r, i, values[i], gc->misled, what);
    for (int i = 0; i < gc->test.n_inputs; i++) free(values[i]);
    rig_finish(&r);
    seed++;
}

/* ---- the cases ---- */

static bool covered[MS_OP_COUNT];

static gradient_case case_of(ms_op op, int n_inputs, const ms_shape *shapes) {
    gradient_case gc = {ms_case_of(op), LOSS_WEIGHTED, 1, -1, 0};
    for (int i = 0; i < n_inputs; i++) {
        if (shapes[i].rank == 0)
            ms_case_absent(&gc.test);
        else
            ms_case_input(&gc.test, MS_DTYPE_F32, shapes[i], MS_CASE_NORMAL);
    }
    covered[op] = true;
    return gc;
}

#define SHAPES(...) ((const ms_shape[]){__VA_ARGS__})

static void check_movement(void) {
    gradient_case reshape = case_of(MS_OP_RESHAPE, 1, SHAPES(ms_shape_2(6, 5)));
    reshape.test.attributes.shape.shape = ms_shape_3(2, 3, 5);
    check_gradient(&reshape);
    gradient_case slice = case_of(MS_OP_SLICE, 1, SHAPES(ms_shape_3(2, 7, 5)));
    slice.test.attributes.slice.begin = 2, slice.test.attributes.slice.count = 3;
    check_gradient(&slice);
    gradient_case insert = case_of(MS_OP_INSERT, 2, SHAPES(ms_shape_3(2, 7, 5), ms_shape_3(2, 3, 5)));
    insert.test.attributes.slice.begin = 2, insert.test.attributes.slice.count = 3;
    check_gradient(&insert);
    gradient_case cast = case_of(MS_OP_CAST, 1, SHAPES(ms_shape_1(7)));
    cast.test.attributes.cast.dtype = MS_DTYPE_F32;
    check_gradient(&cast);
    gradient_case embed = case_of(MS_OP_EMBED, 1, SHAPES(ms_shape_2(5, 3)));
    ms_case_input(&embed.test, MS_DTYPE_I32, ms_shape_1(11), MS_CASE_NORMAL);
    embed.test.high = 5;
    embed.test.attributes.embed.scale = 1.75f, embed.test.attributes.embed.rows = 5;
    check_gradient(&embed);
}

static void check_arithmetic(void) {
    for (int i = 0; i < 2; i++) {
        gradient_case axpby = case_of(MS_OP_AXPBY, 2, SHAPES(ms_shape_1(7), i ? ms_shape_1(7) : (ms_shape){0}));
        axpby.test.attributes.axpby.a = ms_constant(0.75f), axpby.test.attributes.axpby.b = ms_constant(-1.25f);
        check_gradient(&axpby);
        gradient_case mul = case_of(MS_OP_MUL, 2, SHAPES(ms_shape_2(3, 5), i ? ms_shape_2(3, 5) : ms_shape_1(1)));
        check_gradient(&mul);
    }
    gradient_case relu2 = case_of(MS_OP_RELU2, 1, SHAPES(ms_shape_1(23)));
    check_gradient(&relu2);
    relu2.misled = 1;
    check_gradient(&relu2);
    gradient_case gelu = case_of(MS_OP_GELU_TANH, 1, SHAPES(ms_shape_1(23)));
    check_gradient(&gelu);
    gelu.misled = 1;
    check_gradient(&gelu);
    gradient_case swiglu = case_of(MS_OP_SWIGLU, 2, SHAPES(ms_shape_1(23), ms_shape_1(23)));
    check_gradient(&swiglu);
    gradient_case sum = case_of(MS_OP_SUM, 1, SHAPES(ms_shape_2(3, 5)));
    check_gradient(&sum);
    gradient_case squares = case_of(MS_OP_SUM_SQUARES, 1, SHAPES(ms_shape_3(2, 5, 3)));
    check_gradient(&squares);
}

static void check_norms(void) {
    gradient_case norm = case_of(MS_OP_RMS_NORM, 2, SHAPES(ms_shape_2(37, 5), ms_shape_1(5)));
    norm.test.attributes.norm.epsilon = 1e-5f;
    check_gradient(&norm);
    gradient_case add = case_of(MS_OP_ADD_RMS_NORM, 3, SHAPES(ms_shape_2(5, 7), ms_shape_2(5, 7), ms_shape_1(7)));
    add.test.attributes.norm.epsilon = 1e-5f;
    add.n_loss = 2;
    check_gradient(&add);
    for (int i = 0; i < 4; i++) {
        ms_shape gain = i & 1 ? ms_shape_1(6) : (ms_shape){0};
        gradient_case rope = case_of(MS_OP_QK_NORM_ROPE, 3, SHAPES(ms_shape_2(10, 18), ms_shape_2(5, 6), gain));
        rope.test.attributes.rope = (ms_rope_attributes){3, 6, 5, i & 2, i & 1, 1e-5f};
        rope.fixed = 1;
        check_gradient(&rope);
    }
}

static void check_contractions(void) {
    for (int i = 0; i < 16; i++) {
        bool ta = i & 1, tb = i & 2, batch_a = i & 4, batch_b = i & 8;
        ms_shape a = ta ? ms_shape_2(5, 3) : ms_shape_2(3, 5), b = tb ? ms_shape_2(4, 5) : ms_shape_2(5, 4);
        if (batch_a) a = ms_shape_3(2, a.dim[0], a.dim[1]);
        if (batch_b) b = ms_shape_3(2, b.dim[0], b.dim[1]);
        ms_shape c = batch_a || batch_b ? ms_shape_3(2, 3, 4) : ms_shape_2(3, 4);
        gradient_case matmul = case_of(MS_OP_MATMUL, 3, SHAPES(a, b, c));
        matmul.test.attributes.matmul = (ms_matmul_attributes){ta, tb, 0.75f, -1.5f, MS_DTYPE_F32};
        check_gradient(&matmul);
    }
    for (int i = 0; i < 2; i++) {
        gradient_case gram = case_of(MS_OP_GRAM, 1, SHAPES(ms_shape_3(2, 3, 5)));
        gram.test.attributes.gram.transpose = i;
        check_gradient(&gram);
    }
    gradient_case attention =
        case_of(MS_OP_ATTENTION, 3, SHAPES(ms_shape_2(10, 16), ms_shape_2(10, 8), ms_shape_2(10, 8)));
    attention.test.attributes.attention = (ms_attention_attributes){2, 5, 4, 2, 4, 0.5f};
    check_gradient(&attention);
}

static void check_losses(void) {
    gradient_case loss = case_of(MS_OP_CROSS_ENTROPY, 1, SHAPES(ms_shape_2(7, 11)));
    ms_case_input(&loss.test, MS_DTYPE_I32, ms_shape_1(7), MS_CASE_NORMAL);
    loss.test.low = -1, loss.test.high = 11;
    loss.test.attributes.cross_entropy.scale = 0.125f;
    loss.loss = LOSS_SUM;
    check_gradient(&loss);
    gradient_case tied = case_of(MS_OP_TIED_CROSS_ENTROPY, 2, SHAPES(ms_shape_2(7, 3), ms_shape_2(11, 3)));
    ms_case_input(&tied.test, MS_DTYPE_I32, ms_shape_1(7), MS_CASE_NORMAL);
    tied.test.low = -1, tied.test.high = 11;
    tied.test.attributes.tied_cross_entropy = (ms_tied_cross_entropy_attributes){0.125f, 3, MS_DTYPE_F32};
    tied.loss = LOSS_OUTPUT;
    check_gradient(&tied);
}

void ms_check_gradients(void) {
    check_movement();
    check_arithmetic();
    check_norms();
    check_contractions();
    check_losses();
    for (int op = 0; op < MS_OP_COUNT; op++)
        ck_assert_msg(covered[op] || !ms_op_is_differentiable((ms_op)op), "no gradient case for %s",
                      ms_op_get((ms_op)op)->name);
}
