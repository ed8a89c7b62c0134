/* The logits of generators with a key/value cache, of several texts at a time, on the devices named on the command line
   (default: cpu; after the word `brief`: `exact` alone, of two models).  `exact`: the bits of the pass over the whole
   text on device cpu, whatever the caches held.  `fast`: as near to the f64 oracle as that pass in `fast` on the same
   device is, within a factor of 4. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/ir/build.h"
#include "backend/ir/gradient.h"
#include "backend/ir/passes.h"
#include "model/checkpoint/checkpoint.h"
#include "model/checkpoint/named_tensors.h"
#include "platform/directory.h"
#include "platform/random.h"
#include "tests/support/suite.h"
#include "tests/train/jobs.h"
#include "train/generator.h"

enum { LENGTH = 40, VOCABULARY = 23, N_TEXTS = 3, LONGEST = 64, N_STEPS = 3 };

static const char *const cpu[] = {"cpu"};
static const char *const *devices = cpu;
static int n_devices = 1;
static bool brief;

/* ---- models ---- */

static void make_grouped(ms_model_config *m) { m->heads = 4, m->kv_heads = 2; }
static void make_foreign(ms_model_config *m) {
    m->merged = m->qk_norm = m->tied_head = false;
    m->qkv_bias = true;
    m->activation = MS_ACTIVATION_SWIGLU;
    m->rope_layout = MS_ROPE_HALF_SPLIT;
    m->rope_scaling = MS_ROPE_SCALING_LLAMA3;
    m->rope_factor = 4, m->rope_low = 1, m->rope_high = 4, m->rope_original_length = 16;
    m->residual_scale = MS_RESIDUAL_LEARNED_BRANCH;
}
static void make_bf16(ms_model_config *m) { m->kv_heads = 2, m->storage = MS_DTYPE_BF16; }
static void make_recomputed(ms_model_config *m) { m->head_size = 8, m->recompute = true; }

static void (*const models[])(ms_model_config *model) = {make_grouped, make_foreign, make_bf16, make_recomputed};
enum { N_MODELS = sizeof models / sizeof *models };

static ms_trainer_options options_of(int i) {
    ms_trainer_options options = job_small_options();
    ms_model_config *m = &options.model;
    m->vocabulary = VOCABULARY, m->sequence_length = LENGTH, m->layers = 2;
    m->width = 32, m->heads = 4, m->kv_heads = 4, m->head_size = 8, m->feed_forward = 48;
    models[i](m);
    return options;
}

/* The model of an i after some steps, since biases begin as 0, in a checkpoint of a temporary folder. */
typedef struct fixture {
    char folder[32];
    ms_model_config config;
    ms_checkpoint *checkpoint;
} fixture;

static fixture make(int i) {
    fixture f = {.folder = "/tmp/ms_generator_XXXXXX"};
    char path[64], weights[65], state[65];
    ms_trainer_options options = options_of(i);
    ck_assert_ptr_nonnull(mkdtemp(f.folder));
    snprintf(path, sizeof path, "%s/x", f.folder);
    f.config = options.model;
    ms_step_result result;
    job j = job_start(&options);
    for (int step = 0; step < N_STEPS; step++)
        ms_must(ms_trainer_step(j.trainer, ms_dataset_source(j.data), NULL, &result));
    const ms_save_request request = {j.data, "none", NULL, 0, false};
    ms_must(ms_trainer_save(j.trainer, path, &request, weights, state));
    job_close(&j);
    ms_must(ms_checkpoint_open(path, N_STEPS, &f.checkpoint));
    return f;
}

static void finish(fixture *f) {
    ms_checkpoint_close(f->checkpoint);
    ms_must(ms_directory_remove(f->folder));
}

static ms_device *open_device(const char *name, ms_numerics numerics) {
    ms_device *device;
    ms_must(ms_device_open(&(ms_device_options){.name = name, .numerics = numerics, .n_threads = 2}, &device));
    return device;
}

/* ---- the pass over the whole text ---- */

typedef struct whole_pass {
    ms_device *device;
    ms_variables *variables;
    ms_model model;
    ms_store *store;
    ms_program *program;
    int tokens, logits;
} whole_pass;

static whole_pass whole_open(const fixture *f, const char *device, ms_numerics numerics) {
    whole_pass w = {.device = open_device(device, numerics)};
    ms_graph *graph, *finished;
    ms_must(ms_variables_create(&w.variables));
    ms_must(ms_model_init(&f->config, w.variables, &w.model));
    ms_must(ms_variables_add(w.variables, "tokens", MS_VARIABLE_INPUT, MS_DTYPE_I32, ms_shape_1(LENGTH), &w.tokens));
    ms_must(ms_variables_add(w.variables, "logits", MS_VARIABLE_OUTPUT, MS_DTYPE_F32, ms_shape_2(LENGTH, VOCABULARY),
                             &w.logits));
    ms_must(ms_store_create(w.device, w.variables, &w.store));
    ms_must(ms_model_upload_constants(&w.model, w.store));
    ms_must(ms_named_tensors_upload(w.store, w.variables, MS_VARIABLE_PARAMETER, ms_checkpoint_model(f->checkpoint)));
    ms_must(ms_graph_create(w.variables, -1, &graph));
    ms_tensor hidden = ms_model_hidden(&w.model, graph, ms_view_all(graph, w.tokens), 1, LENGTH);
    ms_assign(graph, ms_model_logits(&w.model, graph, hidden), ms_view_all(graph, w.logits));
    ms_must(ms_graph_finish(graph, &finished));
    ms_must(ms_program_compile(w.store, finished, &w.program));
    ms_graph_destroy(finished);
    ms_graph_destroy(graph);
    return w;
}

