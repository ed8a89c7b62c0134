#include "model/foreign/parts.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "model/foreign/names.h"

/* ---- which parts ---- */

/* A tensor in work: [outputs, inputs], or the other way round. */
typedef struct splitter {
    const ms_model_sizes *sizes;
    ms_tensor_role role;
    int64_t rows, cols; /* of a slice as it is stored */
    bool transposed;
    bool reshaped, stacked;
    ms_parts *out;
} splitter;

static int64_t outputs(const splitter *s) { return s->transposed ? s->cols : s->rows; }
static int64_t inputs(const splitter *s) { return s->transposed ? s->rows : s->cols; }

/* A part of n_blocks blocks of outputs. */
static void add(const splitter *s, const char *projection, int64_t first, int64_t block, int64_t period,
                int64_t n_blocks) {
    s->out->parts[s->out->n++] = (ms_part){.projection = projection,
                                           .layer = s->role.layer,
                                           .expert = s->role.expert,
                                           .rows = block * n_blocks,
                                           .cols = inputs(s),
                                           .stored_cols = s->cols,
                                           .first = first,
                                           .block = block,
                                           .period = period,
                                           .is_transposed = s->transposed,
                                           .is_slice = s->stacked,
                                           .is_reshaped = s->reshaped};
}

static void add_rows(const splitter *s, const char *projection, int64_t first, int64_t n) {
    add(s, projection, first, n, n, 1);
}

static void add_whole(const splitter *s) { add_rows(s, s->role.projection, 0, outputs(s)); }

__attribute__((format(printf, 2, 3))) static void leave_whole(const splitter *s, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(s->out->note, sizeof s->out->note, format, arguments);
    va_end(arguments);
    add_whole(s);
}

/* leave_whole, for want of what config.json says. */
static void lack(const splitter *s, const char *keys) {
    leave_whole(s, "not split: %s %s", s->sizes->has_config ? "config.json does not say" : "no config.json says", keys);
}

static void split_qkv_heads(const splitter *s) {
    int64_t heads = s->sizes->heads, period = heads > 0 ? outputs(s) / heads : 0, size = period / 3;
    const char *type = s->sizes->type;
    if (*type && strcmp(type, "gpt_neox") != 0 && strcmp(type, "bloom") != 0 && strcmp(type, "gpt_bigcode") != 0)
        leave_whole(s, "not split: the order of rows in models of type %s is not known", type);
    else if (heads == 0)
        lack(s, "num_attention_heads");
    else if (3 * size * heads != outputs(s))
        leave_whole(s, "not split: %lld rows are not 3 of each of %lld heads", (long long)outputs(s), (long long)heads);
    else
        for (int i = 0; i < 3; i++) add(s, (const char *const[]){"q", "k", "v"}[i], i * size, size, period, heads);
}

static void split_qkv(const splitter *s) {
    int64_t q = s->sizes->heads * s->sizes->head_size, kv = s->sizes->kv_heads * s->sizes->head_size;
    if (strcmp(s->sizes->type, "gpt_bigcode") == 0 && s->sizes->kv_heads == s->sizes->heads) { /* else as others */
        split_qkv_heads(s);
        return;
    }
    if (q == 0 && s->transposed) q = kv = inputs(s); /* GPT-2's kind: as many keys as queries */
    if (q == 0) {
        lack(s, "num_attention_heads and hidden_size");
        return;
    }
    if (q + 2 * kv != outputs(s)) {
        leave_whole(s, "not split: %lld outputs are not %lld of q and twice %lld of k and v", (long long)outputs(s),
                    (long long)q, (long long)kv);
        return;
    }
    add_rows(s, "q", 0, q);
    add_rows(s, "k", q, kv);
    add_rows(s, "v", q + kv, kv);
}

static void split_gate_up(const splitter *s) {
    int64_t half = outputs(s) / 2;
    if (2 * half != outputs(s)) {
        leave_whole(s, "not split: %lld rows have no half", (long long)outputs(s));
        return;
    }
    add_rows(s, "gate", 0, half);
    add_rows(s, "up", half, half);
}

static void split_kv_a(const splitter *s) {
    int64_t latent = s->sizes->latent;
    if (latent == 0) {
        lack(s, "kv_lora_rank");
    } else if (latent >= outputs(s)) {
        leave_whole(s, "not split: %lld rows, kv_lora_rank is %lld", (long long)outputs(s), (long long)latent);
    } else {
        add_rows(s, "kv_a", 0, latent);
        add_rows(s, "k_rope", latent, outputs(s) - latent);
    }
}

static void split_kv_b(const splitter *s) {
    int64_t key = s->sizes->not_rotated, value = s->sizes->values, heads = s->sizes->heads;
    if (key == 0 || value == 0 || heads == 0) {
        lack(s, "num_attention_heads, qk_nope_head_dim and v_head_dim");
    } else if (heads * (key + value) != outputs(s)) {
        leave_whole(s, "not split: %lld rows are not %lld + %lld of each of %lld heads", (long long)outputs(s),
                    (long long)key, (long long)value, (long long)heads);
    } else {
        add(s, "k_b", 0, key, key + value, heads);
        add(s, "v_b", key, value, key + value, heads);
    }
}

