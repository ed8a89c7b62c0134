#include "train/sampling.h"

#include <math.h>
#include <stdbool.h>

#include "platform/random.h"

ms_status ms_sampling_check(const ms_sampling *sampling) {
    if (!(sampling->temperature >= 0) || !isfinite(sampling->temperature))
        return MS_FAIL(MS_INVALID, "generate: temperature is %g, must be finite and at least 0", sampling->temperature);
    if (sampling->top_k < 0)
        return MS_FAIL(MS_INVALID, "generate: top_k is %lld, must be at least 0 (0: among all)",
                       (long long)sampling->top_k);
    if (!(sampling->top_p >= 0 && sampling->top_p <= 1))
        return MS_FAIL(MS_INVALID, "generate: top_p is %g, must be 0 to 1 (1: among all)", sampling->top_p);
    if (!(sampling->min_p >= 0 && sampling->min_p <= 1))
        return MS_FAIL(MS_INVALID, "generate: min_p is %g, must be 0 to 1 (0: among all)", sampling->min_p);
    if (!(sampling->repetition_penalty >= 0) || !isfinite(sampling->repetition_penalty))
        return MS_FAIL(MS_INVALID, "generate: repetition_penalty is %g, must be finite and at least 0 (1: none)",
                       sampling->repetition_penalty);
    if (sampling->repetition_window < 0)
        return MS_FAIL(MS_INVALID, "generate: repetition_window is %lld, must be at least 0 (0: all of the text)",
                       (long long)sampling->repetition_window);
    return MS_OK;
}

/* Changes values [vocabulary], which are logits; marks [vocabulary] is scratch. */
static void penalise(const ms_sampling *sampling, const ms_draw *draw, double *values, int32_t *marks) {
    double penalty = sampling->repetition_penalty;
    if (penalty == 0 || penalty == 1) return;
    int64_t window = sampling->repetition_window, begin = 0;
    if (window > 0 && window < draw->n_text) begin = draw->n_text - window;
    for (int64_t i = 0; i < draw->vocabulary; i++) marks[i] = 0;
    for (int64_t i = begin; i < draw->n_text; i++) {
        int32_t id = draw->text[i];
        if (id < 0 || id >= draw->vocabulary || marks[id]) continue;
        marks[id] = 1;
        values[id] = values[id] > 0 ? values[id] / penalty : values[id] * penalty;
    }
}

/* The ids that are left to choose from: a heap with the likeliest at its root. */
struct heap {
    int32_t *ids;   /* [n] */
    double *values; /* by id: logits */
    int64_t n;
};

static bool is_likelier(const struct heap *heap, int64_t i, int64_t j) {
    int32_t a = heap->ids[i], b = heap->ids[j];
    return heap->values[a] != heap->values[b] ? heap->values[a] > heap->values[b] : a < b;
}

static void swap(int32_t *ids, int64_t i, int64_t j) {
    int32_t id = ids[i];
    ids[i] = ids[j];
    ids[j] = id;
}

static void sift_down(struct heap *heap, int64_t i) {
    for (;;) {
        int64_t best = i, child = 2 * i + 1;
        if (child < heap->n && is_likelier(heap, child, best)) best = child;
        if (child + 1 < heap->n && is_likelier(heap, child + 1, best)) best = child + 1;
        if (best == i) return;
        swap(heap->ids, i, best);
        i = best;
    }
}

/* Takes the likeliest id, which then stands behind the heap, and makes a weight of its logit. */
static double pop(struct heap *heap, double highest, double temperature) {
    heap->n--;
    swap(heap->ids, 0, heap->n);
    sift_down(heap, 0);
    double *value = &heap->values[heap->ids[heap->n]];
    return *value = exp((*value - highest) / temperature);
}

/* Top-k, top-p and min-p of ids [n] with logits by id.  The ids that stay come first, the likeliest before the others;
   their logits become weights.  Returns how many.  Sorting all of a large vocabulary would take longer than a step of a
   small model: ids leave a heap until enough have. */
