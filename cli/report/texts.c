#include "cli/report/texts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/report/notes.h"
#include "platform/file.h"
#include "platform/json.h"

static const char what[] = "the report's data";

enum { MOST_MESSAGES = 200, MOST_SAMPLES = 8, MOST_TEXT = 20000 /* bytes of one text */ };

/* --- config.yaml --- */

ms_status ms_report_add_configuration(const ms_report_run *run, json_t *data) {
    if (!run->has_config) return MS_OK;
    int n;
    const ms_config_key *keys = ms_config_keys(&n);
    ms_config defaults;
    char value[2 * MS_CONFIG_STRING_SIZE], initial[2 * MS_CONFIG_STRING_SIZE];
    json_t *list = json_array(), *row;
    MS_TRY(ms_json_set(data, what, "configuration", list));
    ms_config_defaults(&defaults);
    for (int i = 0; i < n; i++) {
        ms_config_value_text(&run->config, &keys[i], value, sizeof value);
        ms_config_value_text(&defaults, &keys[i], initial, sizeof initial);
        MS_TRY(ms_json_pack(&row, what, "{s:s, s:s, s:o, s:o, s:s}", "section", keys[i].section, "key", keys[i].name,
                            "value", ms_report_text(value, strlen(value), MOST_TEXT), "default",
                            ms_report_text(initial, strlen(initial), MOST_TEXT), "doc", keys[i].doc));
        MS_TRY(ms_json_append(list, what, row));
    }
    return MS_OK;
}

/* --- run.log --- */

typedef struct log_line {
    char time[32], level[16];
    const char *text; /* borrowed, not ended */
    size_t size;
} log_line;

/* "2026-01-31T12:00:00Z info    text" */
static bool parse_line(const char *text, size_t size, log_line *out) {
    char head[96];
    int n_read = 0;
    size_t n_head = size < sizeof head - 1 ? size : sizeof head - 1;
    memcpy(head, text, n_head);
    head[n_head] = '\0';
    if (sscanf(head, "%31s %15s %n", out->time, out->level, &n_read) != 2 || n_read == 0) return false;
    if (strlen(out->time) != 20 || out->time[10] != 'T') return false;
    out->text = text + n_read;
    out->size = size - (size_t)n_read;
    return true;
}

static bool begins(const log_line *line, const char *with) {
    return line->size >= strlen(with) && memcmp(line->text, with, strlen(with)) == 0;
}

/* "step 160/300  loss ...": what metrics.jsonl has. */
static bool is_step(const log_line *line) {
    if (!begins(line, "step ")) return false;
    for (size_t i = 5; i < line->size; i++)
        if (line->text[i] == '/' || line->text[i] == ':') return line->text[i] == '/';
    return false;
}

static ms_status set_part(json_t *object, const char *key, const char *text, size_t size) {
    return ms_json_set(object, what, key, ms_report_text(text, size, MOST_TEXT));
}

/* "step 300: checkpoint saved, weights_sha256 HEX optimizer_state_sha256 HEX" */
static ms_status read_hash(const log_line *line, json_t *facts) {
    static const char before[] = "weights_sha256 ";
    for (size_t i = 0; i + sizeof before - 1 + 64 <= line->size; i++)
        if (memcmp(line->text + i, before, sizeof before - 1) == 0)
            return set_part(facts, "weights_sha256", line->text + i + sizeof before - 1, 64);
    return MS_OK;
}

static ms_status add_message(json_t *list, const log_line *line) {
    json_t *message;
    MS_TRY(ms_json_pack(&message, what, "{s:o, s:o, s:o}", "time", ms_report_text(line->time, strlen(line->time), 32),
                        "level", ms_report_text(line->level, strlen(line->level), 32), "text",
                        ms_report_text(line->text, line->size, MOST_TEXT)));
    return ms_json_append(list, what, message);
}

static ms_status read_message(const log_line *line, json_t *facts, json_t *warnings, json_t *messages) {
    if (!json_object_get(facts, "begun")) MS_TRY(set_part(facts, "begun", line->time, strlen(line->time)));
    MS_TRY(set_part(facts, "ended", line->time, strlen(line->time)));
    if (begins(line, "device: ")) MS_TRY(set_part(facts, "device", line->text + 8, line->size - 8));
    MS_TRY(read_hash(line, facts));
    bool is_warning = strcmp(line->level, "warning") == 0 || strcmp(line->level, "error") == 0;
    if (is_warning && json_array_size(warnings) < MOST_MESSAGES) MS_TRY(add_message(warnings, line));
    if (!is_step(line) && json_array_size(messages) < MOST_MESSAGES) MS_TRY(add_message(messages, line));
    return MS_OK;
}

