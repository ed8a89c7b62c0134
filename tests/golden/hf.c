/* A model as a Hugging Face model, against transformers (hf/make_hf.py): the tensors that are written are to the bit
   those whose logits and greedy tokens the golden has, and ours computes the same, also after going
   back.  Shards and their index. */
#include <check.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "model/checkpoint/named_tensors.h"
#include "model/foreign/foreign.h"
#include "model/hf/architecture.h"
#include "model/hf/source.h"
#include "model/hf/weights.h"
#include "platform/directory.h"
#include "platform/file.h"
#include "platform/sha256.h"
#include "tests/golden/config.h"
#include "tests/support/logits.h"
#include "tests/support/suite.h"
#include "train/evaluator.h"
#include "train/generator.h"

static const char *const variants[] = {"qwen3",  "blueberry", "llama",        "wide_heads", "llama3",
                                       "linear", "qwen2",     "qwen2_merged", "branches"};
enum { N_VARIANTS = sizeof variants / sizeof *variants };

/* ---- a variant ---- */

typedef struct subject {
    const char *name;
    json_t *golden; /* of the variant */
    ms_model_config config;
    ms_device *device;
    char folder[64];
    ms_safetensors *checkpoint; /* of ours, as a run writes it */
} subject;

static double golden_number(const json_t *config, const char *key) {
    const json_t *value = json_object_get(config, key);
    ck_assert_msg(json_is_number(value), "golden: no %s", key);
    return json_number_value(value);
}

static void read_config(const json_t *config, ms_model_config *m) {
    golden_read_model(config, m);
    m->merged = golden_boolean(config, "merged");
    m->tied_head = golden_boolean(config, "tied_head");
    m->rope_layout = (ms_rope_layout)golden_choice(config, "rope_layout", ms_rope_layout_names);
    m->residual_scale = (ms_residual_scale)golden_choice(config, "residual_scale", ms_residual_scale_names);
    m->residual_scale_init = (float)golden_number(config, "residual_scale_init");
    m->norm_epsilon = (float)golden_number(config, "norm_epsilon");
    m->rope_base = (float)golden_number(config, "rope_base");
    m->qkv_bias = golden_boolean(config, "qkv_bias");
    m->embedding_scale = (float)golden_number(config, "embedding_scale");
    m->rope_scaling = (ms_rope_scaling)golden_choice(config, "rope_scaling", ms_rope_scaling_names);
    m->rope_factor = golden_number(config, "rope_factor");
    m->rope_low = golden_number(config, "rope_low");
    m->rope_high = golden_number(config, "rope_high");
    m->rope_original_length = golden_integer(config, "rope_original_length");
    m->init_depth_factor = 1;
}

/* As weights() of make_hf.py. */
static void fill(const char *name, int64_t n, float *out) {
    uint32_t seed = 2166136261u;
    for (const char *at = name; *at; at++) seed = (seed ^ (unsigned char)*at) * 16777619u;
    bool around_one = strstr(name, "norm") || strstr(name, "scale");
    for (int64_t i = 0; i < n; i++) {
        uint32_t x = seed + (uint32_t)i * 2654435761u;
        x ^= x >> 16;
        x *= 2246822519u;
        x ^= x >> 13;
        double value = (double)(x >> 8) / 16777216 - 0.5;
        out[i] = (float)(around_one ? 1 + value / 2 : value);
    }
}

