#include "cli/report/columns.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/report/notes.h"
#include "platform/json.h"
#include "tracker/random_matrix.h"
#include "tracker/run_log.h"

static const char what[] = "the report's data";

/* --- which lines --- */

ms_status ms_report_choose(size_t n, size_t most, size_t **out, size_t *out_n) {
    size_t stride = n > most && most > 1 ? (n - 2) / (most - 1) + 1 : 1;
    *out_n = 0;
    *out = malloc((n + 1) * sizeof **out);
    if (!*out) return MS_FAIL(MS_OUT_OF_MEMORY, "report: no memory for %zu lines", n);
    for (size_t i = 0; i + 1 < n; i += stride) (*out)[(*out_n)++] = i;
    if (n > 0) (*out)[(*out_n)++] = n - 1;
    return MS_OK;
}

ms_status ms_report_choose_extremes(const double *values, size_t n, size_t most, size_t **out, size_t *out_n) {
    if (n <= most || most < 4) return ms_report_choose(n, most, out, out_n);
    size_t stretch = 2 * n / (most - 2) + 1; /* two of each, with the first and the last line of all */
    *out_n = 0;
    *out = malloc((most + 4) * sizeof **out);
    if (!*out) return MS_FAIL(MS_OUT_OF_MEMORY, "report: no memory for %zu lines", most);
    (*out)[(*out_n)++] = 0;
    for (size_t begin = 1; begin + 1 < n; begin += stretch) {
        size_t end = begin + stretch < n - 1 ? begin + stretch : n - 1, least = begin, greatest = begin;
        for (size_t i = begin; i < end; i++) {
            if (values[i] < values[least] || !isfinite(values[least])) least = i;
            if (values[i] > values[greatest] || !isfinite(values[greatest])) greatest = i;
        }
        (*out)[(*out_n)++] = least < greatest ? least : greatest;
        if (least != greatest) (*out)[(*out_n)++] = least < greatest ? greatest : least;
    }
    (*out)[(*out_n)++] = n - 1;
    return MS_OK;
}

/* --- JSON --- */

static ms_status set_object(json_t *object, const char *key, json_t **out) {
    *out = json_object();
    return ms_json_set(object, what, key, *out);
}

static ms_status set_array(json_t *object, const char *key, json_t **out) {
    *out = json_array();
    return ms_json_set(object, what, key, *out);
}

static void key_name(const ms_report_key *key, char *out, size_t size) {
    if (key->entry < 0)
        snprintf(out, size, "%s", key->metric->key);
    else
        snprintf(out, size, "%s[%d]", key->metric->key, key->entry);
}

/* "about" says what each key is, once. */
static ms_status describe(json_t *about, const ms_metric *metric) {
    json_t *entry;
    if (json_object_get(about, metric->key)) return MS_OK;
    MS_TRY(ms_json_pack(&entry, what, "{s:s, s:s, s:s}", "unit", metric->unit, "text", metric->text, "null",
                        metric->null_when));
    return ms_json_set(about, what, metric->key, entry);
}

/* The columns of struct chosen lines (-1: none there, all null). */
static ms_status add_keys(const ms_report_table *table, const int64_t *lines, size_t n, json_t *keys, json_t *about) {
    for (int k = 0; k < table->n_keys; k++) {
        char name[96];
        json_t *column;
        bool any = false;
        for (size_t i = 0; i < n && !any; i++)
            any = lines[i] >= 0 && isfinite(table->values[(size_t)lines[i] * (size_t)table->n_keys + (size_t)k]);
        if (!any) continue;
        key_name(&table->keys[k], name, sizeof name);
        MS_TRY(describe(about, table->keys[k].metric));
        MS_TRY(set_array(keys, name, &column));
        for (size_t i = 0; i < n; i++) {
            double value = lines[i] < 0 ? NAN : table->values[(size_t)lines[i] * (size_t)table->n_keys + (size_t)k];
            MS_TRY(ms_json_append(column, what, ms_run_log_real(value)));
        }
    }
    return MS_OK;
}

