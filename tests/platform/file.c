/* Files written whole or not at all, by one writer at a time; links, pipes and devices where files should be. */
#include "platform/directory.h"
#include "platform/file.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "platform/temporary.h"
#include "tests/support/suite.h"

static char folder[] = "/tmp/muonscope-file-XXXXXX";
static char path[64];

static void create_folder(void) {
    ck_assert(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/a", folder);
}

static void remove_folder(void) { ms_must(ms_directory_remove(folder)); }

/* Entries of the folder whose names end in ".tmp". */
static int count_temporaries(void) {
    ms_listing names;
    ms_must(ms_listing_read(folder, &names));
    int n = 0;
    for (size_t i = 0; i < names.n; i++) {
        size_t length = strlen(names.names[i]);
        n += length > 4 && strcmp(names.names[i] + length - 4, ".tmp") == 0;
    }
    ms_listing_finish(&names);
    return n;
}

static void check_content(const char *expected) {
    char *data;
    size_t size;
    ms_must(ms_file_read(path, &data, &size));
    ck_assert_uint_eq(size, strlen(expected));
    ck_assert_str_eq(data, expected);
    free(data);
    ck_assert_int_eq(count_temporaries(), 0);
}

START_TEST(appears_at_commit) {
    ms_must(ms_file_write(path, "before", 6));
    ms_writer writer;
    ms_must(ms_writer_open(path, &writer));
    ms_must(ms_writer_printf(&writer, "%s %d", "after", 7));
    ck_assert_int_eq(count_temporaries(), 1);
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
    ck_assert_int_eq(count_temporaries(), 1);
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
    ck_assert_int_eq(count_temporaries(), 0);
}
END_TEST

static const char *below(const char *name) {
    static char joined[2][128];
    static int i;
    i = !i;
    snprintf(joined[i], sizeof joined[i], "%s/%s", folder, name);
    return joined[i];
}

/* A writer goes through no link, whatever name it has: the target stays, and the link is replaced. */
START_TEST(links_lead_nobody_astray) {
    ms_must(ms_file_write(below("target"), "precious", 8));
    ck_assert_int_eq(symlink("target", below("a.tmp")), 0);
    ck_assert_int_eq(symlink("target", below("a")), 0);
    ms_must(ms_file_write(path, "new", 3));
    ck_assert_int_eq(unlink(below("a.tmp")), 0);
    check_content("new");
    ck_assert(!ms_is_link(path));
    FILE *stream;
    ck_assert_int_eq(symlink("target", below("log")), 0);
    ms_expect(ms_file_open_log(below("log"), true, &stream), MS_IO, "log: it is a symbolic link");
    ms_expect(ms_file_open_log(below("log"), false, &stream), MS_IO, "log: it is a symbolic link");
    char *data;
    size_t size;
    ms_must(ms_file_read(below("log"), &data, &size)); /* reading follows links */
    ck_assert_str_eq(data, "precious");
    free(data);
}
END_TEST

/* What takes a folder's name while something in it is being written is not touched. */
START_TEST(a_writer_stays_in_its_folder) {
    ms_writer writer;
    int opened;
    ms_must(ms_directory_create(below("folder")));
    ms_must(ms_directory_create(below("elsewhere")));
    ms_must(ms_writer_open(below("folder/file"), &writer));
    ms_must(ms_writer_write(&writer, "x", 1));
    ck_assert_int_eq(rename(below("folder"), below("moved")), 0);
    ck_assert_int_eq(symlink("elsewhere", below("folder")), 0);
    ms_must(ms_writer_commit(&writer));
    ck_assert(ms_file_exists(below("moved/file")) && !ms_file_exists(below("elsewhere/file")));
    ck_assert(ms_folder_has(below("moved"), "file") && !ms_folder_has(below("elsewhere"), "file"));
    ck_assert(!ms_folder_has(below("nobody"), "file") && !ms_folder_has(below("moved/file"), "file"));
    ms_writer_abort(&writer);
    ms_expect(ms_directory_open(below("folder"), &opened), MS_IO, "folder: a symbolic link is in the way");
    ck_assert_int_eq(opened, -1);
    ms_must(ms_directory_open(below("moved/"), &opened));
    ms_map map;
    ck_assert_int_eq(symlink("file", below("moved/link")), 0);
    ms_expect(ms_map_open_entry(opened, "link", "moved/link", &map), MS_IO, "moved/link: it is a symbolic link");
    ms_must(ms_map_open_entry(opened, "file", "moved/file", &map));
    ck_assert_uint_eq(map.size_bytes, 1);
    ms_map_close(&map);
    ck_assert_int_eq(ms_entry_kind_of(opened, "link"), MS_ENTRY_LINK);
    ck_assert_int_eq(ms_entry_kind_of(opened, "file"), MS_ENTRY_OTHER);
    ck_assert_int_eq(ms_entry_kind_of(opened, "."), MS_ENTRY_DIRECTORY);
    ck_assert_int_eq(ms_entry_kind_of(opened, "none"), MS_ENTRY_NONE);
    ms_descriptor_close(opened);
}
END_TEST

/* The name is another file's, or nobody's: what is written to the log is lost. */
START_TEST(a_log_without_its_name_is_found) {
    FILE *stream;
    ms_must(ms_file_open_log(below("log"), true, &stream));
    ms_must(ms_file_check_log(stream, below("log")));
    ck_assert_int_eq(rename(below("log"), below("old")), 0);
    ms_expect(ms_file_check_log(stream, below("log")), MS_IO, "log was removed, renamed or replaced");
    ck_assert_int_eq(symlink("old", below("log")), 0);
    ms_expect(ms_file_check_log(stream, below("log")), MS_IO, "log was removed, renamed or replaced");
    ck_assert_int_eq(unlink(below("log")), 0);
    ms_must(ms_file_write(below("log"), "x", 1));
    ms_expect(ms_file_check_log(stream, below("log")), MS_IO, "log was removed, renamed or replaced");
    fclose(stream);
}
END_TEST

/* A folder that cannot be read to its end. */
static bool reading_fails;
struct dirent *__real_readdir(DIR *directory);
struct dirent *__wrap_readdir(DIR *directory);
struct dirent *__wrap_readdir(DIR *directory) {
    if (!reading_fails) return __real_readdir(directory);
    errno = EIO;
    return NULL;
}

START_TEST(a_folder_that_cannot_be_read_is_not_empty) {
    ms_writer writer;
    ms_listing names;
    ms_must(ms_directory_create(below("full/of/folders")));
    reading_fails = true;
    ms_status listed = ms_listing_read(below("full"), &names), opened = ms_writer_open(below("file"), &writer);
    ms_expect(opened, MS_IO, "Input/output error");
    ms_expect(ms_directory_remove(below("full")), MS_IO, "cannot read directory");
    reading_fails = false;
    ck_assert_int_eq(listed, MS_IO);
    ms_must(ms_directory_remove(below("full")));
    ms_must(ms_writer_open(below("file"), &writer)); /* nothing stayed behind */
    ms_writer_abort(&writer);
}
END_TEST

/* The folder that could not be opened is named, where the descriptors end there. */
START_TEST(a_folder_without_a_descriptor_is_named) {
    enum { LIMIT = 64, NEEDED_BEFORE = 3 };
    const struct rlimit few = {LIMIT, LIMIT};
    char message[256];
    int taken[LIMIT], n = 0;
    ms_writer writer;
    snprintf(message, sizeof message, "cannot write %s: cannot open directory %s/: Too many open files", path, folder);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
    while ((taken[n] = dup(STDERR_FILENO)) >= 0) n++;
    for (int i = 0; i < NEEDED_BEFORE; i++) close(taken[--n]);
    ms_status status = ms_writer_open(path, &writer);
    while (n > 0) close(taken[--n]);
    ms_expect(status, MS_IO, message);
    ck_assert_int_eq(count_temporaries(), 0);
}
END_TEST

START_TEST(temporary_names_cannot_be_foreseen) {
    ms_writer writer;
    char *names[2];
    for (int i = 0; i < 2; i++) {
        ms_must(ms_writer_open(path, &writer));
        names[i] = strdup(writer.temporary);
        ck_assert(ms_temporary_is_of(names[i], "a"));
        ms_writer_abort(&writer);
    }
    ck_assert_str_ne(names[0], names[1]);
    static const char *const others[] = {"a.tmp",
                                         "a.0123456789abcdef",
                                         "a.0123456789abcde.tmp",
                                         "a.0123456789abcdef.tmpx",
                                         "b.0123456789abcdef.tmp",
                                         "a.b.0123456789abcdef.tmp"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) ck_assert(!ms_temporary_is_of(others[i], "a"));
    free(names[0]);
    free(names[1]);
}
END_TEST

/* None of these waits for another process: the test would run into its time limit. */
START_TEST(only_regular_files_are_read_and_written) {
    char *data;
    size_t size;
    ms_map map;
    FILE *stream;
    ck_assert_int_eq(mkfifo(below("pipe"), 0600), 0);
    ms_expect(ms_file_read(below("pipe"), &data, &size), MS_IO, "pipe: it is a pipe, not a regular file");
    ms_expect(ms_map_open(below("pipe"), &map), MS_IO, "it is a pipe");
    ms_expect(ms_file_open_log(below("pipe"), true, &stream), MS_IO, "not a regular file");
    ms_expect(ms_file_write(below("pipe"), "x", 1), MS_IO, "it is a pipe");
    ms_expect(ms_file_read("/dev/zero", &data, &size), MS_IO, "/dev/zero: it is a device");
    ms_expect(ms_file_write("/dev/null", "x", 1), MS_IO, "/dev/null: it is a device");
    ms_expect(ms_file_read(folder, &data, &size), MS_IO, "it is a directory");
    static const char *const targets[][2] = {{"/dev/null", "it is a link to a device"},
                                             {"pipe", "it is a link to a pipe"},
                                             {".", "it is a link to a directory"},
                                             {"regular", "it is a link to a descriptor"},
                                             {"first", "it is a link to a descriptor"}};
    int descriptor = open(below("content"), O_RDWR | O_CREAT, 0600); /* a regular file: as for `>content` */
    char name[32];
    snprintf(name, sizeof name, "/proc/self/fd/%d", descriptor);
    ck_assert_int_eq(symlink(name, below("regular")), 0);
    ck_assert_int_eq(symlink("regular", below("first")), 0);
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        ck_assert_int_eq(symlink(targets[i][0], below("link")), 0);
        ms_expect(ms_file_write(below("link"), "x", 1), MS_IO, targets[i][1]);
        ck_assert(ms_is_link(below("link")));
        ck_assert_int_eq(unlink(below("link")), 0);
    }
    snprintf(name, sizeof name, "/dev/fd/%d", descriptor);
    ms_expect(ms_file_write(name, "x", 1), MS_IO, "it is a link to a descriptor");
    ck_assert_int_eq(close(descriptor), 0);
    ck_assert_int_eq(count_temporaries(), 0);
    ms_expect(ms_file_read(below("none"), &data, &size), MS_NOT_FOUND, "none");
}
END_TEST

