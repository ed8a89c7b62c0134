/* muonscope data prepare|info|decode */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/data_inputs.h"
#include "cli/data_pieces.h"
#include "cli/data_show.h"
#include "library/version.h"
#include "model/data/dataset_prepare.h"
#include "platform/clock.h"
#include "platform/output.h"
#include "platform/progress.h"
#include "platform/signals.h"

static ms_status print_help(const ms_command *command) {
    ms_command_print(command, stdout);
    return MS_OK;
}

struct prepare_arguments {
    const char *tokenizer, *output, *name, *format, *documents, *document_end, *field, *key, *on_error, *validation;
    double validation_fraction; /* NAN: not given */
    int64_t document_bytes, document_tokens, shard_tokens, seed, threads, checkpoint_bytes;
    bool piped, anew;
};

static const ms_option prepare_options[] = {
    {"tokenizer", MS_OPTION_STRING, offsetof(struct prepare_arguments, tokenizer), NULL, "FILE",
     "The tokenizer (default tokenizer.json)"},
    {"output", MS_OPTION_STRING, offsetof(struct prepare_arguments, output), NULL, "DIR",
     "The folder to make; it must not exist, or be empty.  Killed or stopped, the same command goes on (not with "
     "pipes)"},
    {"name", MS_OPTION_STRING, offsetof(struct prepare_arguments, name), NULL, "NAME",
     "Shards are NAME_train_000000.bin, NAME_val_000000.bin (default data)"},
    {"validation_fraction", MS_OPTION_FLOAT, offsetof(struct prepare_arguments, validation_fraction), NULL, "X",
     "Share of the documents in the val split (default 0.02)"},
    {"seed", MS_OPTION_COUNT, offsetof(struct prepare_arguments, seed), NULL, "N",
     "Chooses which documents those are (default 0)"},
    {"validation", MS_OPTION_STRING, offsetof(struct prepare_arguments, validation), NULL, "FILE",
     "All of FILE is the val split, and all of FILE... the train split"},
    {"format", MS_OPTION_STRING, offsetof(struct prepare_arguments, format), NULL,
     "auto|text|jsonl|llmc|npy|uint16|uint32|ids",
     "auto: JSONL when the first line or most of the first are JSON objects, or by the name; llm.c's shards and "
     "NumPy's\n"
     "arrays by their first bytes (default auto).  Token ids: llmc, npy; uint16: without a header, as nanoGPT's "
     "train.bin;\n"
     "uint32; ids: JSONL with a list of ids"},
    {"field", MS_OPTION_STRING, offsetof(struct prepare_arguments, field), NULL, "KEY",
     "JSONL: the key of the text, or of the ids; a.b is b within a (default text, or input_ids)"},
    {"key", MS_OPTION_STRING, offsetof(struct prepare_arguments, key), NULL, "KEY", "The older name of --field"},
    {"documents", MS_OPTION_STRING, offsetof(struct prepare_arguments, documents), NULL, "chunk|blank|file",
     "Text: where a document ends (default chunk)\n"
     "chunk: at the last end of a line within document_bytes; blank: at a blank line; file: at the end of the file"},
    {"document_end", MS_OPTION_STRING, offsetof(struct prepare_arguments, document_end), NULL, "TOKEN",
     "The special token that is put before each document (default <|endoftext|>); none: no token\n"
     "Token ids are cut into documents where it stands, before documents or behind them"},
    {"document_bytes", MS_OPTION_COUNT, offsetof(struct prepare_arguments, document_bytes), NULL, "N",
     "Longest document of the rule chunk (default 8192)"},
    {"document_tokens", MS_OPTION_COUNT, offsetof(struct prepare_arguments, document_tokens), NULL, "N",
     "Token ids with --document_end none: how many make a document (default 2048)"},
    {"on_error", MS_OPTION_STRING, offsetof(struct prepare_arguments, on_error), NULL, "stop|skip|replace",
     "A record that is not UTF-8, no JSON, without the key, too long, or has a byte without a token or an id outside "
     "the\n"
     "vocabulary (default stop)\n"
     "skip: leave it out; replace: put U+FFFD where that helps, else leave it out; both are counted in dataset.json"},
    {"shard_tokens", MS_OPTION_COUNT, offsetof(struct prepare_arguments, shard_tokens), NULL, "N",
     "Tokens in a shard (default 100000000)"},
    {"threads", MS_OPTION_COUNT, offsetof(struct prepare_arguments, threads), NULL, "N",
     "CPU threads; any number gives the same shards; 0: all processors (default)"},
    {"checkpoint_bytes", MS_OPTION_COUNT, offsetof(struct prepare_arguments, checkpoint_bytes), NULL, "N",
     "Bytes of text between two places from which the same command goes on after it was stopped or killed (default\n"
     "268435456)"},
    {"anew", MS_OPTION_FLAG, offsetof(struct prepare_arguments, anew), NULL, NULL,
     "Do not go on where an earlier command stopped: remove what it left, and begin anew"},
    {"piped", MS_OPTION_FLAG, offsetof(struct prepare_arguments, piped), NULL, NULL,
     "FILE... and --validation are names alone: another program gives what they hold through standard input, in "
     "pieces\n"
     "(docs/data.md), as `python -m muonscope prepare` does for Parquet, Arrow and Hugging Face's data sets"},
    {NULL, MS_OPTION_END, 0, NULL, NULL, NULL}};