/* The logits after the last of n tokens, of which LENGTH are seen. */
static void whole_logits(whole_pass *w, const int32_t *tokens, int64_t n, float *out) {
    int64_t seen = n < LENGTH ? n : LENGTH;
    ms_must(ms_store_upload(w->store, w->tokens, 0, seen, tokens + n - seen));
    ms_must(ms_program_run(w->program));
    ms_must(ms_store_download(w->store, w->logits, (seen - 1) * VOCABULARY, VOCABULARY, out));
}

static void whole_close(whole_pass *w) {
    ms_program_destroy(w->program);
    ms_store_destroy(w->store);
    ms_variables_destroy(w->variables);
    ms_device_close(w->device);
}

/* ---- texts ---- */

/* What is asked of three texts, call by call: how many tokens of each, 0: nothing.  Prompts that are decoded and such
   that are prefilled; a text that rests, one that grows by several tokens, one cut short, one past the model's length;
   at `changes` the text becomes another. */
static const struct {
    int64_t n[N_TEXTS];
    int changes; /* number of the text, -1: none */
} calls[] = {
    {{1, 5, 37}, -1}, {{2, 6, 38}, -1}, {{3, 0, 39}, -1}, {{9, 7, 40}, -1},  {{10, 40, 41}, -1},
    {{0, 0, 42}, -1}, {{40, 3, 0}, -1}, {{41, 4, 7}, 2},  {{20, 20, 20}, 0}, {{20, 21, 22}, -1},
};
enum { N_CALLS = sizeof calls / sizeof *calls };

typedef struct conversation {
    int32_t tokens[N_TEXTS][LONGEST];
    ms_generator_text texts[N_TEXTS];
} conversation;

static void draw_text(uint64_t *state, int32_t *out) {
    for (int t = 0; t < LONGEST; t++) out[t] = (int32_t)(ms_split_mix(state) % VOCABULARY);
}

static void begin(conversation *c) {
    uint64_t state = 7;
    for (int i = 0; i < N_TEXTS; i++) draw_text(&state, c->tokens[i]);
}

static void set_call(conversation *c, int i_call) {
    uint64_t state = 100 + (uint64_t)i_call;
    if (calls[i_call].changes >= 0) draw_text(&state, c->tokens[calls[i_call].changes]);
    for (int i = 0; i < N_TEXTS; i++) c->texts[i] = (ms_generator_text){c->tokens[i], calls[i_call].n[i]};
}

static ms_generator *open_generator(const fixture *f, ms_device *device) {
    ms_generator *generator;
    ms_must(ms_generator_open(device, &f->config, N_TEXTS, &generator));
    ms_must(ms_generator_load(generator, ms_checkpoint_model(f->checkpoint)));
    return generator;
}

static void check_exact(const fixture *f, const char *name) {
    ms_device *device = open_device(name, MS_NUMERICS_EXACT);
    ms_generator *generator = open_generator(f, device);
    whole_pass whole = whole_open(f, "cpu", MS_NUMERICS_EXACT);
    conversation c;
    float logits[N_TEXTS][VOCABULARY], want[VOCABULARY];
    begin(&c);
    for (int k = 0; k < N_CALLS; k++) {
        set_call(&c, k);
        memset(logits, 0x55, sizeof logits);
        ms_must(ms_generator_logits(generator, c.texts, N_TEXTS, &logits[0][0]));
        for (int i = 0; i < N_TEXTS; i++) {
            memset(want, 0x55, sizeof want);
            if (c.texts[i].n > 0) whole_logits(&whole, c.tokens[i], c.texts[i].n, want);
            ck_assert_msg(memcmp(logits[i], want, sizeof want) == 0,
                          "%s: call %d, text %d of %lld tokens: logits %.9g, must be %.9g", name, k, i,
                          (long long)c.texts[i].n, (double)logits[i][0], (double)want[0]);
        }
    }
    whole_close(&whole);
    ms_generator_close(generator);
    ms_device_close(device);
}

static double furthest(const float *a, const float *b) {
    double most = 0;
    for (int v = 0; v < VOCABULARY; v++) most = fmax(most, fabs((double)a[v] - (double)b[v]));
    return most;
}

