/* muonscope tokenizer train|encode|decode */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "model/data/bpe_train.h"
#include "model/data/corpus.h"
#include "model/data/tokenizer.h"
#include "platform/file.h"
#include "platform/output.h"

/* Text is read for training in pieces of this size: the cut at the end of a line touches few words. */
enum { TRAIN_CHUNK_BYTES = 1 << 20 };

static ms_status print_help(const ms_command *command) {
    ms_command_print(command, stdout);
    return MS_OK;
}

struct train_arguments {
    int64_t vocab_size;
    const char *output, *format, *field, *key, *on_error;
    bool split_digits;
};

static const ms_option train_options[] = {
    {"vocab_size", MS_OPTION_COUNT, offsetof(struct train_arguments, vocab_size), NULL, "N",
     "Tokens: <|endoftext|>, the 256 bytes, and merges (default 4096)"},
    {"output", MS_OPTION_STRING, offsetof(struct train_arguments, output), NULL, "FILE",
     "Where to write (default tokenizer.json)"},
    {"split_digits", MS_OPTION_BOOL, offsetof(struct train_arguments, split_digits), NULL, "BOOL",
     "Every digit a token of its own (default true)"},
    {"format", MS_OPTION_STRING, offsetof(struct train_arguments, format), NULL, "auto|text|jsonl",
     "auto: JSONL when the first line or most of the first are JSON objects, or by the name (default auto)"},
    {"field", MS_OPTION_STRING, offsetof(struct train_arguments, field), NULL, "KEY",
     "JSONL: the key of the text; a.b is b within a (default text)"},
    {"key", MS_OPTION_STRING, offsetof(struct train_arguments, key), NULL, "KEY", "The older name of --field"},
    {"on_error", MS_OPTION_STRING, offsetof(struct train_arguments, on_error), NULL, "stop|skip|replace",
     "A record that is not UTF-8, no JSON, without the key or too long (default stop)"},
    {NULL, MS_OPTION_END, 0, NULL, NULL, NULL}};

static const ms_command train_command = {
    "tokenizer train",
    "FILE...",
    "Learns a byte-level BPE tokenizer from text or JSONL and writes a Hugging Face tokenizer.json.",
    train_options,
    1,
    -1,
    NULL,
    NULL};

static ms_status count_file(ms_bpe_trainer *trainer, const char *path, const ms_corpus_options *options,
                            ms_record_counts *counts) {
    ms_corpus *corpus;
    MS_TRY(ms_corpus_open(path, options, &corpus));
    ms_status status = MS_OK;
    while (status == MS_OK) {
        ms_document document;
        status = ms_corpus_next(corpus, &document);
        if (status != MS_OK || !document.text) break;
        status = ms_bpe_trainer_add(trainer, document.text, document.size_bytes);
    }
    ms_record_counts_add(counts, ms_corpus_counts(corpus));
    ms_corpus_close(corpus);
    return status;
}

static ms_status train_with(ms_bpe_trainer *trainer, const struct train_arguments *arguments,
                            const ms_positionals *files, const ms_corpus_options *options) {
    ms_record_counts counts = {0};
    for (int i = 0; i < files->n_items; i++) MS_TRY(count_file(trainer, files->items[i], options, &counts));
    ms_tokenizer *tokenizer;
    MS_TRY(ms_bpe_trainer_train(trainer, (int)arguments->vocab_size, &tokenizer));
    ms_status status = ms_tokenizer_save(tokenizer, arguments->output);
    if (status == MS_OK) {
        ms_print_line(stdout, "%s: %d tokens, SHA-256 %s", arguments->output, ms_tokenizer_vocab_size(tokenizer),
                      ms_tokenizer_sha256(tokenizer));
        ms_record_counts_print(&counts, stdout);
    }
    ms_tokenizer_close(tokenizer);
    return status;
}

