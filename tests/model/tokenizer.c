/* The tokenizer against Hugging Face tokenizers (tests/golden/tokenizer), and what it does with bad input. */
#include "model/data/tokenizer.h"

#include <check.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "model/data/bpe_bytes.h"
#include "model/data/bpe_pattern.h"
#include "model/data/bpe_train.h"
#include "model/data/text_normalize.h"
#include "platform/file.h"
#include "platform/utf8.h"
#include "tests/model/data_files.h"
#include "tests/support/suite.h"

#define GOLDEN "tests/golden/tokenizer/"

static ms_tokenizer *open_tokenizer(const char *path) {
    ms_tokenizer *tokenizer;
    ms_status status = ms_tokenizer_open(path, &tokenizer);
    ck_assert_msg(status == MS_OK, "%s", ms_status_message());
    return tokenizer;
}

/* Encodes every case and decodes it again; returns the number of ids compared. */
static size_t check_cases(const char *path, const char *key) {
    ms_tokenizer *tokenizer = open_tokenizer(path);
    json_error_t error;
    json_t *cases = json_load_file(GOLDEN "cases.json", JSON_ALLOW_NUL, &error);
    ck_assert_msg(cases != NULL, "%s", error.text);
    size_t n_compared = 0;
    for (size_t i = 0; i < json_array_size(cases); i++) {
        const json_t *text = json_object_get(json_array_get(cases, i), "text");
        const json_t *ids = json_object_get(json_array_get(cases, i), key);
        ms_tokens tokens = {0};
        ck_assert_int_eq(ms_tokenizer_encode(tokenizer, json_string_value(text), json_string_length(text),
                                             MS_SPECIAL_PARSE, &tokens),
                         MS_OK);
        ck_assert_msg(tokens.n == json_array_size(ids), "case %zu: %zu ids, %zu expected", i, tokens.n,
                      json_array_size(ids));
        for (size_t j = 0; j < tokens.n; j++)
            ck_assert_msg(tokens.ids[j] == json_integer_value(json_array_get(ids, j)), "case %zu, token %zu", i, j);
        char *decoded;
        size_t size_bytes;
        ck_assert_int_eq(ms_tokenizer_decode(tokenizer, tokens.ids, tokens.n, false, &decoded, &size_bytes), MS_OK);
        ck_assert_uint_eq(size_bytes, json_string_length(text));
        ck_assert_mem_eq(decoded, json_string_value(text), size_bytes);
        n_compared += tokens.n;
        free(decoded);
        ms_tokens_finish(&tokens);
    }
    json_decref(cases);
    ms_tokenizer_close(tokenizer);
    return n_compared;
}

START_TEST(golden_digits) { ck_assert_uint_gt(check_cases(GOLDEN "digits.json", "digits"), 1000); }
END_TEST

START_TEST(golden_gpt2) { ck_assert_uint_gt(check_cases(GOLDEN "gpt2.json", "gpt2"), 1000); }
END_TEST

/* gpt2.json with a pipeline's changes, in the folder. */
static const char *write_changed(const json_t *changes) {
    json_error_t error;
    json_t *root = json_load_file(GOLDEN "gpt2.json", 0, &error);
    ck_assert_msg(root != NULL, "%s", error.text);
    json_t *copy = json_deep_copy(changes), *model = json_object_get(copy, "model");
    if (model) ck_assert_int_eq(json_object_update(json_object_get(root, "model"), model), 0);
    json_object_del(copy, "model");
    ck_assert_int_eq(json_object_update(root, copy), 0);
    char *text = json_dumps(root, 0);
    const char *path = data_write_text("changed.json", text);
    free(text);
    json_decref(copy);
    json_decref(root);
    return path;
}

static size_t check_ids(ms_tokenizer *tokenizer, const char *name, const json_t *texts, const json_t *all) {
    size_t n_compared = 0, i;
    const json_t *text;
    json_array_foreach(texts, i, text) {
        const json_t *ids = json_array_get(all, i);
        ms_tokens tokens = {0};
        ms_status status = ms_tokenizer_encode(tokenizer, json_string_value(text), json_string_length(text),
                                               MS_SPECIAL_PARSE, &tokens);
        ck_assert_msg(status == MS_OK, "%s, text %zu: %s", name, i, ms_status_message());
        for (size_t j = 0; j < tokens.n && j < json_array_size(ids); j++)
            ck_assert_msg(tokens.ids[j] == json_integer_value(json_array_get(ids, j)), "%s, text %zu, token %zu", name,
                          i, j);
        ck_assert_msg(tokens.n == json_array_size(ids), "%s, text %zu: %zu ids", name, i, tokens.n);
        n_compared += tokens.n;
        ms_tokens_finish(&tokens);
    }
    return n_compared;
}

