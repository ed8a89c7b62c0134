#include "tracker/full_spectra.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/directory.h"
#include "platform/file.h"
#include "platform/temporary.h"
#include "tracker/npy.h"

/* Of a file's name; bytes of a line of the index, at most. */
enum { NAME_SIZE = 48, LINE_BYTES = 160 };

/* One row of a file: whose spectrum it is. */
typedef struct spectrum_row {
    const ms_tracked_matrix *matrix;
    ms_spectrum_of of;
} spectrum_row;

struct ms_full_spectra {
    char *folder; /* for messages */
    int directory;
    ms_run_log *index;
    spectrum_row *rows; /* [n_rows]: W of each matrix, then each other thing that snapshots have, matrix by matrix */
    int n_rows, longest, n_matrices;
    int first_row[MS_SPECTRUM_OF_COUNT]; /* of each thing; -1: snapshots do not have it */
};

/* --- sizes --- */

static int rank_of(const ms_tracked_matrix *matrix) {
    return matrix->rows < matrix->cols ? matrix->rows : matrix->cols;
}

static bool is_there(const ms_full_options *options, int of) {
    if (of == MS_SPECTRUM_OF_MOMENTUM) return options->has_momentum;
    return of != MS_SPECTRUM_OF_ORTHOGONAL || options->has_orthogonal;
}

static size_t rows_of(const ms_full_options *options) {
    size_t n = 0;
    for (int of = 0; of < MS_SPECTRUM_OF_COUNT; of++) n += is_there(options, of) ? (size_t)options->n_matrices : 0;
    return n;
}

static int longest_of(const ms_full_options *options) {
    int longest = 0;
    for (int i = 0; i < options->n_matrices; i++)
        if (rank_of(&options->matrices[i]) > longest) longest = rank_of(&options->matrices[i]);
    return longest;
}

size_t ms_full_spectra_planned_bytes(const ms_full_options *options) {
    return sizeof(ms_full_spectra) + rows_of(options) * sizeof(spectrum_row);
}

size_t ms_full_spectra_values_bytes(const ms_full_options *options) {
    return rows_of(options) * (size_t)longest_of(options) * sizeof(double);
}

size_t ms_full_spectra_disk_bytes(const ms_full_options *options) {
    return ms_npy_bytes(rows_of(options), (size_t)longest_of(options)) + rows_of(options) * LINE_BYTES;
}

/* --- files --- */

static const char *name_of(int64_t step, char out[NAME_SIZE]) {
    snprintf(out, NAME_SIZE, "step_%08" PRId64 ".npy", step);
    return out;
}

/* Whether it is a name of name_of; temporary names begin with one. */
static bool parse_name(const char *name, int64_t *out_step, bool *out_is_temporary) {
    char again[NAME_SIZE];
    if (sscanf(name, "step_%" SCNd64, out_step) != 1 || *out_step < 0) return false;
    size_t length = strlen(name_of(*out_step, again));
    if (strncmp(name, again, length) != 0) return false;
    *out_is_temporary = ms_temporary_is_of(name, again);
    return *out_is_temporary || name[length] == '\0';
}

static ms_status remove_files(int directory, const char *folder, int64_t after_step) {
    ms_listing names;
    ms_status status = ms_listing_read_opened(directory, folder, &names);
    for (size_t i = 0; status == MS_OK && i < names.n; i++) {
        int64_t step;
        bool is_temporary;
        if (!parse_name(names.names[i], &step, &is_temporary) || (step <= after_step && !is_temporary)) continue;
        char *path = ms_path_join(folder, names.names[i]);
        status = path ? ms_directory_remove_entry(directory, names.names[i], path)
                      : MS_FAIL(MS_OUT_OF_MEMORY, "%s: no memory for a path", folder);
        free(path);
    }
    ms_listing_finish(&names);
    return status;
}

/* The folder is made where it is missing. */
static ms_status open_folder(const char *folder, int64_t resume_after_step, const ms_run_log_plan *plan,
                             ms_full_spectra *to) {
    char *index = ms_path_join(folder, "index.jsonl");
    to->folder = strdup(folder);
    ms_status status = index && to->folder ? MS_OK : MS_FAIL(MS_OUT_OF_MEMORY, "%s: no memory for a path", folder);
    if (status == MS_OK) status = ms_directory_require(folder);
    if (status == MS_OK) status = ms_directory_open(folder, &to->directory);
    if (status == MS_OK) status = remove_files(to->directory, folder, resume_after_step);
    if (status == MS_OK) status = ms_run_log_open(index, resume_after_step, plan, &to->index);
    free(index);
    return status;
}

static ms_status close_folder(ms_full_spectra *of) {
    ms_status status = ms_run_log_close(of->index);
    ms_descriptor_close(of->directory);
    free(of->folder);
    return status;
}

ms_status ms_full_spectra_cut(const char *folder, int64_t after_step, ms_run_log_mending *out_mending) {
    const ms_run_log_plan plan = {.lines_per_step = 1, .keys = ms_run_log_index_keys};
    *out_mending = (ms_run_log_mending){0};
    ms_full_spectra cut = {.directory = -1};
    int directory;
    ms_status status = ms_directory_open(folder, &directory);
    if (status == MS_NOT_FOUND) return MS_OK;
    MS_TRY(status);
    ms_descriptor_close(directory);
    status = open_folder(folder, after_step, &plan, &cut);
    if (status == MS_OK) *out_mending = *ms_run_log_get_mending(cut.index);
    ms_status closed = close_folder(&cut);
    return status == MS_OK ? closed : status;
}