/* "step" and "tokens" of lines. */
static ms_status add_places(const ms_report_table *table, const size_t *lines, size_t n, json_t *object) {
    json_t *steps, *tokens;
    MS_TRY(set_array(object, "step", &steps));
    MS_TRY(set_array(object, "tokens", &tokens));
    for (size_t i = 0; i < n; i++) {
        MS_TRY(ms_json_append(steps, what, json_integer((json_int_t)table->steps[lines[i]])));
        MS_TRY(ms_json_append(tokens, what, json_integer((json_int_t)table->tokens[lines[i]])));
    }
    return MS_OK;
}

static ms_status add_table(const ms_report_table *table, const size_t *lines, size_t n, json_t *object, json_t *about) {
    json_t *keys;
    int64_t *signed_lines = malloc((n + 1) * sizeof *signed_lines);
    if (!signed_lines) return MS_FAIL(MS_OUT_OF_MEMORY, "report: no memory for %zu lines", n);
    for (size_t i = 0; i < n; i++) signed_lines[i] = (int64_t)lines[i];
    ms_status status = add_places(table, lines, n, object);
    if (status == MS_OK) status = set_object(object, "keys", &keys);
    if (status == MS_OK) status = add_keys(table, signed_lines, n, keys, about);
    free(signed_lines);
    return status;
}

/* --- metrics.jsonl --- */

static ms_status add_steps(ms_report_run *run, json_t *data, json_t *about) {
    const ms_report_table *table = &run->steps;
    json_t *object;
    size_t *lines = NULL, n = 0;
    int i_loss = ms_report_table_find(table, "loss");
    double *losses = malloc((table->n + 1) * sizeof *losses);
    if (!losses) return MS_FAIL(MS_OUT_OF_MEMORY, "report: no memory for %zu losses", table->n);
    for (size_t i = 0; i < table->n; i++)
        losses[i] = i_loss < 0 ? NAN : table->values[i * (size_t)table->n_keys + (size_t)i_loss];
    ms_status status = ms_report_choose_extremes(losses, table->n, MS_REPORT_MOST_STEPS, &lines, &n);
    if (status == MS_OK) status = set_object(data, "steps", &object);
    if (status == MS_OK) status = add_table(table, lines, n, object, about);
    if (status == MS_OK && n < table->n)
        status = ms_report_note(run->notes,
                                "curves over steps show %zu of %zu lines of metrics.jsonl: of each stretch those with "
                                "the lowest and the highest loss",
                                n, table->n);
    free(lines);
    free(losses);
    return status;
}

static ms_status add_validations(ms_report_run *run, json_t *data, json_t *about) {
    json_t *object;
    size_t *lines, n;
    MS_TRY(ms_report_choose(run->validations.n, MS_REPORT_MOST_STEPS / 4, &lines, &n));
    ms_status status = set_object(data, "validations", &object);
    if (status == MS_OK) status = add_table(&run->validations, lines, n, object, about);
    if (status == MS_OK && n < run->validations.n)
        status = ms_report_note(run->notes, "%zu of %zu validations are shown", n, run->validations.n);
    free(lines);
    return status;
}

/* --- snapshots --- */

enum { MATRICES_OF_LAYER = 7 }; /* matrices of a layer: q, k, v, o, up, gate, down */

struct chosen {
    size_t *snapshots, n_snapshots; /* of the grid */
    size_t *subjects, n_subjects;
};