/* A checkpoint's file with those numbers, under the names that a run gives them. */
static void write_checkpoint(subject *s) {
    char path[128];
    ms_variables *variables;
    ms_model model;
    ms_store *store;
    ms_named_tensors list;
    ms_must(ms_variables_create(&variables));
    ms_must(ms_model_init(&s->config, variables, &model));
    ms_must(ms_store_create(s->device, variables, &store));
    ms_must(ms_named_tensors_download(store, variables, MS_VARIABLE_PARAMETER, &list));
    for (size_t i = 0; i < list.n_tensors; i++)
        fill(list.tensors[i].name, (int64_t)(list.tensors[i].size_bytes / sizeof(float)),
             (float *)list.tensors[i].data);
    snprintf(path, sizeof path, "%s/ours.safetensors", s->folder);
    ms_must(ms_safetensors_write(path, list.tensors, list.n_tensors, NULL, 0));
    ms_named_tensors_finish(&list);
    ms_store_destroy(store);
    ms_variables_destroy(variables);
    ms_must(ms_safetensors_open(path, &s->checkpoint));
}

static json_t *read_golden(void) {
    json_error_t error;
    json_t *golden = json_load_file("tests/golden/hf/hf.json", 0, &error);
    ck_assert_msg(golden != NULL, "golden: line %d: %s", error.line, error.text);
    return golden;
}

