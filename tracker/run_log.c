#include "tracker/run_log.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "platform/file.h"
#include "platform/hash.h"
#include "platform/json_lines.h"
#include "tracker/run_log_order.h"

struct ms_run_log {
    FILE *stream;
    char *path;
    const ms_run_log_key *keys; /* of the plan */
    int digits;                 /* of reals */
    ms_status failed;           /* first write error, which later appends repeat */
    int failed_errno;
    int64_t size_bytes; /* of what is in the file, if nobody cut it */
    ms_run_log_mending mending;
};

json_t *ms_run_log_real(double value) { return isfinite(value) ? json_real(value) : json_null(); }

/* One complete line of a file. */
typedef struct log_line {
    const char *text; /* with its line break */
    size_t size_bytes;
    json_t *object; /* NULL: is_line says no */
    int64_t step;
} log_line;

/* Whether it is an object with an integer "step" of at least 0, and something to tell of it. */
static bool is_line(const json_t *value) {
    const json_t *step = json_object_get(value, "step");
    return json_is_integer(step) && json_integer_value(step) >= 0 && json_object_size(value) > 1;
}

/* Calls `visit` for every complete line of a file, until it fails. */
static ms_status visit_lines_of(const ms_map *map, ms_status (*visit)(void *context, const log_line *line),
                                void *context) {
    ms_json_lines lines = {.data = (const char *)map->data, .size_bytes = map->size_bytes};
    ms_status status = MS_OK;
    while (status == MS_OK && ms_json_lines_next(&lines)) {
        log_line now = {lines.text, lines.text_bytes, NULL, 0};
        if (is_line(lines.value)) {
            now.object = lines.value;
            now.step = json_integer_value(json_object_get(lines.value, "step"));
        }
        status = visit(context, &now);
    }
    ms_json_lines_finish(&lines);
    return status;
}

static ms_status visit_lines(const char *path, ms_status (*visit)(void *context, const log_line *line), void *context) {
    ms_map map;
    MS_TRY(ms_map_open(path, &map));
    ms_status status = visit_lines_of(&map, visit, context);
    ms_map_close(&map);
    return status;
}

/* Hashes of the lines that were seen: a table of open addresses, 0 for a free one. */
struct seen_lines {
    uint64_t *hashes; /* [capacity], a power of 2, at most half full */
    size_t capacity, n;
};

static void put_hash(struct seen_lines *seen, uint64_t hash) {
    size_t i = hash & (seen->capacity - 1);
    while (seen->hashes[i] != 0) i = (i + 1) & (seen->capacity - 1);
    seen->hashes[i] = hash;
    seen->n++;
}

static bool has_hash(const struct seen_lines *seen, uint64_t hash) {
    if (seen->capacity == 0) return false;
    for (size_t i = hash & (seen->capacity - 1); seen->hashes[i] != 0; i = (i + 1) & (seen->capacity - 1))
        if (seen->hashes[i] == hash) return true;
    return false;
}

static ms_status add_hash(struct seen_lines *seen, uint64_t hash) {
    if (2 * (seen->n + 1) > seen->capacity) {
        size_t capacity = seen->capacity ? 2 * seen->capacity : 1024;
        struct seen_lines larger = {calloc(capacity, sizeof *larger.hashes), capacity, 0};
        if (!larger.hashes) return MS_FAIL(MS_OUT_OF_MEMORY, "no memory for the hashes of %zu lines", seen->n);
        for (size_t i = 0; i < seen->capacity; i++)
            if (seen->hashes[i] != 0) put_hash(&larger, seen->hashes[i]);
        free(seen->hashes);
        *seen = larger;
    }
    put_hash(seen, hash);
    return MS_OK;
}

static bool is_validation(const log_line *line) { return json_object_get(line->object, "validation_loss") != NULL; }

