/* Documents of text files and JSONL: where they end, and bad input. */
#include "model/data/corpus.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "model/data/text_mend.h"
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
                              (ms_corpus_options){.format = MS_CORPUS_JSONL, .field = "body"}, out, sizeof out),
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
    ms_document document = {.text = "", .size_bytes = 1};
    ms_status status = ms_corpus_open(path, &options, &corpus);
    ck_assert_int_eq(status, MS_OK);
    while (status == MS_OK && document.text) status = ms_corpus_next(corpus, &document);
    ms_corpus_close(corpus);
    return status;
}

START_TEST(bad_input) {
    ms_corpus *corpus;
    data_folder_create();
    ms_expect(ms_corpus_open(data_path("absent"), &(ms_corpus_options){0}, &corpus), MS_NOT_FOUND, "absent");
    ms_expect(ms_corpus_open(data_write_text("x", "x"), &(ms_corpus_options){.chunk_bytes = 3}, &corpus), MS_INVALID,
              "3 bytes");
    static char text[200];
    memset(text, 'x', sizeof text);
    text[150] = (char)0xfe;
    ms_expect(read_to_error(data_write("bad.txt", text, sizeof text), (ms_corpus_options){.chunk_bytes = 64}),
              MS_INVALID, "bad.txt, line 1: byte 150 is 0xfe, which is not UTF-8; --on_error skip");
    ms_expect(read_to_error(data_write_text("cut.txt", "abc\xe6\xb0"), (ms_corpus_options){0}), MS_INVALID, "byte 3");
    static const char *const lines[][2] = {
        {"{\"text\":\"a\"}\n{\"txt\":\"a\"}\n", "line 2: no string under the key \"text\""},
        {"{\"text\":7}\n", "line 1: no string"},
        {"{\"text\":\"a\n", "line 1"},
        {"{\"text\":\"\\ud800\"}\n", "line 1"},
        {"{\"text\":\"\xff\"}\n", "byte 9 is 0xff"}};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        ms_expect(read_to_error(data_write_text("bad.jsonl", lines[i][0]), (ms_corpus_options){0}), MS_INVALID,
                  lines[i][1]);
    ms_expect(read_to_error(data_path("."), (ms_corpus_options){0}), MS_IO, "cannot read");
    data_folder_remove();
}
END_TEST

/* What comes of a file under a policy, and how much of it was wrong. */
static ms_record_counts read_counted(const char *path, ms_on_error on_error, const char *expected) {
    char out[512] = "";
    size_t n = 0;
    ms_corpus *corpus;
    ms_corpus_options options = {.documents = MS_DOCUMENTS_BLANK, .on_error = on_error};
    ck_assert_int_eq(ms_corpus_open(path, &options, &corpus), MS_OK);
    for (;;) {
        ms_document document;
        ms_status status = ms_corpus_next(corpus, &document);
        ck_assert_msg(status == MS_OK, "%s", ms_status_message());
        if (!document.text) break;
        memcpy(out + n, document.text, document.size_bytes);
        n += document.size_bytes;
        out[n++] = '|';
    }
    ck_assert_str_eq(out, expected);
    ms_record_counts counts = *ms_corpus_counts(corpus);
    ms_corpus_close(corpus);
    return counts;
}

