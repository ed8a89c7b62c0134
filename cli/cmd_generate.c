/* muonscope generate */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "model/data/dataset_sidecar.h"
#include "train/run_folder.h"
#include "train/settings.h"
#include "train/text.h"
#include "cli/config/trainer_config.h"
#include "platform/file.h"

struct arguments {
    const char *prompt, *device;
    int64_t tokens, top_k, seed, threads, step;
    double temperature;
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
    {"seed", MS_OPTION_COUNT, offsetof(struct arguments, seed), NULL, "N",
     "The same seed gives the same text (default 0)"},
    {"step", MS_OPTION_COUNT, offsetof(struct arguments, step), NULL, "N", "Checkpoint to use (default: the newest)"},
    {"device", MS_OPTION_STRING, offsetof(struct arguments, device), NULL, "NAME", "Device (default: the run's)"},
    {"threads", MS_OPTION_COUNT, offsetof(struct arguments, threads), NULL, "N",
     "CPU threads; 0: all processors (default)"},
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
    ms_config config;
    ms_config_defaults(&config);
    MS_TRY(ms_settings_note_fault(ms_config_load_file(&config, folder->config, NULL), folder->config));
    char *path = ms_path_join(folder->path, MS_SIDECAR_TOKENIZER);
    if (!path) return MS_FAIL(MS_OUT_OF_MEMORY, "generate: no memory for a path");
    ms_tokenizer *tokenizer;
    ms_status status = ms_tokenizer_open(path, &tokenizer);
    free(path);
    MS_TRY_NOTE(status, "generate: the run has no tokenizer to make text with");
    ms_text_source source = {ms_model_config_from_config(&config, ms_tokenizer_vocab_size(tokenizer)),
                             folder->checkpoints, a->step, tokenizer, -1};
    ms_device_options device_options = ms_device_options_from_config(&config);
    if (a->device) device_options.name = a->device;
    device_options.n_threads = (int32_t)a->threads;
    ms_text_request request = {
        .prompt = a->prompt ? a->prompt : config.sample.prompt,
        .n_tokens = a->tokens >= 0 ? a->tokens : config.sample.tokens,
        .sampling = {.temperature = isnan(a->temperature) ? config.sample.temperature : a->temperature,
                     .top_k = a->top_k >= 0 ? a->top_k : config.sample.top_k,
                     .seed = (uint64_t)a->seed}};
    ms_device *device = NULL;
    status = ms_text_find_end(folder->path, tokenizer, &source.end_of_text);
    if (status == MS_OK) status = ms_device_open(&device_options, &device);
    if (status == MS_OK && ms_device_threads(device) > 0) ms_warn_of_threads(a->threads);
    if (status == MS_OK) status = ms_generate_from_run(device, &source, &request, stdout, NULL);
    ms_device_close(device);
    ms_tokenizer_close(tokenizer);
    return status == MS_MISMATCH ? ms_settings_note_fault(status, folder->config) : status;
}

const ms_command *const ms_commands_generate[] = {&command, NULL};

int ms_cmd_generate(int argc, char **argv) {
    struct arguments arguments = {.tokens = -1, .top_k = -1, .step = -1, .temperature = NAN};
    ms_positionals positionals;
    ms_run_folder folder;
    ms_status status = ms_options_parse(&command, argc, argv, &arguments, &positionals);
    if (status == MS_OK && arguments.temperature < 0)
        status = MS_FAIL(MS_USAGE, "--temperature: %g is negative, must be 0 or more", arguments.temperature);
    if (status == MS_OK && positionals.help) return ms_command_help(&command);
    if (status == MS_OK) status = ms_run_folder_open(positionals.items[0], &folder);
    if (status != MS_OK) return ms_exit_status(status);
    int exit_status = ms_exit_status(generate(&arguments, &folder));
    ms_run_folder_close(&folder);
    return exit_status;
}
