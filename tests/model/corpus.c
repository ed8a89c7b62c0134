/* Documents of text files and JSONL: where they end, and bad input. */
#include "model/data/corpus.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "platform/file.h"
#include "tests/model/data_files.h"
#include "tests/support/suite.h"

/* All documents joined by '|'. */
static const char *read_all(const char *path, ms_corpus_options options, char *out, size_t size) {
    ms_corpus *corpus;
    size_t n = 0;
    ck_assert_int_eq(ms_corpus_open(path, &options, &corpus), MS_OK);
    for (;;) {
        ms_document document;
        ms_status status = ms_corpus_next(corpus, &document);
        ck_assert_msg(status == MS_OK, "%s", ms_status_message());
        if (!document.text) break;
        ck_assert_uint_lt(n + document.size_bytes + 1, size);
        memcpy(out + n, document.text, document.size_bytes);
        n += document.size_bytes;
        out[n++] = '|';
    }
    out[n] = '\0';
    ms_corpus_close(corpus);
    return out;
}

START_TEST(rules) {
    char out[512];
    data_folder_create();
    const char *path = data_write_text("a.txt", "\xef\xbb\xbfone\ntwo\n \t\nthree\n\n\nfour");
    ck_assert_str_eq(read_all(path, (ms_corpus_options){.documents = MS_DOCUMENTS_FILE}, out, sizeof out),
                     "one\ntwo\n \t\nthree\n\n\nfour|");
    ck_assert_str_eq(read_all(path, (ms_corpus_options){.documents = MS_DOCUMENTS_BLANK}, out, sizeof out),
                     "one\ntwo\n \t\n|three\n\n|four|");
    ck_assert_str_eq(read_all(path, (ms_corpus_options){0}, out, sizeof out), "one\ntwo\n \t\nthree\n\n\nfour|");
    ck_assert_str_eq(read_all(data_write_text("blank.txt", " \n\t\n"), (ms_corpus_options){0}, out, sizeof out), "");
    ck_assert_str_eq(read_all(data_write_text("empty.txt", ""), (ms_corpus_options){0}, out, sizeof out), "");
    path = data_write_text(
        "a.jsonl", "{\"text\":\"one\\ntwo\"}\n\n{\"n\":1,\"text\":\"\"}\n{\"text\":\"\\u6c34\",\"other\":\"x\"}");
    ck_assert_str_eq(read_all(path, (ms_corpus_options){0}, out, sizeof out), "one\ntwo|\xe6\xb0\xb4|");
    ck_assert_str_eq(read_all(data_write_text("b.txt", "{\"body\":\"x\"}\n"),
                              (ms_corpus_options){.format = MS_CORPUS_JSONL, .key = "body"}, out, sizeof out),
                     "x|");
    data_folder_remove();
}
END_TEST

/* Chunks end at lines where they can, are never too long, never cut a character, and together are the file. */
START_TEST(chunks) {
    enum { SIZE = 300000, CHUNK = 100 };
    char *text = malloc(SIZE + 8);
    size_t n = 0;
    for (unsigned i = 0; n < SIZE; i++) {
        const char *parts[] = {"word ", "\n", "\xe6\xb0\xb4\xe8\xbd\xa6", "longer-word", "\n\n"};
        /* The last third has neither spaces nor lines. */
        const char *part = n < SIZE / 3 * 2 ? parts[i * i % 13 % 5] : parts[2];
        memcpy(text + n, part, strlen(part));
        n += strlen(part);
    }
    data_folder_create();
    const char *path = data_write("big.txt", text, n);
    ms_corpus *corpus;
    ck_assert_int_eq(ms_corpus_open(path, &(ms_corpus_options){.chunk_bytes = CHUNK}, &corpus), MS_OK);
    size_t at = 0, n_lines = 0;
    for (;;) {
        ms_document document;
        ms_status status = ms_corpus_next(corpus, &document);
        ck_assert_msg(status == MS_OK, "%s", ms_status_message());
        if (!document.text) break;
        ck_assert_uint_eq(document.offset_bytes, at);
        ck_assert_uint_le(document.size_bytes, CHUNK);
        ck_assert_mem_eq(document.text, text + at, document.size_bytes);
        n_lines += document.text[document.size_bytes - 1] == '\n';
        at += document.size_bytes;
    }
    ck_assert_uint_eq(at, n);
    ck_assert_uint_eq(ms_corpus_bytes_read(corpus), n);
    ck_assert_uint_gt(n_lines, 1000);
    ms_corpus_close(corpus);
    free(text);
    data_folder_remove();
}
END_TEST

static ms_status read_to_error(const char *path, ms_corpus_options options) {
    ms_corpus *corpus;
    ms_document document = {"", 1, 0};
    ms_status status = ms_corpus_open(path, &options, &corpus);
    ck_assert_int_eq(status, MS_OK);
    while (status == MS_OK && document.text) status = ms_corpus_next(corpus, &document);
    ms_corpus_close(corpus);
    return status;
}

START_TEST(bad_input) {
    ms_corpus *corpus;
    data_folder_create();
    data_check_error(ms_corpus_open(data_path("absent"), &(ms_corpus_options){0}, &corpus), MS_NOT_FOUND, "absent");
    data_check_error(ms_corpus_open(data_write_text("x", "x"), &(ms_corpus_options){.chunk_bytes = 3}, &corpus),
                     MS_INVALID, "3 bytes");
    static char text[200];
    memset(text, 'x', sizeof text);
    text[150] = (char)0xfe;
    data_check_error(read_to_error(data_write("bad.txt", text, sizeof text), (ms_corpus_options){.chunk_bytes = 64}),
                     MS_INVALID, "bad.txt: byte 150 is 0xfe");
    data_check_error(read_to_error(data_write_text("cut.txt", "abc\xe6\xb0"), (ms_corpus_options){0}), MS_INVALID,
                     "byte 3");
    static const char *const lines[][2] = {
        {"{\"text\":\"a\"}\n{\"txt\":\"a\"}\n", "line 2: no string under the key \"text\""},
        {"{\"text\":7}\n", "line 1: no string"},
        {"[1]\n", "line 1: no string"},
        {"{\"text\":\"a\n", "line 1"},
        {"{\"text\":\"\\ud800\"}\n", "line 1"},
        {"{\"text\":\"\xff\"}\n", "byte 9 is 0xff"}};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        data_check_error(read_to_error(data_write_text("bad.jsonl", lines[i][0]), (ms_corpus_options){0}), MS_INVALID,
                         lines[i][1]);
    data_check_error(read_to_error(data_path("."), (ms_corpus_options){0}), MS_IO, "cannot read");
    data_folder_remove();
}
END_TEST

int main(void) {
    Suite *suite = suite_create("corpus");
    TCase *all = tcase_create("all");
    tcase_add_test(all, rules);
    tcase_add_test(all, chunks);
    tcase_add_test(all, bad_input);
    suite_add_tcase(suite, all);
    return ms_suite_run(suite);
}
