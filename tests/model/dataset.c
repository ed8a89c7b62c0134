/* Sequences from shards and from the synthetic source: order, targets, resumption, bad input. */
#include "model/data/dataset.h"

#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "model/data/dataset_prepare.h"
#include "model/data/dataset_shuffle.h"
#include "model/data/dataset_synthetic.h"
#include "model/data/shard.h"
#include "model/data/tokenizer.h"
#include "platform/directory.h"
#include "platform/file.h"
#include "platform/signals.h"
#include "tests/model/data_files.h"
#include "tests/support/suite.h"

enum { T = 8 };

START_TEST(shuffle) {
    static const uint64_t sizes[] = {1, 2, 3, 4, 5, 16, 17, 100, 4096, 4097};
    static uint8_t seen[4097];
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        for (uint64_t epoch = 0; epoch < 3; epoch++) {
            memset(seen, 0, sizeof seen);
            for (uint64_t j = 0; j < sizes[i]; j++) {
                uint64_t place = ms_dataset_shuffle(j, sizes[i], 42, epoch);
                ck_assert_uint_lt(place, sizes[i]);
                ck_assert_msg(!seen[place], "n %llu, place %llu twice", (unsigned long long)sizes[i],
                              (unsigned long long)place);
                seen[place] = 1;
            }
        }
    }
    /* Orders of different epochs and seeds agree about once, as random ones do. */
    int n_same_epoch = 0, n_same_seed = 0, n_fixed = 0, n_neighbours = 0;
    for (uint64_t j = 0; j < 4097; j++) {
        uint64_t place = ms_dataset_shuffle(j, 4097, 1, 0);
        n_same_epoch += place == ms_dataset_shuffle(j, 4097, 1, 1);
        n_same_seed += place == ms_dataset_shuffle(j, 4097, 2, 0);
        n_fixed += place == j;
        n_neighbours += ms_dataset_shuffle((j + 1) % 4097, 4097, 1, 0) == (place + 1) % 4097;
    }
    ck_assert_int_lt(n_same_epoch, 10);
    ck_assert_int_lt(n_same_seed, 10);
    ck_assert_int_lt(n_fixed, 10);
    ck_assert_int_lt(n_neighbours, 10);
}
END_TEST

/* A shard of n tokens: first, first + 1, ... */
static const char *write_shard(const char *name, int32_t first, int n) {
    const char *path = data_path(name);
    ms_shard_writer writer;
    (void)ms_remove_one(path);
    ck_assert_int_eq(ms_shard_writer_open(path, MS_SHARD_VOCAB_16, &writer), MS_OK);
    for (int32_t i = 0; i < n; i++) {
        int32_t id = first + i;
        ck_assert_int_eq(ms_shard_writer_add(&writer, &id, 1), MS_OK);
    }
    ck_assert_int_eq(ms_shard_writer_commit(&writer), MS_OK);
    return path;
}

static ms_dataset_options options_for(const char *directory, bool is_shuffled) {
    return (ms_dataset_options){.directory = directory,
                                .split = "train",
                                .sequence_length = T,
                                .seed = 7,
                                .shuffle = is_shuffled,
                                .vocab_size = 1000};
}

static ms_dataset *open_dataset(ms_dataset_options options) {
    ms_dataset *dataset;
    ms_status status = ms_dataset_open(&options, &dataset);
    ck_assert_msg(status == MS_OK, "%s", ms_status_message());
    return dataset;
}

