/* From text to a folder of shards: contents, determinism, and that a failure leaves nothing behind. */
#include "model/data/dataset_prepare.h"

#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "model/data/dataset_check.h"
#include "model/data/document_group.h"
#include "model/data/shard.h"
#include "model/data/tokenizer.h"
#include "platform/directory.h"
#include "platform/file.h"
#include "tests/model/data_files.h"
#include "tests/support/suite.h"

static const char *inputs[2];

static ms_prepare_options options_for(const char *output) {
    return (ms_prepare_options){.tokenizer_path = data_path("small.json"),
                                .directory = data_path(output),
                                .name = "t",
                                .files = inputs,
                                .n_files = 1,
                                .validation_fraction = 0.2,
                                .seed = 5,
                                .corpus = {.chunk_bytes = 256}};
}

/* The tokenizer has no merges, so each document is its bytes plus one: the shards hold exactly the text. */
START_TEST(contents) {
    data_folder_create();
    data_write_tokenizer();
    inputs[0] = data_write_lines("lines.txt", 3000);
    inputs[1] = data_write_text("more.jsonl", "{\"text\":\"forged <|endoftext|> end\"}\n");
    ms_prepare_options options = options_for("a");
    options.n_files = 2;
    options.shard_tokens = 10000;
    ms_sidecar made = data_prepare(&options);
    int64_t n_bytes = made.splits[0].n_bytes + made.splits[1].n_bytes,
            n_documents = made.splits[0].n_documents + made.splits[1].n_documents;
    ck_assert_int_eq(made.sources[0].n_bytes + (int64_t)strlen("forged <|endoftext|> end"), n_bytes);
    ck_assert_int_eq(made.sources[0].n_documents + made.sources[1].n_documents, n_documents);
    ck_assert_int_eq(made.splits[0].n_tokens + made.splits[1].n_tokens, n_bytes + n_documents);
    ck_assert_uint_gt(made.splits[MS_SPLIT_TRAIN].n_shards, 2);
    ck_assert_str_eq(made.splits[MS_SPLIT_TRAIN].shards[1].file, "t_train_000001.bin");
    double share = (double)made.splits[MS_SPLIT_VAL].n_documents / (double)n_documents;
    ck_assert_double_gt(share, 0.1);
    ck_assert_double_lt(share, 0.3);
    ms_sidecar checked;
    ms_status status = ms_dataset_check(data_path("a"), &checked);
    ck_assert_msg(status == MS_OK, "%s", ms_status_message());
    ck_assert_int_eq(checked.splits[0].n_tokens, made.splits[0].n_tokens);
    ck_assert_uint_eq(checked.seed, 5);
    ms_sidecar_finish(&checked);
    /* The first shard of each split begins with an end of text, and the training one with the first line kept. */
    ms_shard shard;
    ck_assert_int_eq(ms_shard_open(data_path("a/t_train_000000.bin"), &shard), MS_OK);
    int32_t ids[6];
    ck_assert_int_eq(ms_shard_read(&shard, 0, 6, ids), MS_OK);
    ck_assert_int_eq(ids[0], 0);
    ms_tokenizer *tokenizer;
    ck_assert_int_eq(ms_tokenizer_open(data_path("a/tokenizer.json"), &tokenizer), MS_OK);
    char *text;
    size_t size_bytes;
    ck_assert_int_eq(ms_tokenizer_decode(tokenizer, ids + 1, 5, false, &text, &size_bytes), MS_OK);
    ck_assert_str_eq(text, "line ");
    free(text);
    ms_tokenizer_close(tokenizer);
    ms_shard_close(&shard);
    ms_sidecar_finish(&made);
    data_folder_remove();
}
END_TEST

