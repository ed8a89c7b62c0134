/* What graphs compute on the CPU: plans with and without reuse, recomputation, lowering, and gradients of a whole step
   against finite differences. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "backend/backend_impl.h"
#include "tests/ir/support.h"
#include "tests/support/random.h"
#include "tests/support/suite.h"

const ms_backend_impl *ms_backend_cpu(void);

/* The bytes of all variables, one after another. */
typedef struct image {
    unsigned char *bytes;
    size_t size, f32_bytes;
} image;

static size_t variable_bytes(const ms_variable *variable, size_t f32_bytes) {
    size_t element = variable->dtype == MS_DTYPE_F32 ? f32_bytes : ms_dtype_size(variable->dtype);
    return (size_t)ms_shape_count(&variable->shape) * element;
}

static double next_number(uint64_t *state) {
    return 0.5 * ms_congruential_uniform(state); /* in [-0.5, 0.5), exact in f32 */
}

/* Numbers in all f32 variables, small token ids in the others; constants near 1, step scalars {rate, 0.9}. */
static image make_image(const ms_variables *variables, size_t f32_bytes, double rate) {
    image out = {NULL, 0, f32_bytes};
    for (int v = 0; v < ms_variables_count(variables); v++)
        out.size += variable_bytes(ms_variables_get(variables, v), f32_bytes);
    out.bytes = malloc(out.size);
    uint64_t state = 1;
    unsigned char *at = out.bytes;
    for (int v = 0; v < ms_variables_count(variables); v++) {
        const ms_variable *variable = ms_variables_get(variables, v);
        size_t element = variable_bytes(variable, f32_bytes) / (size_t)ms_shape_count(&variable->shape);
        for (int64_t i = 0; i < ms_shape_count(&variable->shape); i++, at += element) {
            double number = next_number(&state);
            if (strcmp(variable->name, "second") == 0) number = fabs(number);
            if (strcmp(variable->name, "step_scalars") == 0) number = i == 0 ? rate : 0.875;
            int32_t id = (int32_t)floor((number + 0.5) * 11) - (strcmp(variable->name, "targets") == 0 && i % 5 == 4);
            float single = (float)number;
            if (variable->dtype == MS_DTYPE_I32)
                memcpy(at, &id, sizeof id);
            else if (f32_bytes == 8)
                memcpy(at, &number, sizeof number);
            else
                memcpy(at, &single, sizeof single);
        }
    }
    return out;
}

/* Runs a finished graph n_runs times on the CPU by a plan of its own; the image is replaced by what the variables
   hold. */
static void run_planned(const ms_graph *graph, ms_numerics numerics, bool no_reuse, int n_runs,
                        image *variables_image) {
    const ms_backend_impl *impl = ms_backend_cpu();
    const ms_variables *variables = ms_graph_variables(graph);
    int n = ms_variables_count(variables);
    ms_device_options options = {.name = "cpu", .numerics = numerics, .n_threads = 2};
    ms_backend_device *device;
    CHECK_OK(impl->open(0, &options, &device));
    ck_assert_uint_eq(impl->f32_bytes(device), variables_image->f32_bytes);
    ms_backend_buffer *buffers = calloc((size_t)n, sizeof *buffers);
    unsigned char *at = variables_image->bytes;
    for (int v = 0; v < n; v++) {
        size_t size = variable_bytes(ms_variables_get(variables, v), variables_image->f32_bytes);
        CHECK_OK(impl->allocate(device, size, &buffers[v]));
        CHECK_OK(impl->upload(device, buffers[v], 0, at, size));
        at += size;
    }
    ms_plan plan;
    ms_plan_options plan_options = {
        .f32_bytes = variables_image->f32_bytes, .alignment_bytes = 64, .no_reuse = no_reuse};
    CHECK_OK(ms_plan_init(graph, &plan_options, &plan));
    ms_call_list *calls;
    CHECK_OK(ms_call_list_create(graph, &plan, &calls));
    ms_plan_finish(&plan);
    ms_compile_request request = {calls, buffers};
    ms_backend_program *program;
    CHECK_OK(impl->compile(device, &request, &program));
    for (int i = 0; i < n_runs; i++) CHECK_OK(impl->run(program));
    at = variables_image->bytes;
    for (int v = 0; v < n; v++) {
        size_t size = variable_bytes(ms_variables_get(variables, v), variables_image->f32_bytes);
        const ms_backend_part all = {buffers[v], 0, size};
        void *out = at;
        CHECK_OK(impl->download(device, &all, 1, &out));
        at += size;
        impl->release(device, buffers[v]);
    }
    impl->program_destroy(program);
    ms_call_list_destroy(calls);
    free(buffers);
    impl->close(device);
}

