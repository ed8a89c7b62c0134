/* Configuration checks, parameter counts, initial weights. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

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
    config.sequence_length = 1;
    expect_invalid(config, "sequence_length 1");
    config = blueberry();
    config.norm_epsilon = 0;
    expect_invalid(config, "norm_epsilon is 0");
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
    ms_must(ms_model_upload_initial(&w.model, seed, w.store, MS_NUMERICS_EXACT));
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

int main(void) {
    Suite *suite = suite_create("transformer");
    TCase *tcase = tcase_create("transformer");
    tcase_add_test(tcase, test_blueberry_has_its_published_size);
    tcase_add_test(tcase, test_contradictions_name_their_numbers);
    tcase_add_test(tcase, test_initial_deviation_by_scheme);
    tcase_add_test(tcase, test_seed_and_name_decide_the_values);
    suite_add_tcase(suite, tcase);
    return ms_suite_run(suite);
}
