#include "model/data/dataset.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "model/data/dataset_shuffle.h"
#include "model/data/dataset_sidecar.h"
#include "model/data/dataset_synthetic.h"
#include "model/data/shard.h"
#include "platform/directory.h"
#include "platform/file.h"
#include "platform/sha256.h"
#include "platform/signals.h"

/* A shard of the split. */
typedef struct split_shard {
    ms_shard shard;
    char *path;
    int64_t first;   /* number of its first sequence */
    char sha256[65]; /* as the sidecar has it; "" without one */
} split_shard;

struct ms_dataset {
    int sequence_length;
    int vocab_size;
    uint64_t seed;
    bool shuffle;
    int split;
    bool is_synthetic;
    split_shard *shards; /* [n_shards] */
    size_t n_shards;
    int64_t n_sequences, n_tokens, n_bytes;
    uint64_t position;
    char *tokenizer_path;      /* or NULL */
    char tokenizer_sha256[65]; /* "" without a sidecar */
    int32_t end_of_text;       /* -1 without a sidecar */
};

void ms_dataset_close(ms_dataset *dataset) {
    if (!dataset) return;
    for (size_t i = 0; i < dataset->n_shards; i++) {
        ms_shard_close(&dataset->shards[i].shard);
        free(dataset->shards[i].path);
    }
    free(dataset->shards);
    free(dataset->tokenizer_path);
    free(dataset);
}

/* Opens one shard.  expected: what the sidecar says of it; NULL: no sidecar. */
static ms_status add_shard(ms_dataset *dataset, const char *directory, const char *file,
                           const ms_sidecar_shard *expected) {
    split_shard *larger = realloc(dataset->shards, (dataset->n_shards + 1) * sizeof *larger);
    if (larger) dataset->shards = larger;
    char *path = ms_path_join(directory, file);
    if (!larger || !path) {
        free(path);
        return MS_FAIL(MS_OUT_OF_MEMORY, "no memory for the shard %s", file);
    }
    split_shard *added = &dataset->shards[dataset->n_shards];
    *added = (split_shard){.path = path, .first = dataset->n_sequences};
    ms_status status = ms_shard_open(path, &added->shard);
    if (status != MS_OK) {
        free(path);
        return status;
    }
    dataset->n_shards++;
    int64_t n_tokens = added->shard.n_tokens;
    dataset->n_tokens += n_tokens;
    dataset->n_sequences += n_tokens / dataset->sequence_length;
    if (!expected) return MS_OK;
    memcpy(added->sha256, expected->sha256, sizeof added->sha256);
    if (n_tokens != expected->n_tokens)
        return MS_FAIL(MS_CORRUPT, "%s has %" PRId64 " tokens; %s says %" PRId64, path, n_tokens, MS_SIDECAR_NAME,
                       expected->n_tokens);
    return MS_OK;
}

static ms_status open_sidecar(ms_dataset *dataset, const ms_dataset_options *options) {
    ms_sidecar sidecar;
    MS_TRY(ms_sidecar_read(options->directory, &sidecar));
    const ms_sidecar_split *split = &sidecar.splits[dataset->split];
    ms_status status = MS_OK;
    memcpy(dataset->tokenizer_sha256, sidecar.tokenizer_sha256, sizeof dataset->tokenizer_sha256);
    if (options->tokenizer_sha256 && strcmp(options->tokenizer_sha256, sidecar.tokenizer_sha256) != 0) {
        status = MS_FAIL(MS_MISMATCH, "%s was made with tokenizer %.12s..., not with %.12s...", options->directory,
                         sidecar.tokenizer_sha256, options->tokenizer_sha256);
    } else if (options->vocab_size != 0 && options->vocab_size < sidecar.vocab_size) {
        status = MS_FAIL(MS_MISMATCH, "%s has a vocabulary of %d tokens, more than the model's %d", options->directory,
                         sidecar.vocab_size, options->vocab_size);
    }
    dataset->vocab_size = options->vocab_size != 0 ? options->vocab_size : sidecar.vocab_size;
    dataset->n_bytes = split->n_bytes;
    dataset->end_of_text = sidecar.end_of_text;
    for (size_t i = 0; status == MS_OK && i < split->n_shards; i++)
        status = add_shard(dataset, options->directory, split->shards[i].file, &split->shards[i]);
    ms_sidecar_finish(&sidecar);
    return status;
}

