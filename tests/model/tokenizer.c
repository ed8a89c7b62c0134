/* The tokenizer against Hugging Face tokenizers (tests/golden/tokenizer), and what it does with bad input. */
#include "model/data/tokenizer.h"

#include <check.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "model/data/bpe_bytes.h"
#include "model/data/bpe_train.h"
#include "platform/file.h"
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
    data_check_error(ms_tokenizer_save(added, "/nonexistent/tokenizer.json"), MS_NOT_FOUND,
                     "/nonexistent/tokenizer.json");
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
    ck_assert_int_eq(ms_tokenizer_added_token(tokenizer, "<|note|>"), 400);
    ck_assert_int_eq(ms_tokenizer_added_token(tokenizer, "<|not|>"), -1);
    ms_tokens_finish(&parsed);
    ms_tokens_finish(&plain);
    ms_tokenizer_close(tokenizer);
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
    data_check_error(ms_tokenizer_encode(tokenizer, "abc\xff", 4, MS_SPECIAL_PARSE, &tokens), MS_INVALID, "byte 3");
    char *text;
    size_t size_bytes;
    int32_t ids[] = {5, 403};
    ck_assert_int_eq(ms_tokenizer_vocab_size(tokenizer), 403);
    data_check_error(ms_tokenizer_decode(tokenizer, ids, 2, false, &text, &size_bytes), MS_INVALID, "token id 403");
    ids[1] = -1;
    data_check_error(ms_tokenizer_decode(tokenizer, ids, 2, false, &text, &size_bytes), MS_INVALID, "token id -1");
    ms_tokens_finish(&tokens);
    ms_tokenizer_close(tokenizer);
    data_folder_create();
    tokenizer = open_tokenizer(data_write_text("ab.json", "{\"pre_tokenizer\":{\"type\":\"ByteLevel\"},\"model\":"
                                                          "{\"vocab\":{\"a\":0,\"b\":3},\"merges\":[]}}"));
    data_check_error(ms_tokenizer_encode(tokenizer, "ab c", 4, MS_SPECIAL_PARSE, &tokens), MS_INVALID, "byte 2");
    ids[0] = 2;
    data_check_error(ms_tokenizer_decode(tokenizer, ids, 1, false, &text, &size_bytes), MS_INVALID, "token id 2");
    ms_tokens_finish(&tokens);
    ms_tokenizer_close(tokenizer);
    data_folder_remove();
}
END_TEST

START_TEST(bad_files) {
#define BYTE_LEVEL "\"pre_tokenizer\":{\"type\":\"ByteLevel\"}"
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
        {"{" BYTE_LEVEL ",\"model\":{\"byte_fallback\":true}}", MS_UNSUPPORTED, "byte_fallback"},
        {"{" BYTE_LEVEL ",\"normalizer\":{\"type\":\"NFC\"}," MODEL("") "}", MS_UNSUPPORTED, "NFC"},
        {"{" BYTE_LEVEL ",\"post_processor\":{\"type\":\"TemplateProcessing\"}," MODEL("") "}", MS_UNSUPPORTED,
         "TemplateProcessing"},
        {"{\"pre_tokenizer\":null," MODEL("") "}", MS_UNSUPPORTED, "pre_tokenizer null"},
        {"{\"pre_tokenizer\":{\"type\":\"Metaspace\"}," MODEL("") "}", MS_UNSUPPORTED, "Metaspace"},
        {"{\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":true}," MODEL("") "}", MS_UNSUPPORTED,
         "add_prefix_space"},
        {"{\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"use_regex\":false}," MODEL("") "}", MS_UNSUPPORTED, "use_regex"},
        {"{\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\"},{\"type\":\"ByteLevel\"}]}"
         "," MODEL("") "}",
         MS_UNSUPPORTED, "Split"},
        {"{\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Digits\"},{\"type\":\"ByteLevel\"}]}"
         "," MODEL("") "}",
         MS_UNSUPPORTED, "individual_digits"},
        {"{" BYTE_LEVEL ",\"added_tokens\":[{\"id\":5,\"content\":\"<x>\",\"lstrip\":true}]," MODEL("") "}",
         MS_UNSUPPORTED, "lstrip"},
        {"{" BYTE_LEVEL ",\"added_tokens\":[{\"id\":5}]," MODEL("") "}", MS_CORRUPT, "added token 0"},
        {"{" BYTE_LEVEL ",\"added_tokens\":[{\"id\":1,\"content\":\"<x>\"}]," MODEL("") "}", MS_CORRUPT, "given twice"},
    };
    ms_tokenizer *tokenizer;
    data_folder_create();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *path = data_write_text("bad.json", cases[i].text);
        data_check_error(ms_tokenizer_open(path, &tokenizer), cases[i].status, cases[i].part);
        ck_assert_ptr_null(tokenizer);
        ck_assert_ptr_nonnull(strstr(ms_status_message(), "bad.json"));
    }
    data_check_error(ms_tokenizer_open(data_path("absent.json"), &tokenizer), MS_NOT_FOUND, "absent.json");
    data_folder_remove();
}
END_TEST

START_TEST(bad_training) {
    ms_bpe_trainer *trainer;
    ms_tokenizer *tokenizer;
    ck_assert_int_eq(ms_bpe_trainer_create(true, &trainer), MS_OK);
    data_check_error(ms_bpe_trainer_add(trainer, "ab\xfe", 3), MS_INVALID, "byte 2");
    ck_assert_int_eq(ms_bpe_trainer_add(trainer, "aaa aaa", 7), MS_OK);
    data_check_error(ms_bpe_trainer_train(trainer, 256, &tokenizer), MS_INVALID, "256 tokens");
    /* "aaa" and " aaa": (a,a) 4 times, then (aa,a) twice, and nothing else occurs twice. */
    data_check_error(ms_bpe_trainer_train(trainer, 300, &tokenizer), MS_INVALID, "vocabulary of 259 tokens, not 300");
    ms_bpe_trainer_destroy(trainer);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("tokenizer");
    TCase *all = tcase_create("all");
    tcase_set_timeout(all, 30);
    tcase_add_test(all, golden_digits);
    tcase_add_test(all, golden_gpt2);
    tcase_add_test(all, training_and_saving);
    tcase_add_test(all, special_tokens);
    tcase_add_test(all, long_piece);
    tcase_add_test(all, utf8);
    tcase_add_test(all, byte_alphabet);
    tcase_add_test(all, bad_text_and_ids);
    tcase_add_test(all, bad_files);
    tcase_add_test(all, bad_training);
    suite_add_tcase(suite, all);
    return ms_suite_run(suite);
}