/* Runs with and without reuse and compares every byte of every variable. */
static void check_reuse(const ms_graph *graph, ms_numerics numerics, unsigned number) {
    size_t f32_bytes = numerics == MS_NUMERICS_ORACLE ? 8 : 4;
    image a = make_image(ms_graph_variables(graph), f32_bytes, 0.0625),
          b = make_image(ms_graph_variables(graph), f32_bytes, 0.0625);
    run_planned(graph, numerics, false, 2, &a);
    run_planned(graph, numerics, true, 2, &b);
    ck_assert_msg(memcmp(a.bytes, b.bytes, a.size) == 0, "graph %u in %s differs", number, ms_numerics_name(numerics));
    free(a.bytes);
    free(b.bytes);
}

START_TEST(reuse_changes_no_bit_of_random_graphs) {
    for (unsigned seed = 1; seed <= 150; seed++) {
        ms_variables *variables;
        ms_graph *graph, *finished;
        random_graph(seed, 10 + (int)(seed % 40), &variables, &graph);
        CHECK_OK(ms_graph_finish(graph, &finished));
        check_reuse(finished, seed % 2 ? MS_NUMERICS_EXACT : MS_NUMERICS_ORACLE, seed);
        ms_graph_destroy(finished);
        ms_graph_destroy(graph);
        ms_variables_destroy(variables);
    }
}
END_TEST

START_TEST(reuse_changes_no_bit_of_a_step) {
    for (int variant = 0; variant < 12; variant++) {
        step_options options = {.n_layers = 2,
                                .n_sequences = 2,
                                .sequence = 6,
                                .chunk = 5,
                                .recompute = (variant & 1) != 0,
                                .swiglu = variant % 6 >= 3,
                                .n_micro = 2,
                                .storage = variant < 6 ? MS_DTYPE_F32 : MS_DTYPE_BF16,
                                .loss_gradient = variant < 8 ? MS_DTYPE_F32 : MS_DTYPE_BF16};
        step_graph step;
        step_build(&options, &step);
        ms_graph *finished;
        CHECK_OK(ms_graph_finish(step.graph, &finished));
        check_reuse(finished, (ms_numerics)(variant % 3), (unsigned)variant);
        ms_graph_destroy(finished);
        step_finish(&step);
    }
}
END_TEST

/* The image after n_runs of a step with these options.  Not simplified: only lowered. */
static image step_image(const step_options *options, ms_numerics numerics, double rate, int n_runs, bool simplify) {
    step_graph step;
    step_build(options, &step);
    ms_graph *finished;
    CHECK_OK(simplify ? ms_graph_finish(step.graph, &finished) : ms_graph_lower(step.graph, &finished));
    image out = make_image(step.variables, numerics == MS_NUMERICS_ORACLE ? 8 : 4, rate);
    run_planned(finished, numerics, false, n_runs, &out);
    ms_graph_destroy(finished);
    step_finish(&step);
    return out;
}

START_TEST(recomputation_changes_no_bit) {
    for (int i = 0; i < 6; i++) {
        ms_numerics numerics = (ms_numerics)(i / 2); /* fast, exact, oracle */
        step_options options = {.n_layers = 3, .n_sequences = 2, .sequence = 5, .chunk = 4, .n_micro = 2};
        options.storage = i % 2 ? MS_DTYPE_BF16 : MS_DTYPE_F32;
        image a = step_image(&options, numerics, 0.0625, 3, true);
        options.recompute = true;
        image b = step_image(&options, numerics, 0.0625, 3, true);
        ck_assert_mem_eq(a.bytes, b.bytes, a.size);
        free(a.bytes);
        free(b.bytes);
    }
}
END_TEST

/* Every gradient in bf16 storage lies near that in f32: some roundings of 2^-8 each, which do not add up in one
   direction. */
