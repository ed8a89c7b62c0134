/* Texts that JSON cannot hold are errors that name them. */
#include "platform/json.h"
#include "platform/json_lines.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/suite.h"

static void expect(ms_status got, ms_status status, const char *message) {
    ck_assert_msg(got == status, "status %s (%s)", ms_status_text(got), ms_status_message());
    ck_assert_str_eq(ms_status_message(), message);
}

START_TEST(good_texts_are_held) {
    json_t *object, *list = json_array();
    ms_must(ms_json_append(list, "it", json_integer(7)));
    ms_must(ms_json_pack(&object, "it", "{s:s, s:i, s:I, s:f, s:b, s:n, s:o, s:[s]}", "a", "caf\xc3\xa9", "b", 1, "c",
                         (json_int_t)2, "d", 0.5, "e", 1, "f", "g", list, "h", "x"));
    ms_must(ms_json_set_text(object, "it", "i", ""));
    ms_must(ms_json_set(object, "it", "j", json_true()));
    ck_assert_uint_eq(json_object_size(object), 10);
    ck_assert_str_eq(json_string_value(json_object_get(object, "a")), "caf\xc3\xa9");
    json_decref(object);
}
END_TEST

START_TEST(bad_texts_are_named) {
    json_t *object;
    expect(ms_json_check_text("the name", "a\xff"), MS_INVALID,
           "the name \"a\\xFF\" is not UTF-8: JSON cannot hold it");
    expect(ms_json_check_text("the name", NULL), MS_INVALID, "the name is NULL, must be a text");
    expect(ms_json_pack(&object, "it", "{s:i, s:I, s:f, s:b, s:n, s:o, s:s, s:s}", "a", 1, "b", (json_int_t)2, "c", 0.5,
                        "d", 1, "e", "f", json_array(), "good", "x", "path", "s\xe9.txt"),
           MS_INVALID, "it: path \"s\\xE9.txt\" is not UTF-8: JSON cannot hold it");
    ck_assert_ptr_null(object);
    expect(ms_json_pack(&object, "it", "{s:s}", "path", (char *)NULL), MS_INVALID, "it: path is NULL, must be a text");
    expect(ms_json_pack(&object, "it", "{s:o}", "list", (json_t *)NULL), MS_OUT_OF_MEMORY,
           "it: no memory for its JSON");
    ck_assert_int_eq(ms_json_pack(&object, "it", "{s:f}", "x", (double)INFINITY), MS_INVALID);
    object = json_object();
    expect(ms_json_set_text(object, "it", "key", "\x80"), MS_INVALID,
           "it: key \"\\x80\" is not UTF-8: JSON cannot hold it");
    expect(ms_json_set(object, "it", "\xc3", json_true()), MS_INVALID,
           "it: the key \"\\xC3\" is not UTF-8: JSON cannot hold it");
    expect(ms_json_set(object, "it", "key", NULL), MS_OUT_OF_MEMORY, "it: no memory for its JSON");
    ck_assert_uint_eq(json_object_size(object), 0);
    json_decref(object);
}
END_TEST

START_TEST(values_become_text) {
    json_t *object;
    ms_must(ms_json_pack(&object, "it", "{s:i, s:f}", "a", 1, "b", 0.1));
    char *text = NULL;
    ms_must(ms_json_text(object, "it", JSON_COMPACT | JSON_REAL_PRECISION(5), &text));
    ck_assert_str_eq(text, "{\"a\":1,\"b\":0.1}");
    free(text);
    expect(ms_json_text(NULL, "it", 0, &text), MS_OUT_OF_MEMORY, "it: no memory for its JSON");
    ck_assert_ptr_null(text);
    ck_assert_int_eq(ms_json_write(object, "it", 0, "/nowhere/it.json"), MS_NOT_FOUND);
    json_decref(object);
}
END_TEST

/* Whatever stands in a line, the next one is read; a line without its end is none. */
START_TEST(lines_are_read_one_by_one) {
    static const char text[] = "{\"a\":1}\n\n{\"a\":\nnull\n{\"a\":2} x\n{\"a\":3}\n{\"a\":4}";
    ms_json_lines lines = {.data = text, .size_bytes = sizeof text - 1};
    static const bool is_json[] = {true, false, false, false, false, true};
    for (size_t i = 0; i < sizeof is_json; i++) {
        ck_assert(ms_json_lines_next(&lines) && lines.number == (long long)i + 1);
        ck_assert_int_eq(lines.value != NULL, is_json[i]);
        ck_assert(lines.value || *lines.error.text);
        ck_assert_int_eq(lines.text[lines.text_bytes - 1], '\n');
    }
    ck_assert_int_eq(json_integer_value(json_object_get(lines.value, "a")), 3);
    ck_assert(!ms_json_lines_next(&lines) && lines.is_partial && !lines.value);
    lines = (ms_json_lines){.data = text, .size_bytes = 8};
    ck_assert(ms_json_lines_next(&lines) && lines.text_bytes == 8);
    ms_json_lines_finish(&lines);
    ck_assert(!ms_json_lines_next(&lines) && !lines.is_partial);
    lines = (ms_json_lines){.data = NULL};
    ck_assert(!ms_json_lines_next(&lines) && !lines.is_partial);
}
END_TEST

int main(void) {
    TCase *tests = tcase_create("json");
    tcase_add_test(tests, good_texts_are_held);
    tcase_add_test(tests, bad_texts_are_named);
    tcase_add_test(tests, values_become_text);
    tcase_add_test(tests, lines_are_read_one_by_one);
    Suite *suite = suite_create("platform/json");
    suite_add_tcase(suite, tests);
    return ms_suite_run(suite);
}