/* Three shards of 5, 0 and 2 sequences with remainders; sequences are told apart by their first token. */
START_TEST(sequences) {
    const char *folder = data_folder_create();
    write_shard("x_train_000000.bin", 100, 5 * T + 3);
    write_shard("x_train_000001.bin", 900, T - 1);
    write_shard("x_train_000002.bin", 200, 2 * T);
    write_shard("x_val_000000.bin", 300, T);
    static const int32_t starts[] = {100, 108, 116, 124, 132, 200, 208};
    static int64_t counts[1000], n_counted;
    int32_t tokens[7 * T], targets[7 * T];
    ms_dataset *dataset = open_dataset(options_for(folder, false));
    ck_assert_int_eq(ms_dataset_sequences(dataset), 7);
    ck_assert_int_eq(ms_dataset_tokens(dataset), 5 * T + 3 + T - 1 + 2 * T);
    ck_assert_int_eq(ms_dataset_vocab_size(dataset), 1000);
    ck_assert_int_eq(ms_dataset_count(dataset, counts, &n_counted), MS_OK); /* with the remainders */
    ck_assert_int_eq(n_counted, ms_dataset_tokens(dataset));
    for (int i = 0; i < 1000; i++) {
        bool is_there =
            (i >= 100 && i < 100 + 5 * T + 3) || (i >= 900 && i < 900 + T - 1) || (i >= 200 && i < 200 + 2 * T);
        ck_assert_int_eq(counts[i], is_there);
    }
    ck_assert_ptr_null(ms_dataset_tokenizer_path(dataset));
    ck_assert_ptr_null(ms_dataset_tokenizer_sha256(dataset));
    ck_assert_int_eq(ms_dataset_next(dataset, 7, tokens, targets), MS_OK);
    for (int i = 0; i < 7; i++) {
        for (int j = 0; j < T; j++) {
            ck_assert_int_eq(tokens[i * T + j], starts[i] + j);
            ck_assert_int_eq(targets[i * T + j], j + 1 < T ? starts[i] + j + 1 : MS_NO_TARGET);
        }
    }
    ck_assert_uint_eq(ms_dataset_position(dataset), 7);
    ck_assert_int_eq(ms_dataset_next(dataset, 1, tokens, targets), MS_OK);
    ck_assert_int_eq(tokens[0], 100);
    ms_dataset_close(dataset);
    ms_dataset_options val = options_for(folder, true);
    val.split = "val";
    dataset = open_dataset(val);
    ck_assert_int_eq(ms_dataset_next(dataset, 1, tokens, targets), MS_OK);
    ck_assert_int_eq(tokens[0], 300);
    ms_dataset_close(dataset);
    data_folder_remove();
}
END_TEST

/* Every epoch serves every sequence once, and the position alone resumes. */
START_TEST(epochs_and_resumption) {
    enum { N = 50, EPOCHS = 4 };
    const char *folder = data_folder_create();
    write_shard("x_train_000000.bin", 0, 30 * T);
    write_shard("x_train_000001.bin", 30 * T, 20 * T);
    ms_dataset *dataset = open_dataset(options_for(folder, true));
    int32_t tokens[EPOCHS * N * T], targets[EPOCHS * N * T], again[3 * T];
    /* Batches that straddle epochs. */
    for (int i = 0; i < EPOCHS * N; i += 8)
        ck_assert_int_eq(ms_dataset_next(dataset, 8, tokens + i * T, targets + i * T), MS_OK);
    int n_equal_epochs = 0;
    for (int epoch = 0; epoch < EPOCHS; epoch++) {
        bool seen[N] = {false};
        for (int i = 0; i < N; i++) {
            int32_t start = tokens[(epoch * N + i) * T];
            ck_assert_int_eq(start % T, 0);
            ck_assert(!seen[start / T]);
            seen[start / T] = true;
        }
        n_equal_epochs += epoch > 0 && memcmp(tokens, tokens + epoch * N * T, N * T * sizeof *tokens) == 0;
    }
    ck_assert_int_eq(n_equal_epochs, 0);
    ms_dataset *resumed = open_dataset(options_for(folder, true));
    for (uint64_t position = 0; position + 3 <= EPOCHS * N; position += 13) {
        ck_assert_int_eq(ms_dataset_seek(resumed, position), MS_OK);
        ck_assert_int_eq(ms_dataset_next(resumed, 3, again, targets), MS_OK);
        ck_assert_mem_eq(again, tokens + position * T, sizeof again);
        ck_assert_uint_eq(ms_dataset_position(resumed), position + 3);
    }
    ck_assert_int_eq(ms_dataset_seek(resumed, UINT64_MAX / 2), MS_OK);
    ck_assert_int_eq(ms_dataset_next(resumed, 3, again, targets), MS_OK);
    ms_dataset_close(resumed);
    ms_dataset_close(dataset);
    data_folder_remove();
}
END_TEST