START_TEST(determinism) {
    data_folder_create();
    data_write_tokenizer();
    inputs[0] = data_write_lines("lines.txt", 1000);
    ms_prepare_options first = options_for("a"), second = options_for("b/");
    ms_sidecar a = data_prepare(&first), b = data_prepare(&second);
    data_check_same_file(data_path("a/t_train_000000.bin"), data_path("b/t_train_000000.bin"));
    data_check_same_file(data_path("a/t_val_000000.bin"), data_path("b/t_val_000000.bin"));
    data_check_same_file(data_path("a/dataset.json"), data_path("b/dataset.json"));
    ms_prepare_options options = options_for("c");
    options.seed = 6;
    ms_sidecar c = data_prepare(&options);
    ck_assert_str_ne(a.splits[MS_SPLIT_VAL].shards[0].sha256, c.splits[MS_SPLIT_VAL].shards[0].sha256);
    ms_sidecar_finish(&a);
    ms_sidecar_finish(&b);
    ms_sidecar_finish(&c);
    data_folder_remove();
}
END_TEST

/* A corpus with what may differ by threads: two formats, dirty records, shards that end, a file without documents. */
static ms_prepare_options several_files(void) {
    static const char *files[4];
    files[0] = data_write_lines("lines.txt", 150000);
    files[1] = data_write_text("empty.txt", "\n\n");
    files[2] = data_write_text("dirty.jsonl", "{\"text\":\"one\"}\n{\"text\":2}\n{\"text\":\"thr\xff"
                                              "e\"}\n{\"text\":\"four\"}\n");
    files[3] = data_write_lines("more.txt", 5000);
    ms_prepare_options options = options_for("unnamed");
    options.files = files;
    options.n_files = 4;
    options.corpus.on_error = MS_ON_ERROR_REPLACE;
    options.shard_tokens = 700000;
    return options;
}

/* Any number of threads gives the same folder, and the same of two errors that are far apart. */
START_TEST(threads) {
    static const int n_threads[] = {1, 2, 3, 7};
    data_folder_create();
    data_write_tokenizer();
    ms_prepare_options options = several_files();
    for (int i = 0; i < 4; i++) {
        char name[16];
        snprintf(name, sizeof name, "by_%d", n_threads[i]);
        options.directory = data_path(name);
        options.n_threads = n_threads[i];
        ms_sidecar made = data_prepare(&options);
        ck_assert_uint_ge(made.splits[MS_SPLIT_TRAIN].n_shards, 4);
        ck_assert_int_eq(made.sources[1].n_documents, 0);
        ck_assert_int_eq(made.counts.skipped[MS_RECORD_NO_TEXT], 1);
        ck_assert_int_eq(made.counts.replaced[MS_RECORD_NOT_UTF8], 1);
        ms_sidecar_finish(&made);
        data_check_same_folder(data_path("by_1"), data_path(name));
    }
    options.corpus.on_error = MS_ON_ERROR_STOP;
    options.directory = data_path("a");
    for (int i = 0; i < 4; i++) {
        ms_sidecar none;
        options.n_threads = n_threads[i];
        ms_expect(ms_dataset_prepare(&options, &none), MS_INVALID, "dirty.jsonl, line 2: no string under the key");
    }
    options.n_threads = 1025;
    ms_sidecar none;
    ms_expect(ms_dataset_prepare(&options, &none), MS_INVALID, "1025 threads: 1 to 1024 are possible");
    data_folder_remove();
}
END_TEST

/* Runs into an error, and then neither the folder nor its temporary one may be there. */
static void check_failure(ms_prepare_options options, ms_status status, const char *part) {
    ms_sidecar sidecar;
    ms_expect(ms_dataset_prepare(&options, &sidecar), status, part);
    ck_assert_ptr_null(sidecar.sources);
    ck_assert(!ms_file_exists(data_path("a")));
    ms_listing names;
    ms_must(ms_listing_read(data_path("."), &names));
    for (size_t i = 0; i < names.n; i++) ck_assert_msg(!strstr(names.names[i], ".tmp"), "%s is left", names.names[i]);
    ms_listing_finish(&names);
}

