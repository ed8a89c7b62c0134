#include "train/samples.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/directory.h"
#include "platform/file.h"

const char *ms_sample_heading(int64_t step, const ms_sampling *sampling, char out[MS_SAMPLE_HEADING_SIZE]) {
    snprintf(out, MS_SAMPLE_HEADING_SIZE, "step %lld: temperature %g, top_k %lld, seed %llu", (long long)step,
             sampling->temperature, (long long)sampling->top_k, (unsigned long long)sampling->seed);
    return out;
}

/* The step and the length of the sample that begins at `text` and ends before `end`; 0: none does. */
static size_t measure(const char *text, const char *end, int64_t *out_step) {
    long long step, size;
    int n_read = 0;
    const char *line_end = memchr(text, '\n', (size_t)(end - text));
    if (!line_end || sscanf(text, "-- step %lld, %lld bytes:%n", &step, &size, &n_read) != 2 || n_read == 0) return 0;
    const char *begin = line_end + 1;
    if (text + n_read > line_end || step < 0 || size < 0 || size > end - begin - 2) return 0;
    if (begin[size] != '\n' || begin[size + 1] != '\n') return 0;
    *out_step = step;
    return (size_t)(begin + size + 2 - text);
}

/* What is in the file. */
typedef struct contents {
    char *text;  /* owned; begins with the n_kept bytes that stay: the samples of steps up to the last */
    size_t size; /* bytes of the file */
    size_t n_kept;
    int64_t n_foreign; /* bytes that are no sample */
} contents;

static ms_status read_contents(const char *path, int64_t last, contents *out) {
    size_t kept = 0;
    *out = (contents){NULL};
    ms_status status = ms_file_read(path, &out->text, &out->size);
    if (status == MS_NOT_FOUND) return MS_OK;
    MS_TRY(status);
    char *text = out->text;
    size_t size = out->size;
    for (size_t at = 0, length; at < size; at += length) {
        int64_t step;
        length = measure(text + at, text + size, &step);
        if (length == 0) {
            out->n_foreign = (int64_t)(size - at);
            break;
        }
        if (step > last) continue;
        memmove(text + kept, text + at, length);
        kept += length;
    }
    out->n_kept = kept;
    return MS_OK;
}

ms_status ms_samples_add(const char *path, int64_t step, const ms_sampling *sampling, const char *text,
                         size_t size_bytes, int64_t *out_n_foreign) {
    char heading[MS_SAMPLE_HEADING_SIZE];
    contents old;
    *out_n_foreign = 0;
    MS_TRY(read_contents(path, step - 1, &old));
    size_t n = old.n_kept;
    char *all = realloc(old.text, n + sizeof heading + 64 + size_bytes);
    if (!all) {
        free(old.text);
        return MS_FAIL(MS_OUT_OF_MEMORY, "%s: no memory for a text of %zu bytes", path, size_bytes);
    }
    *out_n_foreign = old.n_foreign;
    ms_sample_heading(step, sampling, heading);
    n += (size_t)sprintf(all + n, "-- step %lld, %zu bytes%s\n", (long long)step, size_bytes, strchr(heading, ':'));
    memcpy(all + n, text, size_bytes);
    n += size_bytes;
    memcpy(all + n, "\n\n", 2);
    ms_status status = ms_file_write(path, all, n + 2);
    free(all);
    return status;
}

ms_status ms_samples_cut(const char *path, int64_t step, int64_t *out_n_foreign) {
    contents old;
    *out_n_foreign = 0;
    MS_TRY(read_contents(path, step, &old));
    *out_n_foreign = old.n_foreign;
    ms_status status = MS_OK;
    if (old.text && old.n_kept == 0)
        (void)ms_remove_one(path); /* what stays is found again */
    else if (old.n_kept < old.size)
        status = ms_file_write(path, old.text, old.n_kept);
    free(old.text);
    return status;
}
