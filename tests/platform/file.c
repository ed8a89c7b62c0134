/* Files written whole or not at all, by one writer at a time. */
#include "platform/file.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/suite.h"

static char folder[] = "/tmp/muonscope-file-XXXXXX";
static char path[64], temporary[64];

static void create_folder(void) {
    ck_assert(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/a", folder);
    snprintf(temporary, sizeof temporary, "%s/a.tmp", folder);
}

static void remove_folder(void) { ms_must(ms_directory_remove(folder)); }

static void check_content(const char *expected) {
    char *data;
    size_t size;
    ms_must(ms_file_read(path, &data, &size));
    ck_assert_uint_eq(size, strlen(expected));
    ck_assert_str_eq(data, expected);
    free(data);
    ck_assert(!ms_file_exists(temporary));
}

START_TEST(appears_at_commit) {
    ms_must(ms_file_write(path, "before", 6));
    ms_writer writer;
    ms_must(ms_writer_open(path, &writer));
    ms_must(ms_writer_printf(&writer, "%s %d", "after", 7));
    ck_assert(ms_file_exists(temporary));
    ms_must(ms_writer_commit(&writer));
    check_content("after 7");
    ms_must(ms_writer_open(path, &writer));
    ms_must(ms_writer_write(&writer, "dropped", 7));
    ms_writer_abort(&writer);
    check_content("after 7");
}
END_TEST

START_TEST(one_writer_at_a_time) {
    ms_writer first, second;
    ms_must(ms_writer_open(path, &first));
    ms_must(ms_writer_write(&first, "first", 5));
    ck_assert_int_eq(ms_writer_open(path, &second), MS_IO);
    ck_assert_ptr_nonnull(strstr(ms_status_message(), path));
    ck_assert_ptr_nonnull(strstr(ms_status_message(), "another writer"));
    ms_must(ms_writer_commit(&first));
    check_content("first");
    ms_must(ms_file_write(path, "second", 6));
    check_content("second");
}
END_TEST

/* Shorter than what the killed process had written. */
START_TEST(a_killed_writer_is_in_nobodys_way) {
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        ms_writer writer;
        if (ms_writer_open(path, &writer) == MS_OK && ms_writer_write(&writer, "half of it", 10) == MS_OK)
            fflush(writer.stream);
        _exit(0);
    }
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    ck_assert(ms_file_exists(temporary));
    ms_must(ms_file_write(path, "whole", 5));
    check_content("whole");
}
END_TEST

/* Processes that write one file as fast as they can: each content is one of theirs, whole. */
START_TEST(many_writers_leave_one_whole_file) {
    enum { N_WRITERS = 3, N_TIMES = 50, SIZE = 20000 };
    static char content[SIZE];
    pid_t children[N_WRITERS];
    for (int i = 0; i < N_WRITERS; i++) {
        children[i] = fork();
        ck_assert_int_ge(children[i], 0);
        if (children[i] > 0) continue;
        memset(content, 'a' + i, sizeof content);
        for (int n_written = 0; n_written < N_TIMES;)
            n_written += ms_file_write(path, content, sizeof content - (size_t)i) == MS_OK;
        _exit(0);
    }
    for (int n_ended = 0; n_ended < N_WRITERS;) {
        int exit_status;
        if (waitpid(-1, &exit_status, WNOHANG) > 0) {
            ck_assert_int_eq(exit_status, 0);
            n_ended++;
        }
        char *data;
        size_t size;
        if (ms_file_read(path, &data, &size) != MS_OK) continue;
        ck_assert_int_ge(data[0], 'a');
        ck_assert_int_lt(data[0], 'a' + N_WRITERS);
        ck_assert_uint_eq(size, SIZE - (size_t)(data[0] - 'a'));
        for (size_t j = 0; j < size; j++) ck_assert_int_eq(data[j], data[0]);
        free(data);
    }
    ck_assert(ms_file_exists(path));
    ck_assert(!ms_file_exists(temporary));
}
END_TEST

int main(void) {
    Suite *suite = suite_create("platform/file");
    TCase *tcase = tcase_create("writer");
    tcase_add_checked_fixture(tcase, create_folder, remove_folder);
    tcase_add_test(tcase, appears_at_commit);
    tcase_add_test(tcase, one_writer_at_a_time);
    tcase_add_test(tcase, a_killed_writer_is_in_nobodys_way);
    tcase_add_test(tcase, many_writers_leave_one_whole_file);
    tcase_set_timeout(tcase, 120);
    suite_add_tcase(suite, tcase);
    return ms_suite_run(suite);
}
