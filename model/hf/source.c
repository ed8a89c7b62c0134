#include "model/hf/source.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/foreign/foreign.h"
#include "model/hf/description.h"
#include "platform/directory.h"
#include "platform/file.h"
#include "platform/signals.h"
#include "tracker/elements.h"

struct ms_hf_source {
    char *path; /* for messages */
    ms_foreign *weights;
    ms_hf_description description;
};

enum { PARTS_MAX = 4, NAME_SIZE = 96 };

/* One of their tensors, which becomes rows of one of ours. */
struct part {
    char name[NAME_SIZE];
    int64_t rows, columns; /* columns 0: a vector */
    double factor;         /* of each number */
};

/* ---- open ---- */

static ms_status open_weights(ms_hf_source *source, const char *path) {
    size_t n_faults;
    MS_TRY(ms_foreign_open(path, &source->weights));
    const ms_foreign_fault *faults = ms_foreign_faults(source->weights, &n_faults);
    if (n_faults > 0) return MS_FAIL(MS_CORRUPT, "%s: %s: %s", path, faults[0].name, faults[0].message);
    return MS_OK;
}

static ms_status open_source(ms_hf_source *source, const char *path) {
    char *config = ms_path_join(path, "config.json");
    source->path = strdup(path);
    ms_status status = config && source->path ? MS_OK : MS_FAIL(MS_OUT_OF_MEMORY, "%s: no memory to open it", path);
    if (status == MS_OK) status = ms_hf_description_read(config, &source->description);
    if (status == MS_OK) status = open_weights(source, path);
    free(config);
    return status;
}

ms_status ms_hf_source_open(const char *path, ms_hf_source **out) {
    *out = NULL;
    MS_TRY(ms_path_check(path));
    if (!ms_is_directory(path)) return MS_FAIL(MS_NOT_FOUND, "no folder %s", path);
    ms_hf_source *source = calloc(1, sizeof *source);
    if (!source) return MS_FAIL(MS_OUT_OF_MEMORY, "%s: no memory to open it", path);
    ms_status status = open_source(source, path);
    if (status != MS_OK) {
        ms_hf_source_close(source);
        return status;
    }
    *out = source;
    return MS_OK;
}

void ms_hf_source_close(ms_hf_source *source) {
    if (!source) return;
    ms_foreign_close(source->weights);
    free(source->path);
    free(source);
}

const ms_hf_description *ms_hf_source_description(const ms_hf_source *source) { return &source->description; }

/* ---- what ours are made of ---- */

static const struct {
    const char *ours;              /* after "blocks.<layer>." */
    const char *theirs[PARTS_MAX]; /* after "model.layers.<layer>." */
} layer_names[] = {
    {"attention.qkvo.weight",
     {"self_attn.q_proj.weight", "self_attn.k_proj.weight", "self_attn.v_proj.weight", "self_attn.o_proj.weight"}},
    {"attention.q.weight", {"self_attn.q_proj.weight"}},
    {"attention.k.weight", {"self_attn.k_proj.weight"}},
    {"attention.v.weight", {"self_attn.v_proj.weight"}},
    {"attention.o.weight", {"self_attn.o_proj.weight"}},
    {"attention.q.bias", {"self_attn.q_proj.bias"}},
    {"attention.k.bias", {"self_attn.k_proj.bias"}},
    {"attention.v.bias", {"self_attn.v_proj.bias"}},
    {"attention.q_norm.weight", {"self_attn.q_norm.weight"}},
    {"attention.k_norm.weight", {"self_attn.k_norm.weight"}},
    {"feed_forward.up.weight", {"mlp.up_proj.weight"}},
    {"feed_forward.gate.weight", {"mlp.gate_proj.weight"}},
    {"feed_forward.down.weight", {"mlp.down_proj.weight"}},
    {"attention_norm.weight", {"input_layernorm.weight"}},
    {"feed_forward_norm.weight", {"post_attention_layernorm.weight"}},
};

/* Rows of each part of a merged matrix. */
static int64_t merged_rows(const ms_model_config *m, int i) {
    int64_t of_queries = (int64_t)m->heads * m->head_size, of_keys = (int64_t)m->kv_heads * m->head_size;
    return i == 0 ? of_queries : i == 3 ? m->width : of_keys;
}

