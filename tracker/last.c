#include "tracker/last.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tracker/exact_text.h"

static size_t numbers_of(int rows, int cols) { return ((size_t)rows + (size_t)cols) * MS_LAST_VECTORS; }

size_t ms_last_matrix_bytes(int rows, int cols) { return sizeof(double) * numbers_of(rows, cols); }

ms_status ms_last_snapshot_init(const ms_tracked_matrix *matrices, int n, ms_last_snapshot *out) {
    size_t count = 0;
    for (int i = 0; i < n; i++) count += numbers_of(matrices[i].rows, matrices[i].cols);
    *out = (ms_last_snapshot){.step = -1, .n = n};
    out->matrices = calloc((size_t)n + 1, sizeof *out->matrices);
    out->memory = calloc(count + 1, sizeof(double));
    out->first_sigma = calloc((size_t)n + 1, sizeof(double));
    if (!out->matrices || !out->memory || !out->first_sigma) {
        ms_last_snapshot_finish(out);
        return MS_FAIL(MS_OUT_OF_MEMORY, "tracker: singular vectors of %d matrices", n);
    }
    for (int i = 0; i < n; i++) out->first_sigma[i] = NAN;
    double *place = out->memory;
    for (int i = 0; i < n; i++) {
        int rows = matrices[i].rows, cols = matrices[i].cols;
        double *right = place + (size_t)rows * MS_LAST_VECTORS;
        out->matrices[i] = (ms_last_matrix){.rows = rows, .cols = cols, .left = place, .right = right};
        place += numbers_of(rows, cols);
    }
    return MS_OK;
}

void ms_last_snapshot_finish(ms_last_snapshot *last) {
    free(last->matrices);
    free(last->memory);
    free(last->first_sigma);
    *last = (ms_last_snapshot){.step = -1};
}

/* --- bytes: of s1, of whether it has vectors, then the vectors --- */

size_t ms_last_matrix_packed_bytes(int rows, int cols) { return 2 * sizeof(double) + ms_last_matrix_bytes(rows, cols); }

void ms_last_matrix_pack(const ms_last_matrix *of, void *out) {
    const double head[2] = {of->sigma_max, of->has_vectors};
    memcpy(out, head, sizeof head);
    memcpy((char *)out + sizeof head, of->left, ms_last_matrix_bytes(of->rows, of->cols)); /* the right ones follow */
}

void ms_last_matrix_unpack(const void *bytes, ms_last_matrix *of) {
    double head[2];
    memcpy(head, bytes, sizeof head);
    of->sigma_max = head[0];
    of->has_vectors = head[1] != 0;
    memcpy(of->left, (const char *)bytes + sizeof head, ms_last_matrix_bytes(of->rows, of->cols));
}

/* --- "STEP N", then of each matrix " ROWS COLS S1 VECTORS": left, then right, or "-" where it has none; then " first",
   and of each matrix s1 before any update, where that is known --- */

enum { HEAD = 80 };
static const char first[] = " first ";

ms_status ms_last_snapshot_print(const ms_last_snapshot *last, char **out_text) {
    size_t size = 2 * HEAD;
    int n = last->step < 0 ? 0 : last->n;
    for (int i = 0; i < n; i++) {
        const ms_last_matrix *of = &last->matrices[i];
        size += HEAD + MS_EXACT_F64 + (of->has_vectors ? MS_EXACT_F64 * numbers_of(of->rows, of->cols) : 0);
    }
    char *text = malloc(size), *end = text;
    *out_text = text;
    if (!text) return MS_FAIL(MS_OUT_OF_MEMORY, "tracker: no memory for the state of %d matrices", last->n);
    end += snprintf(end, HEAD, "%" PRId64 " %d", last->step, n);
    for (int i = 0; i < n; i++) {
        const ms_last_matrix *of = &last->matrices[i];
        size_t count = of->has_vectors ? numbers_of(of->rows, of->cols) : 0;
        end += snprintf(end, HEAD, " %d %d ", of->rows, of->cols);
        end = ms_exact_put_f64(end, of->sigma_max);
        *end++ = ' ';
        if (count == 0) *end++ = '-';
        for (size_t k = 0; k < count; k++) end = ms_exact_put_f64(end, of->left[k]); /* the right ones follow */
    }
    if (n > 0 && isfinite(last->first_sigma[0])) {
        end += snprintf(end, HEAD, "%s", first);
        for (int i = 0; i < n; i++) end = ms_exact_put_f64(end, last->first_sigma[i]);
    }
    *end = '\0';
    return MS_OK;
}

/* What follows matrix i; NULL: the text does not have it. */
static const char *read_matrix(const char *text, ms_last_matrix *of) {
    char head[HEAD];
    size_t length = (size_t)snprintf(head, sizeof head, " %d %d ", of->rows, of->cols);
    if (strncmp(text, head, length) != 0) return NULL;
    text = ms_exact_take_f64(text + length, &of->sigma_max);
    if (!text || !(of->sigma_max >= 0) || !isfinite(of->sigma_max) || *text++ != ' ') return NULL;
    of->has_vectors = *text != '-';
    if (!of->has_vectors) return text + 1;
    size_t count = numbers_of(of->rows, of->cols);
    for (size_t k = 0; k < count && text; k++) {
        text = ms_exact_take_f64(text, &of->left[k]);
        if (text && !(fabs(of->left[k]) <= 1 + 1e-9)) return NULL;
    }
    return text;
}

/* s1 before any update, which older checkpoints lack. */
static ms_status read_first(const char **rest, int64_t n, ms_last_snapshot *last) {
    if (strncmp(*rest, first, strlen(first)) != 0) return MS_OK;
    *rest += strlen(first);
    for (int64_t i = 0; i < n; i++) {
        const char *next = ms_exact_take_f64(*rest, &last->first_sigma[i]);
        if (!next || !(last->first_sigma[i] >= 0) || !isfinite(last->first_sigma[i]))
            return MS_FAIL(MS_CORRUPT, "checkpoint: s1 before any update is damaged at matrix %" PRId64 " of %" PRId64,
                           i, n);
        *rest = next;
    }
    return MS_OK;
}

ms_status ms_last_snapshot_read(const char *text, int64_t latest_step, ms_last_snapshot *last) {
    char *number;
    last->step = -1;
    for (int i = 0; i < last->n; i++) last->first_sigma[i] = NAN;
    int64_t step = strtoll(text, &number, 10);
    if (number == text || step < -1 || step > latest_step)
        return MS_FAIL(MS_CORRUPT, "checkpoint: the last snapshot is of step %" PRId64 ", must be -1 to %" PRId64, step,
                       latest_step);
    int64_t n = strtoll(number, &number, 10), expected = step < 0 ? 0 : last->n;
    if (n != expected)
        return MS_FAIL(MS_CORRUPT, "checkpoint: the last snapshot has %" PRId64 " matrices, must have %" PRId64, n,
                       expected);
    const char *rest = number;
    for (int64_t i = 0; i < n; i++) {
        rest = read_matrix(rest, &last->matrices[i]);
        if (!rest)
            return MS_FAIL(MS_CORRUPT, "checkpoint: the last snapshot is damaged at matrix %" PRId64 " of %" PRId64, i,
                           n);
    }
    MS_TRY(read_first(&rest, n, last));
    if (*rest != '\0')
        return MS_FAIL(MS_CORRUPT, "checkpoint: the last snapshot has more than %" PRId64 " matrices", n);
    last->step = step;
    return MS_OK;
}