START_TEST(synthetic) {
    enum { N = 64, V = 50, LENGTH = 64 };
    static int32_t train[N * LENGTH], val[N * LENGTH], other[N * LENGTH], targets[N * LENGTH];
    ms_dataset_options options = {
        .directory = "synthetic", .split = "train", .sequence_length = LENGTH, .seed = 3, .shuffle = true};
    ms_dataset *dataset;
    ms_expect(ms_dataset_open(&options, &dataset), MS_INVALID, "synthetic");
    options.vocab_size = V;
    dataset = open_dataset(options);
    ck_assert_int_eq(ms_dataset_sequences(dataset), MS_SYNTHETIC_TRAIN_TOKENS / LENGTH);
    ck_assert_int_eq(ms_dataset_next(dataset, N, train, targets), MS_OK);
    ck_assert_int_eq(ms_dataset_seek(dataset, 5), MS_OK);
    ck_assert_int_eq(ms_dataset_next(dataset, 1, other, targets), MS_OK);
    ck_assert_mem_eq(other, train + 5 * LENGTH, LENGTH * sizeof *other);
    ms_dataset_close(dataset);
    options.seed = 4;
    dataset = open_dataset(options);
    ck_assert_int_eq(ms_dataset_next(dataset, N, other, targets), MS_OK);
    ms_dataset_close(dataset);
    options.split = "val";
    dataset = open_dataset(options);
    ck_assert_int_eq(ms_dataset_next(dataset, N, val, targets), MS_OK);
    ms_dataset_close(dataset);
    ck_assert_mem_ne(train, val, sizeof train);
    ck_assert_mem_ne(train, other, sizeof train);
    ck_assert_mem_ne(val, other, sizeof train);
    /* The language is the same in all three: at most four tokens ever follow a token. */
    static bool follows[V][V];
    const int32_t *const sources[] = {train, val, other};
    for (int source = 0; source < 3; source++)
        for (int i = 0; i < N; i++)
            for (int j = 0; j + 1 < LENGTH; j++)
                follows[sources[source][i * LENGTH + j]][sources[source][i * LENGTH + j + 1]] = true;
    int n_pairs = 0;
    for (int i = 0; i < V; i++) {
        int n = 0;
        for (int j = 0; j < V; j++) n += follows[i][j];
        ck_assert_int_le(n, 4);
        n_pairs += n;
    }
    ck_assert_int_gt(n_pairs, 2 * V);
}
END_TEST

START_TEST(bad_shards) {
    const char *folder = data_folder_create();
    ms_dataset *dataset;
    ms_dataset_options options = options_for(folder, false);
    ms_expect(ms_dataset_open(&options, &dataset), MS_NOT_FOUND, "no shard of the split train");
    options.directory = data_path("absent");
    ms_expect(ms_dataset_open(&options, &dataset), MS_NOT_FOUND, "absent");
    options = options_for(folder, false);
    const char *path = write_shard("x_train_000000.bin", 990, 3 * T);
    options.sequence_length = 3 * T + 1;
    ms_expect(ms_dataset_open(&options, &dataset), MS_INVALID, "24 tokens in 1 shards, too few");
    options = options_for(folder, false);
    options.vocab_size = 0;
    ms_expect(ms_dataset_open(&options, &dataset), MS_NOT_FOUND, "dataset.json");
    options.split = "test";
    ms_expect(ms_dataset_open(&options, &dataset), MS_INVALID, "\"test\"");
    options = options_for(folder, false);
    options.sequence_length = 1;
    ms_expect(ms_dataset_open(&options, &dataset), MS_INVALID, "1 tokens");
    /* 990 + 10 is the first id outside the vocabulary of 1000: the second sequence, token 10. */
    int32_t tokens[T], targets[T];
    dataset = open_dataset(options_for(folder, false));
    ck_assert_int_eq(ms_dataset_next(dataset, 1, tokens, targets), MS_OK);
    ms_expect(ms_dataset_next(dataset, 1, tokens, targets), MS_CORRUPT, "x_train_000000.bin: token 10 has the id 1000");
    ck_assert_uint_eq(ms_dataset_position(dataset), 1);
    ms_dataset_close(dataset);
    char *bytes;
    size_t size_bytes;
    options = options_for(folder, false);
    ck_assert_int_eq(ms_file_read(path, &bytes, &size_bytes), MS_OK);
    ck_assert_uint_eq(size_bytes, 1024 + 2 * 3 * T);
    data_write("x_train_000000.bin", bytes, size_bytes - 1);
    ms_expect(ms_dataset_open(&options, &dataset), MS_CORRUPT,
              "the header says 24 tokens, 1072 bytes; the file has 1071");
    data_write("x_train_000000.bin", bytes, 100);
    ms_expect(ms_dataset_open(&options, &dataset), MS_CORRUPT, "100 bytes are too few");
    data_write("x_train_000000.bin", bytes, 0);
    ms_expect(ms_dataset_open(&options, &dataset), MS_CORRUPT, "0 bytes are too few");
    bytes[4] = 2;
    data_write("x_train_000000.bin", bytes, size_bytes);
    ms_expect(ms_dataset_open(&options, &dataset), MS_UNSUPPORTED, "version 2");
    bytes[0] ^= 1;
    data_write("x_train_000000.bin", bytes, size_bytes);
    ms_expect(ms_dataset_open(&options, &dataset), MS_CORRUPT, "magic number");
    free(bytes);
    data_folder_remove();
}
END_TEST