uint64_t ms_run_log_subject(json_t *object) {
    const char *key;
    json_t *value;
    uint64_t hash = MS_HASH_EMPTY;
    json_object_foreach(object, key, value) {
        hash = ms_hash_append(hash, key, strlen(key) + 1);
        int64_t integer = json_integer_value(value);
        if (json_is_integer(value) && strcmp(key, "tokens") != 0) hash = ms_hash_append(hash, &integer, sizeof integer);
        if (json_is_string(value)) hash = ms_hash_append(hash, json_string_value(value), json_string_length(value) + 1);
    }
    return hash ? hash : 1;
}

/* A line that may be kept. */
struct candidate {
    const char *text; /* with its line break, in the map */
    size_t size_bytes;
    int64_t i_line, step; /* i_line from 0 */
    bool is_validation;
};

/* The lines that a resumed run keeps. */
struct keeping {
    int64_t last_step, n_lines;
    const ms_run_log_plan *plan;
    struct seen_lines seen;
    struct candidate *candidates; /* [n] */
    size_t n, capacity;
    bool *keep; /* [n] */
    ms_run_log_mending *mending;
};

static ms_status add_candidate(struct keeping *keeping, const log_line *line) {
    if (keeping->n == keeping->capacity) {
        size_t capacity = keeping->capacity ? 2 * keeping->capacity : 1024;
        struct candidate *larger = realloc(keeping->candidates, capacity * sizeof *larger);
        if (!larger) return MS_FAIL(MS_OUT_OF_MEMORY, "no memory for the steps of %zu lines", keeping->n);
        keeping->candidates = larger;
        keeping->capacity = capacity;
    }
    keeping->candidates[keeping->n++] =
        (struct candidate){line->text, line->size_bytes, keeping->n_lines - 1, line->step, is_validation(line)};
    return MS_OK;
}

static bool is_foreign(const ms_run_log_plan *plan, const json_t *object) {
    return (plan->keys && !ms_run_log_has_keys(object, plan->keys)) ||
           (plan->is_own && !plan->is_own(plan->context, object));
}

static ms_status look_at_line(void *context, const log_line *line) {
    struct keeping *keeping = context;
    ms_run_log_mending *mending = keeping->mending;
    keeping->n_lines++;
    if (!line->object) {
        if (mending->n_bad++ == 0) mending->first_bad_line = keeping->n_lines;
        return MS_OK;
    }
    if (line->step > keeping->last_step) return MS_OK;
    const ms_run_log_plan *plan = keeping->plan;
    if (is_foreign(plan, line->object)) {
        if (mending->n_foreign++ == 0) mending->first_foreign_line = keeping->n_lines;
        return MS_OK;
    }
    uint64_t hash =
        plan->keys ? ms_run_log_subject_by_keys(line->object, plan->keys) : ms_run_log_subject(line->object);
    if (has_hash(&keeping->seen, hash)) {
        if (mending->n_repeated++ == 0) mending->first_repeated_line = keeping->n_lines;
        return MS_OK;
    }
    MS_TRY(add_hash(&keeping->seen, hash));
    return add_candidate(keeping, line);
}

/* Of the candidates those whose steps do not go back. */
static ms_status choose_lines(struct keeping *keeping, int64_t *steps) {
    for (size_t i = 0; i < keeping->n; i++) steps[i] = keeping->candidates[i].step;
    MS_TRY(ms_run_log_order(steps, keeping->n, keeping->keep));
    ms_run_log_mending *mending = keeping->mending;
    for (size_t i = 0; i < keeping->n; i++)
        if (!keeping->keep[i] && mending->n_back++ == 0) mending->first_back_line = keeping->candidates[i].i_line + 1;
    return MS_OK;
}