static int parts_of_layer(const ms_model_config *model, int layer, const char *rest, const ms_safetensor *wanted,
                          struct part out[PARTS_MAX]) {
    int n = 0;
    for (size_t i = 0; i < sizeof layer_names / sizeof *layer_names; i++) {
        if (strcmp(layer_names[i].ours, rest) != 0) continue;
        for (; n < PARTS_MAX && layer_names[i].theirs[n]; n++) {
            out[n] = (struct part){
                .rows = wanted->shape[0], .columns = wanted->rank == 2 ? wanted->shape[1] : 0, .factor = 1};
            snprintf(out[n].name, NAME_SIZE, "model.layers.%d.%s", layer, layer_names[i].theirs[n]);
        }
        for (int k = 0; n == PARTS_MAX && k < n; k++) out[k].rows = merged_rows(model, k);
    }
    return n;
}

/* Our embedding is multiplied by a scale when it is looked up, and is the head where that is tied. */
static int parts_of_rest(const ms_model_config *model, const ms_safetensor *wanted, struct part out[PARTS_MAX]) {
    double scale = (double)ms_model_embedding_scale(model);
    out[0] = (struct part){.rows = wanted->shape[0], .columns = wanted->rank == 2 ? wanted->shape[1] : 0, .factor = 1};
    if (strcmp(wanted->name, "embedding.weight") == 0) {
        snprintf(out[0].name, NAME_SIZE, "model.embed_tokens.weight");
        out[0].factor = 1 / scale;
    } else if (strcmp(wanted->name, "final_norm.weight") == 0) {
        snprintf(out[0].name, NAME_SIZE, "model.norm.weight");
        if (model->tied_head) out[0].factor = scale;
    } else if (strcmp(wanted->name, "head.weight") == 0) {
        snprintf(out[0].name, NAME_SIZE, "lm_head.weight");
    } else {
        return 0;
    }
    return 1;
}

static ms_status parts_of(const ms_hf_source *source, const ms_model_config *model, const ms_safetensor *wanted,
                          struct part out[PARTS_MAX], int *out_n) {
    int layer, at = 0;
    if (sscanf(wanted->name, "blocks.%d.%n", &layer, &at) == 1 && at > 0)
        *out_n = parts_of_layer(model, layer, wanted->name + at, wanted, out);
    else
        *out_n = parts_of_rest(model, wanted, out);
    if (*out_n > 0) return MS_OK;
    return MS_FAIL(MS_MISMATCH, "%s: this model has a tensor %s, and a %s none like it", source->path, wanted->name,
                   source->description.type);
}

/* ---- check ---- */

static ms_status check_part(const ms_hf_source *source, const struct part *part) {
    const ms_safetensor *found = ms_foreign_find(source->weights, part->name);
    const int64_t shape[] = {part->rows, part->columns};
    int rank = part->columns ? 2 : 1;
    char wants[MS_SAFETENSOR_SHAPE_SIZE], has[MS_SAFETENSOR_SHAPE_SIZE];
    ms_element type;
    ms_safetensor_shape_text(rank, shape, wants);
    if (!found) return MS_FAIL(MS_NOT_FOUND, "%s: tensor %s %s is missing", source->path, part->name, wants);
    if (!ms_safetensor_has_shape(found, rank, shape))
        return MS_FAIL(MS_MISMATCH, "%s: tensor %s is %s, this model wants %s", source->path, part->name,
                       ms_safetensor_shape_text(found->rank, found->shape, has), wants);
    if (!ms_element_parse(found->dtype, &type))
        return MS_FAIL(MS_UNSUPPORTED, "%s: tensor %s is %s: it must be F32, F16, BF16 or F64", source->path,
                       part->name, found->dtype);
    return MS_OK;
}

/* What a file may hold besides. */
static ms_status check_twin(const ms_hf_source *source, const char *name, const char *original) {
    const ms_safetensor *a = ms_foreign_find(source->weights, name), *b = ms_foreign_find(source->weights, original);
    if (a && b && strcmp(a->dtype, b->dtype) == 0 && a->size_bytes == b->size_bytes &&
        memcmp(a->data, b->data, a->size_bytes) == 0)
        return MS_OK;
    return MS_FAIL(MS_MISMATCH, "%s: tensor %s must be the same as %s, and is not", source->path, name, original);
}

static ms_status check_surplus(const ms_hf_source *source, const char *name) {
    const ms_hf_description *d = &source->description;
    char up[NAME_SIZE];
    int layer, at = 0;
    if (d->tied_head && strcmp(name, "lm_head.weight") == 0)
        return check_twin(source, name, "model.embed_tokens.weight");
    if (sscanf(name, "model.layers.%d.mlp.gate_proj.weight%n", &layer, &at) == 1 && at > 0 && !name[at] &&
        d->activation == MS_ACTIVATION_RELU2) {
        snprintf(up, sizeof up, "model.layers.%d.mlp.up_proj.weight", layer);
        return check_twin(source, name, up);
    }
    if (ms_name_ends_with(name, ".rotary_emb.inv_freq")) return MS_OK; /* the angles of RoPE, of old files */
    if (ms_name_ends_with(name, ".bias"))
        return MS_FAIL(MS_UNSUPPORTED,
                       "%s: tensor %s: muonscope has biases of q, k and v alone, in models of type qwen2", source->path,
                       name);
    return MS_FAIL(MS_MISMATCH, "%s: nothing in this model takes tensor %s", source->path, name);
}