/* Every family's pipeline gives the ids of Hugging Face tokenizers, and still does after saving. */
START_TEST(golden_pipelines) {
    json_error_t error;
    json_t *root = json_load_file(GOLDEN "pipelines.json", JSON_ALLOW_NUL, &error);
    ck_assert_msg(root != NULL, "%s", error.text);
    const json_t *texts = json_object_get(root, "texts"), *pipelines = json_object_get(root, "pipelines"), *pipeline;
    size_t i, n_compared = 0;
    data_folder_create();
    json_array_foreach(pipelines, i, pipeline) {
        const char *name = json_string_value(json_object_get(pipeline, "name"));
        const json_t *ids = json_object_get(pipeline, "ids");
        ms_tokenizer *tokenizer = open_tokenizer(write_changed(json_object_get(pipeline, "changes")));
        n_compared += check_ids(tokenizer, name, texts, ids);
        ck_assert_int_eq(ms_tokenizer_save(tokenizer, data_path("saved.json")), MS_OK);
        ms_tokenizer *saved = open_tokenizer(data_path("saved.json"));
        ck_assert_str_eq(ms_tokenizer_sha256(saved), ms_tokenizer_sha256(tokenizer));
        check_ids(saved, name, texts, ids);
        ms_tokenizer_close(saved);
        ms_tokenizer_close(tokenizer);
    }
    ck_assert_uint_ge(i, 17);
    ck_assert_uint_gt(n_compared, 20000);
    json_decref(root);
    data_folder_remove();
}
END_TEST

/* One identity for one pipeline, however it is written; another for another. */
START_TEST(identity_of_pipelines) {
    static const char *const changes[] = {"{\"normalizer\":{\"type\":\"NFC\"}}",
                                          "{\"normalizer\":{\"type\":\"NFKC\"}}",
                                          "{\"model\":{\"ignore_merges\":true}}",
                                          "{\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"use_regex\":false}}",
                                          "{\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":"
                                          "\"Split\",\"pattern\":{\"Regex\":\"a\"},"
                                          "\"behavior\":\"Isolated\"},{\"type\":\"ByteLevel\",\"use_regex\":false}]}}",
                                          "{\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":"
                                          "\"Split\",\"pattern\":{\"String\":\"a\"},"
                                          "\"behavior\":\"Isolated\"},{\"type\":\"ByteLevel\",\"use_regex\":false}]}}"};
    enum { N = sizeof changes / sizeof *changes };
    char identities[N + 1][65];
    data_folder_create();
    for (size_t i = 0; i <= N; i++) {
        ms_tokenizer *tokenizer;
        if (i < N) {
            json_t *change = json_loads(changes[i], 0, NULL);
            tokenizer = open_tokenizer(write_changed(change));
            json_decref(change);
        } else {
            tokenizer = open_tokenizer(GOLDEN "gpt2.json");
        }
        memcpy(identities[i], ms_tokenizer_sha256(tokenizer), 65);
        for (size_t j = 0; j < i; j++) ck_assert_str_ne(identities[j], identities[i]);
        ms_tokenizer_close(tokenizer);
    }
    /* GPT-2's pattern written as Split, and a byte-order mark, change nothing; nor did this version. */
    ck_assert_str_eq(identities[N], "c301f8af2aff0d665eb9ee699a99b10ee2dce19c2c79ba8930853afcb5cc17ab");
    json_error_t error;
    json_t *root = json_load_file(GOLDEN "pipelines.json", JSON_ALLOW_NUL, &error);
    const json_t *first = json_array_get(json_object_get(root, "pipelines"), 0);
    ck_assert_str_eq(json_string_value(json_object_get(first, "name")), "GPT-2 as Split");
    ms_tokenizer *tokenizer = open_tokenizer(write_changed(json_object_get(first, "changes")));
    ck_assert_str_eq(ms_tokenizer_sha256(tokenizer), identities[N]);
    ms_tokenizer_close(tokenizer);
    json_decref(root);
    char *text;
    size_t size_bytes;
    ck_assert_int_eq(ms_file_read(GOLDEN "gpt2.json", &text, &size_bytes), MS_OK);
    char *marked = malloc(size_bytes + 3);
    memcpy(marked, "\xef\xbb\xbf", 3);
    memcpy(marked + 3, text, size_bytes);
    tokenizer = open_tokenizer(data_write("marked.json", marked, size_bytes + 3));
    ck_assert_str_eq(ms_tokenizer_sha256(tokenizer), identities[N]);
    ms_tokenizer_close(tokenizer);
    free(marked);
    free(text);
    data_folder_remove();
}
END_TEST

