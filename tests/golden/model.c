/* Model, gradients and ten training steps against PyTorch (make_model.py), in every variant, in `exact`, `fast` and the
   f64 oracle; in bf16 storage as near as its roundings allow; and the two equivalences that must hold to the last bit
   or nearly: recomputation and gradient accumulation. */
#include <check.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/ir/build.h"
#include "backend/ir/passes.h"
#include "tests/golden/config.h"
#include "tests/support/suite.h"
#include "train/trainer.h"

static const char *const variants[] = {
    "merged_muon",    "split_muon", "merged_adamw",     "split_adamw",   "swiglu",
    "no_qk_norm",     "half_split", "untied_head",      "learned_layer", "learned_branch",
    "per_projection", "per_head",   "jordan",           "modula",        "jordan_convergent",
    "moonlight",      "rows_cols",  "decay_decoupled",  "decay_update",  "decay_both",
    "gelu_tanh",      "qk_clip",    "qk_clip_own_keys", "qkv_bias",      "qkv_bias_split"};
enum { N_VARIANTS = sizeof variants / sizeof *variants, N_STEPS = 10 };

/* ---- options from the golden's metadata ---- */

static ms_trainer_options read_options(const ms_safetensors *golden) {
    const char *text = ms_safetensors_get_metadata(golden, "config");
    ck_assert_ptr_nonnull(text);
    json_error_t error;
    json_t *c = json_loads(text, 0, &error);
    ck_assert_msg(c != NULL, "golden: %s", error.text);
    ms_trainer_options o = {0};
    ms_model_config *m = &o.model;
    golden_read_model(c, m);
    m->merged = golden_boolean(c, "merged");
    m->rope_layout = (ms_rope_layout)golden_choice(c, "rope_layout", ms_rope_layout_names);
    m->tied_head = golden_boolean(c, "tied_head");
    m->residual_scale = (ms_residual_scale)golden_choice(c, "residual_scale", ms_residual_scale_names);
    m->residual_scale_init = 1;
    m->qkv_bias = json_is_true(json_object_get(c, "qkv_bias"));
    m->embedding_scale = (float)json_number_value(json_object_get(c, "embedding_scale")); /* 0 where it is missing */
    m->norm_epsilon = 1.1920929e-07f;
    m->rope_base = 10000;
    m->init_depth_factor = 1;
    ms_optimizer_config *p = &o.optimizer;
    p->kind = (ms_optimizer_kind)golden_choice(c, "optimizer", ms_optimizer_kind_names);
    p->muon.coefficients = (ms_coefficients)golden_choice(c, "coefficients", ms_coefficients_names);
    p->muon.scaling = (ms_muon_scaling)golden_choice(c, "scaling", ms_muon_scaling_names);
    p->muon.split = (ms_muon_split)golden_choice(c, "split", ms_muon_split_names);
    p->muon.decay_mode = (ms_decay_mode)golden_choice(c, "decay_mode", ms_decay_mode_names);
    p->muon.decay = (float)json_number_value(json_object_get(c, "decay"));
    p->interventions.qk_clip = (float)json_number_value(json_object_get(c, "qk_clip")); /* 0 where it is missing */
    p->gradient_clip = 1;
    p->muon.nesterov = true;
    p->muon.head_size = m->head_size;
    p->adamw.beta1 = 0.9f;
    p->adamw.beta2 = 0.999f;
    p->adamw.epsilon = 1e-8f;
    p->adamw.matrix_decay = 0.2f;
    p->muon.lr = 0.024;
    p->muon.momentum = 0.95;
    p->adamw.lr = 0.0005;
    o.schedule.kind = MS_SCHEDULE_CONSTANT;
    o.batch_sequences = golden_integer(c, "batch");
    o.accumulation = 1;
    o.loss_chunk = 8; /* four chunks of the 32 tokens, so that chunking is part of what is compared */
    json_decref(c);
    return o;
}

/* ---- a run ---- */