static void check_fast(const fixture *f, const char *name) {
    ms_device *device = open_device(name, MS_NUMERICS_FAST);
    ms_generator *generator = open_generator(f, device);
    whole_pass oracle = whole_open(f, "cpu", MS_NUMERICS_ORACLE), fast = whole_open(f, name, MS_NUMERICS_FAST);
    conversation c;
    float logits[N_TEXTS][VOCABULARY], right[VOCABULARY], whole[VOCABULARY];
    double error = 0, allowed = 0;
    begin(&c);
    for (int k = 0; k < N_CALLS; k++) {
        set_call(&c, k);
        ms_must(ms_generator_logits(generator, c.texts, N_TEXTS, &logits[0][0]));
        for (int i = 0; i < N_TEXTS; i++) {
            if (c.texts[i].n == 0) continue;
            whole_logits(&oracle, c.tokens[i], c.texts[i].n, right);
            whole_logits(&fast, c.tokens[i], c.texts[i].n, whole);
            error = fmax(error, furthest(logits[i], right));
            allowed = fmax(allowed, 4 * furthest(whole, right));
        }
    }
    ck_assert_msg(error <= allowed, "%s: logits are off by %.3g, allowed are %.3g", name, error, allowed);
    whole_close(&oracle);
    whole_close(&fast);
    ms_generator_close(generator);
    ms_device_close(device);
}

START_TEST(test_logits) {
    fixture f = make(_i);
    for (int i = 0; i < n_devices; i++) {
        check_exact(&f, devices[i]);
        if (!brief) check_fast(&f, devices[i]);
    }
    finish(&f);
}
END_TEST

START_TEST(test_refused) {
    fixture f = make(0);
    ms_device *device = open_device("cpu", MS_NUMERICS_EXACT);
    ms_generator *generator;
    float logits[2 * VOCABULARY];
    const int32_t tokens[] = {1, VOCABULARY, 2};
    ms_expect(ms_generator_open(device, &f.config, 0, &generator), MS_INVALID, "model: a cache for 0 texts");
    ck_assert_ptr_null(generator);
    ms_expect(ms_generator_open(device, &f.config, INT32_MAX / LENGTH + 1, &generator), MS_INVALID,
              "must be 1 to 53687091 texts");
    ms_must(ms_generator_open(device, &f.config, 1, &generator));
    ms_expect(ms_generator_logits(generator, (ms_generator_text[2]){{0}}, 2, logits), MS_INVALID,
              "generate: 2 texts, the generator was opened for 1");
    ms_expect(ms_generator_logits(generator, &(ms_generator_text){tokens, 3}, 1, logits), MS_INVALID,
              "generate: token 23 is outside the vocabulary of 23");
    ms_expect(ms_generator_logits(generator, &(ms_generator_text){tokens, -1}, 1, logits), MS_INVALID,
              "generate: a text of -1 tokens");
    ms_generator_close(generator);
    ms_device_close(device);
    finish(&f);
}
END_TEST

static void check_gradient(ms_op op, const char *message) {
    ms_variables *variables;
    ms_graph *graph;
    int weight, rows;
    ms_tensor gradient;
    ms_must(ms_variables_create(&variables));
    ms_must(ms_variables_add(variables, "w", MS_VARIABLE_PARAMETER, MS_DTYPE_F32, ms_shape_2(4, 6), &weight));
    ms_must(ms_variables_add(variables, "rows", MS_VARIABLE_INPUT, MS_DTYPE_I32, ms_shape_1(4), &rows));
    ms_must(ms_graph_create(variables, -1, &graph));
    ms_tensor w = ms_view_all(graph, weight), index = ms_view_all(graph, rows);
    ms_attention_attributes attention = {2, 2, 2, 2, 3, 1};
    ms_tensor y = op == MS_OP_INSERT_ROWS ? ms_insert_rows(graph, w, w, index)
                                          : ms_cached_attention(graph, (const ms_tensor[]){w, w, w, index}, &attention);
    ms_expect(ms_gradients(graph, ms_sum(graph, y), &w, 1, &(ms_gradient_options){.recompute = false}, &gradient),
              MS_UNSUPPORTED, message);
    ms_graph_destroy(graph);
    ms_variables_destroy(variables);
}

START_TEST(test_no_gradient) {
    check_gradient(MS_OP_CACHED_ATTENTION, "gradients: cached_attention has no gradient rule");
    check_gradient(MS_OP_INSERT_ROWS, "gradients: insert_rows has no gradient rule");
}
END_TEST

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "brief") == 0) brief = true, argc--, argv++;
    if (argc > 1) devices = (const char *const *)argv + 1, n_devices = argc - 1;
    Suite *suite = suite_create("train/generator");
    TCase *tcase = tcase_create("generator");
    tcase_set_timeout(tcase, 600);
    tcase_add_loop_test(tcase, test_logits, brief ? N_MODELS / 2 : 0, N_MODELS);
    tcase_add_test(tcase, test_refused);
    tcase_add_test(tcase, test_no_gradient);
    suite_add_tcase(suite, tcase);
    return ms_suite_run(suite);
}