/* True for <anything>_<split>_<anything>.bin. */
static bool is_shard_name(const char *name, const char *split) {
    char middle[16];
    snprintf(middle, sizeof middle, "_%s_", split);
    const char *end = strrchr(name, '.');
    return end && strcmp(end, ".bin") == 0 && strstr(name, middle);
}

static ms_status open_shards_alone(ms_dataset *dataset, const ms_dataset_options *options) {
    if (options->vocab_size == 0)
        return MS_FAIL(MS_NOT_FOUND, "%s has no %s: the size of the vocabulary must be given", options->directory,
                       MS_SIDECAR_NAME);
    if (options->tokenizer_sha256)
        return MS_FAIL(MS_NOT_FOUND, "%s has no %s: the tokenizer cannot be checked", options->directory,
                       MS_SIDECAR_NAME);
    dataset->vocab_size = options->vocab_size;
    ms_listing names;
    MS_TRY(ms_listing_read(options->directory, &names));
    ms_status status = MS_OK;
    for (size_t i = 0; status == MS_OK && i < names.n; i++)
        if (is_shard_name(names.names[i], options->split))
            status = add_shard(dataset, options->directory, names.names[i], NULL);
    ms_listing_finish(&names);
    return status;
}

static ms_status open_directory(ms_dataset *dataset, const ms_dataset_options *options) {
    if (!ms_is_directory(options->directory))
        return MS_FAIL(MS_NOT_FOUND, "data: no folder %s (`muonscope data prepare` makes one)", options->directory);
    char *sidecar = ms_path_join(options->directory, MS_SIDECAR_NAME);
    dataset->tokenizer_path = ms_path_join(options->directory, MS_SIDECAR_TOKENIZER);
    if (!sidecar || !dataset->tokenizer_path) {
        free(sidecar);
        return MS_FAIL(MS_OUT_OF_MEMORY, "no memory for a path");
    }
    bool has_sidecar = ms_file_exists(sidecar);
    free(sidecar);
    if (!ms_file_exists(dataset->tokenizer_path)) {
        free(dataset->tokenizer_path);
        dataset->tokenizer_path = NULL;
    }
    if (has_sidecar) {
        MS_TRY(open_sidecar(dataset, options));
    } else {
        MS_TRY(open_shards_alone(dataset, options));
    }
    if (dataset->n_shards == 0)
        return MS_FAIL(MS_NOT_FOUND, "%s has no shard of the split %s", options->directory, options->split);
    if (dataset->n_sequences == 0)
        return MS_FAIL(
            MS_INVALID, "%s: the %s split has %" PRId64 " tokens in %zu shards, too few for one sequence of %d",
            options->directory, options->split, dataset->n_tokens, dataset->n_shards, dataset->sequence_length);
    return MS_OK;
}

static ms_status open_synthetic(ms_dataset *dataset, const ms_dataset_options *options) {
    if (options->vocab_size < 2)
        return MS_FAIL(MS_INVALID, "synthetic data: a vocabulary of %d tokens, at least 2 are needed",
                       options->vocab_size);
    if (options->tokenizer_sha256) return MS_FAIL(MS_INVALID, "synthetic data has no tokenizer to check");
    dataset->is_synthetic = true;
    dataset->vocab_size = options->vocab_size;
    dataset->n_tokens = dataset->split == MS_SPLIT_TRAIN ? MS_SYNTHETIC_TRAIN_TOKENS : MS_SYNTHETIC_VAL_TOKENS;
    dataset->n_sequences = dataset->n_tokens / dataset->sequence_length;
    if (dataset->n_sequences == 0)
        return MS_FAIL(MS_INVALID, "synthetic data: %" PRId64 " tokens are too few for one sequence of %d",
                       dataset->n_tokens, dataset->sequence_length);
    return MS_OK;
}

