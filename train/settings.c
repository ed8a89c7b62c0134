#include "train/settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/file.h"
#include "platform/sha256.h"

static const char hash_prefix[] = MS_SETTINGS_HASH_LINE;

/* The value of a key, up to the end of its line; NULL: there is none. */
static const char *find_value(const char *settings, const char *key, size_t key_length) {
    for (const char *line = settings; *line;) {
        if (strncmp(line, key, key_length) == 0 && line[key_length] == '=') return line + key_length + 1;
        const char *end = strchr(line, '\n');
        if (!end) return NULL;
        line = end + 1;
    }
    return NULL;
}

static void print_changes(int64_t step, const char *before, const char *after, FILE *stream) {
    for (const char *line = after; *line;) {
        size_t length = strcspn(line, "\n"), key_length = strcspn(line, "=\n");
        const char *old = find_value(before, line, key_length), *new = line + key_length + 1;
        if (old && key_length < length) {
            size_t old_length = strcspn(old, "\n"), new_length = length - key_length - 1;
            if (old_length != new_length || strncmp(old, new, new_length) != 0)
                fprintf(stream, "step %lld: %.*s %.*s -> %.*s\n", (long long)step, (int)key_length, line,
                        (int)old_length, old, (int)new_length, new);
        }
        line += length + (line[length] == '\n');
    }
}

static ms_status no_memory(void) { return MS_FAIL(MS_OUT_OF_MEMORY, "train: no memory for the settings"); }

/* Closes the stream of a text; what is not complete is freed. */
static ms_status close_text(FILE *stream, char **text) {
    bool complete = !ferror(stream);
    if (fclose(stream) == 0 && complete) return MS_OK;
    free(*text);
    *text = NULL;
    return no_memory();
}

ms_status ms_settings_add_changes(const char *history, int64_t step, const char *before, const char *after,
                                  char **out_history) {
    size_t size;
    *out_history = NULL;
    FILE *stream = open_memstream(out_history, &size);
    if (!stream) return no_memory();
    fputs(history, stream);
    print_changes(step, before, after, stream);
    return close_text(stream, out_history);
}

static void print_history(const char *history, FILE *stream) {
    for (const char *line = history; *line;) {
        size_t length = strcspn(line, "\n");
        fprintf(stream, "# %.*s\n", (int)length, line);
        line += length + (line[length] == '\n');
    }
}

ms_status ms_settings_file(const char *config_text, const char *history, char **out_text) {
    size_t size;
    *out_text = NULL;
    FILE *stream = open_memstream(out_text, &size);
    if (!stream) return no_memory();
    fputs(config_text, stream);
    if (*history) fputs("\n# Changed when the run was resumed:\n", stream);
    print_history(history, stream);
    char hash[65] = "";
    fflush(stream);
    ms_status status = ferror(stream) ? no_memory() : ms_sha256_bytes(*out_text, size, hash);
    fprintf(stream, "%s%s\n", hash_prefix, hash);
    ms_status closed = close_text(stream, out_text);
    if (status == MS_OK) return closed;
    free(*out_text);
    *out_text = NULL;
    return status;
}

ms_status ms_settings_file_fault(const char *text, const char **out_fault) {
    char hash[65], last_line[sizeof hash_prefix + 65];
    *out_fault = NULL;
    const char *line = strstr(text, hash_prefix);
    if (!line) {
        *out_fault = "its last line, the hash of the others, is missing";
        return MS_OK;
    }
    MS_TRY(ms_sha256_bytes(text, (size_t)(line - text), hash));
    snprintf(last_line, sizeof last_line, "%s%s\n", hash_prefix, hash);
    if (strcmp(line, last_line) != 0) *out_fault = "its last line is not the hash of the lines above";
    return MS_OK;
}

ms_status ms_settings_note_fault(ms_status status, const char *path) {
    if (status == MS_OK) return MS_OK;
    char message[1024], *text;
    const char *fault = NULL;
    size_t size;
    snprintf(message, sizeof message, "%s", ms_status_message());
    if (ms_file_read(path, &text, &size) == MS_OK) {
        if (ms_settings_file_fault(text, &fault) != MS_OK) fault = NULL;
        free(text);
    }
    if (!fault) return MS_FAIL(status, "%s", message);
    return MS_FAIL(status,
                   "%s is damaged or was changed: %s; the run's settings are in state.json of its checkpoints, under "
                   "\"settings\": %s",
                   path, fault, message);
}