/* --- the values of a snapshot --- */

void ms_full_spectra_forget(const ms_full_spectra *to, double *values) {
    for (size_t k = 0; k < (size_t)to->n_rows * (size_t)to->longest; k++) values[k] = NAN;
}

static ms_status make_rows(const ms_full_options *options, ms_full_spectra *to) {
    size_t n_rows = rows_of(options);
    to->n_matrices = options->n_matrices;
    to->longest = longest_of(options);
    to->rows = calloc(n_rows, sizeof *to->rows);
    if (!to->rows) return MS_FAIL(MS_OUT_OF_MEMORY, "complete spectra: no memory for %zu rows", n_rows);
    for (int of = 0; of < MS_SPECTRUM_OF_COUNT; of++) {
        to->first_row[of] = is_there(options, of) ? to->n_rows : -1;
        for (int i = 0; i < to->n_matrices && is_there(options, of); i++)
            to->rows[to->n_rows++] = (spectrum_row){&options->matrices[i], (ms_spectrum_of)of};
    }
    return MS_OK;
}

static bool is_own_line(const void *context, const json_t *line) {
    const ms_full_options *options = context;
    return ms_tracked_matrices_have(options->matrices, options->n_matrices, line);
}

ms_status ms_full_spectra_open(const ms_full_options *options, ms_full_spectra **out) {
    *out = NULL;
    ms_full_spectra *to = calloc(1, sizeof *to);
    if (!to) return MS_FAIL(MS_OUT_OF_MEMORY, "complete spectra: no memory");
    to->directory = -1;
    ms_status status = make_rows(options, to);
    const ms_run_log_plan plan = {.every = options->planned_every,
                                  .lines_per_step = to->n_rows,
                                  .keys = ms_run_log_index_keys,
                                  .is_own = is_own_line,
                                  .context = options};
    if (status == MS_OK && options->folder)
        status = open_folder(options->folder, options->resume_after_step, &plan, to);
    if (status == MS_OK)
        *out = to;
    else
        ms_full_spectra_close(to);
    return status;
}

double *const *ms_full_spectra_places(const ms_full_spectra *to, double *values, int i,
                                      double *out[MS_SPECTRUM_OF_COUNT]) {
    for (int of = 0; of < MS_SPECTRUM_OF_COUNT; of++)
        out[of] = to->first_row[of] < 0 ? NULL : values + (size_t)(to->first_row[of] + i) * (size_t)to->longest;
    return out;
}

static ms_status write_file(const ms_full_spectra *to, const double *values, const char *name, int n_rows) {
    char *path = ms_path_join(to->folder, name);
    if (!path) return MS_FAIL(MS_OUT_OF_MEMORY, "%s: no memory for a path", to->folder);
    ms_writer writer;
    ms_status status = ms_writer_open_entry(to->directory, name, path, &writer);
    free(path);
    MS_TRY(status);
    status = ms_npy_write(&writer, values, (size_t)n_rows, (size_t)to->longest);
    if (status == MS_OK) return ms_writer_commit(&writer);
    ms_writer_abort(&writer);
    return status;
}

/* The line of row i, which begins with `value`.  A jansson call that runs out of memory leaves it short: the count of
   keys tells. */
static ms_status add_line(const ms_full_spectra *to, int64_t step, double value, int i, json_t *lines) {
    const spectrum_row *row = &to->rows[i];
    char file[NAME_SIZE];
    bool is_known = !isnan(value);
    json_t *const about[] = {json_integer(step),
                             json_integer(row->matrix->layer),
                             json_string(row->matrix->projection),
                             json_string(ms_spectrum_of_names[row->of]),
                             json_string(name_of(step, file)),
                             json_integer(i),
                             json_integer(is_known ? rank_of(row->matrix) : 0)};
    json_t *line = json_object();
    size_t n_keys = 0;
#define KEY(key, ...)                                                                                                  \
    json_object_set_new(line, #key, about[n_keys]);                                                                    \
    n_keys++;
#include "tracker/full_spectra.def"
    bool complete = json_object_size(line) == n_keys;
    if (json_array_append_new(lines, line) == 0 && complete) return MS_OK;
    return MS_FAIL(MS_OUT_OF_MEMORY, "%s: no memory for its index", to->folder);
}

ms_status ms_full_spectra_write(ms_full_spectra *to, const double *values, int64_t step, bool has_update) {
    char name[NAME_SIZE];
    int n_rows = has_update ? to->n_rows : to->n_matrices;
    MS_TRY(write_file(to, values, name_of(step, name), n_rows));
    json_t *lines = json_array();
    ms_status status = lines ? MS_OK : MS_FAIL(MS_OUT_OF_MEMORY, "%s: no memory for its index", to->folder);
    for (int i = 0; i < n_rows && status == MS_OK; i++)
        status = add_line(to, step, values[(size_t)i * (size_t)to->longest], i, lines);
    if (status == MS_OK) status = ms_run_log_append_all(to->index, lines);
    json_decref(lines);
    return status;
}

const ms_run_log_mending *ms_full_spectra_mending(const ms_full_spectra *of) {
    return ms_run_log_get_mending(of->index);
}

ms_status ms_full_spectra_check(const ms_full_spectra *of) { return ms_run_log_check(of->index); }

ms_status ms_full_spectra_close(ms_full_spectra *of) {
    if (!of) return MS_OK;
    ms_status status = close_folder(of);
    free(of->rows);
    free(of);
    return status;
}