/* A vocabulary without the bytes 0x04 and above 0x7f: its documents are left out or mended, and counted in dataset.json
   beside what the corpus counted. */
START_TEST(bad_records) {
    data_folder_create();
    char vocab[4096];
    size_t n = 0;
    for (int byte = 0x21; byte < 0x7f; byte++)
        if (byte != '"' && byte != '\\') n += (size_t)sprintf(vocab + n, "\"%c\":%d,", byte, byte - 0x20);
    char json[8192];
    snprintf(json, sizeof json,
             "{\"pre_tokenizer\":{\"type\":\"ByteLevel\"},\"added_tokens\":[{\"id\":0,\"content\":\"<|endoftext|>\","
             "\"special\":"
             "true}],\"model\":{\"vocab\":{%s\"\xc4\xa0\":200},\"merges\":[]}}",
             vocab);
    inputs[0] = data_write_text(
        "a.jsonl", "{\"text\":\"fine\"}\n{\"text\":\"con\\u0004trol\"}\n{\"txt\":\"no\"}\n{\"text\":\"ok\"}\n");
    ms_prepare_options options = options_for("a");
    options.tokenizer_path = data_write_text("lacks.json", json);
    options.validation_fraction = 0;
    ms_sidecar sidecar;
    ms_expect(ms_dataset_prepare(&options, &sidecar), MS_INVALID, "a.jsonl, line 2: byte 3 of the text is 0x04");
    options.corpus.on_error = MS_ON_ERROR_SKIP;
    ms_sidecar skipped = data_prepare(&options);
    ck_assert_int_eq(skipped.splits[0].n_tokens, 1 + 4 + 1 + 2);
    ck_assert_int_eq(skipped.sources[0].n_documents, 2);
    ck_assert_int_eq(skipped.counts.skipped[MS_RECORD_NO_TOKEN], 1);
    ck_assert_int_eq(skipped.counts.skipped[MS_RECORD_NO_TEXT], 1);
    options.directory = data_path("b");
    options.corpus.on_error = MS_ON_ERROR_REPLACE;
    ms_sidecar replaced = data_prepare(&options), read;
    ck_assert_int_eq(replaced.splits[0].n_tokens, 1 + 4 + 1 + 8 + 1 + 2);
    ck_assert_int_eq(ms_dataset_check(data_path("b"), &read), MS_OK);
    ck_assert_int_eq(read.on_error, MS_ON_ERROR_REPLACE);
    ck_assert_int_eq(read.counts.replaced[MS_RECORD_NO_TOKEN], 1);
    ck_assert_int_eq(read.counts.skipped[MS_RECORD_NO_TOKEN], 0);
    ck_assert_int_eq(read.counts.skipped[MS_RECORD_NO_TEXT], 1);
    ms_sidecar_finish(&skipped);
    ms_sidecar_finish(&replaced);
    ms_sidecar_finish(&read);
    data_folder_remove();
}
END_TEST

/* A vocabulary of more than 65,536 tokens with another name for the end of a document. */
START_TEST(large_vocabulary) {
    data_folder_create();
    inputs[0] = data_write_text("a.txt", "abababa");
    ms_prepare_options options = options_for("a");
    options.tokenizer_path = data_write_text(
        "large.json",
        "{\"pre_tokenizer\":{\"type\":\"ByteLevel\"},\"added_tokens\":[{\"id\":128001,\"content\":\"<|end_of_text|>\","
        "\"special\":true}],\"model\":{\"vocab\":{\"a\":0,\"b\":1,\"ab\":70000},\"merges\":[[\"a\",\"b\"]]}}");
    options.document_end = "<|end_of_text|>";
    options.validation_fraction = 0;
    ms_sidecar made = data_prepare(&options), checked;
    ck_assert_int_eq(made.vocab_size, 128002);
    ck_assert_int_eq(made.end_of_text, 128001);
    ck_assert_int_eq(ms_dataset_check(data_path("a"), &checked), MS_OK);
    ms_shard shard;
    int32_t ids[5], expected[5] = {128001, 70000, 70000, 70000, 0};
    ck_assert_int_eq(ms_shard_open(data_path("a/t_train_000000.bin"), &shard), MS_OK);
    ck_assert_int_eq(shard.n_tokens, 5);
    ck_assert_int_eq(ms_shard_read(&shard, 0, 5, ids), MS_OK);
    ck_assert_mem_eq(ids, expected, sizeof ids);
    ms_shard_close(&shard);
    ms_sidecar_finish(&made);
    ms_sidecar_finish(&checked);
    data_folder_remove();
}
END_TEST