START_TEST(gradients_in_bf16_are_near) {
    for (int swiglu = 0; swiglu < 2; swiglu++) {
        step_options options = {
            .n_layers = 2, .n_sequences = 2, .sequence = 6, .chunk = 5, .swiglu = swiglu != 0, .n_micro = 1};
        image a = step_image(&options, MS_NUMERICS_EXACT, 0, 1, true);
        options.storage = MS_DTYPE_BF16;
        image b = step_image(&options, MS_NUMERICS_EXACT, 0, 1, true);
        step_graph step;
        step_build(&options, &step);
        const unsigned char *at_a = a.bytes, *at_b = b.bytes;
        for (int v = 0; v < ms_variables_count(step.variables); v++) {
            const ms_variable *variable = ms_variables_get(step.variables, v);
            size_t size = variable_bytes(variable, 4);
            double error = 0, norm = 0;
            for (size_t i = 0; variable->kind == MS_VARIABLE_GRADIENT && i < size; i += 4) {
                float x, y;
                memcpy(&x, at_a + i, 4), memcpy(&y, at_b + i, 4);
                error += ((double)x - (double)y) * ((double)x - (double)y);
                norm += (double)x * (double)x;
            }
            ck_assert_msg(error <= 0.03 * 0.03 * norm, "%s: off by %.3g of %.3g", variable->name, sqrt(error),
                          sqrt(norm));
            if (variable->kind == MS_VARIABLE_GRADIENT) ck_assert_double_gt(error, 0); /* it was in bf16 */
            at_a += size, at_b += size;
        }
        step_finish(&step);
        free(a.bytes);
        free(b.bytes);
    }
}
END_TEST

START_TEST(simplification_changes_no_bit) {
    step_options options = {
        .n_layers = 2, .n_sequences = 2, .sequence = 5, .chunk = 4, .swiglu = true, .recompute = true, .n_micro = 2};
    image a = step_image(&options, MS_NUMERICS_EXACT, 0.0625, 2, true);
    image b = step_image(&options, MS_NUMERICS_EXACT, 0.0625, 2, false);
    ck_assert_mem_eq(a.bytes, b.bytes, a.size);
    free(a.bytes);
    free(b.bytes);
}
END_TEST

/* ---- through the public interface, in doubles ---- */

typedef struct session {
    step_graph step;
    ms_device *device;
    ms_store *store;
    ms_program *program;
    int n_micro;
} session;

/* Compiles s->step and uploads a start. */
static void session_start(session *s) {
    ms_device_options device = {.name = "cpu", .numerics = MS_NUMERICS_ORACLE, .n_threads = 1};
    ms_graph *finished;
    CHECK_OK(ms_device_open(&device, &s->device));
    CHECK_OK(ms_store_create(s->device, s->step.variables, &s->store));
    CHECK_OK(ms_graph_finish(s->step.graph, &finished));
    CHECK_OK(ms_program_compile(s->store, finished, &s->program));
    ms_graph_destroy(finished);
    image start = make_image(s->step.variables, 8, 0); /* rate 0: the weights stay */
    unsigned char *at = start.bytes;
    for (int v = 0; v < ms_variables_count(s->step.variables); v++) {
        const ms_variable *variable = ms_variables_get(s->step.variables, v);
        int64_t count = ms_shape_count(&variable->shape);
        CHECK_OK(variable->dtype == MS_DTYPE_F32
                     ? ms_store_upload_f64(s->store, v, 0, count, (const double *)(void *)at)
                     : ms_store_upload(s->store, v, 0, count, at));
        at += variable_bytes(variable, 8);
    }
    free(start.bytes);
}

static session session_open(const step_options *options) {
    session s = {.n_micro = options->n_micro};
    step_build(options, &s.step);
    session_start(&s);
    return s;
}

static void session_close(session *s) {
    ms_program_destroy(s->program);
    ms_store_destroy(s->store);
    ms_device_close(s->device);
    step_finish(&s->step);
}

/* Runs and returns the sum of the micro-batches' losses. */
static double run_loss(session *s) {
    double losses[4], sum = 0;
    CHECK_OK(ms_program_run(s->program));
    CHECK_OK(ms_store_download_f64(s->store, s->step.loss, 0, s->n_micro, losses));
    for (int i = 0; i < s->n_micro; i++) sum += losses[i];
    return sum;
}

/* d loss / d weight[element] by central differences: error of order step^2, rounding 1e-16 / step. */
static double difference(session *s, int weight, int64_t element) {
    const double step = 1e-5;
    double value, loss[2];
    CHECK_OK(ms_store_download_f64(s->store, weight, element, 1, &value));
    for (int i = 0; i < 2; i++) {
        double moved = value + (i ? step : -step);
        CHECK_OK(ms_store_upload_f64(s->store, weight, element, 1, &moved));
        loss[i] = run_loss(s);
    }
    CHECK_OK(ms_store_upload_f64(s->store, weight, element, 1, &value));
    return (loss[1] - loss[0]) / (2 * step);
}

