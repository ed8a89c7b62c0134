/* What differs between runs beside what groups them: a comparison of unlike things is said. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/compare/runs.h"
#include "platform/file.h"

bool ms_compare_is_without_effect(const ms_config_key *key) {
    static const char *const names[] = {"model.recompute", "validation.every", "train.threads", "train.hash_every"};
    static const char *const sections[] = {"checkpoint", "tracker", "sample", "log"};
    static const char probed[] = "tracker.probe_"; /* which sequences probes.jsonl is measured on */
    if (strncmp(key->full_name, probed, sizeof probed - 1) == 0) return false;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(key->full_name, names[i]) == 0) return true;
    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++)
        if (strcmp(key->section, sections[i]) == 0) return true;
    return false;
}

bool ms_compare_is_known(const ms_compare_run *run, const ms_config_key *key) {
    return !run->given.is_partial || run->given.keys[key - ms_config_keys(&(int){0})];
}

const char *ms_compare_value_text(const ms_compare_run *run, const ms_config_key *key, char *out, size_t size) {
    if (ms_compare_is_known(run, key)) return ms_config_value_text(&run->config, key, out, size);
    snprintf(out, size, "not known");
    return out;
}

static bool same_text(const ms_compare_run *a, const ms_compare_run *b, const ms_config_key *key) {
    char left[MS_CONFIG_STRING_SIZE], right[MS_CONFIG_STRING_SIZE];
    return strcmp(ms_compare_value_text(a, key, left, sizeof left),
                  ms_compare_value_text(b, key, right, sizeof right)) == 0;
}

bool ms_compare_is_unlike(const ms_compare_run *a, const ms_compare_run *b, const ms_config_key *key) {
    bool both_known = ms_compare_is_known(a, key) && ms_compare_is_known(b, key);
    bool same_kind = a->given.is_partial == b->given.is_partial;
    return (both_known || same_kind) && !same_text(a, b, key);
}

static bool is_seed(const ms_config_key *key) {
    return strcmp(key->full_name, "train.seed") == 0 || strcmp(key->full_name, "init.seed") == 0;
}

static bool is_by(const ms_compare_set *set, const ms_config_key *key) {
    for (int i = 0; i < set->n_by; i++)
        if (set->by[i] == key) return true;
    return false;
}

/* Whether two runs that are alike in `group` (or, if it is false, in their seed) ever differ in the key. */
static bool differs_among(const ms_compare_set *set, const ms_config_key *key, bool group) {
    for (size_t i = 0; i < set->n; i++)
        for (size_t k = 0; k < i; k++) {
            bool alike = group ? set->compared[i].i_group == set->compared[k].i_group
                               : set->compared[i].seed == set->compared[k].seed;
            if (alike && ms_compare_is_unlike(&set->runs[i], &set->runs[k], key)) return true;
        }
    return false;
}

static bool differs(const ms_compare_set *set, const ms_config_key *key) {
    for (size_t i = 0; i < set->n; i++)
        for (size_t k = 0; k < i; k++)
            if (ms_compare_is_unlike(&set->runs[i], &set->runs[k], key)) return true;
    return false;
}

/* Whether all data are known by their hashes, and the same: the folder's name then says nothing. */
static bool data_are_same(const ms_compare_set *set) {
    for (size_t i = 0; i < set->n; i++)
        if (!set->runs[i].data_sha256[0] || strcmp(set->runs[i].data_sha256, set->runs[0].data_sha256) != 0)
            return false;
    return true;
}

int ms_compare_unlike_keys(const ms_compare_set *set, const ms_config_key **out, int capacity) {
    int n_keys, n = 0;
    const ms_config_key *keys = ms_config_keys(&n_keys);
    for (int i = 0; i < n_keys; i++) {
        bool is_folder = strcmp(keys[i].full_name, "data.directory") == 0;
        if (is_seed(&keys[i]) || ms_compare_is_without_effect(&keys[i]) || !differs(set, &keys[i])) continue;
        if (is_folder && data_are_same(set)) continue;
        if (n < capacity) out[n] = &keys[i];
        n++;
    }
    return n;
}

/* "0.024 (runs/a and 5 more), 0.01 (runs/b)": the first values, and who has them. */
static void print_values(const ms_compare_set *set, const ms_config_key *key, bool by_group, char *out, size_t size) {
    enum { MOST = 4 };
    int n_values = 0;
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; i < set->n && used < size; i++) {
        size_t first = 0, n = 0;
        char value[MS_CONFIG_STRING_SIZE];
        while (!same_text(&set->runs[first], &set->runs[i], key)) first++;
        if (first < i) continue;
        if (n_values++ == MOST) {
            snprintf(out + used, size - used, ", ...");
            return;
        }
        for (size_t k = 0; k < set->n; k++) n += same_text(&set->runs[k], &set->runs[i], key);
        ms_compare_value_text(&set->runs[i], key, value, sizeof value);
        const char *who = by_group ? set->labels[set->compared[i].i_group] : set->runs[i].path;
        used += (size_t)snprintf(out + used, size - used, "%s%s (%s", used ? ", " : "", *value ? value : "\"\"", who);
        if (used < size && !by_group && n > 1)
            used += (size_t)snprintf(out + used, size - used, " and %zu more", n - 1);
        if (used < size) used += (size_t)snprintf(out + used, size - used, ")");
    }
}

