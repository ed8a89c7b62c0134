#include "cli/study/declared.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/clock.h"
#include "platform/file.h"
#include "platform/json.h"

static const char what[] = "declared.json", format[] = "muonscope-study-declared";

/* Whether a run of an arm has begun, whatever it is. */
static size_t count_runs(const ms_study_plan *plan) {
    size_t n = 0;
    for (size_t i = 0; i < plan->n; i++) {
        char path[MS_STUDY_PATH_SIZE + 16];
        if (plan->runs[i].i_tuning >= 0) continue;
        ms_study_run_path(plan, &plan->runs[i], path);
        strcat(path, "/metrics.jsonl");
        n += ms_file_exists(path);
    }
    return n;
}

/* --- the file --- */

static ms_status write_declared(const char *path, const ms_study *study, const ms_study_declared *declared) {
    json_t *root, *list = json_array();
    MS_TRY(ms_json_pack(&root, what, "{s:s, s:i, s:s, s:I, s:o}", "format", format, "version", 1, "time",
                        declared->time, "runs_before", (json_int_t)declared->runs_before, "hypotheses", list));
    ms_status status = MS_OK;
    for (int i = 0; i < study->n_hypotheses && status == MS_OK; i++) {
        char *text;
        json_t *item = NULL;
        status = ms_study_hypothesis_text(&study->hypotheses[i], &text);
        if (status == MS_OK)
            status = ms_json_pack(&item, what, "{s:s, s:s}", "name", study->hypotheses[i].name, "text", text);
        if (status == MS_OK) status = ms_json_append(list, what, item);
        free(text);
    }
    if (status == MS_OK) status = ms_json_write(root, what, JSON_INDENT(1), path);
    json_decref(root);
    return status;
}

/* MS_NOT_FOUND: there is none. */
static ms_status read_declared(const char *path, ms_study_declared *out, json_t **out_hypotheses) {
    char *text;
    size_t size, i;
    json_t *item;
    MS_TRY(ms_file_read(path, &text, &size));
    json_t *root = json_loadb(text, size, 0, NULL);
    free(text);
    const char *found = json_string_value(json_object_get(root, "format"));
    const char *time = json_string_value(json_object_get(root, "time"));
    json_t *list = json_object_get(root, "hypotheses");
    const json_t *before = json_object_get(root, "runs_before");
    bool good = found && strcmp(found, format) == 0 && time && json_is_array(list) && json_is_integer(before) &&
                json_integer_value(before) >= 0 && json_array_size(list) <= MS_STUDY_HYPOTHESES;
    json_array_foreach(list, i, item) {
        const char *name = json_string_value(json_object_get(item, "name"));
        good = good && name && strlen(name) < MS_STUDY_NAME_SIZE && json_is_string(json_object_get(item, "text"));
    }
    if (good) {
        snprintf(out->time, sizeof out->time, "%s", time);
        out->runs_before = (size_t)json_integer_value(before);
        *out_hypotheses = json_incref(list);
    }
    json_decref(root);
    if (good) return MS_OK;
    return MS_FAIL(MS_CORRUPT,
                   "%s is not what a study wrote: what was declared before its runs is not known; remove it to "
                   "declare the hypotheses now, which results will say",
                   path);
}

/* --- what changed --- */

static ms_status add_change(const char *name, const char *before, const char *now, ms_study_declared *out) {
    if (before && now && strcmp(before, now) == 0) return MS_OK;
    ms_study_change *change = &out->changes[out->n_changes++];
    snprintf(change->name, sizeof change->name, "%s", name);
    change->before = before ? strdup(before) : NULL;
    change->now = now ? strdup(now) : NULL;
    bool complete = (!before || change->before) && (!now || change->now);
    return complete ? MS_OK : MS_FAIL(MS_OUT_OF_MEMORY, "study: no memory for a hypothesis");
}

static const char *find_text(const json_t *list, const char *name) {
    size_t i;
    json_t *item;
    json_array_foreach((json_t *)list, i, item) if (strcmp(json_string_value(json_object_get(item, "name")), name) ==
                                                    0) return json_string_value(json_object_get(item, "text"));
    return NULL;
}

static ms_status find_changes(const json_t *list, const ms_study *study, ms_study_declared *out) {
    size_t i;
    json_t *item;
    for (int k = 0; k < study->n_hypotheses; k++) {
        char *now;
        const char *name = study->hypotheses[k].name;
        MS_TRY(ms_study_hypothesis_text(&study->hypotheses[k], &now));
        ms_status status = add_change(name, find_text(list, name), now, out);
        free(now);
        MS_TRY(status);
    }
    json_array_foreach((json_t *)list, i, item) {
        const char *name = json_string_value(json_object_get(item, "name"));
        bool is_there = false;
        for (int k = 0; k < study->n_hypotheses; k++) is_there |= strcmp(study->hypotheses[k].name, name) == 0;
        if (!is_there) MS_TRY(add_change(name, json_string_value(json_object_get(item, "text")), NULL, out));
    }
    return MS_OK;
}

static void drop_changes(ms_study_declared *declared) {
    for (int i = 0; i < declared->n_changes; i++) {
        free(declared->changes[i].before);
        free(declared->changes[i].now);
    }
    declared->n_changes = 0;
}

static ms_status declare(const char *path, const ms_study_plan *plan, ms_study_declared *out) {
    json_t *list = NULL;
    ms_status status = read_declared(path, out, &list);
    if (status != MS_OK && status != MS_NOT_FOUND) return status;
    bool is_new = status == MS_NOT_FOUND;
    status = is_new ? MS_OK : find_changes(list, plan->study, out);
    json_decref(list);
    MS_TRY(status);
    size_t n_runs = count_runs(plan);
    if (!is_new && (out->n_changes == 0 || n_runs > 0)) return MS_OK;
    drop_changes(out);
    ms_clock_utc(out->time, sizeof out->time);
    out->runs_before = n_runs;
    return write_declared(path, plan->study, out);
}

ms_status ms_study_declare(const ms_study_folder *folder, const ms_study_plan *plan, ms_study_declared *out) {
    memset(out, 0, sizeof *out);
    char *path = ms_path_join(folder->path, what);
    if (!path) return MS_FAIL(MS_OUT_OF_MEMORY, "study: no memory for a path");
    ms_status status = declare(path, plan, out);
    free(path);
    return status;
}

void ms_study_declared_finish(ms_study_declared *declared) { drop_changes(declared); }