/* Compares up to 25 elements of each weight's gradient, then closes the session. */
static void check_gradients(session s) {
    double worst = 0;
    int n_checked = 0;
    for (int w = 0; w < s.step.n_weights; w++) {
        const ms_variable *variable = ms_variables_get(s.step.variables, s.step.weights[w]);
        int64_t count = ms_shape_count(&variable->shape), stride = count / 24 + 1;
        double *gradient = malloc((size_t)count * sizeof *gradient), largest = 0;
        run_loss(&s);
        CHECK_OK(ms_store_download_f64(s.store, s.step.gradients[w], 0, count, gradient));
        for (int64_t i = 0; i < count; i++) largest = fmax(largest, fabs(gradient[i]));
        ck_assert_msg(largest > 1e-4, "%s has no gradient", variable->name);
        for (int64_t i = 0; i < count; i += stride, n_checked++) {
            double wanted = difference(&s, s.step.weights[w], i), error = fabs(wanted - gradient[i]) / largest;
            ck_assert_msg(error < 1e-6, "%s[%lld]: gradient %.12g, finite difference %.12g", variable->name,
                          (long long)i, gradient[i], wanted);
            worst = fmax(worst, error);
        }
        free(gradient);
    }
    printf("finite differences: %d elements, worst error %.2g of the largest gradient\n", n_checked, worst);
    session_close(&s);
}

START_TEST(gradients_match_finite_differences) {
    for (int variant = 0; variant < 4; variant++) {
        step_options options = {.n_layers = 2,
                                .n_sequences = 2,
                                .sequence = 5,
                                .chunk = variant == 0 ? 10 : 4,
                                .recompute = variant == 1,
                                .swiglu = variant == 2,
                                .n_micro = variant == 3 ? 2 : 1};
        check_gradients(session_open(&options));
    }
}
END_TEST

enum { W_MATRIX, W_STACK, W_SCALAR, W_LONG }; /* [4,4], [2,4,4], [1], [8,4] */

/* A scalar through the rules that a training step does not use. */
static ms_tensor unusual_loss(session *s) {
    ms_graph *g = s->step.graph;
    ms_tensor m = ms_view_all(g, s->step.weights[W_MATRIX]), stack = ms_view_all(g, s->step.weights[W_STACK]);
    ms_tensor scalar = ms_view_all(g, s->step.weights[W_SCALAR]), long_one = ms_view_all(g, s->step.weights[W_LONG]);
    ms_tensor top = ms_slice(g, long_one, 1, 4), bottom = ms_slice(g, long_one, 3, 4); /* rows 3 and 4 twice */
    ms_tensor mixed = ms_insert(g, ms_mul(g, top, bottom), ms_slice(g, m, 0, 2), 1);
    ms_tensor products[] = {
        ms_matmul(g, m, stack, MS_NO_TENSOR,
                  &(ms_matmul_attributes){false, false, 2, 0,
                                          MS_DTYPE_F32}), /* the shared matrix on either side, transposed or not */
        ms_matmul(g, stack, mixed, stack, &(ms_matmul_attributes){true, true, 1, 3, MS_DTYPE_F32}),
        ms_gram(g, stack, false), ms_gram(g, stack, true)};
    ms_tensor sum = products[0];
    for (int i = 1; i < 4; i++) sum = ms_axpby(g, ms_step_scalar(-2, 1), sum, ms_constant(0.5f), products[i]);
    ms_tensor flat = ms_reshape(g, ms_mul(g, sum, scalar), ms_shape_2(8, 4));
    ms_tensor gated = ms_swiglu(g, flat, ms_relu2(g, long_one));
    ms_tensor total = ms_mul(g, ms_sum(g, gated), scalar); /* a gradient that is no constant reaches the sum */
    return ms_add(g, total, ms_mul(g, ms_sum_squares(g, flat, 0, NULL), ms_sum(g, m)));
}