START_TEST(bad_input) {
    data_folder_create();
    data_write_tokenizer();
    inputs[0] = data_write_lines("lines.txt", 100);
    inputs[1] = data_write_text("bad.txt", "good\nbad \xc3\n");
    ms_prepare_options options = options_for("a");
    options.n_files = 2;
    check_failure(options, MS_INVALID, "bad.txt, line 2: byte 9 is 0xc3, which is not UTF-8");
    inputs[1] = data_path("absent.txt");
    check_failure(options, MS_NOT_FOUND, "absent.txt");
    options = options_for("a");
    options.tokenizer_path = data_path("absent.json");
    check_failure(options, MS_NOT_FOUND, "absent.json");
    options.tokenizer_path =
        data_write_text("no_end.json", "{\"pre_tokenizer\":{\"type\":\"ByteLevel\"},\"model\":{\"vocab\":"
                                       "{\"a\":0},\"merges\":[]}}");
    check_failure(options, MS_UNSUPPORTED, "no token <|endoftext|> to begin documents with; --document_end TOKEN");
    options.tokenizer_path = data_write_text(
        "plain.json",
        "{\"pre_tokenizer\":{\"type\":\"ByteLevel\"},\"added_tokens\":[{\"id\":1,\"content\":\"<end>\"}"
        ",{\"id\":2,\"content\":\"<s>\",\"special\":true}],\"model\":{\"vocab\":{\"a\":0},\"merges\":[]}}");
    options.document_end = "<end>";
    check_failure(options, MS_UNSUPPORTED,
                  "<end> is not special: text could forge it; --document_end TOKEN names one of <s>");
    options = options_for("a");
    options.name = "s\xff";
    check_failure(options, MS_INVALID, "the name of shards \"s\\xFF\" is not UTF-8: JSON cannot hold it");
    options = options_for("a");
    inputs[0] = data_write_text("s\xe9.txt", "text");
    check_failure(options, MS_INVALID, "s\\xE9.txt\" is not UTF-8: JSON cannot hold it");
    inputs[0] = data_path("lines.txt");
    ms_sidecar unwritable = {.tokenizer_sha256 = "x", .vocab_size = 2};
    ms_must(ms_sidecar_add_source(&unwritable, "s\xff", 1, 1));
    ms_expect(ms_sidecar_write(&unwritable, data_path(".")), MS_INVALID, "dataset.json: path \"s\\xFF\" is not UTF-8");
    ck_assert(!ms_file_exists(data_path("dataset.json")));
    ms_sidecar_finish(&unwritable);
    options = options_for("a");
    options.validation_fraction = 1;
    check_failure(options, MS_INVALID, "validation fraction 1");
    options = options_for("a");
    options.corpus.documents = MS_DOCUMENTS_FILE;
    check_failure(options, MS_INVALID, "no document fell in the");
    ms_sidecar sidecar;
    ck_assert_int_eq(ms_directory_create(data_path("full/x")), MS_OK);
    options = options_for("full");
    ms_expect(ms_dataset_prepare(&options, &sidecar), MS_INVALID, "exists and is not empty");
    ck_assert(ms_is_directory(data_path("full/x")));
    data_folder_remove();
}
END_TEST

