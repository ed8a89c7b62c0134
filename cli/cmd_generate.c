/* muonscope generate */
#include <math.h>

#include "cli/commands.h"
#include "cli/run_model.h"
#include "train/settings.h"
#include "train/text.h"

struct arguments {
    const char *prompt, *device;
    int64_t tokens, top_k, repetition_window, seed, threads, step;
    double temperature, top_p, min_p, repetition_penalty;
};

static const ms_option options[] = {
    {"prompt", MS_OPTION_STRING, offsetof(struct arguments, prompt), NULL, "TEXT",
     "Text to continue (default: the run's sample.prompt)"},
    {"tokens", MS_OPTION_COUNT, offsetof(struct arguments, tokens), NULL, "N",
     "Tokens to draw (default: the run's sample.tokens)"},
    {"temperature", MS_OPTION_FLOAT, offsetof(struct arguments, temperature), NULL, "T",
     "0: always the likeliest token (default: the run's sample.temperature)"},
    {"top_k", MS_OPTION_COUNT, offsetof(struct arguments, top_k), NULL, "K",
     "Draw among the K likeliest; 0: among all"},
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
    MS_RUN_MODEL_OPTIONS(struct arguments),
    {NULL, MS_OPTION_END, 0, NULL, NULL, NULL}};

static const ms_command command = {
    "generate",
    "RUN",
    "Continues a text with the weights of a run.",
    options,
    1,
    1,
    NULL,
    "The token that begins each document of the data (<|endoftext|>, as a rule) goes first, before the\n"
    "prompt, since training has seen texts so; it is not printed.  A text ends where the model draws it."};

static ms_status generate(const struct arguments *a, const ms_run_folder *folder) {
    ms_run_model run;
    MS_TRY(ms_run_model_open(folder, "generate", true, a->device, a->threads, &run));
    ms_text_source source = {run.model, folder->checkpoints, a->step, run.tokenizer, run.end_of_text};
    ms_text_request request = {
        .prompt = a->prompt ? a->prompt : run.config.sample.prompt,
        .n_tokens = a->tokens >= 0 ? a->tokens : run.config.sample.tokens,
        .sampling = {.temperature = isnan(a->temperature) ? run.config.sample.temperature : a->temperature,
                     .top_k = a->top_k >= 0 ? a->top_k : run.config.sample.top_k,
                     .top_p = a->top_p,
                     .min_p = a->min_p,
                     .repetition_penalty = a->repetition_penalty,
                     .repetition_window = a->repetition_window,
                     .seed = (uint64_t)a->seed}};
    ms_status status = ms_generate_from_run(run.device, &source, &request, stdout, NULL);
    ms_run_model_finish(&run);
    return status == MS_MISMATCH ? ms_settings_note_fault(status, folder->config) : status;
}

/* What ms_sampling_check would find, and the values that mean "off" to it alone, by the names of the options. */
static ms_status check(const struct arguments *a) {
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

const ms_command *const ms_commands_generate[] = {&command, NULL};

int ms_cmd_generate(int argc, char **argv) {
    struct arguments arguments = {
        .tokens = -1, .top_k = -1, .step = -1, .temperature = NAN, .top_p = 1, .repetition_penalty = 1};
    ms_positionals positionals;
    ms_run_folder folder;
    ms_status status = ms_options_parse(&command, argc, argv, &arguments, &positionals);
    if (status == MS_OK && positionals.help) return ms_command_help(&command);
    if (status == MS_OK) status = check(&arguments);
    if (status == MS_OK) status = ms_run_folder_open(positionals.items[0], &folder);
    if (status != MS_OK) return ms_exit_status(status);
    int exit_status = ms_exit_status(generate(&arguments, &folder));
    ms_run_folder_close(&folder);
    return exit_status;
}