typedef struct run {
    ms_safetensors *golden;
    ms_device *device;
    ms_trainer *trainer;
    int logits; /* output variable */
    int64_t next_sequence;
    double worst_gradient; /* norm-wise relative error of the worst gradient of step 1 */
} run;

static const ms_safetensor *find(const ms_safetensors *golden, const char *prefix, const char *name) {
    char full[128];
    const ms_safetensor *tensor;
    snprintf(full, sizeof full, "%s%s", prefix, name);
    ms_must(ms_safetensors_find(golden, full, &tensor));
    return tensor;
}

static void upload(run *r, int variable, const float *values, int64_t count) {
    ms_must(ms_store_upload(r->trainer->store, variable, 0, count, values));
}

/* The caller frees the result. */
static double *download(run *r, int variable, int64_t count) {
    double *values = malloc((size_t)count * sizeof *values);
    ms_must(ms_store_download_f64(r->trainer->store, variable, 0, count, values));
    return values;
}

/* |a - b| / |b|, Frobenius. */
static double relative_error(const double *a, const float *b, int64_t count) {
    double difference = 0, norm = 0;
    for (int64_t i = 0; i < count; i++) {
        difference += (a[i] - (double)b[i]) * (a[i] - (double)b[i]);
        norm += (double)b[i] * (double)b[i];
    }
    return sqrt(difference / norm);
}

static ms_status next_batch(void *context, int n_sequences, int32_t *out_tokens, int32_t *out_targets) {
    run *r = context;
    int64_t length = r->trainer->options.model.sequence_length;
    const int32_t *all = find(r->golden, "tokens", "")->data;
    for (int i = 0; i < n_sequences; i++) {
        const int32_t *tokens = all + (r->next_sequence++) * length;
        memcpy(out_tokens + i * length, tokens, (size_t)length * sizeof *tokens);
        memcpy(out_targets + i * length, tokens + 1, (size_t)(length - 1) * sizeof *tokens);
        out_targets[(i + 1) * length - 1] = -1;
    }
    return MS_OK;
}

/* What a run differs in from the golden's. */
typedef struct run_options {
    ms_numerics numerics;
    ms_dtype storage;
    int accumulation;
    bool recompute;
} run_options;

static void start(run *r, const char *variant, const run_options *wanted) {
    char path[128];
    memset(r, 0, sizeof *r);
    snprintf(path, sizeof path, "tests/golden/model/%s.safetensors", variant);
    ms_must(ms_safetensors_open(path, &r->golden));
    ms_trainer_options options = read_options(r->golden);
    options.batch_sequences /= wanted->accumulation;
    options.accumulation = wanted->accumulation;
    options.model.recompute = wanted->recompute;
    options.model.storage = wanted->storage;
    ms_device_options device = {.name = "cpu", .numerics = wanted->numerics, .n_threads = 2};
    ms_must(ms_device_open(&device, &r->device));
    ms_must(ms_trainer_open(r->device, &options, &r->trainer));
    int64_t tokens = (int64_t)options.batch_sequences * options.model.sequence_length;
    ms_must(ms_variables_add(r->trainer->variables, "logits", MS_VARIABLE_OUTPUT, MS_DTYPE_F32,
                             ms_shape_2(tokens, options.model.vocabulary), &r->logits));
    ms_must(ms_trainer_allocate(r->trainer));
    ms_must(ms_trainer_initialise(r->trainer)); /* the RoPE table */
    for (int i = 0; i < r->trainer->model.n_parameters; i++) {
        int variable = r->trainer->model.parameters[i].variable;
        const ms_variable *info = ms_variables_get(r->trainer->variables, variable);
        const ms_safetensor *tensor = find(r->golden, "initial.", info->name);
        ck_assert_uint_eq(tensor->size_bytes, (size_t)ms_shape_count(&info->shape) * sizeof(float));
        upload(r, variable, tensor->data, ms_shape_count(&info->shape));
    }
}