static ms_tokenizer *train_on_corpus(bool split_digits) {
    char *text;
    size_t size_bytes;
    ms_bpe_trainer *trainer;
    ms_tokenizer *tokenizer;
    ck_assert_int_eq(ms_file_read(GOLDEN "corpus.txt", &text, &size_bytes), MS_OK);
    ck_assert_int_eq(ms_bpe_trainer_create(split_digits, &trainer), MS_OK);
    ck_assert_int_eq(ms_bpe_trainer_add(trainer, text, size_bytes), MS_OK);
    ck_assert_int_eq(ms_bpe_trainer_train(trainer, 400, &tokenizer), MS_OK);
    ms_bpe_trainer_destroy(trainer);
    free(text);
    return tokenizer;
}

/* Identity covers vocabulary and merges: training gives what Hugging Face's trainer gives, and saving keeps it. */
START_TEST(training_and_saving) {
    const char *golden[] = {GOLDEN "gpt2.json", GOLDEN "trained_digits.json"};
    data_folder_create();
    for (int split_digits = 0; split_digits < 2; split_digits++) {
        ms_tokenizer *trained = train_on_corpus(split_digits), *expected = open_tokenizer(golden[split_digits]);
        ck_assert_int_eq(ms_tokenizer_vocab_size(trained), 400);
        ck_assert_int_eq(ms_tokenizer_end_of_text(trained), 0);
        ck_assert_str_eq(ms_tokenizer_sha256(trained), ms_tokenizer_sha256(expected));
        ck_assert_int_eq(ms_tokenizer_save(trained, data_path("saved.json")), MS_OK);
        ms_tokenizer *saved = open_tokenizer(data_path("saved.json"));
        ck_assert_str_eq(ms_tokenizer_sha256(saved), ms_tokenizer_sha256(trained));
        ms_tokenizer_close(saved);
        ms_tokenizer_close(expected);
        ms_tokenizer_close(trained);
    }
    /* Added tokens survive as well, and other tokenizers have other identities. */
    ms_tokenizer *added = open_tokenizer(GOLDEN "digits.json"), *plain = open_tokenizer(golden[1]);
    ck_assert_str_ne(ms_tokenizer_sha256(added), ms_tokenizer_sha256(plain));
    ck_assert_int_eq(ms_tokenizer_save(added, data_path("saved.json")), MS_OK);
    ck_assert_uint_gt(check_cases(data_path("saved.json"), "digits"), 1000);
    ms_expect(ms_tokenizer_save(added, "/nonexistent/tokenizer.json"), MS_NOT_FOUND, "/nonexistent/tokenizer.json");
    ms_tokenizer_close(added);
    ms_tokenizer_close(plain);
    data_folder_remove();
}
END_TEST

