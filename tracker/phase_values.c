#include "tracker/phase_values.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "platform/file.h"
#include "platform/json_lines.h"

static const char *const keys[MS_PHASE_N_KEYS] = {
#define X(key, rates) #key,
    MS_PHASE_KEYS(X)
#undef X
};

/* What has been read of a file so far. */
typedef struct reading {
    ms_phase_values *out;
    const char *path;
    long long i_line;
    int64_t last_step; /* of the last line; -1: none */
    int i_matrix;      /* of spectra: matrices of the snapshot at last_step */
    bool is_damaged;   /* a line was left out: snapshots that lack a matrix are too, from here on */
    int i_snapshot;    /* of metrics: the first snapshot that is not before the line */
    double loss;       /* of metrics: sum and count since the last snapshot */
    int n_losses;
} reading;

typedef ms_status (*line_reader)(reading *at, const json_t *line);

/* Makes room for one more element of so many bytes; arrays grow by doubling at powers of two. */
static ms_status grow(void *array_pointer, size_t n, size_t element_bytes) {
    if (n != 0 && (n & (n - 1)) != 0) return MS_OK;
    void *old;
    memcpy(&old, array_pointer, sizeof old);
    void *larger = realloc(old, (n ? 2 * n : 1) * element_bytes);
    if (!larger) return MS_FAIL(MS_OUT_OF_MEMORY, "phases: %zu entries", 2 * n);
    memcpy(array_pointer, &larger, sizeof larger);
    return MS_OK;
}

static ms_status get_integer(const reading *at, const json_t *line, const char *key, int64_t *out) {
    const json_t *value = json_object_get(line, key);
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return MS_FAIL(MS_CORRUPT, "%s line %lld: no integer \"%s\" of at least 0", at->path, at->i_line, key);
    *out = json_integer_value(value);
    return MS_OK;
}

static ms_status get_step(const reading *at, const json_t *line, int64_t *out) {
    MS_TRY(get_integer(at, line, "step", out));
    if (*out >= at->last_step) return MS_OK;
    return MS_FAIL(MS_CORRUPT, "%s line %lld: step %lld after step %lld", at->path, at->i_line, (long long)*out,
                   (long long)at->last_step);
}

/* --- spectra.jsonl --- */

/* The first snapshot names the matrices; the others have the same in the same order.  *out_is_foreign: not so, since
   lines before it were left out. */
static ms_status read_matrix(reading *at, const json_t *line, bool *out_is_foreign) {
    ms_phase_values *out = at->out;
    *out_is_foreign = false;
    ms_phase_matrix matrix = {0};
    int64_t layer = 0;
    MS_TRY(get_integer(at, line, "layer", &layer));
    const char *projection = json_string_value(json_object_get(line, "projection"));
    size_t length = projection ? strlen(projection) : 0;
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
    if (length == 0 || length >= MS_PHASE_NAME_SIZE || strspn(projection, letters) != length || layer > 100000)
        return MS_FAIL(MS_CORRUPT,
                       "%s line %lld: no \"projection\" of 1 to %d letters, digits and _ with a \"layer\" up to 100000",
                       at->path, at->i_line, MS_PHASE_NAME_SIZE - 1);
    matrix.layer = (int)layer;
    strcpy(matrix.projection, projection);
    if (out->n_snapshots <= 1) {
        MS_TRY(grow(&out->matrices, (size_t)out->n_matrices, sizeof matrix));
        out->matrices[out->n_matrices++] = matrix;
        return MS_OK;
    }
    if (at->i_matrix < out->n_matrices && out->matrices[at->i_matrix].layer == matrix.layer &&
        strcmp(out->matrices[at->i_matrix].projection, projection) == 0)
        return MS_OK;
    *out_is_foreign = at->is_damaged;
    if (at->is_damaged) return MS_OK;
    return MS_FAIL(MS_CORRUPT, "%s line %lld: layer %d %s is not what the first snapshot has in this place", at->path,
                   at->i_line, matrix.layer, projection);
}

static ms_status begin_snapshot(reading *at, int64_t step) {
    ms_phase_values *out = at->out;
    if (out->n_snapshots > 0 && at->i_matrix < out->n_matrices && at->is_damaged) {
        out->n_snapshots--;
    } else if (out->n_snapshots > 0 && at->i_matrix < out->n_matrices) {
        return MS_FAIL(MS_CORRUPT, "%s line %lld: the snapshot of step %lld has %d of %d matrices", at->path,
                       at->i_line, (long long)at->last_step, at->i_matrix, out->n_matrices);
    }
    MS_TRY(grow(&out->steps, (size_t)out->n_snapshots, sizeof *out->steps));
    out->steps[out->n_snapshots++] = step;
    at->i_matrix = 0;
    return MS_OK;
}