/* Reads a file of the run; NULL: there is none, or it cannot be read, which is noted. */
static ms_status read_text(ms_report_run *run, const char *name, char **out, size_t *out_size) {
    char *path = ms_path_join(run->folder, name);
    *out = NULL;
    *out_size = 0;
    if (!path) return MS_FAIL(MS_OUT_OF_MEMORY, "report: no memory for a path");
    ms_status status = ms_file_exists(path) ? ms_file_read(path, out, out_size) : MS_OK;
    free(path);
    if (status == MS_OK || status == MS_OUT_OF_MEMORY) return status;
    return ms_report_note(run->notes, "%s", ms_status_message());
}

ms_status ms_report_add_log(ms_report_run *run, json_t *data, json_t *facts) {
    char *text;
    size_t size_bytes;
    json_t *warnings = json_array(), *messages = json_array();
    ms_status status = ms_json_set(data, what, "warnings", warnings);
    if (status != MS_OK) {
        json_decref(messages);
        return status;
    }
    MS_TRY(ms_json_set(data, what, "messages", messages));
    MS_TRY(read_text(run, "run.log", &text, &size_bytes));
    for (size_t at = 0; status == MS_OK && at < size_bytes;) {
        const char *end = memchr(text + at, '\n', size_bytes - at);
        size_t size = end ? (size_t)(end - (text + at)) : size_bytes - at;
        log_line line;
        if (parse_line(text + at, size, &line)) status = read_message(&line, facts, warnings, messages);
        at += size + 1;
    }
    free(text);
    if (status == MS_OK && (json_array_size(warnings) == MOST_MESSAGES || json_array_size(messages) == MOST_MESSAGES))
        status = ms_report_note(run->notes, "of run.log the first %d warnings and messages are shown", MOST_MESSAGES);
    return status;
}

/* --- samples.txt (train/samples.h) --- */

/* The bytes that the sample at `text` takes; 0: there is none. */
static size_t measure(const char *text, size_t left, size_t *out_heading, size_t *out_size) {
    long long step, size;
    char head[64];
    const char *line_end = memchr(text, '\n', left);
    size_t n_head = left < sizeof head - 1 ? left : sizeof head - 1;
    if (!line_end) return 0;
    memcpy(head, text, n_head);
    head[n_head] = '\0';
    *out_heading = (size_t)(line_end - text);
    if (sscanf(head, "-- step %lld, %lld bytes:", &step, &size) != 2 || size < 0) return 0;
    if ((unsigned long long)size > left - *out_heading - 1) return 0;
    *out_size = (size_t)size;
    size_t used = *out_heading + 1 + (size_t)size + 2;
    return used < left ? used : left;
}

ms_status ms_report_add_samples(ms_report_run *run, json_t *data) {
    char *text;
    size_t size_bytes;
    json_t *list = json_array(), *sample;
    MS_TRY(ms_json_set(data, what, "samples", list));
    MS_TRY(read_text(run, "samples.txt", &text, &size_bytes));
    ms_status status = MS_OK;
    for (size_t at = 0, used; status == MS_OK && at < size_bytes; at += used) {
        size_t n_heading = 0, size = 0;
        used = measure(text + at, size_bytes - at, &n_heading, &size);
        if (used == 0) {
            status = ms_report_note(run->notes, "samples.txt: what stands from byte %zu on is no sample", at);
            break;
        }
        if (json_array_size(list) == MOST_SAMPLES) (void)json_array_remove(list, 0); /* the last ones stay */
        status = ms_json_pack(&sample, what, "{s:o, s:o}", "heading",
                              ms_report_text(text + at + 3, n_heading - 3, MOST_TEXT), "text",
                              ms_report_text(text + at + n_heading + 1, size, MOST_TEXT));
        if (status == MS_OK) status = ms_json_append(list, what, sample);
    }
    free(text);
    return status;
}