static int64_t cut(const ms_sampling *sampling, int32_t *ids, double *values, int64_t n, double highest) {
    struct heap heap = {ids, values, n};
    int64_t n_top = sampling->top_k > 0 && sampling->top_k < n ? sampling->top_k : n, n_kept = 0;
    double t = sampling->temperature, total = 0, before = 0;
    double p = sampling->top_p > 0 && sampling->top_p < 1 ? sampling->top_p : INFINITY;
    for (int64_t i = n / 2 - 1; i >= 0; i--) sift_down(&heap, i);
    if (n_top < n)
        for (int64_t i = 0; i < n_top; i++) total += pop(&heap, highest, t);
    else
        for (int64_t id = 0; id < n; id++) total += exp((values[id] - highest) / t);
    while (n_kept < n_top) {
        bool is_popped = heap.n < n - n_kept;
        double weight = is_popped ? values[ids[n - 1 - n_kept]] : pop(&heap, highest, t);
        if (n_kept > 0 && (before >= p * total || weight < sampling->min_p)) break;
        before += weight;
        n_kept++;
    }
    for (int64_t i = 0; i < n / 2; i++) swap(ids, i, n - 1 - i);
    return n_kept;
}

ms_status ms_sampling_narrow(const ms_sampling *sampling, const ms_draw *draw, int64_t *out_n) {
    *out_n = 0;
    int64_t n = draw->vocabulary, best = 0;
    MS_TRY(ms_sampling_check(sampling));
    if (n < 1 || n > INT32_MAX)
        return MS_FAIL(MS_INVALID, "generate: vocabulary is %lld, must be 1 to %d", (long long)n, INT32_MAX);
    double *values = draw->weights;
    for (int64_t i = 0; i < n; i++) {
        values[i] = (double)draw->logits[i];
        if (!isfinite(values[i]))
            return MS_FAIL(MS_NUMERIC, "generate: logit of token %lld is %g", (long long)i, values[i]);
    }
    penalise(sampling, draw, values, draw->ids);
    for (int64_t i = 0; i < n; i++) {
        if (values[i] > values[best]) best = i;
        draw->ids[i] = (int32_t)i;
    }
    double highest = values[best];
    if (sampling->temperature == 0) {
        draw->ids[0] = (int32_t)best;
        values[best] = 1;
        *out_n = 1;
        return MS_OK;
    }
    bool has_cut = (sampling->top_k > 0 && sampling->top_k < n) || (sampling->top_p > 0 && sampling->top_p < 1) ||
                   sampling->min_p > 0;
    if (has_cut) {
        *out_n = cut(sampling, draw->ids, values, n, highest);
        return MS_OK;
    }
    for (int64_t i = 0; i < n; i++) values[i] = exp((values[i] - highest) / sampling->temperature);
    *out_n = n;
    return MS_OK;
}

/* Texts are shorter than 2^32 ids, so samples of one prompt share no draw, and the first has the draws that it has
   alone. */
static uint64_t draw_number(const ms_draw *draw) { return ((uint64_t)draw->i_sample << 32) + (uint64_t)draw->n_text; }

ms_status ms_sample(const ms_sampling *sampling, const ms_draw *draw, int32_t *out_token) {
    int64_t n;
    *out_token = -1;
    MS_TRY(ms_sampling_narrow(sampling, draw, &n));
    double total = 0;
    for (int64_t i = 0; i < n; i++) total += draw->weights[draw->ids[i]];
    double left = ms_random_uniform(sampling->seed, ms_name_hash("sample"), draw_number(draw)) * total;
    *out_token = draw->ids[n - 1];
    for (int64_t i = 0; i < n; i++) {
        left -= draw->weights[draw->ids[i]];
        if (left >= 0) continue;
        *out_token = draw->ids[i];
        break;
    }
    return MS_OK;
}

double ms_log_probability(const float *logits, int64_t n, int32_t token) {
    double highest = -INFINITY, total = 0;
    for (int64_t i = 0; i < n; i++) highest = fmax(highest, (double)logits[i]);
    for (int64_t i = 0; i < n; i++) total += exp((double)logits[i] - highest);
    return (double)logits[token] - highest - log(total);
}