/* One bad record in the middle: it stops the work with file and line, or is left out, or mended. */
START_TEST(bad_records) {
    static const struct {
        const char *name, *text, *stopped, *skipped, *replaced;
        ms_record_fault fault;
        bool mends;
    } cases[] = {{"latin1.txt", "one\n\ncaf\xe9 cr\xe8me\n\nlast", "latin1.txt, line 3: byte 8 is 0xe9",
                  "one\n\n|last|", "one\n\n|caf\xef\xbf\xbd cr\xef\xbf\xbdme\n\n|last|", MS_RECORD_NOT_UTF8, true},
                 {"bytes.jsonl", "{\"text\":\"a\"}\n{\"text\":\"\xff\"}\n{\"text\":\"b\"}", "line 2: byte 22 is 0xff",
                  "a|b|", "a|\xef\xbf\xbd|b|", MS_RECORD_NOT_UTF8, true},
                 {"lone.jsonl", "{\"text\":\"a\"}\n{\"text\":\"\\\\ud \\ud83d half\"}\n{\"text\":\"\\ud83d\\ude00\"}",
                  "line 2, column", "a|\xf0\x9f\x98\x80|", "a|\\ud \xef\xbf\xbd half|\xf0\x9f\x98\x80|",
                  MS_RECORD_LONE_SURROGATE, true},
                 {"python.jsonl", "{\"text\":\"a\"}\n{'text': 'py'}\n{\"text\":\"b\"}", "line 2, column 2", "a|b|",
                  "a|b|", MS_RECORD_NOT_JSON, false},
                 {"two.jsonl", "{\"text\":\"a\"}{\"text\":\"b\"}\n{\"text\":\"c\"}", "line 1, column", "c|", "c|",
                  MS_RECORD_NOT_JSON, false},
                 {"key.jsonl", "{\"text\":\"a\"}\n\n{\"txt\":\"b\"}\n{\"text\":\"c\"}",
                  "line 3: no string under the key", "a|c|", "a|c|", MS_RECORD_NO_TEXT, false},
                 {"comment", "# made by hand\n{\"text\":\"a\"}\n\n{\"text\":\"b\"}", "comment, line 1, column", "a|b|",
                  "a|b|", MS_RECORD_NOT_JSON, false},
                 {"first.txt", "{\"text\":\"cut\n{\"text\":\"a\"}\n{\"text\":\"b\"}\n", "first.txt, line 1, column",
                  "a|b|", "a|b|", MS_RECORD_NOT_JSON, false}};
    data_folder_create();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *path = data_write_text(cases[i].name, cases[i].text);
        ms_expect(read_to_error(path, (ms_corpus_options){.documents = MS_DOCUMENTS_BLANK}), MS_INVALID,
                  cases[i].stopped);
        ms_record_counts skip = read_counted(path, MS_ON_ERROR_SKIP, cases[i].skipped);
        ck_assert_int_eq(skip.skipped[cases[i].fault], 1);
        ms_record_counts replace = read_counted(path, MS_ON_ERROR_REPLACE, cases[i].replaced);
        ck_assert_int_eq(replace.replaced[cases[i].fault], cases[i].mends);
        ck_assert_int_eq(replace.skipped[cases[i].fault], !cases[i].mends);
        ck_assert_int_eq(ms_record_counts_skipped(&skip), 1);
        ck_assert_int_eq(ms_record_counts_skipped(&replace), !cases[i].mends);
    }
    data_folder_remove();
}
END_TEST

/* Appends text[0, n) as one gzip part, or as one zstd frame, to out; returns the bytes written. */
static size_t add_gzip(const char *text, size_t n, char *out, size_t capacity) {
    z_stream z = {.next_in = (unsigned char *)text,
                  .avail_in = (uInt)n,
                  .next_out = (unsigned char *)out,
                  .avail_out = (uInt)capacity};
    ck_assert_int_eq(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    ck_assert_int_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
    deflateEnd(&z);
    return capacity - z.avail_out;
}

/* With a checksum, as the program zstd writes: without one a flipped bit can give another text. */
static size_t add_zstd(const char *text, size_t n, char *out, size_t capacity) {
    ZSTD_CCtx *context = ZSTD_createCCtx();
    ck_assert_ptr_nonnull(context);
    ck_assert(!ZSTD_isError(ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1)));
    size_t size = ZSTD_compress2(context, out, capacity, text, n);
    ZSTD_freeCCtx(context);
    ck_assert(!ZSTD_isError(size));
    return size;
}

