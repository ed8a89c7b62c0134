#include "train/text.h"

#include <stdlib.h>
#include <string.h>

#include "model/data/dataset_sidecar.h"
#include "platform/file.h"
#include "platform/signals.h"
#include "train/text_tail.h"

const char *ms_text_end_name(ms_text_end end) {
    static const char *const names[] = {"length", "end_of_text", "stop"};
    return names[end];
}

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

/* ---- prompts ---- */

static ms_status take_ids(const ms_text_source *source, const ms_text_prompt *prompt, ms_tokens *out) {
    int n = ms_tokenizer_vocab_size(source->tokenizer);
    for (size_t i = 0; i < prompt->n_ids; i++)
        if (prompt->ids[i] < 0 || prompt->ids[i] >= n)
            return MS_FAIL(MS_INVALID, "id %d is not of the run's tokenizer, which has ids 0 to %d", prompt->ids[i],
                           n - 1);
    return ms_tokens_append_all(out, prompt->ids, prompt->n_ids);
}

static ms_status encode(const ms_text_source *source, const ms_text_prompt *prompt, ms_tokens *out) {
    if (prompt->ids) {
        MS_TRY(take_ids(source, prompt, out));
    } else {
        if (source->end_of_text >= 0) MS_TRY(ms_tokens_append(out, source->end_of_text));
        MS_TRY(ms_tokenizer_encode(source->tokenizer, prompt->text, prompt->size_bytes, MS_SPECIAL_PARSE, out));
    }
    if (out->n == 0)
        return MS_FAIL(MS_INVALID,
                       "an empty prompt, and no token of the data begins a document: give a text to start from");
    if (out->n > (size_t)source->model.sequence_length)
        return MS_FAIL(MS_INVALID,
                       "the prompt has %zu tokens%s, the model sees %d at once (model.sequence_length): shorten it",
                       out->n, !prompt->ids && source->end_of_text >= 0 ? " with the one that begins a document" : "",
                       source->model.sequence_length);
    return MS_OK;
}

ms_status ms_text_check_prompt(const ms_text_source *source, const ms_text_prompt *prompt) {
    ms_tokens ids = {0};
    ms_status status = encode(source, prompt, &ids);
    ms_tokens_finish(&ids);
    return status == MS_OK ? MS_OK : ms_status_note(status, "%s", prompt->place);
}

/* ---- texts ---- */

/* One text that is drawn, or waits to be shown. */
struct text {
    ms_tokens ids;
    ms_text_tail tail;
    double *log_probabilities; /* [n_drawn], or NULL */
    int64_t n_drawn, capacity; /* capacity: of log_probabilities */
    size_t n_shown;            /* bytes of the tail that the sink has */
    ms_text_end end;
    bool is_done;
};

struct prompt {
    ms_tokens ids;
    const char *text;
    size_t size_bytes;
    char *decoded; /* owned: the text, of ids */
};

/* What the work holds. */
struct work {
    const ms_text_source *source;
    const ms_text_request *request;
    const ms_text_sink *sink;
    ms_generator *generator;
    struct prompt *prompts; /* [request->n_prompts] */
    struct text *texts;     /* [n_texts] by prompt, then by sample */
    int64_t n_texts, n_begun;
    int64_t i_front; /* the text that the sink gets: those before it have ended */
    bool front_begun;
    int32_t n_slots;          /* texts that are drawn at a time */
    int64_t *slots;           /* [n_slots] text, or -1 */
    ms_generator_text *views; /* [n_slots] */
    float *logits;            /* [n_slots, vocabulary of the model] */
    int32_t *ids;             /* [vocabulary of the model] scratch of a draw */
    double *weights;          /* likewise */
};

static ms_status open_prompts(struct work *work) {
    const ms_text_request *request = work->request;
    work->prompts = calloc((size_t)request->n_prompts, sizeof *work->prompts);
    if (!work->prompts) return MS_FAIL(MS_OUT_OF_MEMORY, "generate: no memory for the prompts");
    for (int64_t i = 0; i < request->n_prompts; i++) {
        const ms_text_prompt *given = &request->prompts[i];
        struct prompt *prompt = &work->prompts[i];
        MS_TRY_NOTE(encode(work->source, given, &prompt->ids), "%s", given->place);
        prompt->text = given->text;
        prompt->size_bytes = given->size_bytes;
        if (!given->ids) continue;
        MS_TRY(ms_tokenizer_decode(work->source->tokenizer, given->ids, given->n_ids, false, &prompt->decoded,
                                   &prompt->size_bytes));
        prompt->text = prompt->decoded;
    }
    return MS_OK;
}

