/* Configuration checks, parameter counts, initial weights, storage in bf16. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "backend/ir/build.h"
#include "backend/ir/passes.h"
#include "model/model.h"
#include "tests/support/suite.h"

static ms_model_config blueberry(void) {
    return (ms_model_config){.layers = 22,
                             .width = 512,
                             .heads = 8,
                             .kv_heads = 4,
                             .head_size = 64,
                             .feed_forward = 2048,
                             .vocabulary = 49152,
                             .sequence_length = 2048,
                             .tied_head = true,
                             .merged = true,
                             .qk_norm = true,
                             .residual_scale_init = 1,
                             .norm_epsilon = 1.1920929e-07f,
                             .rope_base = 10000,
                             .init_std = 0.02f,
                             .init_depth_factor = 1};
}

static ms_model_config small(void) {
    ms_model_config config = blueberry();
    config.layers = 5;
    config.width = 64;
    config.heads = 4;
    config.kv_heads = 2;
    config.head_size = 16;
    config.feed_forward = 128;
    config.vocabulary = 300;
    config.sequence_length = 32;
    return config;
}

START_TEST(test_blueberry_has_its_published_size) {
    ms_variables *variables;
    ms_model model;
    ms_model_config config = blueberry();
    ms_must(ms_variables_create(&variables));
    ms_must(ms_model_init(&config, variables, &model));
    ck_assert_int_eq(model.parameter_count, 88630528);
    int qkvo = ms_variables_find(variables, "blocks.attention.qkvo.weight");
    ms_shape expected = ms_shape_3(22, 1536, 512);
    ck_assert(ms_shape_equal(&ms_variables_get(variables, qkvo)->shape, &expected));
    ms_variables_destroy(variables);
}
END_TEST

static void expect_invalid(ms_model_config config, const char *part) {
    ms_variables *variables;
    ms_model model;
    ms_must(ms_variables_create(&variables));
    ck_assert_int_eq(ms_model_init(&config, variables, &model), MS_INVALID);
    ck_assert_msg(strstr(ms_status_message(), part) != NULL, "message: %s", ms_status_message());
    ms_variables_destroy(variables);
}

START_TEST(test_contradictions_name_their_numbers) {
    ms_model_config config = blueberry();
    config.kv_heads = 3;
    expect_invalid(config, "8 heads are not a multiple of 3");
    config = blueberry();
    config.head_size = 63;
    expect_invalid(config, "head_size 63 is odd");
    config = blueberry();
    config.width = 500;
    expect_invalid(config, "8 * 64 is not 500");
    config = blueberry();
    config.layers = 0;
    expect_invalid(config, "layers is 0");
    config = blueberry();
    config.rope_scaling = MS_ROPE_SCALING_LINEAR;
    expect_invalid(config, "rope_factor is 0");
    config.rope_scaling = MS_ROPE_SCALING_LLAMA3;
    config.rope_factor = 2;
    expect_invalid(config, "llama3 needs 0 < low < high");
    config = blueberry();
    config.sequence_length = 1;
    expect_invalid(config, "sequence_length 1");
    config = blueberry();
    config.norm_epsilon = 0;
    expect_invalid(config, "norm_epsilon is 0");
    config = blueberry();
    config.storage = MS_DTYPE_F16;
    expect_invalid(config, "model: storage is 2, must be 0 (f32) or 1 (bf16)");
}
END_TEST

typedef struct weights {
    ms_variables *variables;
    ms_model model;
    ms_device *device;
    ms_store *store;
} weights;

static weights make_weights(ms_model_config config, uint64_t seed) {
    weights w;
    ms_device_options options = {"cpu", MS_NUMERICS_EXACT, 1};
    ms_must(ms_variables_create(&w.variables));
    ms_must(ms_model_init(&config, w.variables, &w.model));
    ms_must(ms_device_open(&options, &w.device));
    ms_must(ms_store_create(w.device, w.variables, &w.store));
    ms_must(ms_model_upload_initial(&w.model, seed, w.store));
    return w;
}

static void free_weights(weights *w) {
    ms_store_destroy(w->store);
    ms_device_close(w->device);
    ms_variables_destroy(w->variables);
}

/* Root of the mean square of one layer of a variable. */
static double deviation(const weights *w, const char *name, int layer) {
    int index = ms_variables_find(w->variables, name);
    ms_shape shape = ms_variables_get(w->variables, index)->shape;
    int64_t count = ms_shape_count(&shape) / shape.dim[0];
    float *values = malloc((size_t)count * sizeof *values);
    ms_must(ms_store_download(w->store, index, layer * count, count, values));
    double sum = 0;
    for (int64_t i = 0; i < count; i++) sum += (double)values[i] * (double)values[i];
    free(values);
    return sqrt(sum / (double)count);
}

