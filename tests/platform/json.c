/* Texts that JSON cannot hold are errors that name them. */
#include "platform/json.h"

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

int main(void) {
    TCase *tests = tcase_create("json");
    tcase_add_test(tests, good_texts_are_held);
    tcase_add_test(tests, bad_texts_are_named);
    tcase_add_test(tests, values_become_text);
    Suite *suite = suite_create("platform/json");
    suite_add_tcase(suite, tests);
    return ms_suite_run(suite);
}