/* What happens to the files of an open data set. */
START_TEST(shards_that_change) {
    const char *folder = data_folder_create();
    const char *path = write_shard("x_train_000000.bin", 0, 3 * T);
    ms_dataset *dataset = open_dataset(options_for(folder, false));
    ms_dataset_contents before, after;
    ck_assert_int_eq(ms_dataset_check_contents(dataset, &before), MS_OK);
    ck_assert(!before.compared);
    ck_assert_int_eq(before.size_bytes, 1024 + 2 * 3 * T);
    ck_assert_int_eq(before.n_shards, 1);
    int32_t tokens[T], targets[T];
    ck_assert_int_eq(ms_dataset_next(dataset, 1, tokens, targets), MS_OK);
    ck_assert_int_eq(truncate(path, 1024 + 2 * 2 * T - 1), 0);
    ms_expect(ms_dataset_next(dataset, 1, tokens, targets), MS_CORRUPT,
              "x_train_000000.bin: 1056 bytes are wanted, the file has 1055 (it had 1072 when it was opened)");
    ck_assert_uint_eq(ms_dataset_position(dataset), 1);
    ms_expect(ms_dataset_check_contents(dataset, &after), MS_CORRUPT, "1072 bytes are wanted");
    ms_dataset_close(dataset);
    /* Other tokens give another identity; the same ones in two shards too. */
    write_shard("x_train_000000.bin", 1, 3 * T);
    dataset = open_dataset(options_for(folder, false));
    ck_assert_int_eq(ms_dataset_check_contents(dataset, &after), MS_OK);
    ck_assert_str_ne(after.sha256, before.sha256);
    ms_dataset_close(dataset);
    write_shard("x_train_000000.bin", 0, 2 * T);
    write_shard("x_train_000001.bin", 2 * T, T);
    dataset = open_dataset(options_for(folder, false));
    ck_assert_int_eq(ms_dataset_check_contents(dataset, &after), MS_OK);
    ck_assert_str_ne(after.sha256, before.sha256);
    ms_dataset_close(dataset);
    data_folder_remove();
}
END_TEST

/* The header, byte by byte, as llm.c writes it, and the writer's refusals. */
START_TEST(shard_format) {
    data_folder_create();
    const char *path = data_path("s.bin");
    ms_shard_writer writer;
    int32_t ids[] = {0, 258, 65535, 65536};
    ck_assert_int_eq(ms_shard_writer_open(path, MS_SHARD_VOCAB_16, &writer), MS_OK);
    ck_assert_int_eq(ms_shard_writer_add(&writer, ids, 3), MS_OK);
    ms_expect(ms_shard_writer_add(&writer, ids, 4), MS_INVALID, "token id 65536");
    ms_must(ms_shard_writer_sync(&writer));
    ms_shard_writer_abort(&writer);
    /* What was not committed is no shard, and is not begun again by accident; it can be gone on with. */
    ms_shard shard;
    ms_expect(ms_shard_open(path, &shard), MS_CORRUPT, "0 tokens, 1024 bytes");
    ms_expect(ms_shard_writer_open(path, MS_SHARD_VOCAB_16, &writer), MS_IO, "File exists");
    ms_expect(ms_shard_writer_reopen(path, MS_SHARD_VOCAB_16, 4, &writer), MS_CORRUPT, "has 1030 bytes, and had 1032");
    ck_assert_int_eq(ms_shard_writer_reopen(path, MS_SHARD_VOCAB_16, 2, &writer), MS_OK);
    ck_assert_int_eq(ms_shard_writer_add(&writer, ids + 2, 1), MS_OK);
    ck_assert_int_eq(ms_shard_writer_commit(&writer), MS_OK);
    char *bytes;
    size_t size_bytes;
    ck_assert_int_eq(ms_file_read(path, &bytes, &size_bytes), MS_OK);
    ck_assert_uint_eq(size_bytes, 1030);
    static const uint8_t head[] = {0x88, 0xd8, 0x34, 0x01, 1, 0, 0, 0, 3, 0, 0, 0};
    static const uint8_t tail[] = {0, 0, 2, 1, 255, 255};
    ck_assert_mem_eq(bytes, head, sizeof head);
    for (size_t i = sizeof head; i < 1024; i++) ck_assert_int_eq(bytes[i], 0);
    ck_assert_mem_eq(bytes + 1024, tail, sizeof tail);
    free(bytes);
    data_folder_remove();
}
END_TEST