/* steps [n_steps]: of the lines that are there, ascending.  last_step: up to which the plan is compared. */
static void count_missing(const ms_run_log_plan *plan, int64_t last_step, const int64_t *steps, size_t n_steps,
                          ms_run_log_mending *mending) {
    int64_t every = plan->every, due = 1;
    for (size_t i = 0; i < n_steps || (every > 0 && due <= last_step);) {
        bool is_gap = every > 0 && (i == n_steps || due < steps[i]);
        int64_t step = is_gap ? due : steps[i], n_missing = 0;
        if (is_gap) { /* from a step that is due to the one before the next line */
            int64_t end = i < n_steps ? steps[i] - 1 : last_step;
            n_missing = (1 + end / every - due / every) * plan->lines_per_step;
            due = (end / every + 1) * every;
        } else {
            int64_t n_there = 0;
            for (; i < n_steps && steps[i] == step; i++) n_there++;
            if (every > 0 && step == due) due = (due / every + 1) * every;
            if (step > 0 && n_there < plan->lines_per_step) n_missing = plan->lines_per_step - n_there;
        }
        if (n_missing > 0 && mending->n_missing == 0) mending->first_missing_step = step;
        mending->n_missing += n_missing;
    }
}

/* Writes the lines that are kept in the place of the file of size_bytes, unless that is all of it. */
static ms_status write_kept(const char *path, size_t size_bytes, const struct keeping *keeping) {
    size_t n_bytes = 0;
    for (size_t i = 0; i < keeping->n; i++) n_bytes += keeping->keep[i] ? keeping->candidates[i].size_bytes : 0;
    if (n_bytes == size_bytes) return MS_OK;
    ms_writer writer;
    MS_TRY(ms_writer_open(path, &writer));
    ms_status status = MS_OK;
    for (size_t i = 0; i < keeping->n && status == MS_OK; i++)
        if (keeping->keep[i])
            status = ms_writer_write(&writer, keeping->candidates[i].text, keeping->candidates[i].size_bytes);
    if (status == MS_OK) return ms_writer_commit(&writer);
    ms_writer_abort(&writer);
    return status;
}

/* steps [keeping->n]: room. */
static void count_missing_of(const struct keeping *keeping, int64_t *steps) {
    size_t n = 0;
    for (size_t i = 0; i < keeping->n; i++)
        if (keeping->keep[i] && !keeping->candidates[i].is_validation) steps[n++] = keeping->candidates[i].step;
    count_missing(keeping->plan, keeping->last_step, steps, n, keeping->mending);
}

/* Leaves the lines up to last_step that a run can have written, and nothing else, in an existing file. */
static ms_status mend(const char *path, int64_t last_step, const ms_run_log_plan *plan, ms_run_log_mending *mending) {
    struct keeping keeping = {.last_step = last_step, .plan = plan, .mending = mending};
    ms_map map;
    MS_TRY(ms_map_open(path, &map));
    ms_status status = visit_lines_of(&map, look_at_line, &keeping);
    keeping.keep = calloc(keeping.n + 1, sizeof *keeping.keep);
    int64_t *steps = calloc(keeping.n + 1, sizeof *steps);
    if (status == MS_OK && (!keeping.keep || !steps))
        status = MS_FAIL(MS_OUT_OF_MEMORY, "no memory for the steps of %zu lines", keeping.n);
    if (status == MS_OK) status = choose_lines(&keeping, steps);
    if (status == MS_OK) status = write_kept(path, map.size_bytes, &keeping);
    if (status == MS_OK) count_missing_of(&keeping, steps);
    free(keeping.seen.hashes);
    free(keeping.candidates);
    free(keeping.keep);
    free(steps);
    ms_map_close(&map);
    return status;
}