START_TEST(no_path_is_refused) {
    static const char part[] = "the path is NULL, must name a file or a folder";
    char *data, *name;
    size_t size;
    int descriptor;
    ms_map map;
    FILE *stream;
    ms_writer writer;
    ms_listing names;
    ms_directory_locked locked;
    ms_expect(ms_file_open(NULL, &descriptor), MS_INVALID, part);
    ck_assert_int_eq(descriptor, -1);
    ms_expect(ms_map_open(NULL, &map), MS_INVALID, part);
    ms_expect(ms_file_read(NULL, &data, &size), MS_INVALID, part);
    ck_assert_ptr_null(data);
    ms_expect(ms_file_open_log(NULL, true, &stream), MS_INVALID, part);
    ms_expect(ms_writer_open(NULL, &writer), MS_INVALID, part);
    ms_expect(ms_file_write(NULL, "x", 1), MS_INVALID, part);
    ms_expect(ms_path_open_parent(NULL, &descriptor, &name), MS_INVALID, part);
    ms_expect(ms_listing_read(NULL, &names), MS_INVALID, part);
    ms_expect(ms_directory_create(NULL), MS_INVALID, part);
    ms_expect(ms_directory_require(NULL), MS_INVALID, part);
    ms_expect(ms_directory_remove(NULL), MS_INVALID, part);
    ms_expect(ms_directory_lock(NULL, &locked), MS_INVALID, part);
}
END_TEST

