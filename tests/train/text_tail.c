/* What is shown of a text that comes in pieces: the same whatever the pieces, no stop string, no half character. */
#include "train/text_tail.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#include "platform/utf8.h"
#include "tests/support/suite.h"

enum { MOST_STOPS = 3 };

typedef struct example {
    const char *text;
    const char *stops[MOST_STOPS]; /* those after the last are NULL */
    const char *expected;
    int i_stop; /* of the one that ends it; -1: none */
} example;

static const example examples[] = {
    {"one two three", {NULL}, "one two three", -1},
    {"one two three", {"two"}, "one ", 0},
    {"one two three", {"three!"}, "one two three", -1}, /* a beginning at the end is text after all */
    {"one two three", {"three"}, "one two ", 0},
    {"one", {"one"}, "", 0},
    {"aaab", {"aab"}, "a", 0}, /* the search goes back */
    {"abababc", {"ababc"}, "ab", 0},
    {"xabcdy", {"abcd", "bc"}, "xa", 1},     /* the one that is complete first */
    {"xabcdy", {"cd", "abcd", "d"}, "x", 1}, /* of those that are complete at once the longest */
    {"one\n\ntwo", {"\n\n", "two"}, "one", 0},
    {"na\xc3\xafve caf\xc3\xa9s", {"ve"}, "na\xc3\xaf", 0},
    {"\xe2\x82\xac"
     "5, \xf0\x9f\x8e\xb2!",
     {"\xf0\x9f\x8e\xb2"},
     "\xe2\x82\xac"
     "5, ",
     0},
    {"\xe2\x82\xac"
     "5, \xf0\x9f\x8e\xb2!",
     {"\xf0\x9f\x8e\xb3"},
     "\xe2\x82\xac"
     "5, \xf0\x9f\x8e\xb2!",
     -1},
};

static ms_text_tail begin(const example *one) {
    ms_text_tail tail = {.stops = one->stops};
    while (tail.n_stops < MOST_STOPS && one->stops[tail.n_stops]) tail.n_stops++;
    return tail;
}

/* Bit i of `cuts`: a piece ends after byte i. */
static void check_pieces(const example *one, unsigned cuts) {
    ms_text_tail tail = begin(one);
    size_t n = strlen(one->text), from = 0, shown = 0;
    for (size_t i = 0; i < n; i++) {
        if (!(cuts >> i & 1) && i + 1 < n) continue;
        ms_must(ms_text_tail_add(&tail, one->text + from, i + 1 - from));
        from = i + 1;
        ck_assert(tail.n_ready >= shown && tail.n_ready <= strlen(one->expected));
        shown = tail.n_ready;
        ck_assert_mem_eq(tail.text.bytes, one->expected, shown);
        ck_assert_uint_eq(ms_utf8_check(one->expected, shown), shown);
    }
    ms_text_tail_end(&tail);
    ck_assert_uint_eq(tail.n_ready, strlen(one->expected));
    ck_assert_mem_eq(tail.text.bytes, one->expected, tail.n_ready);
    ck_assert_ptr_eq(tail.stop, one->i_stop < 0 ? NULL : one->stops[one->i_stop]);
    ms_text_tail_finish(&tail);
}

START_TEST(test_any_pieces) {
    const example *one = &examples[_i];
    for (unsigned cuts = 0; cuts < 1u << (strlen(one->text) - 1); cuts++) check_pieces(one, cuts);
}
END_TEST

/* What cannot belong to what may follow is shown at once. */
START_TEST(test_nothing_waits_without_need) {
    static const struct {
        const char *text;
        size_t n_ready;
    } rows[] = {{"one", 3},
                {"on<", 2},
                {"on<e", 2},
                {"on<x", 4},
                {"caf\xc3", 3},
                {"caf\xc3\xa9", 5},
                {"\xe2\x82", 0},
                {"a\xf0\x9f\x8e", 1},
                {"a\x80", 2},
                {"a\xff", 2},
                {"\xc3"
                 "a",
                 2},
                {"\x80\x80\x80\x80", 4},
                {"", 0}};
    static const example stops = {.stops = {"<end>"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ms_text_tail tail = begin(&stops);
        ms_must(ms_text_tail_add(&tail, rows[i].text, strlen(rows[i].text)));
        ck_assert_msg(tail.n_ready == rows[i].n_ready, "row %zu: %zu bytes are ready", i, tail.n_ready);
        ms_text_tail_end(&tail);
        ck_assert_uint_eq(tail.n_ready, strlen(rows[i].text));
        ms_text_tail_finish(&tail);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("train/text_tail");
    TCase *tcase = tcase_create("text_tail");
    tcase_add_loop_test(tcase, test_any_pieces, 0, sizeof examples / sizeof *examples);
    tcase_add_test(tcase, test_nothing_waits_without_need);
    suite_add_tcase(suite, tcase);
    return ms_suite_run(suite);
}