static ms_status read_spectrum(reading *at, const json_t *line) {
    ms_phase_values *out = at->out;
    int64_t step = 0;
    MS_TRY(get_step(at, line, &step));
    if (step == 0) return MS_OK; /* no update yet */
    if (out->n_snapshots == 0 || step > out->steps[out->n_snapshots - 1]) MS_TRY(begin_snapshot(at, step));
    at->last_step = step;
    bool is_foreign;
    MS_TRY(read_matrix(at, line, &is_foreign));
    if (is_foreign) return MS_OK;
    size_t n_before = (size_t)(out->n_snapshots - 1) * (size_t)out->n_matrices;
    size_t n = out->n_snapshots > 1 ? n_before + (size_t)at->i_matrix : (size_t)at->i_matrix;
    MS_TRY(grow(&out->values, n, MS_PHASE_N_KEYS * sizeof(double)));
    for (int k = 0; k < MS_PHASE_N_KEYS; k++) {
        const json_t *value = json_object_get(line, keys[k]);
        if (value && !json_is_number(value) && !json_is_null(value))
            return MS_FAIL(MS_CORRUPT, "%s line %lld: \"%s\" is no number", at->path, at->i_line, keys[k]);
        out->values[n * MS_PHASE_N_KEYS + (size_t)k] = json_is_number(value) ? json_number_value(value) : NAN;
    }
    at->i_matrix++;
    return MS_OK;
}

/* --- metrics.jsonl --- */

static ms_status read_metric(reading *at, const json_t *line) {
    ms_phase_values *out = at->out;
    int64_t step = 0;
    MS_TRY(get_step(at, line, &step));
    at->last_step = step;
    const json_t *loss = json_object_get(line, "loss");
    while (at->i_snapshot < out->n_snapshots && step > out->steps[at->i_snapshot]) {
        at->i_snapshot++;
        at->loss = 0;
        at->n_losses = 0;
    }
    if (at->i_snapshot == out->n_snapshots || !json_is_number(loss)) return MS_OK;
    at->loss += json_number_value(loss);
    at->n_losses++;
    out->loss[at->i_snapshot] = at->loss / at->n_losses;
    return MS_OK;
}

/* --- both --- */

static ms_status read_lines(const char *path, line_reader read_line, reading *at) {
    char *text;
    size_t size_bytes;
    MS_TRY(ms_file_read(path, &text, &size_bytes)); /* not mapped: the run may be writing it */
    ms_status status = MS_OK;
    ms_json_lines lines = {.data = text, .size_bytes = size_bytes};
    *at = (reading){.out = at->out, .path = path, .last_step = -1};
    while (status == MS_OK && ms_json_lines_next(&lines)) {
        at->i_line = lines.number;
        at->is_damaged |= !lines.value;
        status = lines.value ? read_line(at, lines.value) : ms_json_bad_lines_add(&at->out->bad, path, &lines);
    }
    ms_json_lines_finish(&lines);
    free(text);
    return status;
}

/* [snapshot][matrix][key] to [key][matrix][snapshot]. */
static ms_status transpose(ms_phase_values *out) {
    size_t n = (size_t)out->n_snapshots, m = (size_t)out->n_matrices;
    out->series = calloc(n * m * MS_PHASE_N_KEYS + 1, sizeof *out->series);
    if (!out->series) return MS_FAIL(MS_OUT_OF_MEMORY, "phases: %zu values", n * m);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < m; j++)
            for (size_t k = 0; k < MS_PHASE_N_KEYS; k++)
                out->series[(k * m + j) * n + i] = out->values[(i * m + j) * MS_PHASE_N_KEYS + k];
    return MS_OK;
}

static ms_status read_files(const char *metrics_path, const char *spectra_path, ms_phase_values *out) {
    reading at = {.out = out};
    MS_TRY(read_lines(spectra_path, read_spectrum, &at));
    if (out->n_snapshots > 1 && at.i_matrix < out->n_matrices) out->n_snapshots--; /* still being written, or cut off */
    out->loss = calloc((size_t)out->n_snapshots + 1, sizeof *out->loss);
    if (!out->loss) return MS_FAIL(MS_OUT_OF_MEMORY, "phases: %d snapshots", out->n_snapshots);
    for (int i = 0; i < out->n_snapshots; i++) out->loss[i] = NAN;
    MS_TRY(read_lines(metrics_path, read_metric, &at));
    return transpose(out);
}

ms_status ms_phase_values_init(const char *metrics_path, const char *spectra_path, ms_phase_values *out) {
    *out = (ms_phase_values){0};
    ms_status status = read_files(metrics_path, spectra_path, out);
    if (status != MS_OK) ms_phase_values_finish(out);
    return status;
}

void ms_phase_values_finish(ms_phase_values *values) {
    free(values->steps);
    free(values->loss);
    free(values->matrices);
    free(values->values);
    free(values->series);
    *values = (ms_phase_values){0};
}

const double *ms_phase_values_of(const ms_phase_values *values, int i_key, int i_matrix) {
    return values->series +
           ((size_t)i_key * (size_t)values->n_matrices + (size_t)i_matrix) * (size_t)values->n_snapshots;
}