/* The subjects of these layers, in order. */
static ms_status choose_subjects(const ms_report_run *run, bool matrices, size_t most_layers, struct chosen *out) {
    size_t n_subjects = matrices ? run->n_matrices : run->looks.n_subjects, *layers = NULL, n_layers = 0, n_chosen = 0;
    bool is_layer[MS_REPORT_LAYERS] = {false}, is_chosen[MS_REPORT_LAYERS] = {false};
    for (size_t i = 0; i < n_subjects; i++) is_layer[matrices ? (size_t)run->matrices[i].layer : i] = true;
    for (size_t i = 0; i < MS_REPORT_LAYERS; i++) n_layers += is_layer[i];
    MS_TRY(ms_report_choose(n_layers, most_layers, &layers, &n_chosen));
    for (size_t i = 0, at = 0, k = 0; i < MS_REPORT_LAYERS && k < n_chosen; i++)
        if (is_layer[i] && at++ == layers[k]) is_chosen[i] = ++k > 0;
    free(layers);
    out->subjects = malloc((n_subjects + 1) * sizeof *out->subjects);
    if (!out->subjects) return MS_FAIL(MS_OUT_OF_MEMORY, "report: no memory for %zu matrices", n_subjects);
    for (size_t i = 0; i < n_subjects; i++)
        if (is_chosen[matrices ? (size_t)run->matrices[i].layer : i]) out->subjects[out->n_subjects++] = i;
    return MS_OK;
}

/* So many numbers as `most`, but at least 8 snapshots, of as many layers as that allows, of at least 2. */
static ms_status choose(const ms_report_run *run, bool matrices, size_t most, struct chosen *out) {
    const ms_report_grid *grid = matrices ? &run->snapshots : &run->looks;
    int n_keys = matrices ? run->spectra.n_keys : run->probes.n_keys;
    size_t lines = most / (size_t)(n_keys > 0 ? n_keys : 1);
    size_t by_layer = matrices ? MATRICES_OF_LAYER : 1, layers = lines / 8 / by_layer;
    *out = (struct chosen){.snapshots = NULL};
    MS_TRY(choose_subjects(run, matrices, layers < 2 ? 2 : layers, out));
    size_t snapshots = lines / (out->n_subjects ? out->n_subjects : 1);
    return ms_report_choose(grid->n_snapshots, snapshots < 8 ? 8 : snapshots, &out->snapshots, &out->n_snapshots);
}

/* What was chosen, as lines of the table: [snapshot][subject]. */
static ms_status add_grid(const ms_report_table *table, const ms_report_grid *grid, const struct chosen *chosen,
                          json_t *object, json_t *about) {
    size_t n = chosen->n_snapshots * chosen->n_subjects;
    int64_t *lines = malloc((n + 1) * sizeof *lines);
    size_t *first = malloc((chosen->n_snapshots + 1) * sizeof *first);
    json_t *keys;
    ms_status status = lines && first ? MS_OK : MS_FAIL(MS_OUT_OF_MEMORY, "report: no memory for %zu lines", n);
    for (size_t s = 0; status == MS_OK && s < chosen->n_snapshots; s++) {
        first[s] = grid->first[chosen->snapshots[s]];
        for (size_t m = 0; m < chosen->n_subjects; m++)
            lines[s * chosen->n_subjects + m] =
                grid->line_of[chosen->snapshots[s] * grid->n_subjects + chosen->subjects[m]];
    }
    if (status == MS_OK) status = add_places(table, first, chosen->n_snapshots, object);
    if (status == MS_OK) status = set_object(object, "keys", &keys);
    if (status == MS_OK) status = add_keys(table, lines, n, keys, about);
    free(lines);
    free(first);
    return status;
}

static ms_status note_left_out(ms_report_run *run, const char *file, const char *subjects, const ms_report_grid *grid,
                               const struct chosen *chosen) {
    if (chosen->n_snapshots < grid->n_snapshots)
        MS_TRY(ms_report_note(run->notes, "%zu of %zu snapshots of %s are shown", chosen->n_snapshots,
                              grid->n_snapshots, file));
    if (chosen->n_subjects < grid->n_subjects)
        MS_TRY(ms_report_note(run->notes, "%zu of %zu %s of %s are shown", chosen->n_subjects, grid->n_subjects,
                              subjects, file));
    return MS_OK;
}