START_TEST(special_tokens) {
    ms_tokenizer *tokenizer = open_tokenizer(GOLDEN "digits.json");
    static const char text[] = "a<|endoftext|>b";
    ms_tokens parsed = {0}, plain = {0};
    ck_assert_int_eq(ms_tokenizer_encode(tokenizer, text, strlen(text), MS_SPECIAL_PARSE, &parsed), MS_OK);
    ck_assert_int_eq(ms_tokenizer_encode(tokenizer, text, strlen(text), MS_SPECIAL_AS_TEXT, &plain), MS_OK);
    ck_assert_uint_eq(parsed.n, 3);
    ck_assert_int_eq(parsed.ids[1], 0);
    for (size_t i = 0; i < plain.n; i++) ck_assert_int_ne(plain.ids[i], 0);
    char *decoded;
    size_t size_bytes;
    ck_assert_int_eq(ms_tokenizer_decode(tokenizer, parsed.ids, parsed.n, true, &decoded, &size_bytes), MS_OK);
    ck_assert_str_eq(decoded, "ab");
    free(decoded);
    ck_assert_int_eq(ms_tokenizer_decode(tokenizer, plain.ids, plain.n, true, &decoded, &size_bytes), MS_OK);
    ck_assert_str_eq(decoded, text);
    free(decoded);
    bool is_special;
    char names[64];
    ck_assert_int_eq(ms_tokenizer_added_token(tokenizer, "<|note|>", &is_special), 400);
    ck_assert(is_special);
    ck_assert_int_eq(ms_tokenizer_added_token(tokenizer, "@@", &is_special), 402);
    ck_assert(!is_special);
    ck_assert_int_eq(ms_tokenizer_added_token(tokenizer, "<|not|>", &is_special), -1);
    ms_tokenizer_special_names(tokenizer, names, sizeof names);
    ck_assert_str_eq(names, "<|endoftext|>, <|note|>");
    ms_tokenizer_special_names(tokenizer, names, 24);
    ck_assert_str_eq(names, "<|endoftext|>, ...");
    ms_tokens_finish(&parsed);
    ms_tokens_finish(&plain);
    ms_tokenizer_close(tokenizer);
}
END_TEST

