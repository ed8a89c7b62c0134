/* muonscope data prepare|info */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "model/data/dataset_check.h"
#include "model/data/dataset_prepare.h"
#include "platform/output.h"
#include "platform/signals.h"

static ms_status print_help(const ms_command *command) {
    ms_command_print(command, stdout);
    return MS_OK;
}

struct prepare_arguments {
    const char *tokenizer, *output, *name, *format, *documents, *document_end, *key, *on_error;
    double validation_fraction;
    int64_t document_bytes, shard_tokens, seed;
};

static const ms_option prepare_options[] = {
    {"tokenizer", MS_OPTION_STRING, offsetof(struct prepare_arguments, tokenizer), NULL, "FILE",
     "The tokenizer (default tokenizer.json)"},
    {"output", MS_OPTION_STRING, offsetof(struct prepare_arguments, output), NULL, "DIR",
     "The folder to make; it must not exist, or be empty"},
    {"name", MS_OPTION_STRING, offsetof(struct prepare_arguments, name), NULL, "NAME",
     "Shards are NAME_train_000000.bin, NAME_val_000000.bin (default data)"},
    {"validation_fraction", MS_OPTION_FLOAT, offsetof(struct prepare_arguments, validation_fraction), NULL, "X",
     "Share of the documents in the val split (default 0.02)"},
    {"seed", MS_OPTION_COUNT, offsetof(struct prepare_arguments, seed), NULL, "N",
     "Chooses which documents those are (default 0)"},
    {"format", MS_OPTION_STRING, offsetof(struct prepare_arguments, format), NULL, "auto|text|jsonl",
     "auto: JSONL when the first line or most of the first are JSON objects, or by the name (default auto)"},
    {"key", MS_OPTION_STRING, offsetof(struct prepare_arguments, key), NULL, "KEY",
     "JSONL: the key of the text (default text)"},
    {"documents", MS_OPTION_STRING, offsetof(struct prepare_arguments, documents), NULL, "chunk|blank|file",
     "Text: where a document ends (default chunk)\n"
     "chunk: at the last end of a line within document_bytes; blank: at a blank line; file: at the end of the file"},
    {"document_end", MS_OPTION_STRING, offsetof(struct prepare_arguments, document_end), NULL, "TOKEN",
     "The special token that is put before each document (default <|endoftext|>)"},
    {"document_bytes", MS_OPTION_COUNT, offsetof(struct prepare_arguments, document_bytes), NULL, "N",
     "Longest document of the rule chunk (default 8192)"},
    {"on_error", MS_OPTION_STRING, offsetof(struct prepare_arguments, on_error), NULL, "stop|skip|replace",
     "A record that is not UTF-8, no JSON, without the key, too long, or has a byte without a token (default stop)\n"
     "skip: leave it out; replace: put U+FFFD where that helps, else leave it out; both are counted in dataset.json"},
    {"shard_tokens", MS_OPTION_COUNT, offsetof(struct prepare_arguments, shard_tokens), NULL, "N",
     "Tokens in a shard (default 100000000)"},
    {NULL, MS_OPTION_END, 0, NULL, NULL, NULL}};

static const ms_command prepare_command = {
    "data prepare",
    "FILE...",
    "Turns UTF-8 text and JSONL, plain, gzip or zstd (- is standard input), into a folder of token shards (llm.c "
    "format) with dataset.json and tokenizer.json.",
    prepare_options,
    1,
    -1,
    NULL,
    NULL};

static const ms_command info_command = {
    "data info", "DIR", "Describes a folder of token shards and checks all of it.", NULL, 1, 1, NULL, NULL};

static void print_split(const ms_sidecar *sidecar, int i_split) {
    const ms_sidecar_split *split = &sidecar->splits[i_split];
    printf("%-6s%12" PRId64 " tokens %10" PRId64 " documents %12" PRId64 " bytes %6.2f bytes/token %4zu shards\n",
           ms_split_name(i_split), split->n_tokens, split->n_documents, split->n_bytes,
           split->n_tokens > 0 ? (double)split->n_bytes / (double)split->n_tokens : 0.0, split->n_shards);
}

static void print_sidecar(const char *directory, const ms_sidecar *sidecar) {
    ms_print_line(stdout, "%s: vocabulary of %d tokens, tokenizer %s", directory, sidecar->vocab_size,
                  sidecar->tokenizer_sha256);
    for (int split = 0; split < MS_N_SPLITS; split++) print_split(sidecar, split);
    ms_record_counts_print(&sidecar->counts, stdout);
}