static int by_name(const void *a, const void *b) { return strcmp(a, b); }

/* names [n][NAME_SIZE]: those that are taken. */
static ms_status check_rest(const ms_hf_source *source, char (*names)[NAME_SIZE], size_t n) {
    qsort(names, n, NAME_SIZE, by_name);
    for (size_t i = 0; i < ms_foreign_count(source->weights); i++) {
        const char *name = ms_foreign_at(source->weights, i)->name;
        if (strlen(name) < NAME_SIZE && bsearch(name, names, n, NAME_SIZE, by_name)) continue;
        MS_TRY(check_surplus(source, name));
    }
    return MS_OK;
}

ms_status ms_hf_source_check(const ms_hf_source *source, const ms_model_config *model, const ms_safetensor *wanted,
                             size_t n) {
    char(*names)[NAME_SIZE] = malloc((n * PARTS_MAX + 1) * NAME_SIZE);
    if (!names) return MS_FAIL(MS_OUT_OF_MEMORY, "%s: no memory for names", source->path);
    size_t n_names = 0;
    ms_status status = MS_OK;
    for (size_t i = 0; status == MS_OK && i < n; i++) {
        struct part parts[PARTS_MAX];
        int n_parts = 0;
        status = parts_of(source, model, &wanted[i], parts, &n_parts);
        for (int k = 0; status == MS_OK && k < n_parts; k++) {
            status = check_part(source, &parts[k]);
            memcpy(names[n_names++], parts[k].name, NAME_SIZE);
        }
    }
    if (status == MS_OK) status = check_rest(source, names, n_names);
    free(names);
    return status;
}

/* ---- the numbers ---- */

/* out NULL: the numbers are only looked at. */
static ms_status read_part(const ms_hf_source *source, const struct part *part, float *out) {
    enum { CHUNK = 4096 };
    double values[CHUNK];
    ms_element type;
    const ms_safetensor *from = ms_foreign_find(source->weights, part->name);
    size_t n = (size_t)part->rows * (size_t)(part->columns ? part->columns : 1);
    if (!from || !ms_element_parse(from->dtype, &type)) return MS_FAIL(MS_INTERNAL, "%s: not checked", part->name);
    for (size_t first = 0; first < n; first += CHUNK) {
        size_t count = n - first < CHUNK ? n - first : CHUNK;
        ms_elements_to_f64(type, from->data, first, count, values);
        for (size_t i = 0; i < count; i++) {
            float value = (float)(part->factor * values[i]);
            if (!isfinite(value))
                return MS_FAIL(MS_NUMERIC, "%s: tensor %s has a number that is not finite", source->path, part->name);
            if (out) out[first + i] = value;
        }
    }
    return MS_OK;
}

/* One of ours.  out NULL likewise. */
static ms_status read_tensor(const ms_hf_source *source, const ms_model_config *model, const ms_safetensor *wanted,
                             float *out) {
    struct part parts[PARTS_MAX];
    int n_parts;
    MS_TRY(ms_signals_check("reading weights"));
    MS_TRY(parts_of(source, model, wanted, parts, &n_parts));
    for (int k = 0; k < n_parts; k++) {
        MS_TRY(read_part(source, &parts[k], out));
        if (out) out += parts[k].rows * (parts[k].columns ? parts[k].columns : 1);
    }
    return MS_OK;
}

ms_status ms_hf_source_check_numbers(const ms_hf_source *source, const ms_model_config *model,
                                     const ms_safetensor *wanted, size_t n) {
    MS_TRY(ms_hf_source_check(source, model, wanted, n));
    for (size_t i = 0; i < n; i++) MS_TRY(read_tensor(source, model, &wanted[i], NULL));
    return MS_OK;
}

ms_status ms_hf_source_fill(const ms_hf_source *source, const ms_model_config *model, const ms_safetensor *wanted,
                            size_t n) {
    MS_TRY(ms_hf_source_check(source, model, wanted, n));
    for (size_t i = 0; i < n; i++) MS_TRY(read_tensor(source, model, &wanted[i], (float *)wanted[i].data));
    return MS_OK;
}