static ms_status allocate(struct work *work) {
    size_t n = (size_t)work->n_slots, vocabulary = (size_t)work->source->model.vocabulary;
    work->texts = calloc((size_t)work->n_texts, sizeof *work->texts);
    work->slots = calloc(n, sizeof *work->slots);
    work->views = calloc(n, sizeof *work->views);
    work->logits = calloc(n * vocabulary, sizeof *work->logits);
    work->ids = calloc(vocabulary, sizeof *work->ids);
    work->weights = calloc(vocabulary, sizeof *work->weights);
    if (!work->texts || !work->slots || !work->views || !work->logits || !work->ids || !work->weights)
        return MS_FAIL(MS_OUT_OF_MEMORY, "generate: no memory for %lld texts", (long long)work->n_texts);
    for (size_t i = 0; i < n; i++) work->slots[i] = -1;
    return MS_OK;
}

static void finish_text(struct text *text) {
    ms_tokens_finish(&text->ids);
    ms_text_tail_finish(&text->tail);
    free(text->log_probabilities);
    text->log_probabilities = NULL;
}

static void finish_work(struct work *work) {
    for (int64_t i = 0; work->prompts && i < work->request->n_prompts; i++) {
        ms_tokens_finish(&work->prompts[i].ids);
        free(work->prompts[i].decoded);
    }
    for (int64_t i = 0; work->texts && i < work->n_texts; i++) finish_text(&work->texts[i]);
    free(work->prompts);
    free(work->texts);
    free(work->slots);
    free(work->views);
    free(work->logits);
    free(work->ids);
    free(work->weights);
    ms_generator_close(work->generator);
}

static void end_text(struct text *text, ms_text_end end) {
    text->end = end;
    text->is_done = true;
    ms_text_tail_end(&text->tail);
}

/* Begins the next text. */
static ms_status begin_text(struct work *work, struct text *text) {
    const ms_text_request *request = work->request;
    const ms_tokens *prompt = &work->prompts[work->n_begun / request->n_samples].ids;
    text->tail.stops = request->stops;
    text->tail.n_stops = request->n_stops;
    work->n_begun++;
    MS_TRY(ms_tokens_append_all(&text->ids, prompt->ids, prompt->n));
    if (request->n_tokens == 0) end_text(text, MS_TEXT_END_LENGTH);
    return MS_OK;
}

/* Keeps the log-probability of token number text->n_drawn. */
static ms_status keep_log_probability(struct text *text, double value) {
    if (text->n_drawn == text->capacity) {
        int64_t capacity = text->capacity > 0 ? 2 * text->capacity : 64;
        double *larger = realloc(text->log_probabilities, (size_t)capacity * sizeof *larger);
        if (!larger)
            return MS_FAIL(MS_OUT_OF_MEMORY, "generate: no memory for a text of %lld tokens", (long long)capacity);
        text->log_probabilities = larger;
        text->capacity = capacity;
    }
    text->log_probabilities[text->n_drawn] = value;
    return MS_OK;
}

/* Begins a text for each slot that is free.  One without tokens to draw has ended, and leaves it free. */
static ms_status fill_slots(struct work *work) {
    for (int32_t i = 0; i < work->n_slots && work->n_begun < work->n_texts; i++) {
        if (work->slots[i] >= 0) continue;
        int64_t i_text = work->n_begun;
        MS_TRY(begin_text(work, &work->texts[i_text]));
        if (!work->texts[i_text].is_done) work->slots[i] = i_text;
    }
    return MS_OK;
}

static ms_status draw_token(struct work *work, int64_t i_text, const float *logits) {
    const ms_text_source *source = work->source;
    const ms_text_request *request = work->request;
    struct text *text = &work->texts[i_text];
    const ms_draw draw = {.logits = logits,
                          .vocabulary = ms_tokenizer_vocab_size(source->tokenizer),
                          .text = text->ids.ids,
                          .n_text = (int64_t)text->ids.n,
                          .i_sample = i_text % request->n_samples,
                          .ids = work->ids,
                          .weights = work->weights};
    int32_t id;
    const uint8_t *bytes;
    size_t n;
    MS_TRY(ms_sample(&request->sampling, &draw, &id));
    MS_TRY(ms_tokens_append(&text->ids, id));
    if (request->wants_log_probabilities)
        MS_TRY(keep_log_probability(text, ms_log_probability(logits, source->model.vocabulary, id)));
    text->n_drawn++;
    if (id == source->end_of_text) {
        end_text(text, MS_TEXT_END_OF_TEXT);
        return MS_OK;
    }
    MS_TRY(ms_tokenizer_token(source->tokenizer, id, &bytes, &n));
    MS_TRY(ms_text_tail_add(&text->tail, bytes, n));
    if (text->tail.stop)
        end_text(text, MS_TEXT_END_STOP_STRING);
    else if (text->n_drawn == request->n_tokens)
        end_text(text, MS_TEXT_END_LENGTH);
    return MS_OK;
}

