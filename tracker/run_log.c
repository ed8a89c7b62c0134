#include "tracker/run_log.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "platform/file.h"

struct ms_run_log {
    FILE *stream;
    char *path;
    ms_status failed; /* first write error, which later appends repeat */
    int failed_errno;
};

json_t *ms_run_log_real(double value) { return isfinite(value) ? json_real(value) : json_null(); }

/* The step of one complete line. */
static ms_status parse_step(const char *path, int64_t i_line, const char *line, size_t size, int64_t *out_step) {
    json_error_t error;
    json_t *object = json_loadb(line, size, 0, &error);
    if (!object) return MS_FAIL(MS_CORRUPT, "%s line %lld: %s", path, (long long)i_line, error.text);
    const json_t *step = json_object_get(object, "step");
    ms_status status = MS_OK;
    if (json_is_integer(step))
        *out_step = json_integer_value(step);
    else
        status = MS_FAIL(MS_CORRUPT, "%s line %lld: no integer \"step\"", path, (long long)i_line);
    json_decref(object);
    return status;
}

/* Copies the lines to keep.  *out_dropped: whether anything was left out. */
static ms_status copy_kept(const char *path, const ms_map *map, int64_t last_step, ms_writer *writer,
                           bool *out_dropped) {
    const char *data = (const char *)map->data;
    size_t position = 0;
    *out_dropped = false;
    for (int64_t i_line = 1; position < map->size_bytes; i_line++) {
        const char *end = memchr(data + position, '\n', map->size_bytes - position);
        if (!end) {
            *out_dropped = true; /* the partial last line of a crash */
            break;
        }
        size_t size = (size_t)(end - (data + position));
        int64_t step = 0;
        MS_TRY(parse_step(path, i_line, data + position, size, &step));
        if (step > last_step)
            *out_dropped = true;
        else
            MS_TRY(ms_writer_write(writer, data + position, size + 1));
        position += size + 1;
    }
    return MS_OK;
}

static ms_status drop_later_lines(const char *path, int64_t last_step) {
    ms_map map;
    ms_writer writer;
    MS_TRY(ms_map_open(path, &map));
    ms_status status = ms_writer_open(path, &writer);
    if (status == MS_OK) {
        bool dropped = false;
        status = copy_kept(path, &map, last_step, &writer, &dropped);
        if (status == MS_OK && dropped)
            status = ms_writer_commit(&writer);
        else
            ms_writer_abort(&writer);
    }
    ms_map_close(&map);
    return status;
}

ms_status ms_run_log_open(const char *path, int64_t resume_after_step, ms_run_log **out) {
    *out = NULL;
    if (resume_after_step < -1)
        return MS_FAIL(MS_INVALID, "%s: resume after step %lld", path, (long long)resume_after_step);
    bool resume = resume_after_step >= 0;
    if (resume && ms_file_exists(path)) MS_TRY(drop_later_lines(path, resume_after_step));
    ms_run_log *log = calloc(1, sizeof *log);
    char *copy = strdup(path);
    ms_status status = log && copy ? MS_OK : MS_FAIL(MS_OUT_OF_MEMORY, "%s: log", path);
    if (status == MS_OK) status = ms_file_open_log(path, resume, &log->stream);
    if (status != MS_OK) {
        free(log);
        free(copy);
        return status;
    }
    log->path = copy;
    *out = log;
    return MS_OK;
}

ms_status ms_run_log_find(const char *path, int64_t step, const char *key, bool *out_found) {
    ms_map map;
    *out_found = false;
    if (!ms_file_exists(path)) return MS_OK;
    MS_TRY(ms_map_open(path, &map));
    const char *data = (const char *)map.data, *end;
    for (size_t at = 0; at < map.size_bytes && !*out_found; at += (size_t)(end - (data + at)) + 1) {
        end = memchr(data + at, '\n', map.size_bytes - at);
        if (!end) break;
        json_t *object = json_loadb(data + at, (size_t)(end - (data + at)), 0, NULL);
        const json_t *found = json_object_get(object, "step");
        *out_found = json_is_integer(found) && json_integer_value(found) == step && json_object_get(object, key);
        json_decref(object);
    }
    ms_map_close(&map);
    return MS_OK;
}

static ms_status write_failed(ms_run_log *log, int error) {
    log->failed_errno = error;
    return log->failed = ms_status_from_errno(error, "write", log->path);
}

static ms_status put_line(ms_run_log *log, const json_t *object) {
    if (log->failed != MS_OK) return write_failed(log, log->failed_errno);
    if (!json_is_integer(json_object_get(object, "step")))
        return MS_FAIL(MS_INVALID, "%s: a line without an integer \"step\"", log->path);
    char *text = json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(17));
    if (!text) return MS_FAIL(MS_OUT_OF_MEMORY, "%s: a line", log->path);
    errno = 0;
    bool written = fputs(text, log->stream) != EOF && fputc('\n', log->stream) != EOF;
    int error = errno;
    free(text);
    return written ? MS_OK : write_failed(log, error);
}

static ms_status flush(ms_run_log *log) { return fflush(log->stream) == 0 ? MS_OK : write_failed(log, errno); }

ms_status ms_run_log_append(ms_run_log *log, const json_t *object) {
    MS_TRY(put_line(log, object));
    return flush(log);
}

ms_status ms_run_log_append_all(ms_run_log *log, const json_t *array) {
    for (size_t i = 0; i < json_array_size(array); i++) MS_TRY(put_line(log, json_array_get(array, i)));
    return flush(log);
}

ms_status ms_run_log_close(ms_run_log *log) {
    if (!log) return MS_OK;
    ms_status status = MS_OK;
    if (log->failed != MS_OK) {
        (void)fclose(log->stream); /* its error was reported when it happened */
    } else if (fclose(log->stream) != 0) {
        status = ms_status_from_errno(errno, "close", log->path);
    }
    free(log->path);
    free(log);
    return status;
}
