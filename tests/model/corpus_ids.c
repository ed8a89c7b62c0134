/* Files of token ids: every format gives the same documents, wherever the token between them stands; bad input. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "model/data/corpus.h"
#include "model/data/dataset_check.h"
#include "model/data/dataset_prepare.h"
#include "model/data/shard.h"
#include "platform/file.h"
#include "tests/model/data_files.h"
#include "tests/support/suite.h"

enum { END = 9, VOCABULARY = 70000 };

static const ms_corpus_options all = {.accepts_ids = true, .end_id = END, .vocab_size = VOCABULARY};

static ms_corpus_options with(ms_corpus_format format) {
    ms_corpus_options options = all;
    options.format = format;
    return options;
}

/* All documents as "1 2|3|". */
static ms_status read_all(const char *path, ms_corpus_options options, char *out, size_t size) {
    ms_corpus *corpus;
    size_t n = 0;
    out[0] = '\0';
    MS_TRY(ms_corpus_open(path, &options, &corpus));
    ms_status status = MS_OK;
    for (;;) {
        ms_document document;
        status = ms_corpus_next(corpus, &document);
        if (status != MS_OK || !document.ids) break;
        for (size_t i = 0; i < document.n_ids; i++)
            n += (size_t)snprintf(out + n, size - n, "%s%d", i ? " " : "", document.ids[i]);
        n += (size_t)snprintf(out + n, size - n, "|");
        ck_assert_uint_lt(n, size);
    }
    ms_corpus_close(corpus);
    return status;
}

static void check(const char *path, ms_corpus_options options, const char *expected) {
    char out[4096];
    ms_status status = read_all(path, options, out, sizeof out);
    ck_assert_msg(status == MS_OK, "%s", ms_status_message());
    ck_assert_str_eq(out, expected);
}

static void check_fails(const char *path, ms_corpus_options options, ms_status status, const char *message) {
    char out[4096];
    ms_expect(read_all(path, options, out, sizeof out), status, message);
}

/* Writes `n` ids of `width` bytes behind `head`. */
static const char *write_ids(const char *name, const void *head, size_t head_bytes, const int64_t *ids, size_t n,
                             size_t width) {
    char bytes[4096];
    ck_assert_uint_le(head_bytes + n * width, sizeof bytes);
    if (head_bytes > 0) memcpy(bytes, head, head_bytes);
    for (size_t i = 0; i < n; i++) memcpy(bytes + head_bytes + i * width, &ids[i], width); /* little-endian */
    return data_write(name, bytes, head_bytes + n * width);
}

static const char *write_shard(const char *name, const int64_t *ids, size_t n, size_t width, int32_t n_said) {
    int32_t header[256] = {width == 4 ? MS_SHARD_MAGIC_32 : MS_SHARD_MAGIC,
                           width == 4 ? MS_SHARD_VERSION_32 : MS_SHARD_VERSION, n_said};
    return write_ids(name, header, sizeof header, ids, n, width);
}

/* As numpy.save writes it: the header is padded to a multiple of 64 bytes. */
static const char *write_npy(const char *name, const char *descr, const char *shape, const int64_t *ids, size_t n,
                             size_t width) {
    char head[128];
    memset(head, ' ', sizeof head);
    memcpy(head, "\x93NUMPY\x01\0\x76\0", 10);
    int size =
        snprintf(head + 10, sizeof head - 10, "{'descr': '%s', 'fortran_order': False, 'shape': %s, }", descr, shape);
    head[10 + size] = ' ';
    head[127] = '\n';
    return write_ids(name, head, 128, ids, n, width);
}