static const ms_command prepare_command = {
    "data prepare",
    "FILE...",
    "Turns UTF-8 text, JSONL and token ids, plain, gzip or zstd (- is standard input; of a folder all its files), into "
    "a "
    "folder of token shards (llm.c format) with dataset.json and tokenizer.json.",
    prepare_options,
    1,
    -1,
    NULL,
    NULL};

/* Where this process began, and the line that says how far it is. */
typedef struct progress_line {
    ms_work_line line;
    double begun; /* seconds */
    bool has_begun;
    int64_t n_read, n_bytes; /* by an earlier process */
} progress_line;

/* Says once whether an earlier process did some of the work. */
static void print_beginning(progress_line *shown, const ms_prepare_progress *progress) {
    if (shown->has_begun) return;
    shown->has_begun = true;
    shown->n_read = progress->n_read;
    shown->n_bytes = progress->n_bytes;
    if (progress->n_bytes > 0)
        ms_print_line(stderr, "data prepare: goes on after %.1f MB of text, where an earlier command stopped",
                      (double)progress->n_bytes * 1e-6);
}

static void print_progress(void *context, const ms_prepare_progress *progress) {
    progress_line *shown = context;
    double now = ms_clock_seconds(), seconds = now - shown->begun;
    char text[400], share[64] = " MB read", left[48] = "", duration[24];
    print_beginning(shown, progress);
    if (!ms_work_line_is_due(&shown->line, now)) return;
    if (progress->n_to_read > 0) {
        double done = (double)progress->n_read / (double)progress->n_to_read;
        double done_here = (double)(progress->n_read - shown->n_read),
               left_here = (double)(progress->n_to_read - progress->n_read);
        snprintf(share, sizeof share, " of %.1f MB (%.0f %%)", (double)progress->n_to_read * 1e-6, 100 * done);
        snprintf(left, sizeof left, ", %s left",
                 ms_duration_text(done_here > 0 ? seconds * left_here / done_here : -1, duration, sizeof duration));
    }
    /* What matters most comes first: a terminal may cut the rest. */
    snprintf(text, sizeof text, "data prepare: %.1f%s%s, %.1f MB/s, %.1f million tokens, file %d of %d, %s",
             (double)progress->n_read * 1e-6, share, left,
             (double)(progress->n_bytes - shown->n_bytes) * 1e-6 / seconds, (double)progress->n_tokens * 1e-6,
             progress->i_file + 1, progress->n_files, progress->file);
    ms_work_line_show(&shown->line, now, text);
}

static ms_status check_prepare(const struct prepare_arguments *arguments, ms_corpus_options *out) {
    *out = (ms_corpus_options){.field = arguments->field ? arguments->field : arguments->key};
    if (!arguments->output) return MS_FAIL(MS_USAGE, "data prepare needs --output DIR");
    if (!ms_corpus_format_from_name(arguments->format, &out->format))
        return MS_FAIL(MS_USAGE, "--format %s: auto, text, jsonl, llmc, npy, uint16, uint32 or ids is needed",
                       arguments->format);
    if (arguments->field && arguments->key)
        return MS_FAIL(MS_USAGE, "--field and --key are two names of one option: give --field alone");
    if (arguments->key) ms_print_line(stderr, "data prepare: --key is now named --field");
    if (arguments->validation && !isnan(arguments->validation_fraction))
        return MS_FAIL(MS_USAGE, "--validation names the val split, --validation_fraction draws one: give one of them");
    if (arguments->document_tokens < 1)
        return MS_FAIL(MS_USAGE, "--document_tokens %" PRId64 " is below 1", arguments->document_tokens);
    if (!ms_on_error_from_name(arguments->on_error, &out->on_error))
        return MS_FAIL(MS_USAGE, "--on_error %s: stop, skip or replace is needed", arguments->on_error);
    if (!ms_documents_from_name(arguments->documents, &out->documents))
        return MS_FAIL(MS_USAGE, "--documents %s: chunk, blank or file is needed", arguments->documents);
    if (arguments->document_bytes < 64 || arguments->document_bytes > (int64_t)MS_CORPUS_DOCUMENT_MAX)
        return MS_FAIL(MS_USAGE, "--document_bytes %" PRId64 ": 64 to %zu are possible", arguments->document_bytes,
                       MS_CORPUS_DOCUMENT_MAX);
    if (arguments->shard_tokens < 1)
        return MS_FAIL(MS_USAGE, "--shard_tokens %" PRId64 " is below 1", arguments->shard_tokens);
    if (arguments->checkpoint_bytes < 1)
        return MS_FAIL(MS_USAGE, "--checkpoint_bytes %" PRId64 " is below 1", arguments->checkpoint_bytes);
    if (arguments->threads > 1024)
        return MS_FAIL(MS_USAGE, "--threads %" PRId64 ": must be 0 to 1024", arguments->threads);
    ms_warn_of_threads(arguments->threads);
    out->chunk_bytes = (size_t)arguments->document_bytes;
    out->chunk_ids = (size_t)arguments->document_tokens;
    return MS_OK;
}

