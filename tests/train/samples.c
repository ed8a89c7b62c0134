/* samples.txt: texts by step, whatever is in them; what is after a step goes. */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "platform/directory.h"
#include "platform/file.h"
#include "tests/support/suite.h"
#include "train/samples.h"

static char base[64], path[128];
static const ms_sampling sampling = {.temperature = 0.8, .top_k = 50, .seed = 42};

static void make_base(void) {
    snprintf(base, sizeof base, "/tmp/ms_samples_XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(base));
    snprintf(path, sizeof path, "%s/samples.txt", base);
}

static void remove_base(void) { ms_directory_remove(base); }

/* Returns how many bytes were no sample. */
static int64_t add(int64_t step, const char *text) {
    int64_t n_foreign;
    ms_must(ms_samples_add(path, step, &sampling, text, strlen(text), &n_foreign));
    return n_foreign;
}

static void expect_file(const char *expected) {
    char *text;
    size_t size;
    ms_must(ms_file_read(path, &text, &size));
    ck_assert_str_eq(text, expected);
    free(text);
}

static int64_t cut(int64_t step) {
    int64_t n_foreign;
    ms_must(ms_samples_cut(path, step, &n_foreign));
    return n_foreign;
}

/* The second text holds what looks like a sample. */
#define FIRST "-- step 4, 2 bytes: temperature 0.8, top_k 50, seed 42\na\n\n\n"
#define SECOND                                                                                                         \
    "-- step 8, 39 bytes: temperature 0.8, top_k 50, seed 42\n\n\n-- step 1, 1 bytes: temperature 0\nx\n\n\n\n"

START_TEST(texts_are_kept_by_step) {
    ck_assert_int_eq(cut(0), 0); /* there is no file */
    add(4, "a\n");
    add(8, "\n\n-- step 1, 1 bytes: temperature 0\nx\n\n");
    expect_file(FIRST SECOND);
    ck_assert_int_eq(cut(8), 0);
    expect_file(FIRST SECOND);
    add(8, "b"); /* drawn again */
    expect_file(FIRST "-- step 8, 1 bytes: temperature 0.8, top_k 50, seed 42\nb\n\n");
    add(8, "\n\n-- step 1, 1 bytes: temperature 0\nx\n\n");
    ck_assert_int_eq(cut(7), 0);
    expect_file(FIRST);
    ck_assert_int_eq(cut(3), 0);
    ck_assert(!ms_file_exists(path));
}
END_TEST

static ino_t file_of_path(void) {
    struct stat file;
    ck_assert_int_eq(stat(path, &file), 0);
    return file.st_ino;
}

/* A resumption that drops nothing leaves the file alone: a rewritten one is another file. */
START_TEST(nothing_to_cut_writes_nothing) {
    add(4, "a\n");
    add(8, "b");
    ino_t before = file_of_path();
    ck_assert_int_eq(cut(8), 0);
    ck_assert_uint_eq(file_of_path(), before);
    ck_assert_int_eq(cut(7), 0);
    ck_assert_uint_ne(file_of_path(), before);
}
END_TEST

START_TEST(what_is_no_sample_goes) {
    static const char *const foreign[] = {"note\n", "-- step 9, 5 bytes: cut", "-- step 9, 5 bytes: x\nab\n\n",
                                          "-- step -1, 1 bytes: x\na\n\n",
                                          "-- step 9, 99999999999999999 bytes: x\na\n\n"};
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++) {
        char text[512];
        size_t size = (size_t)snprintf(text, sizeof text, "%s%s", FIRST, foreign[i]);
        ms_must(ms_file_write(path, text, size));
        ck_assert_int_eq(cut(100), (int64_t)strlen(foreign[i]));
        expect_file(FIRST);
        ms_must(ms_file_write(path, text, size));
        ck_assert_int_eq(add(8, "b"), (int64_t)strlen(foreign[i]));
        ck_assert_int_eq(add(4, "a\n"), 0);
        expect_file(FIRST);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("samples");
    TCase *tests = tcase_create("samples");
    tcase_add_checked_fixture(tests, make_base, remove_base);
    tcase_add_test(tests, texts_are_kept_by_step);
    tcase_add_test(tests, nothing_to_cut_writes_nothing);
    tcase_add_test(tests, what_is_no_sample_goes);
    suite_add_tcase(suite, tests);
    return ms_suite_run(suite);
}