START_TEST(formats_give_the_same) {
    static const int64_t before[] = {END, 1, 2, END, 3, END, END, 65535}, behind[] = {1, 2, END, 3, END, 65535, END};
    static const char expected[] = "1 2|3|65535|";
    data_folder_create();
    check(write_ids("a.bin", NULL, 0, before, 8, 2), with(MS_CORPUS_UINT16), expected);
    check(write_ids("b.bin", NULL, 0, behind, 7, 2), with(MS_CORPUS_UINT16), expected);
    check(write_ids("c.bin", NULL, 0, behind, 7, 4), with(MS_CORPUS_UINT32), expected);
    check(write_shard("d.bin", before, 8, 2, 8), all, expected);
    check(write_shard("e.bin", behind, 7, 4, 7), with(MS_CORPUS_LLMC), expected);
    check(write_npy("f.npy", "<u2", "(8,)", before, 8, 2), all, expected);
    check(write_npy("g.npy", "<i8", "(7,)", behind, 7, 8), with(MS_CORPUS_NPY), expected);
    check(write_npy("h.npy", "<u4", "(7,)", behind, 7, 4), all, expected);
    check(data_write_text("i.jsonl", "{\"input_ids\":[1,2]}\n\n{\"input_ids\":[9,3,9,65535,9]}\n{\"input_ids\":[]}"),
          with(MS_CORPUS_IDS), expected);
    ms_corpus_options options = with(MS_CORPUS_IDS);
    options.field = "a.b";
    check(data_write_text("j.jsonl", "{\"a\":{\"b\":[1,2]}}\n{\"a.b\":[3]}\n{\"a\":{\"b\":[65535]}}"), options,
          expected);
    options = with(MS_CORPUS_UINT16);
    options.end_id = -1;
    options.chunk_ids = 3;
    check(data_path("b.bin"), options, "1 2 9|3 9 65535|9|");
    check(data_write("empty.bin", "", 0), with(MS_CORPUS_UINT16), "");
    data_folder_remove();
}
END_TEST

START_TEST(bad_input_is_named) {
    static const int64_t ids[] = {1, 2, 3}, wrong[] = {1, 2, END, VOCABULARY, 5, END, 6, END, -1};
    data_folder_create();
    check_fails(data_write("odd.bin", "\1\0\2", 3), with(MS_CORPUS_UINT16), MS_CORRUPT,
                "odd.bin: 1 bytes are left after 1 ids of 2 bytes");
    check_fails(write_shard("short.bin", ids, 3, 2, 4), all, MS_CORRUPT,
                "ends after 3 ids; its header promises 1 more");
    check_fails(write_shard("long.bin", ids, 3, 2, 2), all, MS_CORRUPT, "bytes follow the 2 ids");
    check_fails(data_path("long.bin"), with(MS_CORPUS_UINT16), MS_INVALID, "--format llmc reads it");
    check_fails(data_write("cut.bin", "\x88\xd8\x34\x01\1", 5), all, MS_CORRUPT, "5 bytes are too few");
    check_fails(write_npy("float.npy", "<f8", "(3,)", ids, 3, 8), all, MS_UNSUPPORTED, "an array of '<f8':");
    check_fails(write_npy("two.npy", "<u2", "(3, 1)", ids, 3, 2), all, MS_UNSUPPORTED, "an array of shape (3, 1):");
    check_fails(data_write("head.npy", "\x93NUMPY\1\0\x76\0{'des", 15), all, MS_CORRUPT,
                "ends within its NumPy header");
    check_fails(data_write("no.npy", "text", 4), with(MS_CORPUS_NPY), MS_INVALID, "no.npy is no NumPy array");
    check_fails(write_ids("train.bin", NULL, 0, ids, 3, 2), all, MS_UNSUPPORTED,
                "--format uint16 or uint32 reads them");
    check_fails(data_write_text("a.jsonl", "{\"input_ids\":[1,\"2\"]}"), with(MS_CORPUS_IDS), MS_INVALID,
                "a.jsonl, line 1: no list of integers under the key \"input_ids\"");
    ms_corpus_options options = all;
    options.accepts_ids = false;
    check_fails(data_path("short.bin"), options, MS_UNSUPPORTED, "is a shard of tokens");
    options.format = MS_CORPUS_NPY;
    check_fails(data_path("two.npy"), options, MS_INVALID, "a text is wanted");
    /* The line that holds the id, and its place in the line, whatever follows. */
    check_fails(
        data_write_text("later.jsonl", "{\"input_ids\":[1,2]}\n{\"input_ids\":[5,-1]}\n{\"input_ids\":[7,8]}\n"),
        with(MS_CORPUS_IDS), MS_INVALID, "later.jsonl, line 2: id 1 is -1, outside");
    /* Ids outside of the vocabulary, as every width has them: a document is left out, the next one is read. */
    const char *paths[] = {write_ids("w.bin", NULL, 0, wrong, 9, 4), write_npy("w.npy", "<i8", "(9,)", wrong, 9, 8),
                           data_write_text("w.jsonl", "{\"input_ids\":[1,2,9,70000,5,9,6,9,-1]}")};
    static const ms_corpus_format formats[] = {MS_CORPUS_UINT32, MS_CORPUS_AUTO, MS_CORPUS_IDS};
    for (int i = 0; i < 3; i++) {
        check_fails(paths[i], with(formats[i]), MS_INVALID, "id 3 is 70000, outside the tokenizer's 70000 tokens");
        options = with(formats[i]);
        options.on_error = MS_ON_ERROR_SKIP;
        check(paths[i], options, "1 2|6|");
    }
    data_folder_remove();
}
END_TEST

