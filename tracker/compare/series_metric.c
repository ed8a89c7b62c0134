/* Which key of which file a name stands for. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "tracker/compare/series.h"
#include "tracker/metrics.h"

static const ms_metric *find_key(const ms_metric_file *file, const char *key, size_t length) {
    for (size_t i = 0; i < file->n_keys; i++)
        if (strlen(file->keys[i].key) == length && memcmp(file->keys[i].key, key, length) == 0) return &file->keys[i];
    return NULL;
}

/* "spectra.sigma_max": the rest behind the file's name; NULL: it does not begin with it. */
static const char *behind_file(const ms_metric_file *file, const char *name) {
    size_t stem = strcspn(file->name, ".");
    return strncmp(name, file->name, stem) == 0 && name[stem] == '.' ? name + stem + 1 : NULL;
}

/* What is no file of a run is described beside them. */
static bool is_run_file(const ms_metric_file *file) { return strstr(file->name, ".jsonl") != NULL; }

/* Lines of sigma_max.jsonl have {"q": [...], ...}, a number for each layer. */
static bool has_all_matrices(const ms_metric_file *file) { return strcmp(file->name, "sigma_max.jsonl") == 0; }

/* The key, of metrics.jsonl before any other file.  length: of the key, without "[i]". */
static const ms_metric *find(const char *name, const ms_metric_file **out_file, const char **out_rest) {
    size_t n_files;
    const ms_metric_file *files = ms_metric_files(&n_files);
    const ms_metric *found = NULL;
    for (size_t i = 0; i < n_files; i++) {
        const char *rest = behind_file(&files[i], name), *key = rest ? rest : name;
        const ms_metric *here = find_key(&files[i], key, strcspn(key, "["));
        if (!here || !is_run_file(&files[i]) || (found && strcmp(files[i].name, "metrics.jsonl") != 0)) continue;
        found = here;
        *out_file = &files[i];
        *out_rest = key + strcspn(key, "[");
    }
    return found;
}

/* "[12]" or nothing. */
static ms_status read_entry(const char *name, const char *rest, int *out) {
    int entry = 0, n_digits = 0;
    *out = -1;
    if (*rest == '\0') return MS_OK;
    const char *at = rest + 1;
    for (; isdigit((unsigned char)*at) && n_digits < 4; at++, n_digits++) entry = 10 * entry + (*at - '0');
    if (n_digits == 0 || strcmp(at, "]") != 0)
        return MS_FAIL(MS_USAGE, "metric '%s': an entry of an array is written [0], [1], ...", name);
    *out = entry;
    return MS_OK;
}

ms_status ms_series_metric_find(const char *name, ms_series_metric *out) {
    const ms_metric_file *file = NULL;
    const char *rest = NULL;
    const ms_metric *metric = find(name, &file, &rest);
    *out = (ms_series_metric){.entry = -1};
    if (!metric) return MS_FAIL(MS_NOT_FOUND, "no file of a run has the metric '%s'", name);
    if (strlen(name) >= sizeof out->name || metric->kind == MS_METRIC_ABOUT)
        return MS_FAIL(MS_USAGE, "'%s' says where a line belongs: it is no metric", name);
    strcpy(out->name, name);
    out->file = file->name;
    out->key = metric->key;
    out->by_layer = find_key(file, "layer", strlen("layer")) != NULL;
    out->by_projection = find_key(file, "projection", strlen("projection")) != NULL;
    MS_TRY(read_entry(name, rest, &out->entry));
    if (has_all_matrices(file)) {
        out->by_layer = out->by_projection = true;
        return out->entry < 0 ? MS_OK
                              : MS_FAIL(MS_USAGE, "metric '%s': --layers and --projections choose its entries", name);
    }
    bool is_array = metric->kind == MS_METRIC_LIST, of_heads = strcmp(file->name, "probes.jsonl") == 0;
    bool nested = of_heads && strstr(metric->key, "_sigma") != NULL;
    if (!is_array && out->entry >= 0)
        return MS_FAIL(MS_USAGE, "metric '%s': %s is a number, no array", name, metric->key);
    if (is_array && out->entry < 0 && (!of_heads || nested))
        return MS_FAIL(MS_USAGE,
                       "metric '%s' is an array: choose an entry, such as %s[0] (muonscope tracker describe %s)", name,
                       metric->key, metric->key);
    return MS_OK;
}