ms_status ms_dataset_open(const ms_dataset_options *options, ms_dataset **out) {
    *out = NULL;
    if (!options->directory || !options->split) return MS_FAIL(MS_INVALID, "data: no folder or no split is given");
    int split = 0;
    while (split < MS_N_SPLITS && strcmp(options->split, ms_split_name(split)) != 0) split++;
    if (split == MS_N_SPLITS)
        return MS_FAIL(MS_INVALID, "data: the split \"%s\" is neither \"train\" nor \"val\"", options->split);
    if (options->sequence_length < 2)
        return MS_FAIL(MS_INVALID, "data: sequences of %d tokens, at least 2 are needed", options->sequence_length);
    if (options->vocab_size < 0) return MS_FAIL(MS_INVALID, "data: a vocabulary of %d tokens", options->vocab_size);
    ms_dataset *dataset = calloc(1, sizeof *dataset);
    if (!dataset) return MS_FAIL(MS_OUT_OF_MEMORY, "no memory for a data set");
    dataset->sequence_length = options->sequence_length;
    dataset->seed = options->seed;
    dataset->shuffle = options->shuffle;
    dataset->split = split;
    dataset->end_of_text = -1;
    ms_status status = strcmp(options->directory, MS_DATASET_SYNTHETIC) == 0 ? open_synthetic(dataset, options)
                                                                             : open_directory(dataset, options);
    if (status != MS_OK) {
        ms_dataset_close(dataset);
        return status;
    }
    *out = dataset;
    return MS_OK;
}

/* The shard that holds a sequence: the last one whose first sequence is not beyond it. */
static const split_shard *find_shard(const ms_dataset *dataset, int64_t i_sequence) {
    size_t low = 0, high = dataset->n_shards;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (dataset->shards[middle].first <= i_sequence) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return &dataset->shards[low];
}

/* Tokens of a shard, which the vocabulary must have. */
static ms_status read_tokens(const ms_dataset *dataset, const split_shard *from, int64_t begin, int64_t n,
                             int32_t *out_tokens) {
    MS_TRY(ms_shard_read(&from->shard, begin, n, out_tokens));
    for (int64_t i = 0; i < n; i++)
        if (out_tokens[i] >= dataset->vocab_size)
            return MS_FAIL(MS_CORRUPT, "%s: token %" PRId64 " has the id %d, outside the vocabulary of %d", from->path,
                           begin + i, out_tokens[i], dataset->vocab_size);
    return MS_OK;
}

static ms_status read_sequence(const ms_dataset *dataset, int64_t i_sequence, int32_t *out_tokens) {
    int length = dataset->sequence_length;
    if (dataset->is_synthetic) {
        ms_dataset_synthetic(dataset->seed, dataset->split, (uint64_t)i_sequence, dataset->vocab_size, length,
                             out_tokens);
        return MS_OK;
    }
    const split_shard *from = find_shard(dataset, i_sequence);
    return read_tokens(dataset, from, (i_sequence - from->first) * length, length, out_tokens);
}

ms_status ms_dataset_next(ms_dataset *dataset, int n_sequences, int32_t *out_tokens, int32_t *out_targets) {
    if (n_sequences < 0) return MS_FAIL(MS_INVALID, "data: %d sequences were asked for", n_sequences);
    size_t length = (size_t)dataset->sequence_length;
    uint64_t n = (uint64_t)dataset->n_sequences;
    for (int i = 0; i < n_sequences; i++) {
        uint64_t position = dataset->position + (uint64_t)i, place = position % n;
        if (dataset->shuffle) place = ms_dataset_shuffle(place, n, dataset->seed, position / n);
        int32_t *tokens = out_tokens + (size_t)i * length, *targets = out_targets + (size_t)i * length;
        MS_TRY(read_sequence(dataset, (int64_t)place, tokens));
        memcpy(targets, tokens + 1, (length - 1) * sizeof *targets);
        targets[length - 1] = MS_NO_TARGET;
    }
    dataset->position += (uint64_t)n_sequences;
    return MS_OK;
}

/* One shard's hash, which goes into the identity. */
static ms_status check_shard(const split_shard *shard, ms_sha256 *identity) {
    char sha256[65];
    MS_TRY(ms_reader_sha256(&shard->shard.reader, sha256));
    if (shard->sha256[0] && strcmp(sha256, shard->sha256) != 0)
        return MS_FAIL(MS_CORRUPT, "%s: SHA-256 %.12s..., %s says %.12s...: it was changed since it was prepared",
                       shard->path, sha256, MS_SIDECAR_NAME, shard->sha256);
    return ms_sha256_update(identity, sha256, 64);
}

