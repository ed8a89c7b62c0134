/* The copies of tokenizer.json and dataset.json in a run: made at its beginning, looked at when it is resumed. */
#include <stdlib.h>
#include <string.h>

#include "model/data/dataset_sidecar.h"
#include "platform/directory.h"
#include "platform/file.h"
#include "train/run_impl.h"
#include "train/text.h"

/* Where a copy is, and where the data have it. */
struct copy {
    const char *name; /* of the file, in both folders */
    char *path, *source;
    bool has_source;    /* the data have the file */
    const char *wanted; /* identity of the tokenizer; NULL: not known */
};

static ms_status open_copy(const ms_run *run, const char *name, const char *wanted, struct copy *out) {
    *out = (struct copy){.name = name, .wanted = wanted};
    out->path = ms_path_join(run->folder.path, name);
    out->source = ms_path_join(run->options.data, name);
    return out->path && out->source ? MS_OK : MS_FAIL(MS_OUT_OF_MEMORY, "train: no memory for a path");
}

static void close_copy(struct copy *copy) {
    free(copy->path);
    free(copy->source);
}

static ms_status compare(const struct copy *copy, const char *found) {
    if (!copy->wanted || strcmp(found, copy->wanted) == 0) return MS_OK;
    return MS_FAIL(MS_MISMATCH, "%s: tokenizer %.12s..., the run's is %.12s...", copy->path, found, copy->wanted);
}

static ms_status read_tokenizer(const struct copy *copy) {
    ms_tokenizer *tokenizer;
    MS_TRY(ms_tokenizer_open(copy->path, &tokenizer));
    ms_status status = compare(copy, ms_tokenizer_sha256(tokenizer));
    ms_tokenizer_close(tokenizer);
    return status;
}

static ms_status read_sidecar(const ms_run *run, const struct copy *copy) {
    ms_sidecar sidecar;
    MS_TRY(ms_sidecar_read(run->folder.path, &sidecar));
    ms_status status = compare(copy, sidecar.tokenizer_sha256);
    ms_sidecar_finish(&sidecar);
    return status;
}

/* What is wrong with a copy; MS_NOT_FOUND: it is missing. */
static ms_status check_copy(const ms_run *run, const struct copy *copy) {
    if (ms_is_link(copy->path)) return MS_FAIL(MS_IO, "%s: it is a symbolic link", copy->path);
    return strcmp(copy->name, MS_SIDECAR_NAME) == 0 ? read_sidecar(run, copy) : read_tokenizer(copy);
}

static ms_status write_copy(const ms_run *run, const struct copy *copy) {
    char *text = NULL;
    size_t size_bytes = 0;
    if (strcmp(copy->name, MS_SIDECAR_NAME) != 0) return ms_tokenizer_save(run->tokenizer, copy->path);
    MS_TRY(ms_file_read(copy->source, &text, &size_bytes));
    ms_status status = ms_file_write(copy->path, text, size_bytes);
    free(text);
    return status;
}

/* A copy that the run lacks without the data having the file is no fault: its data never had one. */
static ms_status mend_copy(ms_run *run, const struct copy *copy) {
    char why[512];
    ms_status status = check_copy(run, copy);
    if (status == MS_OK || status == MS_OUT_OF_MEMORY) return status;
    if (status == MS_NOT_FOUND && !copy->has_source) return MS_OK;
    snprintf(why, sizeof why, "%.510s", ms_status_message());
    if (!copy->has_source)
        return MS_FAIL(MS_CORRUPT,
                       "the run's copy of %s is damaged: %s; %s has none of the same tokenizer to write it again from",
                       copy->name, why, run->options.data);
    if (status != MS_NOT_FOUND) (void)ms_remove_one(copy->path); /* what stays is in the way, and named */
    MS_TRY_NOTE(write_copy(run, copy), "the run's copy of %s is damaged, and cannot be written again", copy->name);
    ms_logger_write(run->logger, MS_LOG_WARNING, "the run's copy of %s %s: %s; it was written again from %s",
                    copy->name, status == MS_NOT_FOUND ? "is missing" : "was damaged", why, run->options.data);
    return MS_OK;
}

/* The tokenizer that text is made with is known from here on, whatever becomes of the copies.  A prompt that no text
   can begin with is found now, and not after the last step. */
static ms_status find_end(ms_run *run) {
    run->end_of_text = -1;
    if (!run->tokenizer) return MS_OK;
    MS_TRY(ms_text_find_end(run->folder.path, run->tokenizer, &run->end_of_text));
    const ms_sample_request *sample = &run->options.sample;
    if (sample->n_tokens < 1 || run->options.trainer.control != MS_CONTROL_NONE) return MS_OK;
    const ms_text_prompt prompt = {
        .place = "sample.prompt", .text = sample->prompt, .size_bytes = strlen(sample->prompt)};
    const ms_text_source source = {
        .model = run->options.trainer.model, .tokenizer = run->tokenizer, .end_of_text = run->end_of_text};
    return ms_text_check_prompt(&source, &prompt);
}

ms_status ms_run_keep_copies(ms_run *run) {
    struct copy tokenizer = {0}, sidecar = {0};
    ms_status status = open_copy(run, MS_SIDECAR_TOKENIZER, NULL, &tokenizer);
    if (status == MS_OK) status = open_copy(run, MS_SIDECAR_NAME, NULL, &sidecar);
    if (status == MS_OK && run->tokenizer) status = write_copy(run, &tokenizer);
    if (status == MS_OK && ms_dataset_tokenizer_sha256(run->train)) status = write_copy(run, &sidecar);
    close_copy(&tokenizer);
    close_copy(&sidecar);
    return status == MS_OK ? find_end(run) : status;
}

ms_status ms_run_mend_copies(ms_run *run, const char *tokenizer_sha256) {
    struct copy tokenizer = {0}, sidecar = {0};
    const char *of_data = ms_dataset_tokenizer_sha256(run->train);
    if (run->tokenizer) tokenizer_sha256 = ms_tokenizer_sha256(run->tokenizer); /* the same, where both are known */
    ms_status status = open_copy(run, MS_SIDECAR_TOKENIZER, tokenizer_sha256, &tokenizer);
    if (status == MS_OK) status = open_copy(run, MS_SIDECAR_NAME, tokenizer_sha256, &sidecar);
    tokenizer.has_source = run->tokenizer != NULL;
    sidecar.has_source = of_data && (!tokenizer_sha256 || strcmp(of_data, tokenizer_sha256) == 0);
    if (status == MS_OK) status = mend_copy(run, &tokenizer);
    if (status == MS_OK) status = mend_copy(run, &sidecar);
    close_copy(&tokenizer);
    close_copy(&sidecar);
    return status == MS_OK ? find_end(run) : status;
}