static void print_progress(void *context, const ms_prepare_progress *progress) {
    int64_t *printed_bytes = context;
    /* A line a 64 MiB: a few seconds' work. */
    if (progress->n_bytes - *printed_bytes < 64 << 20) return;
    *printed_bytes = progress->n_bytes;
    ms_print_line(stderr, "data prepare: file %d of %d, %s: %.1f MB of text, %.1f million tokens so far",
                  progress->i_file + 1, progress->n_files, progress->file, (double)progress->n_bytes * 1e-6,
                  (double)progress->n_tokens * 1e-6);
}

static ms_status check_prepare(const struct prepare_arguments *arguments, ms_corpus_options *out) {
    *out = (ms_corpus_options){.key = arguments->key};
    if (!arguments->output) return MS_FAIL(MS_USAGE, "data prepare needs --output DIR");
    if (!ms_corpus_format_from_name(arguments->format, &out->format))
        return MS_FAIL(MS_USAGE, "--format %s: text, jsonl or auto is needed", arguments->format);
    if (!ms_on_error_from_name(arguments->on_error, &out->on_error))
        return MS_FAIL(MS_USAGE, "--on_error %s: stop, skip or replace is needed", arguments->on_error);
    if (!ms_documents_from_name(arguments->documents, &out->documents))
        return MS_FAIL(MS_USAGE, "--documents %s: chunk, blank or file is needed", arguments->documents);
    if (arguments->document_bytes < 64 || arguments->document_bytes > (int64_t)MS_CORPUS_DOCUMENT_MAX)
        return MS_FAIL(MS_USAGE, "--document_bytes %" PRId64 ": 64 to %zu are possible", arguments->document_bytes,
                       MS_CORPUS_DOCUMENT_MAX);
    if (arguments->shard_tokens < 1)
        return MS_FAIL(MS_USAGE, "--shard_tokens %" PRId64 " is below 1", arguments->shard_tokens);
    out->chunk_bytes = (size_t)arguments->document_bytes;
    return MS_OK;
}

static ms_status prepare(int argc, char **argv) {
    struct prepare_arguments arguments = {.tokenizer = "tokenizer.json",
                                          .name = "data",
                                          .format = "auto",
                                          .documents = "chunk",
                                          .key = "text",
                                          .on_error = "stop",
                                          .validation_fraction = 0.02,
                                          .document_bytes = 8192,
                                          .shard_tokens = 100000000};
    ms_positionals files;
    MS_TRY(ms_options_parse(&prepare_command, argc, argv, &arguments, &files));
    if (files.help) return print_help(&prepare_command);
    int64_t printed_bytes = 0;
    ms_prepare_options options = {.tokenizer_path = arguments.tokenizer,
                                  .document_end = arguments.document_end,
                                  .directory = arguments.output,
                                  .name = arguments.name,
                                  .files = (const char *const *)files.items,
                                  .n_files = files.n_items,
                                  .validation_fraction = arguments.validation_fraction,
                                  .seed = (uint64_t)arguments.seed,
                                  .shard_tokens = arguments.shard_tokens,
                                  .report = print_progress,
                                  .report_context = &printed_bytes};
    MS_TRY(check_prepare(&arguments, &options.corpus));
    MS_TRY(ms_signals_catch()); /* to the end of the process: what is half made is removed first */
    ms_sidecar sidecar;
    MS_TRY(ms_dataset_prepare(&options, &sidecar));
    print_sidecar(arguments.output, &sidecar);
    ms_sidecar_finish(&sidecar);
    return MS_OK;
}

static ms_status info(int argc, char **argv) {
    ms_positionals folders;
    MS_TRY(ms_options_parse(&info_command, argc, argv, NULL, &folders));
    if (folders.help) return print_help(&info_command);
    ms_sidecar sidecar;
    MS_TRY(ms_dataset_check(folders.items[0], &sidecar));
    print_sidecar(folders.items[0], &sidecar);
    printf("split  validation fraction %g, seed %" PRIu64 "\n", sidecar.validation_fraction, sidecar.seed);
    for (size_t i = 0; i < sidecar.n_sources; i++)
        ms_print_line(stdout, "source %s: %" PRId64 " bytes, %" PRId64 " documents", sidecar.sources[i].path,
                      sidecar.sources[i].n_bytes, sidecar.sources[i].n_documents);
    printf("all checks passed: tokenizer, headers, sizes, SHA-256, every token id, documents\n");
    ms_sidecar_finish(&sidecar);
    return MS_OK;
}

const ms_command *const ms_commands_data[] = {&prepare_command, &info_command, NULL};

int ms_cmd_data(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "prepare") == 0) return ms_exit_status(prepare(argc - 1, argv + 1));
    if (argc > 1 && strcmp(argv[1], "info") == 0) return ms_exit_status(info(argc - 1, argv + 1));
    if (argc > 1 && ms_option_is_help(argv[1])) {
        ms_command_help(&prepare_command);
        return ms_command_help(&info_command);
    }
    return ms_exit_status(MS_FAIL(MS_USAGE, "data prepare or info; see muonscope data --help"));
}