/* 8192 draws: the deviation of a sample deviation is 0.8 %; 4 % is five of them. */
START_TEST(test_initial_deviation_by_scheme) {
    static const double expected[3][5] = {{1, 1, 1, 1, 1}, {1, 1.5, 2, 2.5, 3}, {1, 1.316, 1.732, 2.280, 3}};
    for (int scheme = 0; scheme < 3; scheme++) {
        ms_model_config config = small();
        config.init_scheme = (ms_init_scheme)scheme;
        config.init_depth_factor = 3;
        weights w = make_weights(config, 7);
        for (int layer = 0; layer < 5; layer++) {
            double ratio = deviation(&w, "blocks.feed_forward.up.weight", layer) / 0.02;
            ck_assert_msg(fabs(ratio / expected[scheme][layer] - 1) < 0.04, "scheme %d, layer %d: %.4f, expected %.4f",
                          scheme, layer, ratio, expected[scheme][layer]);
        }
        ck_assert_double_eq(deviation(&w, "blocks.attention_norm.weight", 2), 1);
        free_weights(&w);
    }
}
END_TEST

/* By plain power iteration, of rows [begin, begin + rows) of a layer of a stack of matrices with 64 columns. */
static double sigma_max(const weights *w, const char *name, int layer, int begin, int rows) {
    int index = ms_variables_find(w->variables, name);
    int64_t at = ms_shape_count(&ms_variables_get(w->variables, index)->shape) / 5 * layer + 64 * begin;
    float values[128 * 64];
    double v[64], norm = 0;
    ms_must(ms_store_download(w->store, index, at, 64 * rows, values));
    for (int j = 0; j < 64; j++) v[j] = 1 + j % 3;
    for (int turn = 0; turn < 1000; turn++) {
        double next[64] = {0};
        for (int i = 0; i < rows; i++) {
            double u = 0;
            for (int j = 0; j < 64; j++) u += (double)values[64 * i + j] * v[j];
            for (int j = 0; j < 64; j++) next[j] += u * (double)values[64 * i + j];
        }
        norm = 0;
        for (int j = 0; j < 64; j++) norm += next[j] * next[j];
        norm = sqrt(norm);
        for (int j = 0; j < 64; j++) v[j] = next[j] / norm;
    }
    return sqrt(norm);
}

/* q and up as asked, deeper by the scheme; k as before. */
START_TEST(test_initial_largest_singular_values) {
    static const double expected[5] = {1, 1.5, 2, 2.5, 3};
    ms_model_config config = small(), plain = small();
    config.init_scheme = plain.init_scheme = MS_INIT_SLOPE;
    config.init_depth_factor = plain.init_depth_factor = 3;
    config.init_sigma[ms_projection_find("q", -1)] = 1.5f;
    config.init_sigma[ms_projection_find("up", -1)] = 0.25f;
    weights w = make_weights(config, 7), other = make_weights(plain, 7);
    for (int layer = 0; layer < 5; layer++) {
        double q = sigma_max(&w, "blocks.attention.qkvo.weight", layer, 0, 64);
        double up = sigma_max(&w, "blocks.feed_forward.up.weight", layer, 0, 128);
        ck_assert_double_eq_tol(q, 1.5 * expected[layer], 1e-5);
        ck_assert_double_eq_tol(up, 0.25 * expected[layer], 1e-6);
        ck_assert_double_eq(sigma_max(&w, "blocks.attention.qkvo.weight", layer, 64, 32),
                            sigma_max(&other, "blocks.attention.qkvo.weight", layer, 64, 32));
    }
    free_weights(&w);
    free_weights(&other);
}
END_TEST