/* A line that is too long is passed without being held, and the next one is read. */
START_TEST(too_long) {
    data_folder_create();
    /* Compressed, it is a small file. */
    enum { BLOCK = 1 << 20, CAPACITY = 1 << 17 };
    char *block = malloc(BLOCK), *data = malloc(CAPACITY);
    static const char before[] = "{\"text\":\"a\"}\n{\"text\":\"", after[] = "\"}\n{\"text\":\"b\"}\n";
    memset(block, 'x', BLOCK);
    size_t size = add_zstd(before, strlen(before), data, CAPACITY);
    for (size_t n = 0; n <= MS_CORPUS_DOCUMENT_MAX + BLOCK; n += BLOCK)
        size += add_zstd(block, BLOCK, data + size, CAPACITY - size);
    size += add_zstd(after, strlen(after), data + size, CAPACITY - size);
    const char *path = data_write("long.jsonl.zst", data, size);
    free(block);
    free(data);
    ms_expect(read_to_error(path, (ms_corpus_options){0}), MS_INVALID, "line 2: a line or document is longer");
    ms_record_counts counts = read_counted(path, MS_ON_ERROR_REPLACE, "a|b|");
    ck_assert_int_eq(counts.skipped[MS_RECORD_TOO_LONG], 1);
    data_folder_remove();
}
END_TEST

/* All of a paragraph, or of a file, that is too long is left out, as one record; in one frame as in many. */
START_TEST(too_long_text) {
    data_folder_create();
    enum { LINE = 1 << 20, CAPACITY = 1 << 17, N_LINES = (int)(MS_CORPUS_DOCUMENT_MAX / LINE) + 2 };
    char *text = malloc((size_t)N_LINES * LINE + 8), *data = malloc(CAPACITY);
    memcpy(text, "a\n\n", 3);
    memset(text + 3, 'x', (size_t)N_LINES * LINE);
    for (size_t i = 1; i <= N_LINES; i++) text[3 + i * LINE - 1] = '\n';
    memcpy(text + 3 + (size_t)N_LINES * LINE, "\nb\n", 3);
    size_t size = add_zstd(text, (size_t)N_LINES * LINE + 6, data, CAPACITY);
    const char *path = data_write("long.txt.zst", data, size);
    free(text);
    free(data);
    static const struct {
        ms_documents documents;
        int n_documents;
    } kinds[] = {{MS_DOCUMENTS_BLANK, 2}, {MS_DOCUMENTS_FILE, 0}};
    for (int i = 0; i < 2; i++) {
        ms_corpus *corpus;
        ms_corpus_options options = {.documents = kinds[i].documents, .on_error = MS_ON_ERROR_SKIP};
        ms_expect(read_to_error(path, (ms_corpus_options){.documents = kinds[i].documents}), MS_INVALID, "is longer");
        ms_must(ms_corpus_open(path, &options, &corpus));
        int n_documents = 0;
        for (ms_document document;; n_documents++) {
            ms_must(ms_corpus_next(corpus, &document));
            if (!document.text) break;
            ck_assert_uint_lt(document.size_bytes, 4);
        }
        ck_assert_int_eq(n_documents, kinds[i].n_documents);
        ck_assert_int_eq(ms_corpus_counts(corpus)->skipped[MS_RECORD_TOO_LONG], 1);
        ms_corpus_close(corpus);
    }
    data_folder_remove();
}
END_TEST

