#include "tracker/plot/plot_data.h"

#include <jansson.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "platform/file.h"
#include "platform/json_lines.h"

const char *const ms_plot_key_names[MS_PLOT_N_KEYS] = {
#define X(key) #key,
    MS_PLOT_KEYS(X)
#undef X
#define X(key, list, entry) #list,
        MS_PLOT_ENTRIES(X)
#undef X
};

const char *const ms_plot_column_names[MS_PLOT_N_KEYS] = {
#define X(key) #key,
    MS_PLOT_KEYS(X)
#undef X
#define X(key, list, entry) #key,
        MS_PLOT_ENTRIES(X)
#undef X
};

/* Where a line stands, for messages. */
typedef struct line_place {
    const char *path;
    long long i_line;
} line_place;

typedef ms_status (*line_reader)(const line_place *place, const json_t *line, ms_plot_data *data);

/* Makes room for one more element; arrays grow by doubling at powers of two. */
static ms_status grow(void **array, size_t n, size_t element_size) {
    if (n != 0 && (n & (n - 1)) != 0) return MS_OK;
    void *larger = realloc(*array, (n ? 2 * n : 1) * element_size);
    if (!larger) return MS_FAIL(MS_OUT_OF_MEMORY, "plot: %zu entries", 2 * n);
    *array = larger;
    return MS_OK;
}

static ms_status get_integer(const line_place *place, const json_t *line, const char *key, int64_t *out) {
    const json_t *value = json_object_get(line, key);
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return MS_FAIL(MS_CORRUPT, "%s line %lld: no integer \"%s\" of at least 0", place->path, place->i_line, key);
    *out = json_integer_value(value);
    return MS_OK;
}

static ms_status get_layer(const line_place *place, const json_t *line, int *out) {
    int64_t layer = 0;
    MS_TRY(get_integer(place, line, "layer", &layer));
    if (layer > MS_PLOT_LAYERS)
        return MS_FAIL(MS_CORRUPT, "%s line %lld: \"layer\" %lld is above %d", place->path, place->i_line,
                       (long long)layer, MS_PLOT_LAYERS);
    *out = (int)layer;
    return MS_OK;
}

/* A number; null gives NaN. */
static ms_status get_real(const line_place *place, const json_t *line, const char *key, double *out) {
    const json_t *value = json_object_get(line, key);
    if (!json_is_number(value) && !json_is_null(value))
        return MS_FAIL(MS_CORRUPT, "%s line %lld: no number \"%s\"", place->path, place->i_line, key);
    *out = json_is_null(value) ? NAN : json_number_value(value);
    return MS_OK;
}

/* The same of a key that lines of an older version lack: NaN too. */
static ms_status get_optional(const line_place *place, const json_t *line, const char *key, double *out) {
    *out = NAN;
    return json_object_get(line, key) ? get_real(place, line, key, out) : MS_OK;
}

/* One entry of an array of numbers; null in place of the array or of the entry gives NaN. */
static ms_status get_entry(const line_place *place, const json_t *line, const char *name, size_t entry, double *out) {
    const json_t *list = json_object_get(line, name), *value = json_array_get(list, entry);
    *out = NAN;
    if (!list || json_is_null(list)) return MS_OK;
    if (json_array_size(list) != MS_PLOT_O_ENTRIES || (!json_is_number(value) && !json_is_null(value)))
        return MS_FAIL(MS_CORRUPT, "%s line %lld: \"%s\" is no array of %d numbers", place->path, place->i_line, name,
                       MS_PLOT_O_ENTRIES);
    if (json_is_number(value)) *out = json_number_value(value);
    return MS_OK;
}

static ms_status get_deciles(const line_place *place, const json_t *line, ms_plot_loss *loss) {
    const json_t *deciles = json_object_get(line, "loss_by_frequency");
    if (!deciles) return MS_OK;
    loss->has_deciles = true;
    for (size_t k = 0; k < MS_PLOT_DECILES; k++) {
        const json_t *value = json_array_get(deciles, k);
        if (json_array_size(deciles) != MS_PLOT_DECILES || (!json_is_number(value) && !json_is_null(value)))
            return MS_FAIL(MS_CORRUPT, "%s line %lld: \"loss_by_frequency\" is no array of %d numbers", place->path,
                           place->i_line, MS_PLOT_DECILES);
        loss->deciles[k] = json_is_null(value) ? NAN : json_number_value(value);
    }
    return MS_OK;
}