/* A text's shards, made again from its shards: the same bytes, the same splits, the same bytes of text. */
START_TEST(ids_of_a_text_give_its_shards) {
    data_folder_create();
    data_write_tokenizer();
    const char *files[] = {data_write_lines("lines.txt", 3000), NULL};
    ms_prepare_options options = {.tokenizer_path = data_path("small.json"),
                                  .directory = data_path("text"),
                                  .files = files,
                                  .n_files = 1,
                                  .validation_fraction = 0.2,
                                  .corpus = {.chunk_bytes = 256}};
    ms_sidecar made = data_prepare(&options);
    files[0] = data_path("text/data_train_000000.bin");
    files[1] = data_path("text/data_val_000000.bin");
    options.n_files = 2;
    options.directory = data_path("ids");
    ms_sidecar again = data_prepare(&options);
    for (int split = 0; split < MS_N_SPLITS; split++)
        ck_assert_int_eq(made.splits[split].n_bytes, again.splits[split].n_bytes);
    data_check_same_file(files[0], data_path("ids/data_train_000000.bin"));
    data_check_same_file(files[1], data_path("ids/data_val_000000.bin"));
    ms_sidecar_finish(&again);
    /* By file: the same splits, whatever the fraction would draw. */
    options.n_files = 1;
    options.validation_file = files[1];
    options.validation_fraction = 0;
    options.directory = data_path("files");
    again = data_prepare(&options);
    data_check_same_file(files[1], data_path("files/data_val_000000.bin"));
    ms_sidecar_finish(&again);
    /* Without a token between documents the ids are as before, the old token among them. */
    options.document_end = MS_NO_DOCUMENT_END;
    options.directory = data_path("none");
    again = data_prepare(&options);
    data_check_same_file(files[0], data_path("none/data_train_000000.bin"));
    ck_assert_int_eq(again.end_of_text, -1);
    ms_sidecar_finish(&again);
    ms_status status = ms_dataset_check(data_path("none"), &again);
    ck_assert_msg(status == MS_OK, "%s", ms_status_message());
    ck_assert_int_eq(again.end_of_text, -1);
    ms_sidecar_finish(&again);
    ms_sidecar_finish(&made);
    data_folder_remove();
}
END_TEST

int main(void) {
    TCase *tests = tcase_create("corpus_ids");
    tcase_add_test(tests, formats_give_the_same);
    tcase_add_test(tests, bad_input_is_named);
    tcase_add_test(tests, ids_of_a_text_give_its_shards);
    Suite *suite = suite_create("model/corpus_ids");
    suite_add_tcase(suite, tests);
    return ms_suite_run(suite);
}