/* Marks sorted in quadratic time would take minutes here; a fixed limit on steps would end a pattern that goes back. */
START_TEST(long_runs) {
    static const char split[] =
        "{\"normalizer\":{\"type\":\"NFC\"},\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":["
        "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"\\\\s*\\\\n|\\\\s+|\\\\S+\"},\"behavior\":\"Isolated\"},"
        "{\"type\":\"ByteLevel\",\"use_regex\":false}]}}";
    data_folder_create();
    json_t *changes = json_loads(split, 0, NULL);
    ck_assert_ptr_nonnull(changes);
    ms_tokenizer *tokenizer = open_tokenizer(write_changed(changes));
    json_decref(changes);
    enum { MARKS = 100000, SPACES = 11000000 };
    char *text = malloc(SPACES);
    text[0] = 'e';
    for (size_t i = 0; i < MARKS; i++) memcpy(text + 1 + 4 * i, "\xcc\x81\xcc\x96", 4);
    ms_tokens tokens = {0};
    ms_status status = ms_tokenizer_encode(tokenizer, text, 1 + 4 * MARKS, MS_SPECIAL_PARSE, &tokens);
    ck_assert_msg(status == MS_OK, "%s", ms_status_message());
    memset(text, ' ', SPACES);
    status = ms_tokenizer_encode(tokenizer, text, SPACES, MS_SPECIAL_PARSE, &tokens);
    ck_assert_msg(status == MS_OK, "%s", ms_status_message());
    ms_tokens_finish(&tokens);
    free(text);
    ms_tokenizer_close(tokenizer);
    data_folder_remove();
}
END_TEST

/* A pattern that goes back over all ways to part a piece would take for ever. */
START_TEST(a_pattern_without_end_is_ended) {
    static const char split[] =
        "{\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":["
        "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"(?:a+)+[bc]\"},\"behavior\":\"Isolated\"},"
        "{\"type\":\"ByteLevel\",\"use_regex\":false}]}}";
    data_folder_create();
    json_t *changes = json_loads(split, 0, NULL);
    ck_assert_ptr_nonnull(changes);
    ms_tokenizer *tokenizer = open_tokenizer(write_changed(changes));
    json_decref(changes);
    char text[64] = "xy ";
    memset(text + 3, 'a', 50);
    ms_tokens tokens = {0};
    ms_expect(ms_tokenizer_encode(tokenizer, text, 53, MS_SPECIAL_PARSE, &tokens), MS_UNSUPPORTED,
              "step 0 of pre-tokenisation, byte 0 of the text: match limit exceeded");
    memcpy(text + 12, "b", 1); /* the next text is cut as ever */
    ms_must(ms_tokenizer_encode(tokenizer, text, 20, MS_SPECIAL_PARSE, &tokens));
    ck_assert_uint_gt(tokens.n, 0);
    ms_tokens_finish(&tokens);
    ms_tokenizer_close(tokenizer);
    data_folder_remove();
}
END_TEST

/* A quadratic merge would need 10^12 steps here, far beyond the test's time limit. */
START_TEST(long_piece) {
    ms_tokenizer *tokenizer = train_on_corpus(true);
    size_t size_bytes = 1 << 20;
    char *text = malloc(size_bytes);
    for (size_t i = 0; i < size_bytes; i++) text[i] = "themillstone"[i % 12];
    ms_tokens tokens = {0};
    ck_assert_int_eq(ms_tokenizer_encode(tokenizer, text, size_bytes, MS_SPECIAL_PARSE, &tokens), MS_OK);
    ck_assert_uint_lt(tokens.n, size_bytes / 4 * 3);
    free(text);
    ms_tokens_finish(&tokens);
    ms_tokenizer_close(tokenizer);
}
END_TEST

START_TEST(utf8) {
    static const struct {
        const char *text;
        size_t size_bytes, valid;
    } cases[] = {
        {"", 0, 0},
        {"plain text, longer than eight bytes", 35, 35},
        {"\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", 25,
         25},
        {"12345678\xff", 9, 8},
        {"ab\xc0\x80", 4, 2},       /* overlong NUL */
        {"\xe0\x9f\xbf", 3, 0},     /* overlong */
        {"a\xed\xa0\x80", 4, 1},    /* surrogate */
        {"\xf4\x90\x80\x80", 4, 0}, /* beyond U+10FFFF */
        {"\xf0\x8f\xbf\xbf", 4, 0}, /* overlong */
        {"abc\xe6\xb0", 5, 3},      /* cut */
        {"\xc3(", 2, 0},
        {"\x80", 1, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ck_assert_msg(ms_utf8_check(cases[i].text, cases[i].size_bytes) == cases[i].valid, "case %zu", i);
}
END_TEST

START_TEST(byte_alphabet) {
    uint8_t order[256], back[4];
    bool seen[256] = {false};
    ms_bpe_symbol_order(order);
    for (int i = 0; i < 256; i++) {
        char text[2];
        size_t n, size_bytes = ms_bpe_from_bytes(&order[i], 1, text);
        ck_assert(ms_bpe_to_bytes(text, size_bytes, back, &n));
        ck_assert_uint_eq(n, 1);
        ck_assert_uint_eq(back[0], order[i]);
        ck_assert(!seen[order[i]]);
        seen[order[i]] = true;
        if (i > 0) ck_assert_uint_gt(ms_bpe_symbol(order[i]), ms_bpe_symbol(order[i - 1]));
    }
    ck_assert_uint_eq(ms_bpe_symbol(' '), 0x120); /* the well-known G with a dot */
    size_t n;
    ck_assert(!ms_bpe_to_bytes(" ", 1, back, &n));
    ck_assert(!ms_bpe_to_bytes("\xe6\xb0\xb4", 3, back, &n));
    ck_assert(!ms_bpe_to_bytes("\xc4", 1, back, &n));
}
END_TEST

START_TEST(bad_text_and_ids) {
    ms_tokenizer *tokenizer = open_tokenizer(GOLDEN "digits.json");
    ms_tokens tokens = {0};
    ms_expect(ms_tokenizer_encode(tokenizer, "abc\xff", 4, MS_SPECIAL_PARSE, &tokens), MS_INVALID, "byte 3");
    char *text;
    size_t size_bytes;
    int32_t ids[] = {5, 403};
    ck_assert_int_eq(ms_tokenizer_vocab_size(tokenizer), 403);
    ms_expect(ms_tokenizer_decode(tokenizer, ids, 2, false, &text, &size_bytes), MS_INVALID, "token id 403");
    ids[1] = -1;
    ms_expect(ms_tokenizer_decode(tokenizer, ids, 2, false, &text, &size_bytes), MS_INVALID, "token id -1");
    ms_tokens_finish(&tokens);
    ms_tokenizer_close(tokenizer);
    data_folder_create();
    tokenizer = open_tokenizer(data_write_text("ab.json", "{\"pre_tokenizer\":{\"type\":\"ByteLevel\"},\"model\":"
                                                          "{\"vocab\":{\"a\":0,\"b\":3},\"merges\":[]}}"));
    ms_expect(ms_tokenizer_encode(tokenizer, "ab c", 4, MS_SPECIAL_PARSE, &tokens), MS_INVALID, "byte 2");
    ids[0] = 2;
    ms_expect(ms_tokenizer_decode(tokenizer, ids, 1, false, &text, &size_bytes), MS_INVALID, "token id 2");
    ms_tokens_finish(&tokens);
    ms_tokenizer_close(tokenizer);
    data_folder_remove();
}
END_TEST

START_TEST(bad_files) {
#define BYTE_LEVEL "\"pre_tokenizer\":{\"type\":\"ByteLevel\"}"
#define STEPS(steps) "{\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[" steps ",{\"type\":\"ByteLevel\"}]}"
#define SPLIT(pattern, behavior)                                                                                       \
    "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"" pattern "\"},\"behavior\":\"" behavior "\"}"
#define MODEL(extra) "\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[" extra "]}"
    static const struct {
        const char *text;
        ms_status status;
        const char *part;
    } cases[] = {
        {"", MS_CORRUPT, "line"},
        {"{\"model\":", MS_CORRUPT, "line 1"},
        {"{}", MS_CORRUPT, "no model"},
        {"{" BYTE_LEVEL "," MODEL("\"a c\"") "}", MS_CORRUPT, "merge 0"},
        {"{" BYTE_LEVEL "," MODEL("\"b a\"") "}", MS_CORRUPT, "makes \"ba\""},
        {"{" BYTE_LEVEL "," MODEL("\"a b\",[\"a\",\"b\"]") "}", MS_CORRUPT, "merge 1"},
        {"{" BYTE_LEVEL "," MODEL("\"ab\"") "}", MS_CORRUPT, "merge 0"},
        {"{" BYTE_LEVEL "," MODEL("7") "}", MS_CORRUPT, "merge 0"},
        {"{" BYTE_LEVEL ",\"model\":{\"vocab\":{\"a\":0,\"b\":0},\"merges\":[]}}", MS_CORRUPT, "given twice"},
        {"{" BYTE_LEVEL ",\"model\":{\"vocab\":{\"a\":\"x\"},\"merges\":[]}}", MS_CORRUPT, "the id of token \"a\""},
        {"{" BYTE_LEVEL ",\"model\":{\"vocab\":{\"a\":-4},\"merges\":[]}}", MS_CORRUPT, "the id of token \"a\""},
        {"{" BYTE_LEVEL ",\"model\":{\"vocab\":{},\"merges\":[]}}", MS_INVALID, "0 tokens"},
        {"{" BYTE_LEVEL ",\"model\":{\"merges\":[]}}", MS_CORRUPT, "vocab"},
        {"{" BYTE_LEVEL ",\"model\":{\"type\":\"Unigram\"}}", MS_UNSUPPORTED, "Unigram"},
        {"{\"model\":{\"type\":\"WordPiece\"}}", MS_UNSUPPORTED, "model WordPiece is not supported"},
        {"{\"model\":{\"type\":\"BPE\",\"byte_fallback\":true}}", MS_UNSUPPORTED, "as in Llama 2 and Gemma"},
        {"{\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"String\":\" \"},\"behavior\":\"MergedWithPrevious\"},"
         "\"model\":{\"type\":\"BPE\",\"byte_fallback\":true}}",
         MS_UNSUPPORTED, "as in Llama 2 and Gemma"},
        {"{" BYTE_LEVEL ",\"model\":{\"byte_fallback\":true,\"vocab\":{\"a\":0},\"merges\":[]}}", MS_UNSUPPORTED,
         "byte_fallback without a token for the byte 0x00"},
        {"{" BYTE_LEVEL ",\"model\":{\"unk_token\":\"a\",\"vocab\":{\"a\":0},\"merges\":[]}}", MS_UNSUPPORTED,
         "unk_token without a token"},
        {"{" BYTE_LEVEL ",\"model\":{\"dropout\":0.1}}", MS_UNSUPPORTED, "dropout"},
        {"{" BYTE_LEVEL ",\"normalizer\":{\"type\":\"Lowercase\"}," MODEL("") "}", MS_UNSUPPORTED, "Lowercase"},
        {"{" BYTE_LEVEL ",\"truncation\":{\"max_length\":5}," MODEL("") "}", MS_UNSUPPORTED, "truncation is set"},
        {"{" BYTE_LEVEL ",\"padding\":{\"strategy\":\"BatchLongest\"}," MODEL("") "}", MS_UNSUPPORTED,
         "padding is set"},
        {"{" BYTE_LEVEL
         ",\"post_processor\":{\"type\":\"Sequence\",\"processors\":[{\"type\":\"New\"}]}," MODEL("") "}",
         MS_UNSUPPORTED, "post_processor New"},
        {"{" BYTE_LEVEL ",\"decoder\":{\"type\":\"Metaspace\"}," MODEL("") "}", MS_UNSUPPORTED, "decoder Metaspace"},
        {"{\"pre_tokenizer\":null," MODEL("") "}", MS_UNSUPPORTED, "pre_tokenizer null"},
        {"{\"pre_tokenizer\":{\"type\":\"Metaspace\"}," MODEL("") "}", MS_UNSUPPORTED, "Metaspace"},
        {"{\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":true}," MODEL("") "}", MS_UNSUPPORTED,
         "add_prefix_space"},
        {"{\"pre_tokenizer\":{\"type\":\"Digits\"}," MODEL("") "}", MS_UNSUPPORTED, "Digits without ByteLevel"},
        {STEPS("{\"type\":\"ByteLevel\"},{\"type\":\"Digits\"}") "," MODEL("") "}", MS_UNSUPPORTED, "Digits after"},
        {STEPS("{\"type\":\"Split\"}") "," MODEL("") "}", MS_CORRUPT, "Split has no pattern"},
        {STEPS(SPLIT("", "Isolated")) "," MODEL("") "}", MS_UNSUPPORTED, "empty pattern"},
        {STEPS(SPLIT("a", "Other")) "," MODEL("") "}", MS_UNSUPPORTED, "behavior Other"},
        {STEPS(SPLIT("(", "Isolated")) "," MODEL("") "}", MS_UNSUPPORTED, "PCRE2 cannot read it"},
        {STEPS(SPLIT("(?:a", "Isolated")) "," MODEL("") "}", MS_UNSUPPORTED,
         "PCRE2 cannot read it: missing closing parenthesis, at byte 4"},
        {STEPS(SPLIT("(?", "Isolated")) "," MODEL("") "}", MS_UNSUPPORTED, "PCRE2 cannot read it"},
        {STEPS(SPLIT("(?i", "Isolated")) "," MODEL("") "}", MS_UNSUPPORTED, "PCRE2 cannot read it"},
        {STEPS(SPLIT("b[a\\\\s", "Isolated")) "," MODEL("") "}", MS_UNSUPPORTED,
         "PCRE2 cannot read it: missing terminating ] for character class, at byte 5 of \"b[a\\s\""},
        {STEPS(SPLIT("a\\\\", "Isolated")) "," MODEL("") "}", MS_UNSUPPORTED,
         "PCRE2 cannot read it: \\ at end of pattern, at byte 2"},
        {STEPS(SPLIT("[a&&b]", "Isolated")) "," MODEL("") "}", MS_UNSUPPORTED, "byte 2: PCRE2 has no counterpart"},
        {"{" BYTE_LEVEL ",\"added_tokens\":[{\"id\":5}]," MODEL("") "}", MS_CORRUPT, "added token 0"},
        {"{" BYTE_LEVEL ",\"added_tokens\":[{\"id\":1,\"content\":\"<x>\"}]," MODEL("") "}", MS_CORRUPT, "given twice"},
    };
    ms_tokenizer *tokenizer;
    data_folder_create();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *path = data_write_text("bad.json", cases[i].text);
        ms_expect(ms_tokenizer_open(path, &tokenizer), cases[i].status, cases[i].part);
        ck_assert_ptr_null(tokenizer);
        ck_assert_ptr_nonnull(strstr(ms_status_message(), "bad.json"));
    }
    ms_expect(ms_tokenizer_open(data_path("absent.json"), &tokenizer), MS_NOT_FOUND, "absent.json");
    data_folder_remove();
}
END_TEST

/* What is rewritten, what is the same, and what is refused. */
START_TEST(patterns) {
    static const char *const cases[][2] = {
        {"a|b(?:c)(?<!d)[^e-f]\\.", "a|b(?:c)(?<!d)[^e-f]\\."},
        {"\\p{L}\\p{^Lu}\\P{Han}", "\\p{L}\\P{Lu}\\P{sc:Han}"},
        {"(?i)x(?m:.)(?-i:y)", "(?i)x(?s:.)(?-i:y)"},
        {"\\h\\v[\\h]\\u00e9\\x41\\x{1f}", "[0-9A-Fa-f]\\x{b}[0-9A-Fa-f]\\x{00e9}\\x41\\x{1f}"},
        {"a{2}b{,3}c{1,}d++e*?", "a{2}b{0,3}c{1,}d++e*?"},
        {"[[:punct:]]", "[\\p{P}\\p{S}]"}};
    static const char *const refused[] = {
        "[a[b]]",  "[a&&b]",    "\\p{alpha}", "\\pL",  "\\R", "\\X",   "\\G",  "\\K",   "\\1",     "a(?i)b", "(?x: a)",
        "(?<n>a)", "(*ACCEPT)", "a{2}+",      "a{2}?", "a{",  "\\xe9", "[]a]", "[\\W]", "[[:x:]]", "(?~a)",  "\\u12"};
    char *out;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ck_assert_int_eq(ms_bpe_pattern(cases[i][0], &out), MS_OK);
        ck_assert_str_eq(out, cases[i][1]);
        free(out);
    }
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        ms_status status = ms_bpe_pattern(refused[i], &out);
        ck_assert_msg(status == MS_UNSUPPORTED && !out, "%s is not refused", refused[i]);
    }
}
END_TEST