/* What the sidecar adds: identity, sizes, counts. */
START_TEST(sidecar) {
    data_folder_create();
    const char *tokenizer_path = data_write_tokenizer(), *files[] = {data_write_lines("lines.txt", 2000)};
    const char *folder = data_path("out");
    ms_prepare_options prepare = {.tokenizer_path = tokenizer_path,
                                  .directory = folder,
                                  .files = files,
                                  .n_files = 1,
                                  .validation_fraction = 0.25,
                                  .corpus = {.chunk_bytes = 512}};
    ms_sidecar made;
    ck_assert_int_eq(ms_dataset_prepare(&prepare, &made), MS_OK);
    ms_dataset_options options = {
        .directory = folder, .split = "train", .sequence_length = T, .tokenizer_sha256 = made.tokenizer_sha256};
    ms_dataset *dataset = open_dataset(options);
    ck_assert_int_eq(ms_dataset_vocab_size(dataset), 257);
    ck_assert_int_eq(ms_dataset_tokens(dataset), made.splits[MS_SPLIT_TRAIN].n_tokens);
    ck_assert_int_eq(ms_dataset_text_bytes(dataset), made.splits[MS_SPLIT_TRAIN].n_bytes);
    ck_assert_str_eq(ms_dataset_tokenizer_sha256(dataset), made.tokenizer_sha256);
    ck_assert(ms_file_exists(ms_dataset_tokenizer_path(dataset)));
    ms_dataset_contents contents;
    ck_assert_int_eq(ms_dataset_check_contents(dataset, &contents), MS_OK);
    ck_assert(contents.compared);
    ck_assert_uint_eq(strlen(contents.sha256), 64);
    ms_must(ms_signals_catch());
    raise(SIGTERM);
    ms_expect(ms_dataset_check_contents(dataset, &contents), MS_INTERRUPTED, "SIGTERM");
    ms_signals_release();
    ms_dataset_close(dataset);
    options.vocab_size = 300;
    dataset = open_dataset(options);
    ck_assert_int_eq(ms_dataset_vocab_size(dataset), 300);
    ms_dataset_close(dataset);
    options.vocab_size = 256;
    ms_expect(ms_dataset_open(&options, &dataset), MS_MISMATCH, "257 tokens, more than the model's 256");
    options.vocab_size = 0;
    char other[65];
    memset(other, 'a', 64);
    other[64] = '\0';
    options.tokenizer_sha256 = other;
    ms_expect(ms_dataset_open(&options, &dataset), MS_MISMATCH, "tokenizer");
    options.tokenizer_sha256 = NULL;
    /* A whole, valid shard that is not the sidecar's. */
    char name[64];
    snprintf(name, sizeof name, "out/%s", made.splits[MS_SPLIT_TRAIN].shards[0].file);
    write_shard(name, 0, 100);
    ms_expect(ms_dataset_open(&options, &dataset), MS_CORRUPT, "has 100 tokens; dataset.json says");
    data_write_text("out/dataset.json", "{\"format\":\"muonscope dataset\",\"version\":9}");
    ms_expect(ms_dataset_open(&options, &dataset), MS_UNSUPPORTED, "version 9");
    data_write_text("out/dataset.json", "{\"format\":");
    ms_expect(ms_dataset_open(&options, &dataset), MS_CORRUPT, "dataset.json, line 1");
    ms_sidecar_finish(&made);
    data_folder_remove();
}
END_TEST