START_TEST(removal_never_leaves_its_folder) {
    ms_must(ms_directory_create(below("elsewhere/deep")));
    ms_must(ms_file_write(below("elsewhere/deep/precious"), "x", 1));
    ms_must(ms_directory_create(below("tree/one/two")));
    ms_must(ms_file_write(below("tree/one/two/file"), "x", 1));
    ck_assert_int_eq(symlink("../../elsewhere", below("tree/one/link")), 0);
    ck_assert_int_eq(symlink("../elsewhere/deep/precious", below("tree/file_link")), 0);
    ms_must(ms_directory_remove(below("tree")));
    ck_assert(!ms_is_directory(below("tree")));
    ck_assert_int_eq(symlink("elsewhere", below("tree")), 0); /* in place of the folder itself */
    ms_must(ms_directory_remove(below("tree")));
    ck_assert(!ms_is_link(below("tree")));
    ck_assert(ms_file_exists(below("elsewhere/deep/precious")));
    ms_must(ms_directory_remove(below("none")));
    ms_expect(ms_directory_remove(below("elsewhere/deep/precious")), MS_IO, "it is a file");
    ck_assert_int_eq(symlink("elsewhere", below("tree")), 0);
    ms_expect(ms_directory_require(below("tree")), MS_IO, "tree: a symbolic link is in the way");
    ms_must(ms_directory_require(below("elsewhere")));
}
END_TEST