/* A line with "loss", with "validation_loss", or with both. */
static ms_status read_metrics_line(const line_place *place, const json_t *line, ms_plot_data *data) {
    static const char *const keys[2] = {"loss", "validation_loss"};
    ms_plot_loss **lists[2] = {&data->training, &data->validation};
    size_t *counts[2] = {&data->n_training, &data->n_validation};
    ms_plot_loss loss = {0};
    MS_TRY(get_integer(place, line, "step", &loss.step));
    MS_TRY(get_integer(place, line, "tokens", &loss.tokens));
    if (!json_object_get(line, keys[0]) && !json_object_get(line, keys[1]))
        return MS_FAIL(MS_CORRUPT, "%s line %lld: neither \"loss\" nor \"validation_loss\"", place->path,
                       place->i_line);
    MS_TRY(get_deciles(place, line, &loss));
    for (int k = 0; k < 2; k++) {
        if (!json_object_get(line, keys[k])) continue;
        MS_TRY(get_real(place, line, keys[k], &loss.loss));
        void *list = *lists[k];
        MS_TRY(grow(&list, *counts[k], sizeof loss));
        *lists[k] = list;
        (*lists[k])[(*counts[k])++] = loss;
    }
    return MS_OK;
}

static ms_status find_projection(const line_place *place, const json_t *line, ms_plot_data *data, int *out) {
    const char *name = json_string_value(json_object_get(line, "projection"));
    size_t length = name ? strlen(name) : 0;
    if (length == 0 || length >= MS_PLOT_NAME_SIZE)
        return MS_FAIL(MS_CORRUPT, "%s line %lld: no string \"projection\" of 1 to %d bytes", place->path,
                       place->i_line, MS_PLOT_NAME_SIZE - 1);
    /* names become names of gnuplot data blocks */
    if (strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != length)
        return MS_FAIL(MS_CORRUPT, "%s line %lld: projection \"%s\": letters, digits and _ only", place->path,
                       place->i_line, name);
    for (*out = 0; *out < data->n_projections; (*out)++)
        if (strcmp(data->projections[*out], name) == 0) return MS_OK;
    if (data->n_projections == MS_PLOT_PROJECTIONS)
        return MS_FAIL(MS_CORRUPT, "%s line %lld: more than %d projections", place->path, place->i_line,
                       MS_PLOT_PROJECTIONS);
    memcpy(data->projections[data->n_projections++], name, length + 1);
    return MS_OK;
}

/* A line that does not fit what the first snapshot has, with the message set: it is left out where lines were, since
   the first snapshot may lack them. */
static ms_status leave_out(const ms_plot_data *data, ms_status status, bool *out_left_out) {
    *out_left_out = data->bad.n > 0;
    return *out_left_out ? MS_OK : status;
}

/* The matrices are those of the first snapshot, its layers without a gap: the plots name data blocks by them. */
static ms_status check_matrix(const line_place *place, const ms_plot_spectrum *spectrum, ms_plot_data *data,
                              bool *out_left_out) {
    *out_left_out = false;
    const char *projection = data->projections[spectrum->i_projection];
    long long first_step = (long long)(data->n_spectra > 0 ? data->spectra[0].step : spectrum->step);
    if (spectrum->step == first_step) {
        if (spectrum->layer > data->n_layers)
            return leave_out(data,
                             MS_FAIL(MS_CORRUPT,
                                     "%s line %lld: \"layer\" %d of projection \"%s\": layer %d is missing before it",
                                     place->path, place->i_line, spectrum->layer, projection, data->n_layers),
                             out_left_out);
        if (spectrum->layer == data->n_layers) data->n_layers++;
        data->n_matrices++;
        return MS_OK;
    }
    for (size_t i = 0; i < data->n_matrices; i++)
        if (data->spectra[i].layer == spectrum->layer && data->spectra[i].i_projection == spectrum->i_projection)
            return MS_OK;
    return leave_out(
        data,
        MS_FAIL(MS_CORRUPT,
                "%s line %lld: \"layer\" %d of projection \"%s\" is not in the first snapshot, of step %lld",
                place->path, place->i_line, spectrum->layer, projection, first_step),
        out_left_out);
}