/* Contents decide what a file is; then its name. */
START_TEST(formats) {
    char out[512];
    static const char *const read[][3] = {{"train.json", "\xef\xbb\xbf{\"text\":\"a\"}\n{\"text\":\"b\"}\n", "a|b|"},
                                          {"notes.txt", "\n{\"text\":\"a\"}\n", "a|"},
                                          {"brace.txt", "{ a brace\nand more", "{ a brace\nand more|"},
                                          {"list.txt", "[1] a footnote\n", "[1] a footnote\n|"},
                                          {"some.txt", "Such lines:\n{\"a\":1}\n", "Such lines:\n{\"a\":1}\n|"},
                                          {"riff.txt", "RIFFs on\na guitar", "RIFFs on\na guitar|"},
                                          {"orc.txt", "ORC is a format", "ORC is a format|"}};
    static const struct {
        const char *name, *text, *message;
        size_t n;
    } refused[] = {
        {"a.json", "[{\"text\":\"a\"}]", "a JSON array, not a record a line: `jq -c '.[]' FILE`", 14},
        {"a.txt", " [ {\"text\":\"a\"}]", "a JSON array", 17},
        {"a.json", "{\n \"text\":\"a\"}", "`jq -c . FILE`", 15},
        {"a.txt", "PAR1\x15\x04", "a.txt is Parquet", 6},
        {"a.arrow", "\xff\xff\xff\xff\x70\x01\x00\x00\x10\x00", "python -m muonscope prepare", 10},
        {"a.jsonl", "\xff\xfe{\0\"\0", "is UTF-16, not UTF-8", 6},
        {"a.txt", "\xfe\xff\0{", "is UTF-16", 4},
        {"a.txt", "{\0\"\0t\0", "UTF-16 without a byte-order mark, not UTF-8: `iconv -f UTF-16LE", 6},
        {"a.txt", "\0a\0b", "UTF-16BE", 4},
        {"a.txt", "BZh91AY&SY", "bzip2", 10},
        {"a.txt", "PK\x03\x04", "unzip -p", 4},
        {"a.txt", "PK\x03\x04----------------------\x0a\0\0\0x/data.pkl\x80\2", "is PyTorch's file", 42},
        {"a.txt", "PK\x03\x04----------------------\x13\0\0\0[Content_Types].xml", "is an Office document", 49},
        {"a.txt", "PK\x03\x04----------------------\x09\0\0\0/data.txt", "unzip -p", 39},
        {"a.txt", "\x38\0\0\0\0\0\0\0{\"a\":", "is safetensors", 13},
        {"a.txt", "\x88\xd8\x34\1\1\0\0\0", "is a shard of tokens", 8},
        {"a.txt", "\xa1\xd9\x34\1\7\0\0\0", "is a shard of tokens", 8},
        {"a.txt", "\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "a.txt is PNG, not UTF-8 text", 16},
        {"a.txt", "\xff\xd8\xff\xe0\0\x10JFIF", "is JPEG", 10},
        {"a.txt", "GIF89a\1\0", "is GIF", 8},
        {"a.txt", "RIFF\x24\0\0\0WEBPVP8 ", "is WebP", 16},
        {"a.txt", "RIFF\x24\0\0\0WAVEfmt ", "is RIFF", 16},
        {"a.txt", "ORC\n\3\0\0\0", "is ORC", 8},
        {"a.txt", "Obj\1\4", "is Avro", 5},
        {"a.txt", "\x80\2}q\0.", "is a Python pickle", 6},
        {"a.txt", "\x80\4\x95\xb\0\0", "is a Python pickle", 6},
        {"a.txt", "\x80\5\x95\xb\0\0", "is a Python pickle", 6},
        {"a.txt", "\x93NUMPY\1\0", "is NumPy", 8},
        {"a.txt", "%PDF-1.7\n", "is PDF", 9},
        {"a.txt", "\xfd\x37zXZ\0", "xz -dc", 6}};
    data_folder_create();
    for (size_t i = 0; i < sizeof read / sizeof *read; i++)
        ck_assert_str_eq(read_all(data_write_text(read[i][0], read[i][1]), (ms_corpus_options){0}, out, sizeof out),
                         read[i][2]);
    ck_assert_str_eq(
        read_all(data_write_text("t.json", "[1]"), (ms_corpus_options){.format = MS_CORPUS_TEXT}, out, sizeof out),
        "[1]|");
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        for (int on_error = MS_ON_ERROR_STOP; on_error <= MS_ON_ERROR_REPLACE; on_error++)
            ms_expect(read_to_error(data_write(refused[i].name, refused[i].text, refused[i].n),
                                    (ms_corpus_options){.on_error = (ms_on_error)on_error}),
                      MS_UNSUPPORTED, refused[i].message);
    data_folder_remove();
}
END_TEST

/* Several parts make one text, whatever the name says; every truncation and a flipped byte are errors. */
START_TEST(compressed) {
    enum { LINES = 20000, CAPACITY = 1 << 20 };
    char *text = malloc(LINES * 16), *data = malloc(CAPACITY), *found = malloc(LINES * 32);
    size_t n = 0;
    for (int i = 0; i < LINES; i++) n += (size_t)sprintf(text + n, "line %d\n", i * 7919 % 10007);
    data_folder_create();
    for (int is_zstd = 0; is_zstd < 2; is_zstd++) {
        size_t (*add)(const char *, size_t, char *, size_t) = is_zstd ? add_zstd : add_gzip;
        size_t half = n / 2, size = add(text, half, data, CAPACITY);
        size_t first = size;
        size += add(text + half, n - half, data + size, CAPACITY - size);
        read_all(data_write("a.txt", data, size), (ms_corpus_options){.documents = MS_DOCUMENTS_FILE}, found,
                 LINES * 32);
        ck_assert_uint_eq(strlen(found), n + 1);
        ck_assert_mem_eq(found, text, n);
        for (size_t cut = size - 1; cut > 20; cut -= cut > 200 ? cut / 7 : 1) {
            if (cut == first) continue;
            ms_expect(read_to_error(data_write("cut", data, cut), (ms_corpus_options){0}), MS_CORRUPT,
                      "data end early");
        }
        data[size / 3] ^= 1;
        ck_assert_int_eq(read_to_error(data_write("bad", data, size), (ms_corpus_options){0}), MS_CORRUPT);
    }
    size_t size = add_gzip("{\"text\":\"a\"}\n", 13, data, CAPACITY);
    char out[64];
    ck_assert_str_eq(read_all(data_write("a.gz", data, size), (ms_corpus_options){0}, out, sizeof out), "a|");
    memset(data + size, 0, 512);
    ck_assert_str_eq(read_all(data_write("padded", data, size + 512), (ms_corpus_options){0}, out, sizeof out), "a|");
    data[size] = 'x';
    ms_expect(read_to_error(data_write("more", data, size + 1), (ms_corpus_options){0}), MS_CORRUPT,
              "other bytes follow");
    size_t twice = add_gzip(data, size, data + size, CAPACITY - size);
    ms_expect(read_to_error(data_write("twice", data + size, twice), (ms_corpus_options){0}), MS_UNSUPPORTED,
              "gzip within a compressed file");
    free(text);
    free(data);
    free(found);
    data_folder_remove();
}
END_TEST

START_TEST(standard_input) {
    char out[64];
    data_folder_create();
    ck_assert_ptr_nonnull(freopen(data_write_text("a.txt", "{\"text\":\"a\"}\n"), "r", stdin));
    ck_assert_str_eq(read_all("-", (ms_corpus_options){0}, out, sizeof out), "a|");
    ck_assert_ptr_nonnull(freopen(data_write_text("b.txt", "a\xff"), "r", stdin));
    ms_expect(read_to_error("-", (ms_corpus_options){0}), MS_INVALID, "standard input, line 1: byte 1");
    data_folder_remove();
}
END_TEST

/* Gives one byte at a time of the text that the context points to. */
static ms_status read_byte(void *context, const char *path, void *out, size_t capacity, size_t *out_n) {
    const char **rest = context;
    ck_assert_uint_ge(capacity, 1);
    if (strcmp(path, "no such file") == 0) return MS_FAIL(MS_CORRUPT, "its writer gave up");
    ck_assert_str_eq(path, "a name");
    *out_n = **rest != '\0';
    if (*out_n) memcpy(out, (*rest)++, 1);
    return MS_OK;
}

/* What a source gives is read like a file, under the name that the source knows. */
START_TEST(given_bytes) {
    char out[64];
    const char *rest = "{\"text\":\"one\"}\n{\"text\":null}\n{\"text\":\"two\"}";
    ms_corpus_source source = {read_byte, &rest};
    ms_corpus_options options = {.source = &source, .on_error = MS_ON_ERROR_SKIP};
    ck_assert_str_eq(read_all("a name", options, out, sizeof out), "one|two|");
    rest = "{\"text\":\"one\"}\n{\"text\":null}\n";
    options.on_error = MS_ON_ERROR_STOP;
    ms_corpus *corpus;
    ms_document document;
    ck_assert_int_eq(ms_corpus_open("a name", &options, &corpus), MS_OK);
    ck_assert_int_eq(ms_corpus_next(corpus, &document), MS_OK);
    ck_assert_int_eq(ms_corpus_next(corpus, &document), MS_INVALID);
    ck_assert_msg(strstr(ms_status_message(), "a name, line 2: no string"), "%s", ms_status_message());
    ms_corpus_close(corpus);
    ck_assert_int_eq(ms_corpus_open("no such file", &options, &corpus), MS_OK);
    ck_assert_int_eq(ms_corpus_next(corpus, &document), MS_CORRUPT);
    ck_assert_str_eq(ms_status_message(), "its writer gave up");
    ms_corpus_close(corpus);
}
END_TEST

/* One U+FFFD for each sequence that could have become a character (the examples of Unicode 15, tables 3-8 to 3-11). */
START_TEST(mending) {
#define R "\xef\xbf\xbd"
    static const char *const cases[][2] = {{"a\xc0\xaf\xe0\x80\xbf\xf0\x81\x82z", "a" R R R R R R R R "z"},
                                           {"\xed\xa0\x80\xed\xbf\xbf\xed\xaf!", R R R R R R R R "!"},
                                           {"\xf4\x91\x92\x93\xff!\x80\xbf", R R R R R "!" R R},
                                           {"\xe1\x80\xe2\xf0\x91\x92\xf1\xbf!", R R R R "!"},
                                           {"caf\xc3", "caf" R},
                                           {"fine \xf0\x9f\x98\x80", "fine \xf0\x9f\x98\x80"}};
    ms_text out = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ck_assert_int_eq(ms_mend_utf8(cases[i][0], strlen(cases[i][0]), &out), MS_OK);
        ck_assert_int_eq(ms_text_append(&out, "", 1), MS_OK);
        ck_assert_str_eq(out.bytes, cases[i][1]);
    }
    static const char *const escapes[][2] = {{"\\ud83d\\ude00 \\u0041", "\\ud83d\\ude00 \\u0041"},
                                             {"\\ude00\\ud83d", "\\ufffd\\ufffd"},
                                             {"\\ud83d\\ud83d\\ude00", "\\ufffd\\ud83d\\ude00"},
                                             {"\\\\ud83d \\uD83D", "\\\\ud83d \\ufffd"},
                                             {"\\ud8", "\\ud8"}};
    for (size_t i = 0; i < sizeof escapes / sizeof *escapes; i++) {
        ck_assert_int_eq(ms_mend_surrogates(escapes[i][0], strlen(escapes[i][0]), &out), MS_OK);
        ck_assert_int_eq(ms_text_append(&out, "", 1), MS_OK);
        ck_assert_str_eq(out.bytes, escapes[i][1]);
    }
    ms_text_finish(&out);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("corpus");
    TCase *all = tcase_create("all");
    tcase_add_test(all, rules);
    tcase_add_test(all, chunks);
    tcase_add_test(all, bad_input);
    tcase_add_test(all, bad_records);
    tcase_add_test(all, too_long);
    tcase_add_test(all, too_long_text);
    tcase_add_test(all, formats);
    tcase_add_test(all, compressed);
    tcase_add_test(all, standard_input);
    tcase_add_test(all, given_bytes);
    tcase_add_test(all, mending);
    tcase_set_timeout(all, 240);
    suite_add_tcase(suite, all);
    return ms_suite_run(suite);
}