static void finish(run *r) {
    ms_trainer_close(r->trainer);
    ms_device_close(r->device);
    ms_safetensors_close(r->golden);
}

static void check_logits(run *r, const char *label, double tolerance) {
    ms_trainer *t = r->trainer;
    ms_graph *graph, *finished;
    ms_program *program;
    int batch = t->options.batch_sequences, length = t->options.model.sequence_length;
    int32_t tokens[64], targets[64];
    ms_must(next_batch(r, batch, tokens, targets));
    r->next_sequence = 0;
    ms_must(ms_store_upload(t->store, t->tokens, 0, batch * length, tokens));
    ms_must(ms_graph_create(t->variables, -1, &graph));
    ms_tensor hidden = ms_model_hidden(&t->model, graph, ms_view_all(graph, t->tokens), batch, length);
    ms_tensor logits = ms_matmul(graph, hidden, ms_view_all(graph, t->model.head), MS_NO_TENSOR,
                                 &(ms_matmul_attributes){false, true, 1, 0, MS_DTYPE_F32});
    ms_assign(graph, logits, ms_view_all(graph, r->logits));
    ms_must(ms_graph_finish(graph, &finished));
    ms_must(ms_program_compile(t->store, finished, &program));
    ms_must(ms_program_run(program));
    int64_t count = (int64_t)batch * length * t->options.model.vocabulary;
    double *values = download(r, r->logits, count);
    const ms_safetensor *golden = find(r->golden, "logits", "");
    double error = relative_error(values, golden->data, count);
    ck_assert_msg(error < tolerance, "%s: logits differ by %.3g, limit %g", label, error, tolerance);
    free(values);
    ms_program_destroy(program);
    ms_graph_destroy(finished);
    ms_graph_destroy(graph);
}

typedef struct gradient_check {
    run *run;
    const char *label;
    double tolerance;
} gradient_check;

static ms_status check_gradients(void *context, ms_trainer *trainer) {
    gradient_check *check = context;
    for (int i = 0; trainer->step == 0 && i < trainer->model.n_parameters; i++) {
        const ms_parameter *parameter = &trainer->model.parameters[i];
        const ms_variable *info = ms_variables_get(trainer->variables, parameter->variable);
        int64_t count = ms_shape_count(&info->shape);
        double *values = download(check->run, parameter->gradient, count);
        double error = relative_error(values, find(check->run->golden, "gradient.", info->name)->data, count);
        ck_assert_msg(error < check->tolerance, "%s: gradient of %s differs by %.3g, limit %g", check->label,
                      info->name, error, check->tolerance);
        check->run->worst_gradient = fmax(check->run->worst_gradient, error);
        free(values);
    }
    return MS_OK;
}

/* How far a run may stray: norm-wise relative, the loss absolute. */
typedef struct limits {
    double logits, gradients, loss, norm, weights;
} limits;

/* The issue of this test asks for 1e-5 on logits, 1e-4 on gradients and losses; the oracle, in f64 but for f32
   coefficients, must come closer.  In bf16 each stored number is off by up to 2^-8 of itself, and some tens of them
   stand between a token and a gradient. */
static limits limits_of(const run_options *wanted) {
    if (wanted->storage == MS_DTYPE_BF16) return (limits){0.012, 0.03, 0.01, 0.01, 0.015};
    if (wanted->numerics == MS_NUMERICS_ORACLE) return (limits){5e-7, 1e-6, 1e-4, 1e-3, 1e-5};
    return (limits){1e-5, 1e-4, 1e-4, 1e-3, 1e-4};
}