/* What the metrics of a random matrix of each shape are. */
static ms_status add_random(const ms_report_run *run, const struct chosen *chosen, json_t *object) {
    static const struct {
        const char *key;
        double (*of)(int rows, int cols);
    } metrics[] = {{"spectral_entropy", ms_random_spectral_entropy},
                   {"stable_rank", ms_random_stable_rank},
                   {"effective_rank", ms_random_effective_rank}};
    json_t *random, *entropy, *column;
    MS_TRY(set_object(object, "random", &random));
    for (size_t k = 0; k < sizeof metrics / sizeof *metrics; k++) {
        MS_TRY(set_array(random, metrics[k].key, &column));
        for (size_t m = 0; m < chosen->n_subjects; m++) {
            const ms_report_matrix *matrix = &run->matrices[chosen->subjects[m]];
            bool known = matrix->rows > 0 && matrix->cols > 0;
            MS_TRY(
                ms_json_append(column, what, ms_run_log_real(known ? metrics[k].of(matrix->rows, matrix->cols) : NAN)));
        }
    }
    MS_TRY(set_array(random, "entropy_l1", &entropy));
    for (size_t m = 0; m < chosen->n_subjects; m++) { /* the logarithm of the effective rank over ln r */
        const ms_report_matrix *matrix = &run->matrices[chosen->subjects[m]];
        double rank = json_number_value(json_array_get(column, m));
        int r = matrix->rows < matrix->cols ? matrix->rows : matrix->cols;
        MS_TRY(ms_json_append(entropy, what, ms_run_log_real(r > 1 && rank > 0 ? log(rank) / log(r) : NAN)));
    }
    return MS_OK;
}

static ms_status add_matrices(const ms_report_run *run, const struct chosen *chosen, json_t *object) {
    json_t *list, *matrix;
    MS_TRY(set_array(object, "matrices", &list));
    for (size_t m = 0; m < chosen->n_subjects; m++) {
        const ms_report_matrix *at = &run->matrices[chosen->subjects[m]];
        MS_TRY(ms_json_pack(&matrix, what, "{s:i, s:s, s:i, s:i}", "layer", at->layer, "projection", at->projection,
                            "rows", at->rows, "cols", at->cols));
        MS_TRY(ms_json_append(list, what, matrix));
    }
    return add_random(run, chosen, object);
}

static ms_status add_spectra(ms_report_run *run, json_t *data, json_t *about) {
    json_t *object;
    struct chosen chosen;
    ms_status status = choose(run, true, MS_REPORT_MOST_NUMBERS, &chosen);
    if (status == MS_OK) status = set_object(data, "spectra", &object);
    if (status == MS_OK) status = add_matrices(run, &chosen, object);
    if (status == MS_OK) status = add_grid(&run->spectra, &run->snapshots, &chosen, object, about);
    if (status == MS_OK) status = note_left_out(run, "spectra.jsonl", "matrices", &run->snapshots, &chosen);
    free(chosen.snapshots);
    free(chosen.subjects);
    return status;
}

static ms_status add_probes(ms_report_run *run, json_t *data, json_t *about) {
    json_t *object, *layers;
    struct chosen chosen;
    ms_status status = choose(run, false, MS_REPORT_MOST_LOOKS, &chosen);
    if (status == MS_OK) status = set_object(data, "probes", &object);
    if (status == MS_OK) status = ms_json_set(object, what, "heads", json_integer(run->n_heads));
    if (status == MS_OK) status = set_array(object, "layers", &layers);
    for (size_t i = 0; status == MS_OK && i < chosen.n_subjects; i++)
        status = ms_json_append(layers, what, json_integer((json_int_t)chosen.subjects[i]));
    if (status == MS_OK) status = add_grid(&run->probes, &run->looks, &chosen, object, about);
    if (status == MS_OK) status = note_left_out(run, "probes.jsonl", "layers", &run->looks, &chosen);
    free(chosen.snapshots);
    free(chosen.subjects);
    return status;
}

ms_status ms_report_add_columns(ms_report_run *run, json_t *data) {
    json_t *about;
    MS_TRY(set_object(data, "about", &about));
    MS_TRY(add_steps(run, data, about));
    MS_TRY(add_validations(run, data, about));
    MS_TRY(add_spectra(run, data, about));
    return add_probes(run, data, about);
}