ms_status ms_dataset_check_contents(const ms_dataset *dataset, ms_dataset_contents *out) {
    *out = (ms_dataset_contents){.n_shards = (int32_t)dataset->n_shards,
                                 .size_bytes = ms_dataset_file_bytes(dataset),
                                 .compared = dataset->n_shards > 0 && dataset->shards[0].sha256[0]};
    ms_sha256 *identity;
    MS_TRY(ms_sha256_create(&identity));
    ms_status status = MS_OK;
    if (dataset->is_synthetic) status = ms_sha256_update(identity, MS_DATASET_SYNTHETIC, strlen(MS_DATASET_SYNTHETIC));
    for (size_t i = 0; status == MS_OK && i < dataset->n_shards; i++)
        status = check_shard(&dataset->shards[i], identity);
    if (status == MS_OK) return ms_sha256_finish(identity, out->sha256);
    ms_sha256_destroy(identity);
    return status;
}

static void add_counts(const int32_t *tokens, int64_t n, int64_t *counts) {
    for (int64_t i = 0; i < n; i++) counts[tokens[i]]++;
}

enum { COUNT_PIECE = 1 << 16 }; /* tokens that are read at a time */

static ms_status count_shard(const ms_dataset *dataset, const split_shard *from, int32_t *tokens, int64_t *counts) {
    for (int64_t begin = 0; begin < from->shard.n_tokens; begin += COUNT_PIECE) {
        int64_t left = from->shard.n_tokens - begin, n = left < COUNT_PIECE ? left : COUNT_PIECE;
        MS_TRY(ms_signals_check("counting tokens"));
        MS_TRY(read_tokens(dataset, from, begin, n, tokens));
        add_counts(tokens, n, counts);
    }
    return MS_OK;
}

ms_status ms_dataset_count(const ms_dataset *dataset, int64_t *out_counts, int64_t *out_n_tokens) {
    int64_t length = dataset->sequence_length, n_tokens = dataset->n_tokens;
    memset(out_counts, 0, (size_t)dataset->vocab_size * sizeof *out_counts);
    *out_n_tokens = 0;
    int32_t *tokens = malloc((size_t)(length > COUNT_PIECE ? length : COUNT_PIECE) * sizeof *tokens);
    if (!tokens) return MS_FAIL(MS_OUT_OF_MEMORY, "no memory to count tokens");
    ms_status status = MS_OK;
    if (dataset->is_synthetic) {
        int64_t n = MS_SYNTHETIC_COUNTED_TOKENS / length > 0 ? MS_SYNTHETIC_COUNTED_TOKENS / length : 1;
        for (int64_t i = 0; i < n; i++) {
            ms_dataset_synthetic(dataset->seed, dataset->split, (uint64_t)i, dataset->vocab_size, (int)length, tokens);
            add_counts(tokens, length, out_counts);
        }
        n_tokens = n * length;
    }
    for (size_t i = 0; status == MS_OK && i < dataset->n_shards; i++)
        status = count_shard(dataset, &dataset->shards[i], tokens, out_counts);
    free(tokens);
    if (status == MS_OK) *out_n_tokens = n_tokens;
    return status;
}

int64_t ms_dataset_file_bytes(const ms_dataset *dataset) {
    int64_t size_bytes = 0;
    for (size_t i = 0; i < dataset->n_shards; i++) size_bytes += dataset->shards[i].shard.reader.size_bytes;
    return size_bytes;
}

uint64_t ms_dataset_position(const ms_dataset *dataset) { return dataset->position; }

ms_status ms_dataset_seek(ms_dataset *dataset, uint64_t position) {
    dataset->position = position;
    return MS_OK;
}

int64_t ms_dataset_sequences(const ms_dataset *dataset) { return dataset->n_sequences; }

int64_t ms_dataset_tokens(const ms_dataset *dataset) { return dataset->n_tokens; }

int64_t ms_dataset_text_bytes(const ms_dataset *dataset) { return dataset->n_bytes; }

int ms_dataset_sequence_length(const ms_dataset *dataset) { return dataset->sequence_length; }

int ms_dataset_vocab_size(const ms_dataset *dataset) { return dataset->vocab_size; }

const char *ms_dataset_tokenizer_path(const ms_dataset *dataset) { return dataset->tokenizer_path; }

const char *ms_dataset_tokenizer_sha256(const ms_dataset *dataset) {
    return dataset->tokenizer_sha256[0] ? dataset->tokenizer_sha256 : NULL;
}

int32_t ms_dataset_end_of_text(const ms_dataset *dataset) { return dataset->end_of_text; }
