#include "cli/bench/probe.h"

#include <math.h>
#include <stdlib.h>

#include "platform/clock.h"
#include "platform/random.h"
#include "platform/signals.h"
#include "tracker/activations.h"
#include "tracker/attention.h"

enum { TOKENS = 4 * 128, HEADS = 8, PER_LAYER = 6 };
enum { Q = 512, K = 256, STREAM = 512, HIDDEN = 2048 }; /* channels */

static const ms_attention_shape shape = {
    .sequences = 4, .tokens = 128, .width = STREAM, .heads = HEADS, .kv_heads = 4, .head_size = 64};

typedef struct probe {
    ms_attention_scratch *attention;
    ms_activation_scratch *activations;
    float *q, *k, *stream, *hidden; /* [TOKENS, channels] each, one allocation */
} probe;

static ms_status init(probe *p) {
    const size_t n = (size_t)TOKENS * (Q + K + STREAM + HIDDEN), n_hidden = (size_t)TOKENS * HIDDEN;
    p->q = malloc(n * sizeof *p->q);
    if (!p->q) return MS_FAIL(MS_OUT_OF_MEMORY, "bench tracker: activations");
    ms_random_normal_fill(1, 0, 1, n, p->q);
    p->k = p->q + (size_t)TOKENS * Q;
    p->stream = p->k + (size_t)TOKENS * K;
    p->hidden = p->stream + (size_t)TOKENS * STREAM;
    for (size_t i = 0; i < n_hidden; i++) p->hidden[i] = p->hidden[i] > 0 ? p->hidden[i] * p->hidden[i] : 0;
    MS_TRY(ms_attention_scratch_create(&shape, &p->attention));
    return ms_activation_scratch_create(TOKENS, HIDDEN, &p->activations);
}

static ms_status compute_layer(const probe *p, const ms_bench_matrix *of) {
    ms_attention_statistics statistics[HEADS];
    ms_product_spectrum qk[HEADS], ov[HEADS];
    ms_activation_statistics activations;
    const ms_attention_weights weights = {"bench tracker", of[0].after, of[1].after, of[2].after, of[3].after};
    MS_TRY(ms_attention_compute(p->attention, "bench tracker", p->q, p->k, 1 / sqrt(64.0), statistics));
    MS_TRY(ms_attention_products(p->attention, &weights, qk, ov));
    MS_TRY(ms_activation_compute(p->activations, "bench tracker", p->stream, TOKENS, STREAM, &activations));
    return ms_activation_compute(p->activations, "bench tracker", p->hidden, TOKENS, HIDDEN, &activations);
}

ms_status ms_bench_probe(const ms_bench_matrices *matrices, double *out_seconds) {
    probe p = {0};
    *out_seconds = 0;
    ms_status status = init(&p);
    double begin = ms_clock_thread_seconds();
    for (int i = 0; i < matrices->n && status == MS_OK; i += PER_LAYER) {
        status = ms_signals_check("bench tracker");
        if (status == MS_OK) status = compute_layer(&p, &matrices->contents[i]);
    }
    *out_seconds = ms_clock_thread_seconds() - begin;
    ms_attention_scratch_destroy(p.attention);
    ms_activation_scratch_destroy(p.activations);
    free(p.q);
    return status;
}
