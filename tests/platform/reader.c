/* Files read in pieces: sizes, files that shrink, more of them than the process may have open at first. */
#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "platform/directory.h"
#include "platform/file.h"
#include "platform/reader.h"
#include "platform/sha256.h"
#include "platform/signals.h"
#include "tests/support/suite.h"

static char folder[64], path[96];

static void make_folder(void) {
    snprintf(folder, sizeof folder, "/tmp/muonscope-reader-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/file", folder);
}

static void remove_folder(void) { ms_must(ms_directory_remove(folder)); }

START_TEST(pieces) {
    enum { SIZE = 3 << 20 };
    char *bytes = malloc(SIZE), piece[1000], whole[65], found[65];
    for (int i = 0; i < SIZE; i++) bytes[i] = (char)(i * 7 + i / 1000);
    ms_must(ms_file_write(path, bytes, SIZE));
    ms_reader reader;
    ms_must(ms_reader_open(path, &reader));
    ck_assert_int_eq(reader.size_bytes, SIZE);
    ms_must(ms_reader_read(&reader, 2000000, sizeof piece, piece));
    ck_assert_mem_eq(piece, bytes + 2000000, sizeof piece);
    ms_must(ms_reader_read(&reader, SIZE, 0, piece));
    ms_must(ms_sha256_bytes(bytes, SIZE, whole));
    ms_must(ms_reader_sha256(&reader, found));
    ck_assert_str_eq(found, whole);
    ms_must(ms_signals_catch());
    raise(SIGTERM);
    ck_assert_int_eq(ms_reader_sha256(&reader, found), MS_INTERRUPTED);
    ms_signals_release();
    ck_assert_int_eq(truncate(path, 2000500), 0);
    ck_assert_int_eq(ms_reader_read(&reader, 2000000, sizeof piece, piece), MS_CORRUPT);
    ck_assert_ptr_nonnull(strstr(ms_status_message(), "2001000 bytes are wanted, the file has 2000500"));
    ck_assert_int_eq(ms_reader_sha256(&reader, found), MS_CORRUPT);
    ms_reader_close(&reader);
    ms_reader_close(&reader);
    free(bytes);
}
END_TEST

START_TEST(more_files_than_the_first_limit) {
    enum { N = 100 };
    ms_reader readers[N];
    struct rlimit limit;
    ms_must(ms_file_write(path, "x", 1));
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    if (limit.rlim_max < 2 * N) return; /* nothing to be raised to */
    limit.rlim_cur = N / 2;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    for (int i = 0; i < N; i++) ms_must(ms_reader_open(path, &readers[i]));
    for (int i = 0; i < N; i++) ms_reader_close(&readers[i]);
}
END_TEST

START_TEST(refusals) {
    ms_reader reader;
    ck_assert_int_eq(ms_reader_open(path, &reader), MS_NOT_FOUND);
    struct rlimit before, after;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    before.rlim_cur = before.rlim_max / 2;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    ck_assert_int_eq(ms_reader_open(folder, &reader), MS_IO);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &after), 0);
    ck_assert_uint_eq(after.rlim_cur, before.rlim_cur); /* not for want of descriptors: the limit stays */
    ck_assert_ptr_null(reader.path);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("reader");
    TCase *tests = tcase_create("reader");
    tcase_add_checked_fixture(tests, make_folder, remove_folder);
    tcase_add_test(tests, pieces);
    tcase_add_test(tests, more_files_than_the_first_limit);
    tcase_add_test(tests, refusals);
    suite_add_tcase(suite, tests);
    return ms_suite_run(suite);
}