/* Whole texts against Unicode's own examples; NULs and long ASCII are kept. */
START_TEST(normal_forms) {
    static const struct {
        ms_normal_form form;
        const char *text, *expected;
    } cases[] = {{MS_NFC, "cafe\xcc\x81!", "caf\xc3\xa9!"},
                 {MS_NFD, "caf\xc3\xa9!", "cafe\xcc\x81!"},
                 {MS_NFC, "\xef\xac\x81", "\xef\xac\x81"},
                 {MS_NFKC, "\xef\xac\x81", "fi"},
                 {MS_NFKD, "\xe2\x84\xab", "A\xcc\x8a"},
                 {MS_NFC, "=\xcc\xb8", "\xe2\x89\xa0"},
                 {MS_NFC, "a\xcc\x96\xcc\x80", "\xc3\xa0\xcc\x96"},
                 {MS_NFC, "\xe1\x84\x80\xe1\x85\xa1\xe1\x86\xa8", "\xea\xb0\x81"},
                 {MS_NFKC, "plain", "plain"}};
    ms_text out = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ck_assert_int_eq(ms_text_normalize(cases[i].form, cases[i].text, strlen(cases[i].text), &out), MS_OK);
        ck_assert_uint_eq(out.n, strlen(cases[i].expected));
        ck_assert_mem_eq(out.bytes, cases[i].expected, out.n);
    }
    ck_assert_int_eq(ms_text_normalize(MS_NFC, "a\0e\xcc\x81\0", 6, &out), MS_OK);
    ck_assert_uint_eq(out.n, 5);
    ck_assert_mem_eq(out.bytes, "a\0\xc3\xa9\0", 5);
    ms_text_finish(&out);
}
END_TEST

