#include "cli/data_show.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/data/dataset.h"
#include "model/data/dataset_check.h"
#include "model/data/shard.h"
#include "model/data/tokenizer.h"
#include "platform/directory.h"
#include "platform/file.h"
#include "platform/output.h"
#include "platform/signals.h"

/* ---- info ---- */

const ms_command ms_data_info_command = {
    "data info",
    "DIR",
    "Describes a folder of token shards and checks all of it.  Of a folder that another program made, or of one shard: "
    "what the shards hold.",
    NULL,
    1,
    1,
    NULL,
    NULL};

static void print_split(const ms_sidecar *sidecar, int i_split) {
    const ms_sidecar_split *split = &sidecar->splits[i_split];
    printf("%-6s%12" PRId64 " tokens %10" PRId64 " documents %12" PRId64 " bytes %6.2f bytes/token %4zu shards\n",
           ms_split_name(i_split), split->n_tokens, split->n_documents, split->n_bytes,
           split->n_tokens > 0 ? (double)split->n_bytes / (double)split->n_tokens : 0.0, split->n_shards);
}

void ms_data_print_sidecar(const char *directory, const ms_sidecar *sidecar) {
    ms_print_line(stdout, "%s: vocabulary of %d tokens, tokenizer %s", directory, sidecar->vocab_size,
                  sidecar->tokenizer_sha256);
    for (int split = 0; split < MS_N_SPLITS; split++) print_split(sidecar, split);
    ms_record_counts_print(&sidecar->counts, stdout);
}

static ms_status info_of_ours(const char *directory) {
    ms_sidecar sidecar;
    MS_TRY(ms_dataset_check(directory, &sidecar));
    ms_data_print_sidecar(directory, &sidecar);
    if (sidecar.end_of_text < 0) printf("no token stands between documents\n");
    if (sidecar.validation_fraction == 0 && sidecar.splits[MS_SPLIT_VAL].n_documents > 0)
        printf("split  by file\n");
    else
        printf("split  validation fraction %g, seed %" PRIu64 "\n", sidecar.validation_fraction, sidecar.seed);
    for (size_t i = 0; i < sidecar.n_sources; i++)
        ms_print_line(stdout, "source %s: %" PRId64 " bytes, %" PRId64 " documents", sidecar.sources[i].path,
                      sidecar.sources[i].n_bytes, sidecar.sources[i].n_documents);
    printf("all checks passed: tokenizer, headers, sizes, SHA-256, every token id%s\n",
           sidecar.end_of_text < 0 ? "" : ", documents");
    ms_sidecar_finish(&sidecar);
    return MS_OK;
}

/* Reads the whole shard; *highest is the highest id so far. */
static ms_status info_of_shard(const char *path, int32_t *highest) {
    enum { SPAN_TOKENS = 4096 };
    int32_t tokens[SPAN_TOKENS], highest_here = -1;
    ms_shard shard;
    MS_TRY(ms_shard_open(path, &shard));
    ms_status status = MS_OK;
    for (int64_t begin = 0; begin < shard.n_tokens && status == MS_OK; begin += SPAN_TOKENS) {
        int64_t n = shard.n_tokens - begin < SPAN_TOKENS ? shard.n_tokens - begin : SPAN_TOKENS;
        status = ms_shard_read(&shard, begin, n, tokens);
        for (int64_t i = 0; status == MS_OK && i < n; i++)
            if (tokens[i] > highest_here) highest_here = tokens[i];
        if (status == MS_OK) status = ms_signals_check("data info");
    }
    if (status == MS_OK)
        ms_print_line(stdout, "%s: %" PRId64 " tokens of uint%d, ids up to %d", path, shard.n_tokens,
                      8 * shard.token_bytes, highest_here);
    if (highest_here > *highest) *highest = highest_here;
    ms_shard_close(&shard);
    return status;
}

static ms_status info_of_folder(const char *directory, int32_t *highest) {
    ms_listing names;
    MS_TRY(ms_listing_read(directory, &names));
    ms_status status = MS_OK;
    int n_shards = 0;
    for (size_t i = 0; i < names.n && status == MS_OK; i++) {
        size_t length = strlen(names.names[i]);
        if (length < 4 || strcmp(names.names[i] + length - 4, ".bin") != 0) continue;
        char *path = ms_path_join(directory, names.names[i]);
        status = path ? info_of_shard(path, highest) : MS_FAIL(MS_OUT_OF_MEMORY, "no memory for a path");
        free(path);
        n_shards++;
    }
    ms_listing_finish(&names);
    if (status == MS_OK && n_shards == 0)
        return MS_FAIL(MS_NOT_FOUND, "%s has no %s and no shard NAME.bin: `muonscope data prepare` makes both",
                       directory, MS_SIDECAR_NAME);
    return status;
}