ms_status ms_run_log_open(const char *path, int64_t resume_after_step, const ms_run_log_plan *plan, ms_run_log **out) {
    static const ms_run_log_plan a_line_a_step = {.every = 1, .lines_per_step = 1};
    *out = NULL;
    if (!plan) plan = &a_line_a_step;
    if (resume_after_step < -1)
        return MS_FAIL(MS_INVALID, "%s: resume after step %lld", path, (long long)resume_after_step);
    if (plan->every < 0 || plan->lines_per_step < 1)
        return MS_FAIL(MS_INVALID, "%s: a plan of %lld lines every %lld steps", path, (long long)plan->lines_per_step,
                       (long long)plan->every);
    bool resume = resume_after_step >= 0;
    ms_run_log_mending mending = {0};
    if (resume && ms_file_exists(path))
        MS_TRY(mend(path, resume_after_step, plan, &mending));
    else if (resume)
        count_missing(plan, resume_after_step, NULL, 0, &mending);
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
    log->keys = plan->keys;
    log->digits = 17;
    log->mending = mending;
    struct stat information;
    if (fstat(fileno(log->stream), &information) == 0) log->size_bytes = information.st_size;
    *out = log;
    return MS_OK;
}

const ms_run_log_mending *ms_run_log_get_mending(const ms_run_log *log) { return &log->mending; }

void ms_run_log_set_digits(ms_run_log *log, int digits) { log->digits = digits; }

struct search {
    int64_t step;
    const char *key;
    bool found;
};

static ms_status look_for_key(void *context, const log_line *line) {
    struct search *search = context;
    if (line->object && line->step == search->step && json_object_get(line->object, search->key)) search->found = true;
    return MS_OK;
}

ms_status ms_run_log_find(const char *path, int64_t step, const char *key, bool *out_found) {
    struct search search = {step, key, false};
    ms_status status = ms_file_exists(path) ? visit_lines(path, look_for_key, &search) : MS_OK;
    *out_found = search.found;
    return status;
}

struct visit {
    ms_status (*visit)(void *context, json_t *line);
    void *context;
};

static ms_status visit_object(void *context, const log_line *line) {
    const struct visit *of = context;
    return line->object ? of->visit(of->context, line->object) : MS_OK;
}

ms_status ms_run_log_visit(const char *path, ms_status (*visit)(void *context, json_t *line), void *context) {
    struct visit of = {visit, context};
    return ms_file_exists(path) ? visit_lines(path, visit_object, &of) : MS_OK;
}

static ms_status raise_step(void *context, const log_line *line) {
    int64_t *greatest = context;
    if (line->object && line->step > *greatest) *greatest = line->step;
    return MS_OK;
}

ms_status ms_run_log_last_step(const char *path, int64_t *out_step) {
    *out_step = -1;
    return ms_file_exists(path) ? visit_lines(path, raise_step, out_step) : MS_OK;
}

static ms_status write_failed(ms_run_log *log, int error) {
    log->failed_errno = error;
    return log->failed = ms_status_from_errno(error, "write", log->path);
}

static ms_status put_line(ms_run_log *log, const json_t *object) {
    if (log->failed != MS_OK) return write_failed(log, log->failed_errno);
    if (!is_line(object))
        return MS_FAIL(MS_INVALID, "%s: a line without an integer \"step\" of at least 0 and another key", log->path);
    if (log->keys && !ms_run_log_has_keys(object, log->keys))
        return MS_FAIL(MS_INVALID, "%s: a line without the keys that every line of it has", log->path);
    char *text = json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION((size_t)log->digits));
    if (!text) return MS_FAIL(MS_OUT_OF_MEMORY, "%s: a line", log->path);
    errno = 0;
    bool written = fputs(text, log->stream) != EOF && fputc('\n', log->stream) != EOF;
    int error = errno;
    log->size_bytes += (int64_t)strlen(text) + 1;
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

ms_status ms_run_log_check(const ms_run_log *log) {
    MS_TRY(ms_file_check_log(log->stream, log->path));
    struct stat information;
    if (fstat(fileno(log->stream), &information) == 0 && information.st_size >= log->size_bytes) return MS_OK;
    return MS_FAIL(MS_IO, "%s was cut while it was being written: it has lost lines", log->path);
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