START_TEST(test_projections_by_name) {
    uint32_t bits;
    ms_must(ms_projections_parse("q, down", &bits));
    ck_assert_uint_eq(bits, 1u | 1u << 6);
    ms_must(ms_projections_parse("all", &bits));
    ck_assert_uint_eq(bits, 127);
    ck_assert_int_eq(ms_projections_parse("q,qk", &bits), MS_INVALID);
    ck_assert_str_eq(ms_status_message(), "'qk' is no projection; there are all, q, k, v, o, up, gate and down");
    ck_assert_int_eq(ms_projections_parse(" ", &bits), MS_INVALID);
}
END_TEST

START_TEST(test_seed_and_name_decide_the_values) {
    weights a = make_weights(small(), 7), b = make_weights(small(), 7), c = make_weights(small(), 8);
    const char *up = "blocks.feed_forward.up.weight", *down = "blocks.feed_forward.down.weight";
    ck_assert_double_eq(deviation(&a, up, 3), deviation(&b, up, 3));
    ck_assert_double_ne(deviation(&a, up, 3), deviation(&c, up, 3));
    ck_assert_double_ne(deviation(&a, up, 3), deviation(&a, down, 3));
    free_weights(&a);
    free_weights(&b);
    free_weights(&c);
}
END_TEST

/* ---- bf16 ---- */

static int count_op(const ms_graph *graph, ms_op op) {
    int n = 0;
    for (int i = 0; i < ms_graph_n_nodes(graph); i++) n += ms_graph_node(graph, i)->op == op;
    return n;
}

/* Each matrix is converted once a run, recomputed or not; so are the embedded tokens and the head.  Nothing else is. */
START_TEST(test_bf16_converts_each_matrix_once) {
    for (int variant = 0; variant < 8; variant++) {
        ms_model_config config = small();
        config.storage = MS_DTYPE_BF16;
        config.recompute = (variant & 1) != 0;
        config.merged = (variant & 2) != 0;
        config.tied_head = variant < 4;
        config.activation = variant < 4 ? MS_ACTIVATION_RELU2 : MS_ACTIVATION_SWIGLU;
        int tokens, n_matrices = config.activation == MS_ACTIVATION_SWIGLU ? 7 : 6;
        weights w = make_weights(config, 1);
        ms_must(ms_variables_add(w.variables, "tokens", MS_VARIABLE_INPUT, MS_DTYPE_I32, ms_shape_1(32), &tokens));
        ms_graph *graph, *finished;
        ms_must(ms_graph_create(w.variables, -1, &graph));
        ms_tensor view = ms_view_all(graph, tokens);
        ms_loss_request request = {view, view, 1, 32, 1.0f / 32, 8, MS_DTYPE_F32};
        ms_model_loss_and_gradients(&w.model, graph, &request, false);
        ms_must(ms_graph_finish(graph, &finished));
        ck_assert_int_eq(count_op(finished, MS_OP_CAST), config.layers * n_matrices + 2);
        ms_graph_destroy(finished);
        ms_graph_destroy(graph);
        free_weights(&w);
    }
}
END_TEST

static float bf16_value(uint16_t x) {
    uint32_t bits = (uint32_t)x << 16;
    float y;
    memcpy(&y, &bits, sizeof y);
    return y;
}

