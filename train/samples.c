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

/* What stays: the samples of steps up to `last`. */
static ms_status read_kept(const char *path, int64_t last, char **out_text, size_t *out_kept, size_t *out_foreign) {
    size_t size = 0, kept = 0;
    *out_text = NULL;
    *out_kept = *out_foreign = 0;
    ms_status status = ms_file_read(path, out_text, &size);
    if (status == MS_NOT_FOUND) return MS_OK;
    MS_TRY(status);
    for (size_t at = 0, length; at < size; at += length) {
        int64_t step;
        length = measure(*out_text + at, *out_text + size, &step);
        if (length == 0) {
            *out_foreign = size - at;
            break;
        }
        if (step > last) continue;
        memmove(*out_text + kept, *out_text + at, length);
        kept += length;
    }
    *out_kept = kept;
    return MS_OK;
}

ms_status ms_samples_add(const char *path, int64_t step, const ms_sampling *sampling, const char *text,
                         size_t size_bytes) {
    char heading[MS_SAMPLE_HEADING_SIZE], *kept;
    size_t n_kept, n_foreign;
    MS_TRY(read_kept(path, step - 1, &kept, &n_kept, &n_foreign));
    char *all = malloc(n_kept + sizeof heading + 64 + size_bytes);
    if (!all) {
        free(kept);
        return MS_FAIL(MS_OUT_OF_MEMORY, "%s: no memory for a text of %zu bytes", path, size_bytes);
    }
    if (n_kept > 0) memcpy(all, kept, n_kept);
    free(kept);
    ms_sample_heading(step, sampling, heading);
    size_t n = n_kept;
    n += (size_t)sprintf(all + n, "-- step %lld, %zu bytes%s\n", (long long)step, size_bytes, strchr(heading, ':'));
    memcpy(all + n, text, size_bytes);
    n += size_bytes;
    memcpy(all + n, "\n\n", 2);
    ms_status status = ms_file_write(path, all, n + 2);
    free(all);
    return status;
}

ms_status ms_samples_cut(const char *path, int64_t step, int64_t *out_n_foreign) {
    char *kept;
    size_t n_kept, n_foreign;
    *out_n_foreign = 0;
    if (!ms_file_exists(path)) return MS_OK;
    MS_TRY(read_kept(path, step, &kept, &n_kept, &n_foreign));
    *out_n_foreign = (int64_t)n_foreign;
    ms_status status = MS_OK;
    if (n_kept == 0)
        (void)ms_remove_one(path); /* what stays is found again */
    else
        status = ms_file_write(path, kept, n_kept);
    free(kept);
    return status;
}