static void split_qkvo(const splitter *s) {
    int64_t width = inputs(s), kv = (outputs(s) - 2 * width) / 2;
    if (kv < 1 || 2 * width + 2 * kv != outputs(s)) {
        leave_whole(s, "not split: %lld rows are not those of q, k, v and o over %lld columns", (long long)outputs(s),
                    (long long)width);
        return;
    }
    add_rows(s, "q", 0, width);
    add_rows(s, "k", width, kv);
    add_rows(s, "v", width + kv, kv);
    add_rows(s, "o", width + 2 * kv, width);
}

static void split(const splitter *s) {
    switch (s->role.layout) {
    case MS_LAYOUT_QKV:
        split_qkv(s);
        return;
    case MS_LAYOUT_QKV_HEADS:
        split_qkv_heads(s);
        return;
    case MS_LAYOUT_GATE_UP:
        split_gate_up(s);
        return;
    case MS_LAYOUT_KV_A:
        split_kv_a(s);
        return;
    case MS_LAYOUT_KV_B:
        split_kv_b(s);
        return;
    case MS_LAYOUT_QKVO:
        split_qkvo(s);
        return;
    case MS_LAYOUT_MASK: /* the caller has looked */
    case MS_LAYOUT_WHOLE:
    case MS_LAYOUT_CONV1D:
        add_whole(s);
        return;
    }
}

ms_parts ms_parts_of(const ms_safetensor *tensor, const ms_model_sizes *sizes) {
    ms_parts out = {.n_slices = 1};
    if (tensor->rank < 2 || tensor->size_bytes == 0) return out;
    splitter s = {.sizes = sizes, .role = ms_tensor_role_of(tensor->name), .out = &out};
    int first = 0;
    if (s.role.layout == MS_LAYOUT_MASK && tensor->rank > 2) return out;
    s.stacked = tensor->rank == 3 && strstr(tensor->name, "experts");
    if (s.stacked) out.n_slices = tensor->shape[first++];
    s.rows = tensor->shape[first];
    s.cols = 1;
    for (int i = first + 1; i < tensor->rank; i++) s.cols *= tensor->shape[i];
    s.reshaped = tensor->rank - first > 2;
    if (s.reshaped || s.stacked) s.role.layout = MS_LAYOUT_WHOLE;
    s.transposed = sizes->is_conv1d && (s.role.layout == MS_LAYOUT_CONV1D || s.role.layout == MS_LAYOUT_QKV);
    split(&s);
    return out;
}

ms_part ms_parts_get(const ms_parts *parts, int i, int64_t i_slice) {
    ms_part part = parts->parts[i];
    if (!part.is_slice) return part;
    part.expert = i_slice;
    part.offset = i_slice * part.rows * part.cols;
    return part;
}

/* ---- where they lie ---- */

bool ms_part_is_plain(const ms_part *part, int64_t *out_first) {
    *out_first = part->offset + part->first * part->stored_cols;
    return !part->is_transposed && part->block == part->rows;
}

void ms_part_copy(const ms_part *part, const void *tensor, size_t element_bytes, void *out) {
    const char *from = (const char *)tensor + (size_t)part->offset * element_bytes;
    char *to = out;
    size_t row_bytes = (size_t)part->cols * element_bytes, stored_bytes = (size_t)part->stored_cols * element_bytes;
    for (int64_t row = 0; row < part->rows; row++) {
        int64_t stored = part->first + row / part->block * part->period + row % part->block;
        if (!part->is_transposed) memcpy(to + (size_t)row * row_bytes, from + (size_t)stored * stored_bytes, row_bytes);
        for (int64_t col = 0; part->is_transposed && col < part->cols; col++)
            memcpy(to + (size_t)row * row_bytes + (size_t)col * element_bytes,
                   from + (size_t)col * stored_bytes + (size_t)stored * element_bytes, element_bytes);
    }
}

/* Appends; what does not fit is cut. */
__attribute__((format(printf, 3, 4))) static void append(char *out, size_t size, const char *format, ...) {
    size_t used = strlen(out);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(out + used, size - used, format, arguments);
    va_end(arguments);
}

const char *ms_part_text(const ms_part *part, const ms_safetensor *tensor, char *out, size_t size) {
    *out = '\0';
    int64_t n_stored = part->is_transposed ? part->stored_cols : tensor->shape[part->is_slice ? 1 : 0];
    const char *lines = part->is_transposed ? "columns" : "rows";
    if (part->is_slice) append(out, size, "slice %lld, ", (long long)part->expert);
    if (part->is_transposed) append(out, size, "transposed, ");
    if (part->is_reshaped) append(out, size, "as [%lld, %lld], ", (long long)part->rows, (long long)part->cols);
    if (part->block != part->rows)
        append(out, size, "%s %lld-%lld of every %lld, ", lines, (long long)part->first,
               (long long)(part->first + part->block - 1), (long long)part->period);
    else if (part->rows != n_stored)
        append(out, size, "%s %lld-%lld, ", lines, (long long)part->first, (long long)(part->first + part->rows - 1));
    if (!*out) append(out, size, "whole, ");
    size_t used = strlen(out);
    if (used >= 2 && out[used - 2] == ',') out[used - 2] = '\0';
    return out;
}
