/* Biases of queries, keys and values: gradients against differences of the loss in f64; at 0 they change no bit. */
#include <check.h>
#include <math.h>
#include <stdlib.h>

#include "backend/ir/build.h"
#include "backend/ir/passes.h"
#include "model/model.h"
#include "tests/support/suite.h"

enum { B = 2, T = 8, N = B * T, V = 40 };

static ms_model_config tiny(bool has_bias) {
    return (ms_model_config){.layers = 2,
                             .width = 16,
                             .heads = 4,
                             .kv_heads = 2,
                             .head_size = 4,
                             .feed_forward = 24,
                             .vocabulary = V,
                             .sequence_length = T,
                             .activation = MS_ACTIVATION_SWIGLU, /* smooth, as differences want it */
                             .tied_head = true,
                             .qkv_bias = has_bias,
                             .rope_layout = MS_ROPE_HALF_SPLIT,
                             .residual_scale_init = 1,
                             .embedding_scale = 1,
                             .norm_epsilon = 1e-5f,
                             .rope_base = 100,
                             .init_std = 0.5f,
                             .init_depth_factor = 1};
}

/* A model with drawn weights, and the program of its loss and gradients. */
typedef struct rig {
    ms_variables *variables;
    ms_model model;
    ms_device *device;
    ms_store *store;
    ms_graph *graph, *finished;
    ms_program *program;
    int tokens, targets, loss;
} rig;

static void open_rig(rig *r, bool has_bias, ms_numerics numerics) {
    ms_model_config config = tiny(has_bias);
    ms_device_options options = {"cpu", numerics, 1};
    int32_t tokens[N], targets[N];
    ms_must(ms_variables_create(&r->variables));
    ms_must(ms_model_init(&config, r->variables, &r->model));
    ms_must(ms_variables_add(r->variables, "tokens", MS_VARIABLE_INPUT, MS_DTYPE_I32, ms_shape_1(N), &r->tokens));
    ms_must(ms_variables_add(r->variables, "targets", MS_VARIABLE_INPUT, MS_DTYPE_I32, ms_shape_1(N), &r->targets));
    ms_must(ms_variables_add(r->variables, "loss", MS_VARIABLE_OUTPUT, MS_DTYPE_F32, ms_shape_1(1), &r->loss));
    ms_must(ms_graph_create(r->variables, -1, &r->graph));
    ms_loss_request request = {.tokens = ms_view_all(r->graph, r->tokens),
                               .targets = ms_view_all(r->graph, r->targets),
                               .batch = B,
                               .sequence = T,
                               .scale = 1.0f / N,
                               .chunk = N};
    ms_tensor loss = ms_model_loss_and_gradients(&r->model, r->graph, &request, false);
    ms_assign(r->graph, loss, ms_view_all(r->graph, r->loss));
    ms_must(ms_graph_finish(r->graph, &r->finished));
    ms_must(ms_device_open(&options, &r->device));
    ms_must(ms_store_create(r->device, r->variables, &r->store));
    ms_must(ms_model_upload_initial(&r->model, 5, r->store));
    for (int i = 0; i < N; i++) {
        tokens[i] = (7 * i * i + 3 * i) % V;
        targets[i] = (5 * i + 2) % V;
    }
    ms_must(ms_store_upload(r->store, r->tokens, 0, N, tokens));
    ms_must(ms_store_upload(r->store, r->targets, 0, N, targets));
    ms_must(ms_program_compile(r->store, r->finished, &r->program));
}

static void close_rig(rig *r) {
    ms_program_destroy(r->program);
    ms_graph_destroy(r->finished);
    ms_graph_destroy(r->graph);
    ms_store_destroy(r->store);
    ms_device_close(r->device);
    ms_variables_destroy(r->variables);
}

static double run_loss(const rig *r) {
    double loss;
    ms_must(ms_program_run(r->program));
    ms_must(ms_store_download_f64(r->store, r->loss, 0, 1, &loss));
    return loss;
}

/* (loss(b + h) - loss(b - h)) / 2h of element i of a bias, which is put back; all numbers are exact in f32. */
static double difference(const rig *r, int variable, int64_t i, float h) {
    float value, moved;
    double loss[2];
    ms_must(ms_store_download(r->store, variable, i, 1, &value));
    for (int side = 0; side < 2; side++) {
        moved = value + (side ? h : -h);
        ms_must(ms_store_upload(r->store, variable, i, 1, &moved));
        loss[side] = run_loss(r);
    }
    ms_must(ms_store_upload(r->store, variable, i, 1, &value));
    return (loss[1] - loss[0]) / (2 * (double)h);
}

/* Every element of both layers.  The differences of h and h / 2 without their error in h^2. */
START_TEST(test_gradients_are_differences_of_the_loss) {
    const float h = 1.0f / 1024;
    rig r;
    int n_compared = 0;
    open_rig(&r, true, MS_NUMERICS_ORACLE);
    for (int i = 0; i < r.model.n_parameters; i++) {
        const ms_parameter *p = &r.model.parameters[i];
        if (p->role != MS_ROLE_BIAS) continue;
        const ms_variable *variable = ms_variables_get(r.variables, p->variable);
        int64_t n = ms_shape_count(&variable->shape);
        for (int64_t k = 0; k < n; k++) {
            float value = (float)(k * 5 % 13 - 6) / 8;
            ms_must(ms_store_upload(r.store, p->variable, k, 1, &value));
        }
    }
    run_loss(&r);
    for (int i = 0; i < r.model.n_parameters; i++) {
        const ms_parameter *p = &r.model.parameters[i];
        if (p->role != MS_ROLE_BIAS) continue;
        const ms_variable *variable = ms_variables_get(r.variables, p->variable);
        int64_t n = ms_shape_count(&variable->shape);
        double *gradient = malloc((size_t)n * sizeof *gradient), norm = 0, worst = 0;
        run_loss(&r);
        ms_must(ms_store_download_f64(r.store, p->gradient, 0, n, gradient));
        for (int64_t k = 0; k < n; k++) {
            double wanted = (4 * difference(&r, p->variable, k, h / 2) - difference(&r, p->variable, k, h)) / 3;
            norm = fmax(norm, fabs(gradient[k]));
            worst = fmax(worst, fabs(gradient[k] - wanted));
            n_compared++;
        }
        printf("%s: gradient up to %.3g, differences at most %.1e from it\n", variable->name, norm, worst);
        ck_assert_msg(norm > 1e-3 && worst < 1e-8 * norm, "%s: gradient up to %g, off by %g", variable->name, norm,
                      worst);
        free(gradient);
    }
    ck_assert_int_eq(n_compared, 2 * (4 + 2 + 2) * 4);
    close_rig(&r);
}
END_TEST

START_TEST(test_biases_of_0_change_no_bit) {
    rig with, without;
    open_rig(&with, true, MS_NUMERICS_EXACT);
    open_rig(&without, false, MS_NUMERICS_EXACT);
    float biases[2 * 16];
    ms_must(ms_store_download(with.store, with.model.q_bias, 0, 2 * 16, biases));
    for (int i = 0; i < 2 * 16; i++) ck_assert(biases[i] == 0);
    ck_assert_int_eq(without.model.q_bias, -1);
    double loss = run_loss(&with);
    ck_assert(loss == run_loss(&without) && loss > 1);
    close_rig(&with);
    close_rig(&without);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("biases");
    TCase *tcase = tcase_create("biases");
    tcase_add_test(tcase, test_gradients_are_differences_of_the_loss);
    tcase_add_test(tcase, test_biases_of_0_change_no_bit);
    suite_add_tcase(suite, tcase);
    return ms_suite_run(suite);
}