static ms_status get_top(const line_place *place, const json_t *line, ms_plot_spectrum *spectrum) {
    const json_t *top = json_object_get(line, "sigma_top");
    if (!json_is_array(top) || json_array_size(top) < 1)
        return MS_FAIL(MS_CORRUPT, "%s line %lld: no array \"sigma_top\"", place->path, place->i_line);
    for (size_t k = 0; k < json_array_size(top); k++) {
        const json_t *value = json_array_get(top, k);
        if (!json_is_number(value) && !json_is_null(value))
            return MS_FAIL(MS_CORRUPT, "%s line %lld: entry %zu of \"sigma_top\" is no number", place->path,
                           place->i_line, k + 1);
        if (k < MS_PLOT_TOP) spectrum->top[spectrum->n_top++] = json_is_null(value) ? NAN : json_number_value(value);
    }
    return MS_OK;
}

static ms_status read_spectrum_line(const line_place *place, const json_t *line, ms_plot_data *data) {
    ms_plot_spectrum spectrum = {0};
    MS_TRY(get_integer(place, line, "step", &spectrum.step));
    MS_TRY(get_integer(place, line, "tokens", &spectrum.tokens));
    MS_TRY(get_layer(place, line, &spectrum.layer));
    MS_TRY(find_projection(place, line, data, &spectrum.i_projection));
#define X(key) MS_TRY(get_optional(place, line, #key, &spectrum.values[MS_PLOT_##key]));
    MS_PLOT_KEYS(X)
#undef X
#define X(key, list, entry) MS_TRY(get_entry(place, line, #list, entry, &spectrum.values[MS_PLOT_##key]));
    MS_PLOT_ENTRIES(X)
#undef X
    MS_TRY(get_top(place, line, &spectrum));
    if (data->n_spectra > 0 && spectrum.step < data->spectra[data->n_spectra - 1].step)
        return MS_FAIL(MS_CORRUPT, "%s line %lld: step %lld after step %lld", place->path, place->i_line,
                       (long long)spectrum.step, (long long)data->spectra[data->n_spectra - 1].step);
    bool is_left_out;
    MS_TRY(check_matrix(place, &spectrum, data, &is_left_out));
    if (is_left_out) return MS_OK;
    void *list = data->spectra;
    MS_TRY(grow(&list, data->n_spectra, sizeof spectrum));
    data->spectra = list;
    data->spectra[data->n_spectra++] = spectrum;
    return MS_OK;
}

static ms_status read_lines(const char *path, line_reader read_line, ms_plot_data *data) {
    char *text;
    size_t size_bytes;
    MS_TRY(ms_file_read(path, &text, &size_bytes)); /* not mapped: the run may be writing it */
    ms_json_lines lines = {.data = text, .size_bytes = size_bytes};
    ms_status status = MS_OK;
    while (status == MS_OK && ms_json_lines_next(&lines)) {
        const line_place place = {path, lines.number};
        status = lines.value ? read_line(&place, lines.value, data) : ms_json_bad_lines_add(&data->bad, path, &lines);
    }
    ms_json_lines_finish(&lines);
    free(text);
    return status;
}

/* A snapshot that is still being written, or was cut off by a crash: the ones before it are shown. */
static void drop_partial_snapshot(ms_plot_data *data) {
    size_t begin = data->n_spectra;
    while (begin > 0 && data->spectra[begin - 1].step == data->spectra[data->n_spectra - 1].step) begin--;
    if (begin > 0 && data->n_spectra - begin < data->n_matrices) data->n_spectra = begin;
}

static ms_status read_files(const char *metrics_path, const char *spectra_path, ms_plot_data *data) {
    MS_TRY(read_lines(metrics_path, read_metrics_line, data));
    if (data->n_training + data->n_validation == 0)
        return MS_FAIL(MS_NOT_FOUND, "%s has no complete line yet", metrics_path);
    if (!spectra_path) return MS_OK;
    MS_TRY(read_lines(spectra_path, read_spectrum_line, data));
    if (data->n_spectra == 0) return MS_FAIL(MS_NOT_FOUND, "%s has no complete line yet", spectra_path);
    drop_partial_snapshot(data);
    data->layers = malloc(sizeof *data->layers * (size_t)data->n_layers);
    if (!data->layers) return MS_FAIL(MS_OUT_OF_MEMORY, "plot: %d layers", data->n_layers);
    for (int i = 0; i < data->n_layers; i++) data->layers[i] = i;
    return MS_OK;
}

/* --- probes --- */