START_TEST(bad_training) {
    ms_bpe_trainer *trainer;
    ms_tokenizer *tokenizer;
    ck_assert_int_eq(ms_bpe_trainer_create(true, &trainer), MS_OK);
    ms_expect(ms_bpe_trainer_add(trainer, "ab\xfe", 3), MS_INVALID, "byte 2");
    ck_assert_int_eq(ms_bpe_trainer_add(trainer, "aaa aaa", 7), MS_OK);
    ms_expect(ms_bpe_trainer_train(trainer, 256, &tokenizer), MS_INVALID, "256 tokens");
    /* "aaa" and " aaa": (a,a) 4 times, then (aa,a) twice, and nothing else occurs twice. */
    ms_expect(ms_bpe_trainer_train(trainer, 300, &tokenizer), MS_INVALID, "vocabulary of 259 tokens, not 300");
    ms_bpe_trainer_destroy(trainer);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("tokenizer");
    TCase *all = tcase_create("all");
    tcase_set_timeout(all, 240);
    tcase_add_test(all, golden_digits);
    tcase_add_test(all, golden_gpt2);
    tcase_add_test(all, golden_pipelines);
    tcase_add_test(all, identity_of_pipelines);
    tcase_add_test(all, training_and_saving);
    tcase_add_test(all, special_tokens);
    tcase_add_test(all, long_piece);
    tcase_add_test(all, long_runs);
    tcase_add_test(all, a_pattern_without_end_is_ended);
    tcase_add_test(all, utf8);
    tcase_add_test(all, byte_alphabet);
    tcase_add_test(all, bad_text_and_ids);
    tcase_add_test(all, bad_files);
    tcase_add_test(all, patterns);
    tcase_add_test(all, normal_forms);
    tcase_add_test(all, bad_training);
    suite_add_tcase(suite, all);
    return ms_suite_run(suite);
}