/* A temporary folder is one writer's while it lives, and the next one's to remove when its writer is gone. */
START_TEST(folders_of_killed_writers_go) {
    int first, second;
    char *first_path, *second_path;
    ms_must(ms_temporary_directory(below("set/"), &first, &first_path));
    char inside[160];
    snprintf(inside, sizeof inside, "%s/shard", first_path);
    ms_must(ms_file_write(inside, "x", 1));
    ms_expect(ms_temporary_directory(below("set"), &second, &second_path), MS_IO, "another writer is at work on it");
    ck_assert_ptr_null(second_path);
    ck_assert_int_eq(count_temporaries(), 1);
    ms_descriptor_close(first); /* as the end of a process does */
    ms_must(ms_temporary_directory(below("set"), &second, &second_path));
    ck_assert_int_eq(count_temporaries(), 1);
    ck_assert(!ms_is_directory(first_path) && ms_is_directory(second_path));
    ms_descriptor_close(second);
    free(first_path);
    free(second_path);
}
END_TEST

/* An output folder comes with the folders above it, as a run's does; a file does not. */
START_TEST(folders_above_a_temporary_folder_are_made) {
    int descriptor;
    char *made;
    ms_must(ms_temporary_directory(below("above/over/set/"), &descriptor, &made));
    ck_assert(ms_is_directory(made) && ms_is_directory(below("above/over")));
    ms_descriptor_close(descriptor);
    free(made);
    ms_writer writer;
    ms_expect(ms_writer_open(below("absent/file"), &writer), MS_NOT_FOUND, "absent");
}
END_TEST

START_TEST(endings) {
    ck_assert(ms_name_ends_with("a.json", ".json"));
    ck_assert(ms_name_ends_with("folder/a.json.json", ".json"));
    ck_assert(!ms_name_ends_with(".json", ".json")); /* nothing before it */
    ck_assert(!ms_name_ends_with("json", ".json"));
    ck_assert(!ms_name_ends_with("a.json.gz", ".json"));
    ck_assert(!ms_name_ends_with("", ".json"));
}
END_TEST

START_TEST(a_lock_can_be_seen) {
    ms_directory_locked locked;
    char *name = ms_path_join(folder, "locked");
    ck_assert(!ms_directory_is_locked(name) && !ms_directory_is_locked(NULL));
    ms_must(ms_directory_create(name));
    ck_assert(!ms_directory_is_locked(name));
    ms_must(ms_directory_lock(name, &locked));
    ck_assert(ms_directory_is_locked(name));
    ms_directory_unlock(&locked);
    ck_assert(!ms_directory_is_locked(name));
    ms_must(ms_directory_lock(name, &locked)); /* who looked does not hold it */
    ms_directory_unlock(&locked);
    free(name);
}
END_TEST

START_TEST(a_stamp_tells_of_every_write) {
    char *name = ms_path_join(folder, "stamped");
    ck_assert(ms_file_stamp(name) == 0 && ms_file_stamp(NULL) == 0);
    ms_must(ms_file_write(name, "a", 1));
    uint64_t first = ms_file_stamp(name);
    ck_assert(first != 0 && ms_file_stamp(name) == first);
    ms_must(ms_file_write(name, "ab", 2));
    uint64_t second = ms_file_stamp(name);
    ck_assert(second != 0 && second != first);
    free(name);
}
END_TEST

START_TEST(plain_names) {
    static const char *const plain[] = {"a", "..a", "a..", "data_train_000000.bin"};
    static const char *const others[] = {"", ".", "..", "/", "a/b", "/a", "../a", "a/"};
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) ck_assert(ms_is_plain_name(plain[i]));
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) ck_assert(!ms_is_plain_name(others[i]));
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
    tcase = tcase_create("hostile");
    tcase_add_checked_fixture(tcase, create_folder, remove_folder);
    tcase_add_test(tcase, links_lead_nobody_astray);
    tcase_add_test(tcase, a_folder_that_cannot_be_read_is_not_empty);
    tcase_add_test(tcase, a_folder_without_a_descriptor_is_named);
    tcase_add_test(tcase, temporary_names_cannot_be_foreseen);
    tcase_add_test(tcase, a_writer_stays_in_its_folder);
    tcase_add_test(tcase, a_log_without_its_name_is_found);
    tcase_add_test(tcase, only_regular_files_are_read_and_written);
    tcase_add_test(tcase, no_path_is_refused);
    tcase_add_test(tcase, removal_never_leaves_its_folder);
    tcase_add_test(tcase, folders_of_killed_writers_go);
    tcase_add_test(tcase, folders_above_a_temporary_folder_are_made);
    tcase_add_test(tcase, a_lock_can_be_seen);
    tcase_add_test(tcase, a_stamp_tells_of_every_write);
    tcase_add_test(tcase, plain_names);
    tcase_add_test(tcase, endings);
    tcase_set_timeout(tcase, 240);
    suite_add_tcase(suite, tcase);
    return ms_suite_run(suite);
}