static ms_status note_key(ms_compare_set *set, const ms_config_key *key) {
    char values[1200];
    bool in_groups = differs_among(set, key, true), in_pairs = differs_among(set, key, false);
    print_values(set, key, !in_groups, values, sizeof values);
    if (!in_groups && set->n_groups > 1)
        return ms_notes_add(&set->notes, "unlike: %s differs between the groups too: %s", key->full_name, values);
    if (!in_pairs)
        return ms_notes_add(&set->notes, "%s differs from seed to seed, and is the same in all runs of a seed: %s",
                            key->full_name, values);
    return ms_notes_add(&set->notes, "unlike: %s differs inside the groups: %s", key->full_name, values);
}

static ms_status note_keys(ms_compare_set *set) {
    int n_keys;
    const ms_config_key *keys = ms_config_keys(&n_keys);
    char harmless[600] = "";
    for (int i = 0; i < n_keys; i++) {
        bool is_folder = strcmp(keys[i].full_name, "data.directory") == 0;
        if (is_by(set, &keys[i]) || strcmp(keys[i].full_name, "train.seed") == 0 || !differs(set, &keys[i])) continue;
        if (is_seed(&keys[i]) && !differs_among(set, &keys[i], false)) continue;
        if (ms_compare_is_without_effect(&keys[i]) || (is_folder && data_are_same(set)))
            snprintf(harmless + strlen(harmless), sizeof harmless - strlen(harmless), "%s%s", *harmless ? ", " : "",
                     keys[i].full_name);
        else
            MS_TRY(note_key(set, &keys[i]));
    }
    return *harmless ? ms_notes_add(&set->notes, "also unlike, in what changes no number here: %s", harmless) : MS_OK;
}

/* Other shards, whatever their folders are called. */
static ms_status note_data(ms_compare_set *set) {
    for (size_t i = 1; i < set->n; i++) {
        if (strcmp(set->runs[i].data_sha256, set->runs[0].data_sha256) == 0) continue;
        return ms_notes_add(
            &set->notes,
            "unlike: the data of %s are others than those of %s (shards in dataset.json: %.12s%s, %.12s%s): "
            "losses on other data do not compare",
            set->runs[i].path, set->runs[0].path, set->runs[i].data_sha256,
            set->runs[i].data_sha256[0] ? "..." : "none", set->runs[0].data_sha256,
            set->runs[0].data_sha256[0] ? "..." : "none");
    }
    return MS_OK;
}

/* Lines "# step 50: muon.lr 0.024 -> 0.1" of config.yaml (train/settings.h). */
static ms_status note_history(ms_compare_set *set, const ms_compare_run *run) {
    char *path = ms_path_join(run->path, "config.yaml"), *text = NULL;
    size_t size;
    if (!path) return MS_FAIL(MS_OUT_OF_MEMORY, "compare: no memory for a path");
    ms_status status = ms_file_read(path, &text, &size);
    free(path);
    if (status != MS_OK) return status == MS_OUT_OF_MEMORY ? status : MS_OK;
    for (const char *line = text; *line && status == MS_OK;) {
        size_t length = strcspn(line, "\n");
        if (strncmp(line, "# step ", 7) == 0)
            status = ms_notes_add(&set->notes, "%s: changed when it was resumed at %.*s; groups go by the last value",
                                  run->path, (int)length - 2, line + 2);
        line += length + (line[length] == '\n');
    }
    free(text);
    return status;
}

/* Between runs of muonscope and of other programs little is seen. */
static ms_status note_not_known(ms_compare_set *set) {
    size_t n_partial = 0, first = 0;
    for (size_t i = set->n; i-- > 0;)
        if (set->runs[i].given.is_partial) {
            n_partial++;
            first = i;
        }
    if (n_partial == 0 || n_partial == set->n) return MS_OK;
    return ms_notes_add(&set->notes,
                        "%s%s: of another program's training (muonscope.Tracker), whose config.yaml has few keys: in "
                        "all others it may be unlike",
                        set->runs[first].path, n_partial > 1 ? " and others" : "");
}

ms_status ms_compare_note_differences(ms_compare_set *set) {
    MS_TRY(note_keys(set));
    MS_TRY(note_not_known(set));
    MS_TRY(note_data(set));
    for (size_t i = 0; i < set->n; i++) MS_TRY(note_history(set, &set->runs[i]));
    return MS_OK;
}
