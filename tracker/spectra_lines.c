#include "tracker/spectra_lines.h"

#include <math.h>

#include "tracker/run_log.h"

static json_t *real_array(const double *values, int n) {
    json_t *array = json_array();
    for (int i = 0; i < n; i++) json_array_append_new(array, ms_run_log_real(values[i]));
    return array;
}

/* One line.  A jansson call that runs out of memory leaves the object short: the count of keys tells. */
static ms_status make_line(const ms_spectra_source *source, int i, json_t *lines) {
    const ms_tracked_matrix *matrix = &source->tracked->matrices[i];
    const ms_spectrum *spectrum = &source->spectra[i];
    const ms_tracker_slot *slot = source->slot;
    json_t *const about[] = {json_integer(source->step),      json_integer(source->tokens), json_integer(matrix->layer),
                             json_string(matrix->projection), json_integer(matrix->rows),   json_integer(matrix->cols)};
    json_t *line = json_object();
    size_t n_keys = 0, n_about = 0;
    bool complete = true;
#define ABOUT(key, ...)                                                                                                \
    json_object_set_new(line, #key, about[n_about++]);                                                                 \
    n_keys++;
#define LIST(key, ...)                                                                                                 \
    json_object_set_new(line, #key, real_array(spectrum->key, spectrum->n_##key));                                     \
    n_keys++;                                                                                                          \
    complete &= json_array_size(json_object_get(line, #key)) == (size_t)spectrum->n_##key;
#define SCALAR(key, ...)                                                                                               \
    json_object_set_new(line, #key, ms_run_log_real(spectrum->key));                                                   \
    n_keys++;
#define SLOT(key, ...)                                                                                                 \
    json_object_set_new(line, #key, ms_run_log_real(slot->key[i]));                                                    \
    n_keys++;
#include "tracker/metrics.def"
    complete &= json_object_size(line) == n_keys;
    if (json_array_append_new(lines, line) != 0) complete = false;
    return complete ? MS_OK : MS_FAIL(MS_OUT_OF_MEMORY, "spectra line of %s", source->tracked->names[i]);
}

/* What the caller's numbers lack: s1 before any update, and the growth. */
static void complete_growth(const ms_spectra_source *source) {
    const ms_tracker_slot *slot = source->slot;
    for (int i = 0; i < source->tracked->n; i++) {
        const ms_spectrum *spectrum = &source->spectra[i];
        double *first = &source->first_sigma[i], bound = slot->growth_bound[i];
        if (!slot->has_update) *first = spectrum->sigma_max;
        slot->growth_efficiency[i] = bound > 0 ? spectrum->growth / bound : NAN;
        double by_noise = bound > 0 ? slot->growth_null[i] / bound : NAN;
        slot->growth_efficiency_null[i] = by_noise > 1 ? 1 : by_noise;
        slot->ceiling[i] += *first;
        slot->ceiling_measured[i] += *first;
        if (slot->ceiling_decay[i] <= *first) slot->ceiling_decay[i] = *first;
        if (isnan(*first)) slot->ceiling_decay[i] = NAN;
    }
}

ms_status ms_spectra_lines_make(const ms_spectra_source *source, json_t **out_lines) {
    json_t *lines = *out_lines = json_array();
    if (!lines) return MS_FAIL(MS_OUT_OF_MEMORY, "spectra lines");
    complete_growth(source);
    for (int i = 0; i < source->tracked->n; i++) MS_TRY(make_line(source, i, lines));
    return MS_OK;
}
