#include "tracker/last.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t numbers_of(int rows, int cols) { return ((size_t)rows + (size_t)cols) * MS_LAST_VECTORS; }

size_t ms_last_matrix_bytes(int rows, int cols) { return sizeof(double) * numbers_of(rows, cols); }

ms_status ms_last_snapshot_init(const int *rows, const int *cols, int n, ms_last_snapshot *out) {
    size_t count = 0;
    for (int i = 0; i < n; i++) count += numbers_of(rows[i], cols[i]);
    *out = (ms_last_snapshot){.step = -1, .n = n};
    out->matrices = calloc((size_t)n + 1, sizeof *out->matrices);
    out->memory = calloc(count + 1, sizeof(double));
    if (!out->matrices || !out->memory) {
        ms_last_snapshot_finish(out);
        return MS_FAIL(MS_OUT_OF_MEMORY, "tracker: singular vectors of %d matrices", n);
    }
    double *place = out->memory;
    for (int i = 0; i < n; i++) {
        double *right = place + (size_t)rows[i] * MS_LAST_VECTORS;
        out->matrices[i] = (ms_last_matrix){.rows = rows[i], .cols = cols[i], .left = place, .right = right};
        place += numbers_of(rows[i], cols[i]);
    }
    return MS_OK;
}

void ms_last_snapshot_finish(ms_last_snapshot *last) {
    free(last->matrices);
    free(last->memory);
    *last = (ms_last_snapshot){.step = -1};
}

/* --- "STEP N", then of each matrix " ROWS COLS S1 VECTORS": left, then right, or "-" where it has none --- */

enum { DIGITS = 16, HEAD = 80 };

static char *put(char *text, double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    for (int i = DIGITS - 1; i >= 0; i--, bits >>= 4) text[i] = "0123456789abcdef"[bits & 15];
    return text + DIGITS;
}

/* What follows the number; NULL: there is none. */
static const char *take(const char *text, double *out) {
    uint64_t bits = 0;
    for (int i = 0; i < DIGITS; i++) {
        char c = text[i];
        if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f')) return NULL;
        bits = bits << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    memcpy(out, &bits, sizeof bits);
    return text + DIGITS;
}

ms_status ms_last_snapshot_print(const ms_last_snapshot *last, char **out_text) {
    size_t size = HEAD;
    int n = last->step < 0 ? 0 : last->n;
    for (int i = 0; i < n; i++) {
        const ms_last_matrix *of = &last->matrices[i];
        size += HEAD + (of->has_vectors ? DIGITS * numbers_of(of->rows, of->cols) : 0);
    }
    char *text = malloc(size), *end = text;
    *out_text = text;
    if (!text) return MS_FAIL(MS_OUT_OF_MEMORY, "tracker: no memory for the state of %d matrices", last->n);
    end += snprintf(end, HEAD, "%" PRId64 " %d", last->step, n);
    for (int i = 0; i < n; i++) {
        const ms_last_matrix *of = &last->matrices[i];
        size_t count = of->has_vectors ? numbers_of(of->rows, of->cols) : 0;
        end += snprintf(end, HEAD, " %d %d ", of->rows, of->cols);
        end = put(end, of->sigma_max);
        *end++ = ' ';
        if (count == 0) *end++ = '-';
        for (size_t k = 0; k < count; k++) end = put(end, of->left[k]); /* the right ones follow */
    }
    *end = '\0';
    return MS_OK;
}

/* What follows matrix i; NULL: the text does not have it. */
static const char *read_matrix(const char *text, ms_last_matrix *of) {
    char head[HEAD];
    size_t length = (size_t)snprintf(head, sizeof head, " %d %d ", of->rows, of->cols);
    if (strncmp(text, head, length) != 0) return NULL;
    text = take(text + length, &of->sigma_max);
    if (!text || !(of->sigma_max >= 0) || !isfinite(of->sigma_max) || *text++ != ' ') return NULL;
    of->has_vectors = *text != '-';
    if (!of->has_vectors) return text + 1;
    size_t count = numbers_of(of->rows, of->cols);
    for (size_t k = 0; k < count && text; k++) {
        text = take(text, &of->left[k]);
        if (text && !(fabs(of->left[k]) <= 1 + 1e-9)) return NULL;
    }
    return text;
}

ms_status ms_last_snapshot_read(const char *text, int64_t latest_step, ms_last_snapshot *last) {
    char *number;
    last->step = -1;
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
    if (*rest != '\0')
        return MS_FAIL(MS_CORRUPT, "checkpoint: the last snapshot has more than %" PRId64 " matrices", n);
    last->step = step;
    return MS_OK;
}