START_TEST(unusual_rules_match_finite_differences) {
    session s = {.n_micro = 1};
    const ms_shape shapes[] = {ms_shape_2(4, 4), ms_shape_3(2, 4, 4), ms_shape_1(1), ms_shape_2(8, 4)};
    ms_tensor wrt[4], gradients[4];
    char name[32];
    CHECK_OK(ms_variables_create(&s.step.variables));
    CHECK_OK(ms_variables_add(s.step.variables, "step_scalars", MS_VARIABLE_INPUT, MS_DTYPE_F32, ms_shape_1(2),
                              &s.step.step_scalars));
    CHECK_OK(ms_variables_add(s.step.variables, "loss", MS_VARIABLE_OUTPUT, MS_DTYPE_F32, ms_shape_1(1), &s.step.loss));
    for (int i = 0; i < 4; i++, s.step.n_weights++) {
        snprintf(name, sizeof name, "w%d", i);
        CHECK_OK(ms_variables_add(s.step.variables, name, MS_VARIABLE_PARAMETER, MS_DTYPE_F32, shapes[i],
                                  &s.step.weights[i]));
        snprintf(name, sizeof name, "w%d.gradient", i);
        CHECK_OK(ms_variables_add(s.step.variables, name, MS_VARIABLE_GRADIENT, MS_DTYPE_F32, shapes[i],
                                  &s.step.gradients[i]));
    }
    CHECK_OK(ms_graph_create(s.step.variables, s.step.step_scalars, &s.step.graph));
    ms_tensor loss = unusual_loss(&s);
    ms_assign(s.step.graph, loss, ms_view_all(s.step.graph, s.step.loss));
    for (int i = 0; i < 4; i++) wrt[i] = ms_view_all(s.step.graph, s.step.weights[i]);
    CHECK_OK(ms_gradients(s.step.graph, loss, wrt, 4, NULL, gradients));
    for (int i = 0; i < 4; i++) ms_assign(s.step.graph, gradients[i], ms_view_all(s.step.graph, s.step.gradients[i]));
    session_start(&s);
    check_gradients(s);
}
END_TEST

START_TEST(the_chunk_does_not_change_the_loss) {
    double losses[3];
    for (int i = 0; i < 3; i++) {
        step_options options = {
            .n_layers = 1, .n_sequences = 2, .sequence = 5, .chunk = i == 0 ? 10 : 2 * i + 1, .n_micro = 1};
        session s = session_open(&options);
        losses[i] = run_loss(&s);
        session_close(&s);
        ck_assert_double_eq_tol(losses[i], losses[0], 1e-14);
    }
}
END_TEST

enum { MOST_GRADIENTS = 4096 };

/* All gradients one after the other; returns how many. */
static int64_t all_gradients(const step_options *options, double *out) {
    session s = session_open(options);
    int64_t n = 0;
    run_loss(&s);
    for (int w = 0; w < s.step.n_weights; w++) {
        int64_t count = ms_shape_count(&ms_variables_get(s.step.variables, s.step.weights[w])->shape);
        ck_assert_int_le(n + count, MOST_GRADIENTS);
        CHECK_OK(ms_store_download_f64(s.store, s.step.gradients[w], 0, count, out + n));
        n += count;
    }
    session_close(&s);
    return n;
}

/* One chunk, chunks that divide the tokens, and chunks of which the last is smaller.  A gradient of logits in bf16 is
   off by 2^-8 a number, and sums of many by less of their largest. */
START_TEST(the_chunk_does_not_change_the_gradients) {
    static double wanted[MOST_GRADIENTS], got[MOST_GRADIENTS];
    const int chunks[] = {10, 5, 3, 4096};
    step_options options = {.n_layers = 1, .n_sequences = 2, .sequence = 5, .chunk = 10, .n_micro = 1};
    int64_t n = all_gradients(&options, wanted);
    double largest = 0;
    for (int64_t i = 0; i < n; i++) largest = fmax(largest, fabs(wanted[i]));
    for (int i = 0; i < 8; i++) {
        bool is_bf16 = i >= 4;
        double worst = 0;
        options.chunk = chunks[i % 4];
        options.loss_gradient = is_bf16 ? MS_DTYPE_BF16 : MS_DTYPE_F32;
        ck_assert_int_eq(all_gradients(&options, got), n);
        for (int64_t j = 0; j < n; j++) worst = fmax(worst, fabs(got[j] - wanted[j]) / largest);
        ck_assert_msg(worst <= (is_bf16 ? 0x1p-8 : 1e-13), "chunks of %d, %s: off by %g of the largest", options.chunk,
                      ms_dtype_name(options.loss_gradient), worst);
        if (is_bf16) ck_assert_double_gt(worst, 1e-6); /* it is rounded */
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("ir/values");
    TCase *tcase = tcase_create("values");
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, reuse_changes_no_bit_of_random_graphs);
    tcase_add_test(tcase, reuse_changes_no_bit_of_a_step);
    tcase_add_test(tcase, recomputation_changes_no_bit);
    tcase_add_test(tcase, gradients_in_bf16_are_near);
    tcase_add_test(tcase, simplification_changes_no_bit);
    tcase_add_test(tcase, gradients_match_finite_differences);
    tcase_add_test(tcase, unusual_rules_match_finite_differences);
    tcase_add_test(tcase, the_chunk_does_not_change_the_loss);
    tcase_add_test(tcase, the_chunk_does_not_change_the_gradients);
    suite_add_tcase(suite, tcase);
    return ms_suite_run(suite);
}