static void begin(subject *s, int i_variant, ms_numerics numerics) {
    memset(s, 0, sizeof *s);
    s->name = variants[i_variant];
    json_t *golden = read_golden();
    s->golden = json_incref(json_object_get(json_object_get(golden, "variants"), variants[i_variant]));
    json_decref(golden);
    ck_assert_ptr_nonnull(s->golden);
    read_config(json_object_get(s->golden, "config"), &s->config);
    ms_device_options device = {.name = "cpu", .numerics = numerics, .n_threads = 1};
    ms_must(ms_device_open(&device, &s->device));
    snprintf(s->folder, sizeof s->folder, "/tmp/muonscope-hf-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(s->folder));
    write_checkpoint(s);
}

static void end(subject *s) {
    ms_safetensors_close(s->checkpoint);
    ms_must(ms_directory_remove(s->folder));
    ms_device_close(s->device);
    json_decref(s->golden);
}

/* The caller frees it. */
static int32_t *read_ids(const subject *s, const char *key, int *out_n) {
    const json_t *list = json_object_get(s->golden, key);
    *out_n = (int)json_array_size(list);
    ck_assert_int_gt(*out_n, 0);
    int32_t *ids = calloc((size_t)*out_n, sizeof *ids);
    for (int i = 0; i < *out_n; i++) ids[i] = (int32_t)json_integer_value(json_array_get(list, (size_t)i));
    return ids;
}

/* ---- the tensors ---- */

static void check_tensor(const subject *s, const ms_hf_tensor *tensor) {
    const json_t *golden = json_object_get(json_object_get(s->golden, "tensors"), tensor->name);
    ck_assert_msg(golden != NULL, "%s: transformers has no such tensor", tensor->name);
    const json_t *shape = json_array_get(golden, 0);
    ck_assert_uint_eq(json_array_size(shape), tensor->columns ? 2 : 1);
    ck_assert_int_eq(json_integer_value(json_array_get(shape, 0)), tensor->rows);
    if (tensor->columns) ck_assert_int_eq(json_integer_value(json_array_get(shape, 1)), tensor->columns);
    int64_t n = ms_hf_tensor_count(tensor);
    float *values = malloc((size_t)n * sizeof *values);
    char hash[65];
    ms_hf_tensor_fill(tensor, values);
    ms_must(ms_sha256_bytes(values, (size_t)n * sizeof *values, hash));
    free(values);
    ck_assert_msg(strcmp(hash, json_string_value(json_array_get(golden, 1))) == 0, "%s: other numbers", tensor->name);
}

START_TEST(test_tensors_are_those_of_transformers) {
    subject s;
    ms_hf_tensors tensors;
    begin(&s, _i, MS_NUMERICS_FAST);
    ms_must(ms_hf_tensors_plan(&s.config, s.checkpoint, &tensors));
    ck_assert_uint_eq(tensors.n, json_object_size(json_object_get(s.golden, "tensors")));
    for (size_t i = 0; i < tensors.n; i++) check_tensor(&s, &tensors.tensors[i]);
    ms_hf_tensors_finish(&tensors);
    end(&s);
}
END_TEST

/* Before version 5 transformers read rope_theta, and of a scaling rope_scaling; since then rope_parameters, which have
   both. */
static void check_rope_scaling(const subject *s, const json_t *config) {
    const json_t *parameters = json_object_get(config, "rope_parameters"),
                 *scaling = json_object_get(config, "rope_scaling");
    bool is_scaled = strcmp(json_string_value(json_object_get(parameters, "rope_type")), "default") != 0;
    ck_assert_int_eq(is_scaled, s->config.rope_scaling != MS_ROPE_SCALING_NONE);
    ck_assert_msg(!is_scaled == !scaling, "%s: rope_scaling is %s", s->name, scaling ? "there" : "missing");
    ck_assert(!scaling || json_equal(scaling, parameters));
}

/* Every key that the golden's model was made with, and no other value of it. */
START_TEST(test_config_is_that_of_transformers) {
    subject s;
    json_t *config;
    const char *key;
    json_t *expected;
    begin(&s, _i, MS_NUMERICS_FAST);
    ms_must(ms_hf_config(&s.config, 3, MS_DTYPE_F32, &config));
    json_object_foreach(json_object_get(s.golden, "hf_config"), key, expected) {
        size_t flags = JSON_ENCODE_ANY | JSON_SORT_KEYS | JSON_REAL_PRECISION(9);
        char *has = json_dumps(json_object_get(config, key), flags), *wants = json_dumps(expected, flags);
        ck_assert_msg(has && strcmp(has, wants) == 0, "%s is %s, not %s", key, has ? has : "missing", wants);
        free(has);
        free(wants);
    }
    check_rope_scaling(&s, config);
    ck_assert_int_eq(json_integer_value(json_object_get(config, "eos_token_id")), 3);
    json_decref(config);
    ms_must(ms_hf_config(&s.config, -1, MS_DTYPE_BF16, &config));
    ck_assert(json_is_null(json_object_get(config, "bos_token_id")));
    ck_assert_str_eq(json_string_value(json_object_get(config, "torch_dtype")), "bfloat16");
    json_decref(config);
    end(&s);
}
END_TEST

/* ---- what ours computes ---- */

/* values [n, V] */
static void compare_logits(const subject *s, const float *values, int n, const char *what) {
    size_t width = (size_t)s->config.vocabulary, count = (size_t)n * width;
    const json_t *rows = json_object_get(s->golden, "logits");
    ck_assert_int_eq((int)json_array_size(rows), n);
    double worst = 0, largest = 0;
    for (size_t i = 0; i < count; i++) {
        double golden = json_number_value(json_array_get(json_array_get(rows, i / width), i % width));
        worst = fmax(worst, fabs((double)values[i] - golden));
        largest = fmax(largest, fabs(golden));
    }
    printf("%s, %s: logits up to %.2f, at most %.1e from those of transformers\n", s->name, what, largest, worst);
    ck_assert_msg(worst < 2e-5 && largest > 1, "logits are %g from those of transformers", worst);
}

static void check_logits(ms_numerics numerics, int i_variant) {
    subject s;
    int n;
    begin(&s, i_variant, numerics);
    int32_t *tokens = read_ids(&s, "tokens", &n);
    float *values = ms_test_logits(s.device, &s.config, s.checkpoint, tokens, n);
    compare_logits(&s, values, n, ms_numerics_names[numerics]);
    free(values);
    free(tokens);
    end(&s);
}

START_TEST(test_logits_are_those_of_transformers) {
    check_logits(MS_NUMERICS_FAST, _i);
    check_logits(MS_NUMERICS_EXACT, _i);
}
END_TEST

/* The likeliest token after a text. */
static int32_t next_token(ms_generator *generator, const int32_t *tokens, int n, int32_t vocabulary) {
    float *logits = calloc((size_t)vocabulary, sizeof *logits);
    int32_t best = 0;
    ms_must(ms_generator_logits(generator, &(ms_generator_text){tokens, n}, 1, logits));
    for (int32_t i = 1; i < vocabulary; i++)
        if (logits[i] > logits[best]) best = i;
    free(logits);
    return best;
}

START_TEST(test_greedy_tokens_are_those_of_transformers) {
    subject s;
    ms_generator *generator;
    int n, n_greedy;
    begin(&s, _i, MS_NUMERICS_FAST);
    int32_t *tokens = read_ids(&s, "tokens", &n), *greedy = read_ids(&s, "greedy", &n_greedy);
    tokens = realloc(tokens, (size_t)(n + n_greedy) * sizeof *tokens);
    ms_must(ms_generator_open(s.device, &s.config, 1, &generator));
    ms_must(ms_generator_load(generator, s.checkpoint));
    for (int i = 0; i < n_greedy; i++) {
        tokens[n + i] = next_token(generator, tokens, n + i, s.config.vocabulary);
        ck_assert_int_eq(tokens[n + i], greedy[i]);
    }
    ms_generator_close(generator);
    free(tokens);
    free(greedy);
    end(&s);
}
END_TEST

/* ---- files ---- */

static float float_of(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Number k of an array of bf16 is the nearest to a value, of two that are as near the even one. */
static void check_half(const void *array, int64_t k, float value) {
    uint16_t half;
    memcpy(&half, (const char *)array + (size_t)k * sizeof half, sizeof half);
    double off = fabs((double)float_of((uint32_t)half << 16) - (double)value);
    for (int side = -1; side <= 1; side += 2) {
        double other = fabs((double)float_of((uint32_t)(half + side) << 16) - (double)value);
        ck_assert_msg(off < other || (off == other && half % 2 == 0), "%.9g becomes %04x", (double)value, half);
    }
}

/* The tensors that lie in a folder, read as those of any other program. */
static void check_folder(const char *path, const ms_hf_tensors *tensors, ms_dtype dtype) {
    ms_foreign *weights;
    size_t n_faults;
    ms_must(ms_foreign_open(path, &weights));
    ck_assert_uint_eq(ms_foreign_count(weights), tensors->n);
    (void)ms_foreign_faults(weights, &n_faults);
    ck_assert_uint_eq(n_faults, 0);
    for (size_t i = 0; i < tensors->n; i++) {
        const ms_safetensor *found = ms_foreign_find(weights, tensors->tensors[i].name);
        ck_assert_msg(found != NULL, "%s is not in %s", tensors->tensors[i].name, path);
        int64_t n = ms_hf_tensor_count(&tensors->tensors[i]);
        float *values = malloc((size_t)n * sizeof *values);
        ck_assert_uint_eq(found->size_bytes, (size_t)n * ms_dtype_size(dtype));
        ck_assert_str_eq(found->dtype, dtype == MS_DTYPE_F32 ? "F32" : "BF16");
        ms_hf_tensor_fill(&tensors->tensors[i], values);
        if (dtype == MS_DTYPE_F32) ck_assert_int_eq(memcmp(values, found->data, found->size_bytes), 0);
        for (int64_t k = 0; dtype == MS_DTYPE_BF16 && k < n; k++) check_half(found->data, k, values[k]);
        free(values);
    }
    ms_foreign_close(weights);
}

static void write_weights(const subject *s, const char *name, const ms_hf_tensors *tensors,
                          ms_hf_weights_options options, ms_hf_written *out) {
    ms_hf_folder folder;
    char *path = ms_path_join(s->folder, name);
    ms_must(ms_directory_create(path));
    ms_must(ms_directory_open(path, &folder.descriptor));
    folder.path = path;
    ms_must(ms_hf_weights_write(tensors, &folder, &options, out));
    ms_descriptor_close(folder.descriptor);
    check_folder(path, tensors, options.dtype);
    free(path);
}

/* Of the index, by the file that each tensor is in. */
static void check_shards(const subject *s, const char *name, const ms_hf_written *written, int64_t shard_bytes) {
    char path[128];
    json_error_t error;
    snprintf(path, sizeof path, "%s/%s/model.safetensors.index.json", s->folder, name);
    json_t *index = json_load_file(path, 0, &error);
    ck_assert_msg(index != NULL, "%s", error.text);
    ck_assert_int_eq(json_integer_value(json_object_get(json_object_get(index, "metadata"), "total_size")),
                     written->size_bytes);
    json_decref(index);
    int64_t total = 0;
    for (int i = 0; i < written->n_files; i++) {
        ms_safetensors *file;
        int64_t bytes = 0;
        snprintf(path, sizeof path, "%s/%s/model-%05d-of-%05d.safetensors", s->folder, name, i + 1, written->n_files);
        ms_must(ms_safetensors_open(path, &file));
        for (size_t k = 0; k < ms_safetensors_count(file); k++)
            bytes += (int64_t)ms_safetensors_at(file, k)->size_bytes;
        ck_assert_int_le(bytes, shard_bytes);
        ck_assert_str_eq(ms_safetensors_get_metadata(file, "format"), "pt");
        total += bytes;
        ms_safetensors_close(file);
    }
    ck_assert_int_eq(total, written->size_bytes);
}

START_TEST(test_shards_and_their_index) {
    enum { SHARD_BYTES = 6000 };
    subject s;
    ms_hf_tensors tensors;
    ms_hf_written written;
    begin(&s, _i, MS_NUMERICS_FAST);
    ms_must(ms_hf_tensors_plan(&s.config, s.checkpoint, &tensors));
    write_weights(&s, "one", &tensors, (ms_hf_weights_options){MS_DTYPE_F32, 0}, &written);
    ck_assert_int_eq(written.n_files, 1);
    write_weights(&s, "shards", &tensors, (ms_hf_weights_options){MS_DTYPE_F32, SHARD_BYTES}, &written);
    ck_assert_int_ge(written.n_files, 3);
    check_shards(&s, "shards", &written, SHARD_BYTES);
    int n_shards = written.n_files;
    int64_t size_bytes = written.size_bytes;
    write_weights(&s, "halves", &tensors, (ms_hf_weights_options){MS_DTYPE_BF16, SHARD_BYTES}, &written);
    ck_assert_int_eq(2 * written.size_bytes, size_bytes);
    ck_assert_int_lt(written.n_files, n_shards);
    check_shards(&s, "halves", &written, SHARD_BYTES);
    write_weights(&s, "each", &tensors, (ms_hf_weights_options){MS_DTYPE_F32, 1},
                  &written); /* a tensor that is larger has a file of its own */
    ck_assert_int_eq(written.n_files, (int)tensors.n);
    ms_hf_tensors_finish(&tensors);
    end(&s);
}
END_TEST

/* ---- and back ---- */

/* A model of ours with what the folder says: its pairs are those of transformers, scales are in the weights. */
static ms_model_config config_of(const ms_hf_description *d, const ms_model_config *exported) {
    ms_model_config config = *exported;
    ck_assert_int_eq(d->layers, exported->layers);
    ck_assert_int_eq(d->kv_heads, exported->kv_heads);
    ck_assert_int_eq(d->head_size, exported->head_size);
    ck_assert_int_eq(d->activation, exported->activation);
    ck_assert_int_eq(d->tied_head, exported->tied_head);
    ck_assert_int_eq(d->qk_norm, exported->qk_norm);
    ck_assert_int_eq(d->qkv_bias, exported->qkv_bias);
    ck_assert_int_eq(d->positions, exported->sequence_length);
    ck_assert_float_eq((float)d->norm_epsilon, exported->norm_epsilon);
    ck_assert_float_eq((float)d->rope_base, exported->rope_base);
    ck_assert_int_eq(d->rope_scaling, exported->rope_scaling);
    config.rope_factor = d->rope_factor;
    config.rope_low = d->rope_low;
    config.rope_high = d->rope_high;
    config.rope_original_length = (int32_t)d->rope_original_length;
    config.rope_layout = MS_ROPE_HALF_SPLIT;
    config.residual_scale = MS_RESIDUAL_FIXED;
    config.residual_scale_init = 1;
    return config;
}

static void write_folder(const subject *s, const char *path) {
    ms_hf_folder folder = {.path = path};
    ms_hf_tensors tensors;
    ms_hf_written written;
    json_t *config;
    ms_must(ms_directory_create(path));
    ms_must(ms_directory_open(path, &folder.descriptor));
    ms_must(ms_hf_config(&s->config, -1, MS_DTYPE_F32, &config));
    ms_must(ms_hf_folder_write_json(&folder, "config.json", config));
    json_decref(config);
    ms_must(ms_hf_tensors_plan(&s->config, s->checkpoint, &tensors));
    ms_must(ms_hf_weights_write(&tensors, &folder, &(ms_hf_weights_options){MS_DTYPE_F32, 6000}, &written));
    ms_hf_tensors_finish(&tensors);
    ms_descriptor_close(folder.descriptor);
}

/* Weights from the folder of a Hugging Face model give its logits. */
START_TEST(test_a_folder_becomes_a_model_with_its_logits) {
    subject s;
    ms_hf_source *source;
    ms_variables *variables;
    ms_model model;
    ms_named_tensors list;
    ms_safetensors *weights;
    char path[128];
    int n;
    begin(&s, _i, MS_NUMERICS_FAST);
    snprintf(path, sizeof path, "%s/folder", s.folder);
    write_folder(&s, path);
    ms_must(ms_hf_source_open(path, &source));
    ms_model_config config = config_of(ms_hf_source_description(source), &s.config);
    ms_must(ms_variables_create(&variables));
    ms_must(ms_model_init(&config, variables, &model));
    ms_must(ms_named_tensors_allocate(variables, MS_VARIABLE_PARAMETER, &list));
    ms_must(ms_hf_source_fill(source, &config, list.tensors, list.n_tensors));
    snprintf(path, sizeof path, "%s/again.safetensors", s.folder);
    ms_must(ms_safetensors_write(path, list.tensors, list.n_tensors, NULL, 0));
    ms_named_tensors_finish(&list);
    ms_variables_destroy(variables);
    ms_hf_source_close(source);
    ms_must(ms_safetensors_open(path, &weights));
    int32_t *tokens = read_ids(&s, "tokens", &n);
    float *values = ms_test_logits(s.device, &config, weights, tokens, n);
    compare_logits(&s, values, n, "again");
    free(values);
    free(tokens);
    ms_safetensors_close(weights);
    end(&s);
}
END_TEST

/* ---- the loss of a folder ---- */

static ms_status fill_from_source(void *source, const ms_model_config *model, const ms_safetensor *tensors, size_t n) {
    return ms_hf_source_fill(source, model, tensors, n);
}

static ms_status take_score(void *context, int64_t i_document, int64_t n_scored, double log_likelihood) {
    ck_assert_int_eq(i_document, 0);
    *(double *)context = -log_likelihood / (double)n_scored;
    return MS_OK;
}

/* That of transformers, which scores all tokens but the first. */
START_TEST(test_the_loss_of_a_folder_is_that_of_transformers) {
    subject s;
    ms_hf_source *source;
    ms_evaluator *evaluator;
    ms_scorer *scorer;
    char path[128];
    int n;
    double loss = 0;
    begin(&s, _i, MS_NUMERICS_FAST);
    double wanted = golden_number(s.golden, "loss");
    snprintf(path, sizeof path, "%s/folder", s.folder);
    write_folder(&s, path);
    ms_must(ms_hf_source_open(path, &source));
    ms_model_config config = config_of(ms_hf_source_description(source), &s.config);
    config.embedding_scale = 1;
    const ms_weight_source weights = {fill_from_source, source};
    ms_must(ms_evaluator_open(s.device, &config, 2, &evaluator));
    ms_must(ms_evaluator_load_from(evaluator, &weights));
    ms_must(ms_scorer_create(evaluator, config.sequence_length, take_score, &loss, &scorer));
    int32_t *tokens = read_ids(&s, "tokens", &n);
    ms_must(ms_scorer_add(scorer, tokens, n));
    ms_must(ms_scorer_finish(scorer));
    printf("%s: loss %.7f, that of transformers %.7f\n", s.name, loss, wanted);
    ck_assert(fabs(loss - wanted) < 2e-6 && wanted > 1);
    free(tokens);
    ms_scorer_destroy(scorer);
    ms_evaluator_close(evaluator);
    ms_hf_source_close(source);
    end(&s);
}
END_TEST

/* ---- refusals ---- */

START_TEST(test_what_no_architecture_computes_is_refused) {
    ms_model_config config = {.activation = MS_ACTIVATION_GELU_TANH, .qk_norm = true};
    ms_hf_architecture architecture;
    ms_expect(ms_hf_architecture_of(&config, &architecture), MS_UNSUPPORTED, "model.activation gelu_tanh has no gate");
    ck_assert_ptr_nonnull(strstr(ms_status_message(), "swiglu, or relu2"));
    config = (ms_model_config){.activation = MS_ACTIVATION_SWIGLU, .qk_norm = true, .qkv_bias = true};
    ms_expect(ms_hf_architecture_of(&config, &architecture), MS_UNSUPPORTED,
              "attention.qk_norm with attention.qkv_bias");
}
END_TEST

START_TEST(test_another_shape_is_named_with_both) {
    subject s;
    ms_hf_tensors tensors;
    begin(&s, 0, MS_NUMERICS_FAST);
    s.config.feed_forward = 21;
    ms_expect(ms_hf_tensors_plan(&s.config, s.checkpoint, &tensors), MS_MISMATCH,
              "blocks.0.feed_forward.up.weight is F32 [20, 24]");
    ck_assert_ptr_nonnull(strstr(ms_status_message(), "F32 [21, 24]"));
    ms_hf_tensors_finish(&tensors);
    s.config.feed_forward = 20;
    s.config.layers = 3;
    ms_expect(ms_hf_tensors_plan(&s.config, s.checkpoint, &tensors), MS_NOT_FOUND, "no tensor blocks.2.");
    ms_hf_tensors_finish(&tensors);
    end(&s);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("golden hf");
    TCase *tcase = tcase_create("hf");
    tcase_add_loop_test(tcase, test_tensors_are_those_of_transformers, 0, N_VARIANTS);
    tcase_add_loop_test(tcase, test_config_is_that_of_transformers, 0, N_VARIANTS);
    tcase_add_loop_test(tcase, test_logits_are_those_of_transformers, 0, N_VARIANTS);
    tcase_add_loop_test(tcase, test_greedy_tokens_are_those_of_transformers, 0, N_VARIANTS);
    tcase_add_loop_test(tcase, test_shards_and_their_index, 0, N_VARIANTS);
    tcase_add_loop_test(tcase, test_a_folder_becomes_a_model_with_its_logits, 0, N_VARIANTS);
    tcase_add_loop_test(tcase, test_the_loss_of_a_folder_is_that_of_transformers, 0, N_VARIANTS);
    tcase_add_test(tcase, test_what_no_architecture_computes_is_refused);
    tcase_add_test(tcase, test_another_shape_is_named_with_both);
    suite_add_tcase(suite, tcase);
    return ms_suite_run(suite);
}