static ms_status prepare_files(const struct prepare_arguments *arguments, const ms_data_inputs *inputs,
                               const ms_corpus_source *source) {
    progress_line shown = {.begun = ms_clock_seconds()};
    double fraction = isnan(arguments->validation_fraction) ? 0.02 : arguments->validation_fraction;
    ms_prepare_options options = {.tokenizer_path = arguments->tokenizer,
                                  .document_end = arguments->document_end,
                                  .directory = arguments->output,
                                  .name = arguments->name,
                                  .files = (const char *const *)inputs->paths,
                                  .n_files = inputs->n,
                                  .validation_file = arguments->validation,
                                  .validation_fraction = arguments->validation ? 0 : fraction,
                                  .seed = (uint64_t)arguments->seed,
                                  .shard_tokens = arguments->shard_tokens,
                                  .n_threads = (int)arguments->threads,
                                  .checkpoint_bytes = arguments->checkpoint_bytes,
                                  .anew = arguments->anew,
                                  .program_version = ms_version(),
                                  .report = print_progress,
                                  .report_context = &shown};
    MS_TRY(check_prepare(arguments, &options.corpus));
    options.corpus.source = source;
    MS_TRY(ms_signals_catch()); /* to the end of the process: what is half made is removed, or kept to go on from */
    ms_sidecar sidecar;
    ms_work_line_init(stderr, shown.begun, &shown.line);
    ms_status status = ms_dataset_prepare(&options, &sidecar);
    ms_work_line_end(&shown.line);
    MS_TRY(status);
    ms_data_print_sidecar(arguments->output, &sidecar);
    ms_sidecar_finish(&sidecar);
    return MS_OK;
}

static ms_status prepare(int argc, char **argv) {
    struct prepare_arguments arguments = {.tokenizer = "tokenizer.json",
                                          .name = "data",
                                          .format = "auto",
                                          .documents = "chunk",
                                          .on_error = "stop",
                                          .validation_fraction = NAN,
                                          .document_bytes = 8192,
                                          .document_tokens = 2048,
                                          .shard_tokens = 100000000,
                                          .checkpoint_bytes = 256 << 20};
    ms_positionals files;
    MS_TRY(ms_options_parse(&prepare_command, argc, argv, &arguments, &files));
    if (files.help) return print_help(&prepare_command);
    ms_data_inputs inputs = {0};
    ms_pieces pieces = {0};
    ms_corpus_source source = {ms_pieces_read, &pieces};
    ms_status status = arguments.piped ? ms_pieces_open(&pieces) : MS_OK;
    for (int i = 0; i < files.n_items && status == MS_OK; i++)
        status = arguments.piped ? ms_data_inputs_add_file(&inputs, files.items[i])
                                 : ms_data_inputs_add(&inputs, files.items[i]);
    if (status == MS_OK) status = prepare_files(&arguments, &inputs, arguments.piped ? &source : NULL);
    ms_data_inputs_finish(&inputs);
    ms_pieces_close(&pieces);
    return status;
}

const ms_command *const ms_commands_data[] = {&prepare_command, &ms_data_info_command, &ms_data_decode_command, NULL};

int ms_cmd_data(int argc, char **argv) {
    const char *word = argc > 1 ? argv[1] : "";
    if (strcmp(word, "prepare") == 0) return ms_exit_status(prepare(argc - 1, argv + 1));
    if (strcmp(word, "info") == 0) return ms_exit_status(ms_data_info(argc - 1, argv + 1));
    if (strcmp(word, "decode") == 0) return ms_exit_status(ms_data_decode(argc - 1, argv + 1));
    if (ms_option_is_help(word)) {
        ms_command_help(&prepare_command);
        ms_command_help(&ms_data_info_command);
        return ms_command_help(&ms_data_decode_command);
    }
    return ms_exit_status(MS_FAIL(MS_USAGE, "data prepare, info or decode; see muonscope data --help"));
}