static ms_status train(int argc, char **argv) {
    struct train_arguments arguments = {
        .vocab_size = 4096, .output = "tokenizer.json", .format = "auto", .on_error = "stop", .split_digits = true};
    ms_positionals files;
    MS_TRY(ms_options_parse(&train_command, argc, argv, &arguments, &files));
    if (files.help) return print_help(&train_command);
    ms_corpus_options options = {.chunk_bytes = TRAIN_CHUNK_BYTES,
                                 .field = arguments.field ? arguments.field : arguments.key};
    if (arguments.field && arguments.key)
        return MS_FAIL(MS_USAGE, "--field and --key are two names of one option: give --field alone");
    if (arguments.key) ms_print_line(stderr, "tokenizer train: --key is now named --field");
    if (!ms_corpus_format_from_name(arguments.format, &options.format) || options.format > MS_CORPUS_JSONL)
        return MS_FAIL(MS_USAGE, "--format %s: text, jsonl or auto is needed", arguments.format);
    if (!ms_on_error_from_name(arguments.on_error, &options.on_error))
        return MS_FAIL(MS_USAGE, "--on_error %s: stop, skip or replace is needed", arguments.on_error);
    if (arguments.vocab_size < MS_BPE_SMALLEST_VOCAB || arguments.vocab_size > 1 << 24)
        return MS_FAIL(MS_USAGE, "--vocab_size %" PRId64 ": %d to 16777216 are possible", arguments.vocab_size,
                       MS_BPE_SMALLEST_VOCAB);
    ms_bpe_trainer *trainer;
    MS_TRY(ms_bpe_trainer_create(arguments.split_digits, &trainer));
    ms_status status = train_with(trainer, &arguments, &files, &options);
    ms_bpe_trainer_destroy(trainer);
    return status;
}

/* All of standard input, malloc'ed, with a NUL after the last byte. */
static ms_status read_input(char **out_text, size_t *out_size_bytes) {
    size_t capacity = 1 << 16, n = 0;
    char *text = malloc(capacity);
    while (text) {
        n += fread(text + n, 1, capacity - 1 - n, stdin);
        if (n < capacity - 1) break;
        capacity *= 2;
        char *larger = realloc(text, capacity);
        if (!larger) free(text);
        text = larger;
    }
    if (!text) return MS_FAIL(MS_OUT_OF_MEMORY, "standard input: no memory for %zu bytes", capacity);
    if (ferror(stdin)) {
        free(text);
        return ms_status_from_errno(errno, "cannot read", "standard input");
    }
    text[n] = '\0';
    *out_text = text;
    *out_size_bytes = n;
    return MS_OK;
}

struct code_arguments {
    const char *tokenizer, *text;
    bool special_as_text, skip_special;
};

static const ms_option encode_options[] = {
    {"tokenizer", MS_OPTION_STRING, offsetof(struct code_arguments, tokenizer), NULL, "FILE",
     "The tokenizer (default tokenizer.json)"},
    {"text", MS_OPTION_STRING, offsetof(struct code_arguments, text), NULL, "TEXT", "Encode this instead of a file"},
    {"special_as_text", MS_OPTION_FLAG, offsetof(struct code_arguments, special_as_text), NULL, NULL,
     "Encode the texts of special tokens as ordinary text"},
    {NULL, MS_OPTION_END, 0, NULL, NULL, NULL}};

static const ms_command encode_command = {"tokenizer encode",
                                          "[FILE]",
                                          "Prints the token ids of a UTF-8 file, or of standard input, on one line.",
                                          encode_options,
                                          0,
                                          1,
                                          NULL,
                                          NULL};

static const ms_option decode_options[] = {{"tokenizer", MS_OPTION_STRING, offsetof(struct code_arguments, tokenizer),
                                            NULL, "FILE", "The tokenizer (default tokenizer.json)"},
                                           {"skip_special", MS_OPTION_FLAG,
                                            offsetof(struct code_arguments, skip_special), NULL, NULL,
                                            "Leave special tokens out of the text"},
                                           {NULL, MS_OPTION_END, 0, NULL, NULL, NULL}};

static const ms_command decode_command = {"tokenizer decode",
                                          "[ID...]",
                                          "Prints the text of token ids, given as arguments or on standard input.",
                                          decode_options,
                                          0,
                                          -1,
                                          NULL,
                                          NULL};

