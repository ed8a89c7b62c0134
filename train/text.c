#include "train/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/checkpoint/checkpoint.h"
#include "model/data/dataset_sidecar.h"
#include "platform/file.h"
#include "platform/output.h"
#include "platform/signals.h"

ms_status ms_text_find_end(const char *run_folder, const ms_tokenizer *tokenizer, int32_t *out) {
    *out = ms_tokenizer_end_of_text(tokenizer);
    char *path = ms_path_join(run_folder, MS_SIDECAR_NAME);
    if (!path) return MS_FAIL(MS_OUT_OF_MEMORY, "generate: no memory for a path");
    bool has_copy = ms_file_exists(path);
    free(path);
    if (!has_copy) return MS_OK;
    ms_sidecar sidecar;
    MS_TRY_NOTE(ms_sidecar_read(run_folder, &sidecar), "generate");
    *out = sidecar.end_of_text;
    ms_sidecar_finish(&sidecar);
    return MS_OK;
}

/* What the prompt becomes; an empty one begins a document, which the corpus does with the end-of-text token. */
static ms_status encode_prompt(const ms_text_source *source, const char *prompt, ms_tokens *out) {
    if (source->end_of_text >= 0) MS_TRY(ms_tokens_append(out, source->end_of_text));
    MS_TRY(ms_tokenizer_encode(source->tokenizer, prompt, strlen(prompt), MS_SPECIAL_PARSE, out));
    if (out->n == 0)
        return MS_FAIL(MS_INVALID,
                       "generate: an empty prompt, and this tokenizer has no end-of-text token to start from");
    return MS_OK;
}

static ms_status check_written(FILE *stream) {
    if (stream == stdout) {
        MS_TRY_NOTE(ms_output_flush(), "generate");
        return MS_OK;
    }
    errno = 0;
    if (fflush(stream) == 0 && !ferror(stream)) return MS_OK;
    return MS_FAIL(MS_IO, "generate: cannot write the text: %s",
                   errno ? strerror(errno) : "an earlier part is missing");
}

/* Where a text goes; copy NULL: to the stream alone. */
struct sinks {
    FILE *stream, *copy;
};

static void put(const struct sinks *sinks, const void *text, size_t size_bytes) {
    ms_print_text(sinks->stream, text, size_bytes);
    if (sinks->copy) fwrite(text, 1, size_bytes, sinks->copy);
}

static ms_status draw(ms_generator *generator, const ms_text_source *source, const ms_text_request *request,
                      ms_tokens *tokens, const struct sinks *sinks) {
    FILE *stream = sinks->stream;
    const ms_tokenizer *tokenizer = source->tokenizer;
    ms_sampling sampling = request->sampling;
    sampling.vocabulary = ms_tokenizer_vocab_size(tokenizer); /* the model may have more, which mean nothing */
    MS_TRY(encode_prompt(source, request->prompt, tokens));
    put(sinks, request->prompt, strlen(request->prompt));
    ms_status status = MS_OK;
    for (int64_t i = 0; status == MS_OK && !ferror(stream) && i < request->n_tokens; i++) {
        int32_t token;
        const uint8_t *bytes;
        size_t size;
        MS_TRY(ms_generator_next(generator, tokens->ids, (int64_t)tokens->n, &sampling, &token));
        if (token == source->end_of_text) break;
        MS_TRY(ms_tokens_append(tokens, token));
        MS_TRY(ms_tokenizer_token(tokenizer, token, &bytes, &size));
        put(sinks, bytes, size);
        ms_print_flush(stream);
        status = ms_signals_check("the text");
    }
    fputc('\n', stream);
    return status == MS_OK ? check_written(stream) : status;
}

ms_status ms_generate_from_run(ms_device *device, const ms_text_source *source, const ms_text_request *request,
                               FILE *stream, FILE *copy) {
    const struct sinks sinks = {stream, copy};
    if (ms_tokenizer_vocab_size(source->tokenizer) > source->model.vocabulary)
        return MS_FAIL(MS_MISMATCH, "generate: the tokenizer has %d tokens, the model %d",
                       ms_tokenizer_vocab_size(source->tokenizer), source->model.vocabulary);
    ms_checkpoint *checkpoint = NULL;
    ms_generator *generator = NULL;
    ms_tokens tokens = {0};
    ms_status status = ms_checkpoint_open_or_name(source->checkpoints, source->step, "--step", &checkpoint);
    if (status == MS_OK) status = ms_generator_open(device, &source->model, &generator);
    if (status == MS_OK) status = ms_generator_load(generator, ms_checkpoint_model(checkpoint));
    if (status == MS_OK) status = draw(generator, source, request, &tokens, &sinks);
    ms_tokens_finish(&tokens);
    ms_generator_close(generator);
    ms_checkpoint_close(checkpoint);
    return status;
}