/* A limit on the size of files stands for a full disk: writing fails in the middle of a shard. */
START_TEST(no_room) {
    data_folder_create();
    data_write_tokenizer();
    inputs[0] = data_write_lines("lines.txt", 20000);
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit limit = {200000, 200000};
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    check_failure(options_for("a"), MS_NO_SPACE, "cannot write");
    ck_assert_msg(strncmp(ms_status_message(), "cannot write", 12) == 0, "the text is blamed: %s", ms_status_message());
    data_folder_remove();
}
END_TEST

/* Documents of one byte take more memory than their text, which ends a group all the same; and that memory is given
   back. */
START_TEST(short_documents_count) {
    enum { N = 40000 };
    ms_document_group group = {0};
    for (int i = 0; i < N; i++) ms_must(ms_document_group_add(&group, &(ms_document){.text = "a", .size_bytes = 1}));
    ck_assert_uint_eq(group.n, N);
    ck_assert_uint_eq(ms_document_group_bytes(&group), N * (1 + sizeof(ms_group_document)));
    ms_document_group_clear(&group);
    ck_assert_uint_eq(group.n, 0);
    ck_assert_uint_eq(group.capacity, 0);
    ck_assert_uint_eq(ms_document_group_bytes(&group), 0);
    ms_must(ms_document_group_add(&group, &(ms_document){.text = "a", .size_bytes = 1}));
    ms_document_group_clear(&group);
    ck_assert_uint_gt(group.capacity, 0); /* a little is kept */
    ms_document_group_finish(&group);
}
END_TEST

START_TEST(check_finds_damage) {
    data_folder_create();
    data_write_tokenizer();
    inputs[0] = data_write_lines("lines.txt", 1000);
    ms_prepare_options good = options_for("a");
    ms_sidecar made = data_prepare(&good), checked;
    const char *path = data_path("a/t_train_000000.bin");
    char *bytes;
    size_t size_bytes;
    ck_assert_int_eq(ms_file_read(path, &bytes, &size_bytes), MS_OK);
    bytes[2000] ^= 1;
    data_write("a/t_train_000000.bin", bytes, size_bytes);
    ms_expect(ms_dataset_check(data_path("a"), &checked), MS_CORRUPT, "t_train_000000.bin: SHA-256");
    bytes[2001] = 1; /* id 256 + something, the vocabulary ends at 256 */
    bytes[2000] = 1;
    data_write("a/t_train_000000.bin", bytes, size_bytes);
    ms_expect(ms_dataset_check(data_path("a"), &checked), MS_CORRUPT, "token 488 has the id 257");
    data_write("a/t_train_000000.bin", bytes, size_bytes - 2);
    ms_expect(ms_dataset_check(data_path("a"), &checked), MS_CORRUPT, "the file has");
    free(bytes);
    data_write_text("a/tokenizer.json",
                    "{\"pre_tokenizer\":{\"type\":\"ByteLevel\"},\"model\":{\"vocab\":{\"a\":0},\"merges\":[]}}");
    ms_expect(ms_dataset_check(data_path("a"), &checked), MS_MISMATCH, "identity");
    ms_expect(ms_dataset_check(data_path("absent"), &checked), MS_NOT_FOUND, "absent");
    ms_sidecar_finish(&made);
    data_folder_remove();
}
END_TEST

int main(void) {
    Suite *suite = suite_create("dataset_prepare");
    TCase *all = tcase_create("all");
    tcase_set_timeout(all, 240);
    tcase_add_test(all, contents);
    tcase_add_test(all, determinism);
    tcase_add_test(all, threads);
    tcase_add_test(all, bad_records);
    tcase_add_test(all, large_vocabulary);
    tcase_add_test(all, bad_input);
    tcase_add_test(all, no_room);
    tcase_add_test(all, short_documents_count);
    tcase_add_test(all, check_finds_damage);
    suite_add_tcase(suite, all);
    return ms_suite_run(suite);
}