static ms_status encode(int argc, char **argv) {
    struct code_arguments arguments = {"tokenizer.json", NULL, false, false};
    ms_positionals files;
    MS_TRY(ms_options_parse(&encode_command, argc, argv, &arguments, &files));
    if (files.help) return print_help(&encode_command);
    if (arguments.text && files.n_items > 0) return MS_FAIL(MS_USAGE, "give either --text or a file, not both");
    ms_tokenizer *tokenizer;
    MS_TRY(ms_tokenizer_open(arguments.tokenizer, &tokenizer));
    char *text = NULL;
    size_t size_bytes = 0;
    ms_tokens tokens = {0};
    ms_status status = MS_OK;
    bool is_file = files.n_items > 0 && strcmp(files.items[0], "-") != 0;
    if (is_file) {
        status = ms_file_read(files.items[0], &text, &size_bytes);
    } else if (!arguments.text) {
        status = read_input(&text, &size_bytes);
    }
    const char *source = arguments.text ? arguments.text : text;
    if (arguments.text) size_bytes = strlen(arguments.text);
    if (status == MS_OK) {
        status = ms_tokenizer_encode(tokenizer, source, size_bytes,
                                     arguments.special_as_text ? MS_SPECIAL_AS_TEXT : MS_SPECIAL_PARSE, &tokens);
        if (status != MS_OK)
            ms_status_note(status, "%s", is_file ? files.items[0] : arguments.text ? "--text" : "standard input");
    }
    if (status == MS_OK) {
        for (size_t i = 0; i < tokens.n; i++) printf(i == 0 ? "%" PRId32 : " %" PRId32, tokens.ids[i]);
        putchar('\n');
        status = ms_output_flush();
    }
    ms_tokens_finish(&tokens);
    free(text);
    ms_tokenizer_close(tokenizer);
    return status;
}

static ms_status parse_ids(char *text, ms_tokens *out) {
    for (char *rest = NULL, *word = strtok_r(text, " \t\r\n,", &rest); word; word = strtok_r(NULL, " \t\r\n,", &rest)) {
        int64_t id;
        MS_TRY(ms_parse_int(word, "token id", MS_INVALID, &id));
        if (id < 0 || id > INT32_MAX) return MS_FAIL(MS_INVALID, "token id %" PRId64 " is outside the vocabulary", id);
        MS_TRY(ms_tokens_append(out, (int32_t)id));
    }
    return MS_OK;
}

static ms_status read_ids(const ms_positionals *ids, ms_tokens *out) {
    for (int i = 0; i < ids->n_items; i++) MS_TRY(parse_ids(ids->items[i], out));
    if (ids->n_items > 0) return MS_OK;
    char *text;
    size_t size_bytes;
    MS_TRY(read_input(&text, &size_bytes));
    ms_status status = parse_ids(text, out);
    free(text);
    return status;
}

static ms_status decode(int argc, char **argv) {
    struct code_arguments arguments = {"tokenizer.json", NULL, false, false};
    ms_positionals ids;
    MS_TRY(ms_options_parse(&decode_command, argc, argv, &arguments, &ids));
    if (ids.help) return print_help(&decode_command);
    ms_tokenizer *tokenizer;
    MS_TRY(ms_tokenizer_open(arguments.tokenizer, &tokenizer));
    ms_tokens tokens = {0};
    char *text = NULL;
    size_t size_bytes = 0;
    ms_status status = read_ids(&ids, &tokens);
    if (status == MS_OK)
        status = ms_tokenizer_decode(tokenizer, tokens.ids, tokens.n, arguments.skip_special, &text, &size_bytes);
    if (status == MS_OK) {
        ms_print_text(stdout, text, size_bytes);
        status = ms_output_flush();
    }
    free(text);
    ms_tokens_finish(&tokens);
    ms_tokenizer_close(tokenizer);
    return status;
}

const ms_command *const ms_commands_tokenizer[] = {&train_command, &encode_command, &decode_command, NULL};

int ms_cmd_tokenizer(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "train") == 0) return ms_exit_status(train(argc - 1, argv + 1));
    if (argc > 1 && strcmp(argv[1], "encode") == 0) return ms_exit_status(encode(argc - 1, argv + 1));
    if (argc > 1 && strcmp(argv[1], "decode") == 0) return ms_exit_status(decode(argc - 1, argv + 1));
    if (argc > 1 && ms_option_is_help(argv[1])) {
        ms_command_help(&train_command);
        ms_command_help(&encode_command);
        return ms_command_help(&decode_command);
    }
    return ms_exit_status(MS_FAIL(MS_USAGE, "tokenizer train, encode or decode; see muonscope tokenizer --help"));
}