/* Lines are in the order of steps and layers, and the layers are those of the first snapshot, which has no gap. */
static ms_status check_probe(const line_place *place, const ms_plot_probe *probe, ms_plot_data *data,
                             bool *out_left_out) {
    *out_left_out = false;
    const ms_plot_probe *last = data->n_probes > 0 ? &data->probes[data->n_probes - 1] : NULL;
    long long first_step = (long long)(last ? data->probes[0].step : probe->step);
    if (last && probe->step < last->step)
        return MS_FAIL(MS_CORRUPT, "%s line %lld: step %lld after step %lld", place->path, place->i_line,
                       (long long)probe->step, (long long)last->step);
    if (last && probe->step == last->step && probe->layer <= last->layer)
        return MS_FAIL(MS_CORRUPT, "%s line %lld: layer %d after layer %d", place->path, place->i_line, probe->layer,
                       last->layer);
    if (probe->step == first_step && (size_t)probe->layer != data->n_probe_layers)
        return leave_out(data,
                         MS_FAIL(MS_CORRUPT, "%s line %lld: \"layer\" %d: layer %zu is missing before it", place->path,
                                 place->i_line, probe->layer, data->n_probe_layers),
                         out_left_out);
    if (probe->step == first_step)
        data->n_probe_layers++;
    else if ((size_t)probe->layer >= data->n_probe_layers)
        return leave_out(data,
                         MS_FAIL(MS_CORRUPT, "%s line %lld: \"layer\" %d is not in the first snapshot, of step %lld",
                                 place->path, place->i_line, probe->layer, first_step),
                         out_left_out);
    return MS_OK;
}

/* Of any number of heads. */
static ms_status get_entropies(const line_place *place, const json_t *line, ms_plot_data *data, ms_plot_probe *probe) {
    const json_t *entropy = json_object_get(line, "attention_entropy");
    size_t n_heads = json_array_size(entropy); /* 0 of what is no array */
    if (n_heads < 1 || n_heads > INT_MAX)
        return MS_FAIL(MS_CORRUPT, "%s line %lld: \"attention_entropy\" is no array of numbers, one a head",
                       place->path, place->i_line);
    probe->i_entropy = data->n_entropies;
    probe->n_heads = (int)n_heads;
    for (size_t h = 0; h < n_heads; h++) {
        const json_t *value = json_array_get(entropy, h);
        if (!json_is_number(value) && !json_is_null(value))
            return MS_FAIL(MS_CORRUPT, "%s line %lld: entry %zu of \"attention_entropy\" is no number", place->path,
                           place->i_line, h + 1);
        void *list = data->entropies;
        MS_TRY(grow(&list, data->n_entropies, sizeof *data->entropies));
        data->entropies = list;
        data->entropies[data->n_entropies++] = json_is_null(value) ? NAN : json_number_value(value);
    }
    return MS_OK;
}

static ms_status read_probe_line(const line_place *place, const json_t *line, ms_plot_data *data) {
    ms_plot_probe probe = {0};
    MS_TRY(get_integer(place, line, "step", &probe.step));
    MS_TRY(get_integer(place, line, "tokens", &probe.tokens));
    MS_TRY(get_layer(place, line, &probe.layer));
    MS_TRY(get_entropies(place, line, data, &probe));
    bool is_left_out;
    MS_TRY(check_probe(place, &probe, data, &is_left_out));
    if (is_left_out) return MS_OK;
    void *list = data->probes;
    MS_TRY(grow(&list, data->n_probes, sizeof probe));
    data->probes = list;
    data->probes[data->n_probes++] = probe;
    return MS_OK;
}

/* As drop_partial_snapshot. */
static void drop_partial_probes(ms_plot_data *data) {
    size_t begin = data->n_probes;
    while (begin > 0 && data->probes[begin - 1].step == data->probes[data->n_probes - 1].step) begin--;
    if (data->n_probes - begin < data->n_probe_layers) data->n_probes = begin;
}

ms_status ms_plot_data_read_probes(ms_plot_data *data, const char *path) {
    MS_TRY(read_lines(path, read_probe_line, data));
    drop_partial_probes(data);
    return MS_OK;
}

ms_status ms_plot_data_init(const char *metrics_path, const char *spectra_path, ms_plot_data *out) {
    memset(out, 0, sizeof *out);
    ms_status status = read_files(metrics_path, spectra_path, out);
    if (status != MS_OK) ms_plot_data_finish(out);
    return status;
}

void ms_plot_data_finish(ms_plot_data *data) {
    free(data->training);
    free(data->validation);
    free(data->spectra);
    free(data->layers);
    free(data->probes);
    free(data->entropies);
    free(data->changes);
    memset(data, 0, sizeof *data);
}
