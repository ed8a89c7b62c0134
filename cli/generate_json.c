#include "cli/generate_json.h"

#include "model/data/text_mend.h"
#include "platform/json.h"
#include "platform/output.h"
#include "tracker/run_log.h"

static const char what[] = "generate: a line";

static ms_status open_weights(void *context, const ms_checkpoint *checkpoint) {
    ms_json_texts *texts = context;
    const ms_safetensors *model = ms_checkpoint_model(checkpoint);
    texts->step = ms_checkpoint_get_info(checkpoint)->step;
    return ms_tensors_sha256(ms_safetensors_all(model), ms_safetensors_count(model), texts->weights_sha256);
}

/* Text that need not be UTF-8: U+FFFD takes the place of what is not. */
static ms_status set_text(json_t *line, const char *key, const char *bytes, size_t n) {
    ms_text mended = {0};
    ms_status status = n > 0 ? ms_mend_utf8(bytes, n, &mended) : MS_OK;
    if (status == MS_OK) status = ms_json_set(line, what, key, json_stringn(n > 0 ? mended.bytes : "", mended.n));
    ms_text_finish(&mended);
    return status;
}

static ms_status set_ids(json_t *line, const char *key, const int32_t *ids, int64_t n) {
    json_t *list = json_array();
    MS_TRY(ms_json_set(line, what, key, list));
    for (int64_t i = 0; i < n; i++) MS_TRY(ms_json_append(list, what, json_integer(ids[i])));
    return MS_OK;
}

static ms_status set_log_probabilities(json_t *line, const ms_drawn_text *text) {
    json_t *list = json_array();
    MS_TRY(ms_json_set(line, what, "log_probabilities", list));
    for (int64_t i = 0; i < text->n_drawn; i++)
        MS_TRY(ms_json_append(list, what, ms_run_log_real(text->log_probabilities[i])));
    return MS_OK;
}

static ms_status set_settings(json_t *line, const ms_text_request *request) {
    const ms_sampling *sampling = &request->sampling;
    json_t *settings, *stops = json_array();
    MS_TRY(ms_json_pack(&settings, what, "{s:I, s:f, s:I, s:f, s:f, s:f, s:I, s:o}", "tokens",
                        (json_int_t)request->n_tokens, "temperature", sampling->temperature, "top_k",
                        (json_int_t)sampling->top_k, "top_p", sampling->top_p, "min_p", sampling->min_p,
                        "repetition_penalty", sampling->repetition_penalty, "repetition_window",
                        (json_int_t)sampling->repetition_window, "stop", stops));
    MS_TRY(ms_json_set(line, what, "settings", settings));
    for (size_t i = 0; i < request->n_stops; i++) MS_TRY(ms_json_append(stops, what, json_string(request->stops[i])));
    return MS_OK;
}

static ms_status fill_line(const ms_json_texts *texts, const ms_drawn_text *text, json_t *line) {
    MS_TRY(set_text(line, "prompt", text->prompt, text->prompt_bytes));
    MS_TRY(set_text(line, "text", text->bytes, text->n_bytes));
    MS_TRY(ms_json_set_text(line, what, "end", ms_text_end_name(text->end)));
    MS_TRY(ms_json_set(line, what, "stop", text->stop ? json_string(text->stop) : json_null()));
    MS_TRY(set_ids(line, "prompt_ids", text->ids, text->n_prompt_ids));
    MS_TRY(set_ids(line, "ids", text->ids + text->n_prompt_ids, text->n_drawn));
    MS_TRY(set_log_probabilities(line, text));
    MS_TRY(ms_json_set(line, what, "seed", json_integer((json_int_t)texts->request->sampling.seed)));
    MS_TRY(set_settings(line, texts->request));
    MS_TRY(ms_json_set_text(line, what, "run", texts->run));
    MS_TRY(ms_json_set(line, what, "step", json_integer((json_int_t)texts->step)));
    return ms_json_set_text(line, what, "weights_sha256", texts->weights_sha256);
}

static ms_status end(void *context, const ms_drawn_text *text) {
    const ms_json_texts *texts = context;
    json_t *line;
    MS_TRY(ms_json_pack(&line, what, "{s:I, s:I}", "prompt_number", (json_int_t)text->i_prompt, "sample",
                        (json_int_t)text->i_sample));
    ms_status status = fill_line(texts, text, line);
    if (status == MS_OK) status = ms_json_print(line, what, JSON_COMPACT | JSON_REAL_PRECISION(17), stdout);
    json_decref(line);
    MS_TRY(status);
    MS_TRY_NOTE(ms_output_flush(), "generate");
    return MS_OK;
}

ms_text_sink ms_json_texts_sink(ms_json_texts *texts) {
    return (ms_text_sink){.context = texts, .open = open_weights, .end = end};
}