static void compare_variant(const char *variant, const run_options *wanted) {
    run r;
    char label[96];
    snprintf(label, sizeof label, "%s %s %s accumulation %d", variant, ms_numerics_name(wanted->numerics),
             ms_dtype_name(wanted->storage), wanted->accumulation);
    start(&r, variant, wanted);
    limits limit = limits_of(wanted);
    if (wanted->accumulation == 1) check_logits(&r, label, limit.logits);
    gradient_check check = {&r, label, limit.gradients};
    const double *losses = find(r.golden, "losses", "")->data, *norms = find(r.golden, "gradient_norms", "")->data;
    ms_batch_source source = {.next = next_batch, .context = &r};
    const ms_step_hooks hooks = {.while_working = check_gradients, .context = &check};
    for (int i = 0; i < N_STEPS; i++) {
        ms_step_result result;
        ms_must(ms_trainer_step(r.trainer, source, &hooks, &result));
        ck_assert_msg(fabs(result.loss - losses[i]) < limit.loss, "%s: step %d: loss %.8f, PyTorch %.8f", label, i + 1,
                      result.loss, losses[i]);
        ck_assert_msg(fabs(result.gradient_norm - norms[i]) < limit.norm * norms[i],
                      "%s: step %d: gradient norm %.8f, PyTorch %.8f", label, i + 1, result.gradient_norm, norms[i]);
    }
    ck_assert_msg(r.worst_gradient > 0, "%s: gradients were never compared", label);
    for (int i = 0; i < r.trainer->model.n_parameters; i++) {
        const ms_variable *info = ms_variables_get(r.trainer->variables, r.trainer->model.parameters[i].variable);
        double *values = download(&r, r.trainer->model.parameters[i].variable, ms_shape_count(&info->shape));
        double error = relative_error(values, find(r.golden, "final.", info->name)->data, ms_shape_count(&info->shape));
        ck_assert_msg(error < limit.weights, "%s: %s after ten steps differs by %.3g", label, info->name, error);
        free(values);
    }
    finish(&r);
}

/* Each is a loop over the variants. */
static const run_options runs[] = {
    {MS_NUMERICS_EXACT, MS_DTYPE_F32, 1, false},  {MS_NUMERICS_FAST, MS_DTYPE_F32, 1, false},
    {MS_NUMERICS_ORACLE, MS_DTYPE_F32, 1, false}, {MS_NUMERICS_EXACT, MS_DTYPE_F32, 2, false},
    {MS_NUMERICS_EXACT, MS_DTYPE_BF16, 1, false}, {MS_NUMERICS_FAST, MS_DTYPE_BF16, 2, false}};
enum { N_RUNS = sizeof runs / sizeof *runs };

START_TEST(test_against_pytorch) { compare_variant(variants[_i % N_VARIANTS], &runs[_i / N_VARIANTS]); }
END_TEST

static void hashes_after_steps(const char *variant, ms_dtype storage, bool recompute, char weights[65],
                               char state[65]) {
    run r;
    run_options wanted = {MS_NUMERICS_EXACT, storage, 1, recompute};
    start(&r, variant, &wanted);
    ms_batch_source source = {.next = next_batch, .context = &r};
    for (int i = 0; i < 3; i++) {
        ms_step_result result;
        ms_must(ms_trainer_step(r.trainer, source, NULL, &result));
    }
    ms_must(ms_trainer_hashes(r.trainer, weights, state));
    finish(&r);
}

START_TEST(test_recomputation_changes_no_bit) {
    char kept[2][65], recomputed[2][65];
    for (int storage = MS_DTYPE_F32; storage <= MS_DTYPE_BF16; storage++) {
        hashes_after_steps(variants[_i], (ms_dtype)storage, false, kept[0], kept[1]);
        hashes_after_steps(variants[_i], (ms_dtype)storage, true, recomputed[0], recomputed[1]);
        ck_assert_str_eq(kept[0], recomputed[0]);
        ck_assert_str_eq(kept[1], recomputed[1]);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("golden model");
    TCase *tcase = tcase_create("model");
    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, test_against_pytorch, 0, N_RUNS * N_VARIANTS);
    tcase_add_loop_test(tcase, test_recomputation_changes_no_bit, 0, N_VARIANTS);
    suite_add_tcase(suite, tcase);
    return ms_suite_run(suite);
}