static ms_status info_of_foreign(const char *path) {
    int32_t highest = -1;
    MS_TRY(ms_is_directory(path) ? info_of_folder(path, &highest) : info_of_shard(path, &highest));
    printf("no %s: a model whose vocabulary has at least %d tokens trains on it, and bits per byte are not known; "
           "data prepare --tokenizer FILE makes a folder of it that has both\n",
           MS_SIDECAR_NAME, highest + 1);
    return MS_OK;
}

ms_status ms_data_info(int argc, char **argv) {
    ms_positionals folders;
    MS_TRY(ms_options_parse(&ms_data_info_command, argc, argv, NULL, &folders));
    if (folders.help) {
        ms_command_print(&ms_data_info_command, stdout);
        return MS_OK;
    }
    const char *path = folders.items[0];
    MS_TRY(ms_signals_catch());
    char *sidecar = ms_path_join(path, MS_SIDECAR_NAME);
    if (!sidecar) return MS_FAIL(MS_OUT_OF_MEMORY, "no memory for a path");
    bool is_ours = ms_is_directory(path) && ms_file_exists(sidecar);
    free(sidecar);
    return is_ours ? info_of_ours(path) : info_of_foreign(path);
}

/* ---- decode ---- */

struct decode_arguments {
    const char *split, *tokenizer;
    int64_t sequence, sequences, sequence_length, seed;
    bool ids;
};

static const ms_option decode_options[] = {
    {"split", MS_OPTION_STRING, offsetof(struct decode_arguments, split), NULL, "train|val",
     "Which split (default train)"},
    {"sequence", MS_OPTION_COUNT, offsetof(struct decode_arguments, sequence), NULL, "N",
     "The first sequence, from 0 (default 0)"},
    {"sequences", MS_OPTION_COUNT, offsetof(struct decode_arguments, sequences), NULL, "N",
     "How many sequences (default 1)"},
    {"sequence_length", MS_OPTION_COUNT, offsetof(struct decode_arguments, sequence_length), NULL, "N",
     "Tokens of a sequence: the run's model.sequence_length (default 256)"},
    {"seed", MS_OPTION_INT, offsetof(struct decode_arguments, seed), NULL, "N",
     "Sequences in the order in which a run with this seed takes them (default: the order of the shards)"},
    {"tokenizer", MS_OPTION_STRING, offsetof(struct decode_arguments, tokenizer), NULL, "FILE",
     "The tokenizer (default: the folder's own)"},
    {"ids", MS_OPTION_FLAG, offsetof(struct decode_arguments, ids), NULL, NULL, "Print token ids, one list a sequence"},
    {NULL, MS_OPTION_END, 0, NULL, NULL, NULL}};

const ms_command ms_data_decode_command = {
    "data decode",
    "DIR",
    "Prints sequences of a folder of token shards as text, as a run reads them.",
    decode_options,
    1,
    1,
    NULL,
    "Headings go to the error stream, text and ids to standard output.  Step s of a run whose batch is of b sequences\n"
    "and which accumulates a micro-steps takes the sequences from (s - 1) a b on, s from 1.\n"};

static ms_status check_decode(const struct decode_arguments *arguments) {
    if (arguments->sequences < 1)
        return MS_FAIL(MS_USAGE, "--sequences %" PRId64 ": at least 1 is needed", arguments->sequences);
    if (arguments->sequence_length < 2 || arguments->sequence_length > 1 << 24)
        return MS_FAIL(MS_USAGE, "--sequence_length %" PRId64 ": 2 to 16777216 are possible",
                       arguments->sequence_length);
    if (strcmp(arguments->split, "train") != 0 && strcmp(arguments->split, "val") != 0)
        return MS_FAIL(MS_USAGE, "--split %s: must be train or val", arguments->split);
    if (arguments->seed < -1) return MS_FAIL(MS_USAGE, "--seed %" PRId64 " is negative", arguments->seed);
    return MS_OK;
}

