/* muonscope generate */
#include <math.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/generate_json.h"
#include "cli/prompts.h"
#include "cli/run_model.h"
#include "platform/signals.h"
#include "platform/utf8.h"
#include "train/settings.h"
#include "train/text_print.h"

struct arguments {
    ms_option_list prompt, stop;
    const char *prompts, *format, *field, *device;
    int64_t n, batch, tokens, top_k, repetition_window, seed, threads, step;
    double temperature, top_p, min_p, repetition_penalty;
    bool json;
};

static const ms_option options[] = {
    {"prompt", MS_OPTION_REPEATED, offsetof(struct arguments, prompt), NULL, "TEXT",
     "Text to continue; may be given several times (default: the run's sample.prompt)"},
    {"prompts", MS_OPTION_STRING, offsetof(struct arguments, prompts), NULL, "FILE",
     "Texts to continue, a line each, or JSONL with the key prompt, or input_ids; -: standard input"},
    {"format", MS_OPTION_STRING, offsetof(struct arguments, format), NULL, "auto|text|jsonl",
     "Of --prompts: auto takes JSONL where the first line is a JSON object or the name says so (default)"},
    {"field", MS_OPTION_STRING, offsetof(struct arguments, field), NULL, "KEY",
     "Of --prompts: JSONL's key of the text (default prompt)"},
    {"n", MS_OPTION_COUNT, offsetof(struct arguments, n), NULL, "N", "Texts of each prompt (default 1)"},
    {"batch", MS_OPTION_COUNT, offsetof(struct arguments, batch), NULL, "N",
     "Texts that are drawn at a time (default 8, or as many as there are)"},
    {"tokens", MS_OPTION_COUNT, offsetof(struct arguments, tokens), NULL, "N",
     "Tokens to draw (default: the run's sample.tokens)"},
    {"stop", MS_OPTION_REPEATED, offsetof(struct arguments, stop), NULL, "TEXT",
     "Ends a text before this one; may be given several times"},
    {"temperature", MS_OPTION_FLOAT, offsetof(struct arguments, temperature), NULL, "T",
     "0: always the likeliest token (default: the run's sample.temperature)"},
    {"top_k", MS_OPTION_COUNT, offsetof(struct arguments, top_k), NULL, "K",
     "Draw among the K likeliest; 0: among all (default: the run's sample.top_k)"},
    {"top_p", MS_OPTION_FLOAT, offsetof(struct arguments, top_p), NULL, "P",
     "Draw among the fewest likeliest that have P of the probability; 1: among all (default)"},
    {"min_p", MS_OPTION_FLOAT, offsetof(struct arguments, min_p), NULL, "P",
     "Draw among those at least P times as probable as the likeliest; 0: among all (default)"},
    {"repetition_penalty", MS_OPTION_FLOAT, offsetof(struct arguments, repetition_penalty), NULL, "R",
     "Logits of tokens that the text has so far are divided by R where positive, else times R; 1: none (default)"},
    {"repetition_window", MS_OPTION_COUNT, offsetof(struct arguments, repetition_window), NULL, "N",
     "Tokens that --repetition_penalty looks back at; 0: all, with the prompt (default)"},
    {"seed", MS_OPTION_COUNT, offsetof(struct arguments, seed), NULL, "N",
     "The same seed gives the same text (default 0)"},
    {"json", MS_OPTION_FLAG, offsetof(struct arguments, json), NULL, NULL,
     "Print a line of JSON for each text when it has ended: text, ids, log-probabilities, why it ended, settings"},
    MS_RUN_MODEL_OPTIONS(struct arguments),
    {NULL, MS_OPTION_END, 0, NULL, NULL, NULL}};

static const ms_command command = {
    "generate",
    "RUN",
    "Continues texts with the weights of a run.",
    options,
    1,
    1,
    NULL,
    "The token that begins each document of the data (<|endoftext|>, as a rule) goes first, before the\n"
    "prompt, since training has seen texts so; it is not printed.  A text ends where the model draws it.\n"
    "Text is printed as it is drawn, that of several prompts or samples one after another."};

static ms_status collect_prompts(const struct arguments *a, ms_prompts *out) {
    for (int i = 0; i < a->prompt.n_items; i++)
        MS_TRY(ms_prompts_add(out, "--prompt", a->prompt.items[i], strlen(a->prompt.items[i])));
    if (a->prompts)
        MS_TRY(ms_prompts_read(out, a->prompts, a->format ? a->format : "auto", a->field ? a->field : "prompt"));
    return MS_OK;
}

/* The run's, where none is given. */
static ms_status add_own_prompt(const ms_run_model *run, ms_prompts *prompts) {
    const char *prompt = run->config.sample.prompt;
    return prompts->n > 0 ? MS_OK : ms_prompts_add(prompts, "sample.prompt", prompt, strlen(prompt));
}