/* A token for each text in a slot. */
static ms_status draw_tokens(struct work *work) {
    for (int32_t i = 0; i < work->n_slots; i++) {
        const struct text *text = work->slots[i] < 0 ? NULL : &work->texts[work->slots[i]];
        work->views[i] = text ? (ms_generator_text){text->ids.ids, (int64_t)text->ids.n} : (ms_generator_text){NULL, 0};
    }
    MS_TRY(ms_generator_logits(work->generator, work->views, work->n_slots, work->logits));
    for (int32_t i = 0; i < work->n_slots; i++) {
        if (work->slots[i] < 0) continue;
        MS_TRY(draw_token(work, work->slots[i], work->logits + (size_t)i * (size_t)work->source->model.vocabulary));
        if (work->texts[work->slots[i]].is_done) work->slots[i] = -1;
    }
    return MS_OK;
}

static ms_drawn_text view_text(const struct work *work, int64_t i_text) {
    const struct text *text = &work->texts[i_text];
    int64_t i_prompt = i_text / work->request->n_samples;
    const struct prompt *prompt = &work->prompts[i_prompt];
    return (ms_drawn_text){.i_prompt = i_prompt,
                           .i_sample = i_text % work->request->n_samples,
                           .prompt = prompt->text,
                           .prompt_bytes = prompt->size_bytes,
                           .bytes = text->tail.text.bytes,
                           .n_bytes = text->tail.text.n,
                           .ids = text->ids.ids,
                           .n_prompt_ids = (int64_t)prompt->ids.n,
                           .n_drawn = text->n_drawn,
                           .log_probabilities = text->log_probabilities,
                           .end = text->end,
                           .stop = text->tail.stop};
}

/* Hands the sink what it has not: of the first text that has not ended as it is drawn, the others when it is their
   turn. */
static ms_status show(struct work *work) {
    const ms_text_sink *sink = work->sink;
    for (; work->i_front < work->n_begun; work->i_front++, work->front_begun = false) {
        struct text *text = &work->texts[work->i_front];
        ms_drawn_text view = view_text(work, work->i_front);
        if (!work->front_begun && sink->begin) MS_TRY(sink->begin(sink->context, &view));
        work->front_begun = true;
        size_t n = text->tail.n_ready - text->n_shown;
        if (n > 0 && sink->more) MS_TRY(sink->more(sink->context, text->tail.text.bytes + text->n_shown, n));
        text->n_shown += n;
        if (!text->is_done) return MS_OK;
        MS_TRY(sink->end(sink->context, &view));
        finish_text(text);
    }
    return MS_OK;
}

static ms_status draw_texts(struct work *work) {
    for (;;) {
        MS_TRY(fill_slots(work));
        MS_TRY(show(work));
        if (work->i_front == work->n_texts) return MS_OK;
        MS_TRY(ms_signals_check("the text"));
        MS_TRY(draw_tokens(work));
    }
}

static ms_status load(struct work *work, ms_device *device) {
    const ms_text_source *source = work->source;
    ms_checkpoint *checkpoint;
    MS_TRY(ms_checkpoint_open_or_name(source->checkpoints, source->step, "--step", &checkpoint));
    ms_status status = ms_generator_open(device, &source->model, work->n_slots, &work->generator);
    if (status == MS_OUT_OF_MEMORY && work->n_slots > 1)
        ms_status_note(status, "generate: %d texts at a time, of which fewer take less memory", work->n_slots);
    if (status == MS_OK) status = ms_generator_load(work->generator, ms_checkpoint_model(checkpoint));
    if (status == MS_OK && work->sink->open) status = work->sink->open(work->sink->context, checkpoint);
    ms_checkpoint_close(checkpoint);
    return status;
}

ms_status ms_generate_from_run(ms_device *device, const ms_text_source *source, const ms_text_request *request,
                               const ms_text_sink *sink) {
    struct work work = {.source = source, .request = request, .sink = sink};
    if (ms_tokenizer_vocab_size(source->tokenizer) > source->model.vocabulary)
        return MS_FAIL(MS_MISMATCH, "generate: the tokenizer has %d tokens, the model %d",
                       ms_tokenizer_vocab_size(source->tokenizer), source->model.vocabulary);
    MS_TRY(ms_sampling_check(&request->sampling));
    if (request->n_at_once < 1)
        return MS_FAIL(MS_INVALID, "generate: %d texts at a time, must be 1 or more", request->n_at_once);
    work.n_texts = request->n_prompts * request->n_samples;
    work.n_slots = request->n_at_once < work.n_texts ? request->n_at_once : (int32_t)work.n_texts;
    ms_status status = open_prompts(&work);
    if (status == MS_OK) status = allocate(&work);
    if (status == MS_OK) status = load(&work, device);
    if (status == MS_OK) status = draw_texts(&work);
    finish_work(&work);
    return status;
}