static ms_status print_sequence(const ms_tokenizer *tokenizer, const int32_t *tokens, int n, bool as_ids) {
    if (as_ids) {
        for (int i = 0; i < n; i++) printf("%s%d", i ? " " : "", tokens[i]);
        putchar('\n');
        return MS_OK;
    }
    char *text;
    size_t size_bytes;
    MS_TRY(ms_tokenizer_decode(tokenizer, tokens, (size_t)n, false, &text, &size_bytes));
    ms_print_text(stdout, text, size_bytes);
    putchar('\n');
    free(text);
    return MS_OK;
}

static ms_status print_sequences(ms_dataset *dataset, const ms_tokenizer *tokenizer,
                                 const struct decode_arguments *arguments) {
    int length = ms_dataset_sequence_length(dataset);
    int64_t n = ms_dataset_sequences(dataset), end = arguments->sequence + arguments->sequences;
    if (arguments->seed < 0 && end > n)
        return MS_FAIL(MS_USAGE,
                       "--sequence %" PRId64 " --sequences %" PRId64 ": the %s split has %" PRId64 " sequences of %d",
                       arguments->sequence, arguments->sequences, arguments->split, n, length);
    int32_t *tokens = malloc(2 * (size_t)length * sizeof *tokens);
    ms_status status = tokens ? ms_dataset_seek(dataset, (uint64_t)arguments->sequence)
                              : MS_FAIL(MS_OUT_OF_MEMORY, "no memory for a sequence of %d", length);
    for (int64_t i = arguments->sequence; i < end && status == MS_OK; i++) {
        status = ms_dataset_next(dataset, 1, tokens, tokens + length);
        if (status != MS_OK) break;
        ms_print_line(stderr, "--- sequence %" PRId64 " of %" PRId64 " in the %s split, %d tokens", i, n,
                      arguments->split, length);
        status = print_sequence(tokenizer, tokens, length, arguments->ids);
        ms_print_flush(stdout);
        if (status == MS_OK) status = ms_signals_check("data decode");
    }
    free(tokens);
    return status;
}

static ms_status decode_with(const struct decode_arguments *arguments, const char *directory, ms_tokenizer *tokenizer) {
    bool shuffle = arguments->seed >= 0;
    ms_dataset_options options = {.directory = directory,
                                  .split = arguments->split,
                                  .sequence_length = (int)arguments->sequence_length,
                                  .seed = shuffle ? (uint64_t)arguments->seed : 0,
                                  .shuffle = shuffle};
    char *sidecar = ms_path_join(directory, MS_SIDECAR_NAME);
    if (!sidecar) return MS_FAIL(MS_OUT_OF_MEMORY, "no memory for a path");
    /* Foreign shards do not say how large their vocabulary is. */
    if (!ms_file_exists(sidecar)) options.vocab_size = tokenizer ? ms_tokenizer_vocab_size(tokenizer) : INT32_MAX;
    if (tokenizer && options.vocab_size == 0) options.tokenizer_sha256 = ms_tokenizer_sha256(tokenizer);
    free(sidecar);
    ms_dataset *dataset;
    MS_TRY(ms_dataset_open(&options, &dataset));
    ms_status status = print_sequences(dataset, tokenizer, arguments);
    ms_dataset_close(dataset);
    return status;
}

ms_status ms_data_decode(int argc, char **argv) {
    struct decode_arguments arguments = {.split = "train", .sequences = 1, .sequence_length = 256, .seed = -1};
    ms_positionals folders;
    MS_TRY(ms_options_parse(&ms_data_decode_command, argc, argv, &arguments, &folders));
    if (folders.help) {
        ms_command_print(&ms_data_decode_command, stdout);
        return MS_OK;
    }
    MS_TRY(check_decode(&arguments));
    MS_TRY(ms_signals_catch());
    const char *directory = folders.items[0];
    char *own = ms_path_join(directory, MS_SIDECAR_TOKENIZER);
    if (!own) return MS_FAIL(MS_OUT_OF_MEMORY, "no memory for a path");
    const char *path = arguments.tokenizer ? arguments.tokenizer : own;
    ms_tokenizer *tokenizer = NULL;
    ms_status status = MS_OK;
    if (!arguments.ids) {
        status = ms_tokenizer_open(path, &tokenizer);
        if (status == MS_NOT_FOUND && !arguments.tokenizer && ms_is_directory(directory))
            status = MS_FAIL(MS_NOT_FOUND, "%s has no tokenizer: --tokenizer FILE names one, or --ids prints the ids",
                             directory);
    }
    if (status == MS_OK) status = decode_with(&arguments, directory, tokenizer);
    ms_tokenizer_close(tokenizer);
    free(own);
    return status;
}