static ms_text_request make_request(const struct arguments *a, const ms_run_model *run, const ms_prompts *prompts) {
    return (ms_text_request){
        .prompts = prompts->items,
        .n_prompts = prompts->n,
        .n_samples = a->n,
        .n_tokens = a->tokens >= 0 ? a->tokens : run->config.sample.tokens,
        .sampling = {.temperature = isnan(a->temperature) ? run->config.sample.temperature : a->temperature,
                     .top_k = a->top_k >= 0 ? a->top_k : run->config.sample.top_k,
                     .top_p = a->top_p,
                     .min_p = a->min_p,
                     .repetition_penalty = a->repetition_penalty,
                     .repetition_window = a->repetition_window,
                     .seed = (uint64_t)a->seed},
        .stops = a->stop.items,
        .n_stops = (size_t)a->stop.n_items,
        .wants_log_probabilities = a->json,
        .n_at_once = (int32_t)a->batch};
}

static ms_status draw(const struct arguments *a, const ms_run_folder *folder, const ms_run_model *run,
                      const ms_prompts *prompts) {
    ms_text_source source = {run->model, folder->checkpoints, a->step, run->tokenizer, run->end_of_text};
    ms_text_request request = make_request(a, run, prompts);
    ms_json_texts texts = {.run = folder->path, .request = &request};
    ms_text_printer printer = {.stream = stdout, .has_headings = request.n_prompts > 1 || request.n_samples > 1};
    ms_text_sink sink = a->json ? ms_json_texts_sink(&texts) : ms_text_printer_sink(&printer);
    ms_status status = ms_generate_from_run(run->device, &source, &request, &sink);
    ms_text_printer_finish(&printer);
    return status;
}

static ms_status generate(const struct arguments *a, const ms_run_folder *folder) {
    ms_run_model run = {0};
    ms_prompts prompts = {0};
    MS_TRY(ms_signals_catch());
    ms_status status = collect_prompts(a, &prompts); /* before weights and device, which take longer */
    if (status == MS_OK) status = ms_run_model_open(folder, "generate", true, a->device, a->threads, &run);
    if (status == MS_OK) status = add_own_prompt(&run, &prompts);
    if (status == MS_OK) status = draw(a, folder, &run, &prompts);
    ms_prompts_finish(&prompts);
    ms_run_model_finish(&run);
    return status == MS_MISMATCH ? ms_settings_note_fault(status, folder->config) : status;
}

static ms_status check_sampling(const struct arguments *a) {
    if (a->temperature < 0)
        return MS_FAIL(MS_USAGE, "--temperature: %g is negative, must be 0 or more", a->temperature);
    if (a->top_p <= 0 || a->top_p > 1)
        return MS_FAIL(MS_USAGE,
                       "--top_p: %g, must be above 0 and at most 1 (1: among all; the likeliest alone: "
                       "--temperature 0)",
                       a->top_p);
    if (a->min_p < 0 || a->min_p > 1) return MS_FAIL(MS_USAGE, "--min_p: %g, must be 0 to 1 (0: among all)", a->min_p);
    if (a->repetition_penalty <= 0)
        return MS_FAIL(MS_USAGE, "--repetition_penalty: %g, must be above 0 (1: none)", a->repetition_penalty);
    return MS_OK;
}

/* What would be an error later, or would mean nothing. */
static ms_status check(const struct arguments *a) {
    enum { MOST_SAMPLES = 1000000, LARGEST_BATCH = 4096 };
    MS_TRY(check_sampling(a));
    if (a->n < 1 || a->n > MOST_SAMPLES)
        return MS_FAIL(MS_USAGE, "--n: %lld, must be 1 to %d", (long long)a->n, MOST_SAMPLES);
    if (a->batch < 1 || a->batch > LARGEST_BATCH)
        return MS_FAIL(MS_USAGE, "--batch: %lld, must be 1 to %d", (long long)a->batch, LARGEST_BATCH);
    for (int i = 0; i < a->stop.n_items; i++) {
        if (!*a->stop.items[i])
            return MS_FAIL(MS_USAGE, "--stop: an empty text stands before every token: leave it out, or --tokens 0");
        size_t n = strlen(a->stop.items[i]), n_good = ms_utf8_check(a->stop.items[i], n);
        if (n_good < n) return MS_FAIL(MS_USAGE, "--stop: byte %zu of '%s' is not UTF-8", n_good, a->stop.items[i]);
    }
    if (!a->prompts && (a->format || a->field))
        return MS_FAIL(MS_USAGE, "--%s: it is of --prompts, which is not given", a->format ? "format" : "field");
    return a->format ? ms_prompts_check_format(a->format) : MS_OK;
}

const ms_command *const ms_commands_generate[] = {&command, NULL};

int ms_cmd_generate(int argc, char **argv) {
    struct arguments arguments = {.n = 1,
                                  .batch = 8,
                                  .tokens = -1,
                                  .top_k = -1,
                                  .step = -1,
                                  .temperature = NAN,
                                  .top_p = 1,
                                  .repetition_penalty = 1};
    ms_positionals positionals;
    ms_run_folder folder;
    ms_status status = ms_options_parse(&command, argc, argv, &arguments, &positionals);
    if (status == MS_OK && positionals.help) return ms_command_help(&command);
    if (status == MS_OK) status = check(&arguments);
    if (status == MS_OK) status = ms_refuse_hf_folder(positionals.items[0], "generate");
    if (status == MS_OK) status = ms_run_folder_open(positionals.items[0], &folder);
    if (status != MS_OK) return ms_exit_status(status);
    int exit_status = ms_exit_status(generate(&arguments, &folder));
    ms_run_folder_close(&folder);
    return exit_status;
}