/* f32 logits of a row from hidden states and head in bf16, as the loss of training has them. */
START_TEST(test_bf16_logits_are_f32_sums_of_bf16_products) {
    enum { T = 32, C = 64, V = 300, ROW = 20 };
    ms_model_config config = small();
    config.storage = MS_DTYPE_BF16;
    int tokens, row, hidden, head, logits;
    ms_variables *variables;
    ms_model model;
    ms_device *device;
    ms_store *store;
    ms_program *program;
    ms_graph *graph, *finished;
    ms_device_options options = {"cpu", MS_NUMERICS_EXACT, 2};
    ms_must(ms_variables_create(&variables));
    ms_must(ms_model_init(&config, variables, &model));
    ms_must(ms_variables_add(variables, "tokens", MS_VARIABLE_INPUT, MS_DTYPE_I32, ms_shape_1(T), &tokens));
    ms_must(ms_variables_add(variables, "row", MS_VARIABLE_INPUT, MS_DTYPE_I32, ms_shape_1(1), &row));
    ms_must(ms_variables_add(variables, "hidden", MS_VARIABLE_OUTPUT, MS_DTYPE_BF16, ms_shape_2(T, C), &hidden));
    ms_must(ms_variables_add(variables, "head", MS_VARIABLE_OUTPUT, MS_DTYPE_BF16, ms_shape_2(V, C), &head));
    ms_must(ms_variables_add(variables, "logits", MS_VARIABLE_OUTPUT, MS_DTYPE_F32, ms_shape_2(1, V), &logits));
    ms_must(ms_graph_create(variables, -1, &graph));
    ms_tensor h = ms_model_hidden(&model, graph, ms_view_all(graph, tokens), 1, T);
    ms_assign(graph, h, ms_view_all(graph, hidden));
    ms_assign(graph, ms_cast(graph, ms_view_all(graph, model.head), MS_DTYPE_BF16), ms_view_all(graph, head));
    ms_tensor y = ms_model_logits_of_row(&model, graph, h, ms_view_all(graph, row));
    ms_assign(graph, y, ms_view_all(graph, logits));
    ms_must(ms_graph_finish(graph, &finished));
    ms_must(ms_device_open(&options, &device));
    ms_must(ms_store_create(device, variables, &store));
    ms_must(ms_model_upload_initial(&model, 3, store));
    int32_t ids[T], i_row = ROW;
    for (int i = 0; i < T; i++) ids[i] = 37 * i % V;
    ms_must(ms_store_upload(store, tokens, 0, T, ids));
    ms_must(ms_store_upload(store, row, 0, 1, &i_row));
    ms_must(ms_program_compile(store, finished, &program));
    ms_must(ms_program_run(program));
    uint16_t hidden_row[C], heads[V * C];
    float have[V];
    ms_must(ms_store_download(store, hidden, ROW * C, C, hidden_row));
    ms_must(ms_store_download(store, head, 0, V * C, heads));
    ms_must(ms_store_download(store, logits, 0, V, have));
    for (int v = 0; v < V; v++) {
        float want = bf16_value(hidden_row[0]) * bf16_value(heads[v * C]);
        for (int c = 1; c < C; c++) want = want + bf16_value(hidden_row[c]) * bf16_value(heads[v * C + c]);
        ck_assert_float_eq(have[v], want);
    }
    ms_program_destroy(program);
    ms_graph_destroy(finished);
    ms_graph_destroy(graph);
    ms_store_destroy(store);
    ms_device_close(device);
    ms_variables_destroy(variables);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("transformer");
    TCase *tcase = tcase_create("transformer");
    tcase_add_test(tcase, test_blueberry_has_its_published_size);
    tcase_add_test(tcase, test_contradictions_name_their_numbers);
    tcase_add_test(tcase, test_initial_deviation_by_scheme);
    tcase_add_test(tcase, test_initial_largest_singular_values);
    tcase_add_test(tcase, test_projections_by_name);
    tcase_add_test(tcase, test_seed_and_name_decide_the_values);
    tcase_add_test(tcase, test_bf16_converts_each_matrix_once);
    tcase_add_test(tcase, test_bf16_logits_are_f32_sums_of_bf16_products);
    suite_add_tcase(suite, tcase);
    return ms_suite_run(suite);
}