/* The format of 32 bits: what llm.c writes for Llama 3, ids above 65,535 and all, and sizes that do not fit it. */
START_TEST(wide_shards) {
    data_folder_create();
    const char *path = data_path("t_train_000000.bin");
    int32_t ids[] = {0, 65535, 65536, 128255, MS_SHARD_VOCAB_16 + 7, 5}, found[6];
    ms_shard_writer writer;
    ck_assert_int_eq(ms_shard_writer_open(path, 128256, &writer), MS_OK);
    ck_assert_int_eq(ms_shard_writer_add(&writer, ids, 4), MS_OK);
    ck_assert_int_eq(ms_shard_writer_add(&writer, ids + 4, 2), MS_OK);
    int32_t bad = -1;
    ms_expect(ms_shard_writer_add(&writer, &bad, 1), MS_INVALID, "token id -1 is not a uint32");
    ck_assert_int_eq(ms_shard_writer_commit(&writer), MS_OK);
    char *bytes;
    size_t size_bytes;
    ck_assert_int_eq(ms_file_read(path, &bytes, &size_bytes), MS_OK);
    int32_t header[3] = {20240801, 7, 6};
    ck_assert_uint_eq(size_bytes, 1024 + 4 * 6);
    ck_assert_mem_eq(bytes, header, sizeof header);
    ck_assert_mem_eq(bytes + 1024, ids, sizeof ids);
    ms_shard shard;
    ck_assert_int_eq(ms_shard_open(path, &shard), MS_OK);
    ck_assert_int_eq(ms_shard_read(&shard, 1, 4, found), MS_OK);
    ck_assert_mem_eq(found, ids + 1, 4 * sizeof *ids);
    ms_shard_close(&shard);
    ms_dataset_options options = {
        .directory = data_path("."), .split = "train", .sequence_length = 3, .vocab_size = 128256};
    ms_dataset *dataset = open_dataset(options);
    int32_t targets[3];
    ck_assert_int_eq(ms_dataset_seek(dataset, 1), MS_OK);
    ck_assert_int_eq(ms_dataset_next(dataset, 1, found, targets), MS_OK);
    ck_assert_int_eq(found[0], 128255);
    ck_assert_int_eq(targets[0], MS_SHARD_VOCAB_16 + 7);
    ms_dataset_close(dataset);
    options.vocab_size = 128255;
    dataset = open_dataset(options);
    ck_assert_int_eq(ms_dataset_seek(dataset, 1), MS_OK);
    ms_expect(ms_dataset_next(dataset, 1, found, targets), MS_CORRUPT, "id 128255, outside the vocabulary");
    ms_dataset_close(dataset);
    /* An id that is no int32; sizes of the other format; another version. */
    memset(bytes + 1024 + 4, 0xff, 4);
    ck_assert_int_eq(ms_shard_open(data_write("bad.bin", bytes, size_bytes), &shard), MS_OK);
    ms_expect(ms_shard_read(&shard, 0, 6, found), MS_CORRUPT, "token 1 has the id 4294967295");
    ms_shard_close(&shard);
    ms_expect(ms_shard_open(data_write("bad.bin", bytes, 1024 + 2 * 6), &shard), MS_CORRUPT,
              "6 tokens, 1048 bytes; the file has 1036");
    header[1] = 1;
    memcpy(bytes, header, sizeof header);
    ms_expect(ms_shard_open(data_write("bad.bin", bytes, size_bytes), &shard), MS_UNSUPPORTED, "version 1");
    free(bytes);
    data_folder_remove();
}
END_TEST

int main(void) {
    Suite *suite = suite_create("dataset");
    TCase *all = tcase_create("all");
    tcase_set_timeout(all, 240);
    tcase_add_test(all, wide_shards);
    tcase_add_test(all, shuffle);
    tcase_add_test(all, sequences);
    tcase_add_test(all, epochs_and_resumption);
    tcase_add_test(all, synthetic);
    tcase_add_test(all, bad_shards);
    tcase_add_test(all, shards_that_change);
    tcase_add_test(all, shard_format);
    tcase_add_test(all, sidecar);
    suite_add_tcase(suite, all);
    return ms_suite_run(suite);
}
