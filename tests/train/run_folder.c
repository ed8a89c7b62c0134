/* Run folders: made complete, never over another run, one writer at a time. */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "platform/directory.h"
#include "platform/file.h"
#include "tests/support/suite.h"
#include "train/run_folder.h"

static char base[64];
static const char config_text[] = "train:\n  seed: 77\n";

static void make_base(void) {
    snprintf(base, sizeof base, "/tmp/ms_run_XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(base));
}

static void remove_base(void) { ms_directory_remove(base); }

static const char *below(const char *name) {
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", base, name);
    return path;
}

START_TEST(a_run_is_made_and_resumed) {
    ms_run_folder folder;
    ck_assert_msg(ms_run_folder_create(below("a/b"), config_text, &folder) == MS_OK, "%s", ms_status_message());
    ck_assert(ms_is_directory(folder.checkpoints) && ms_is_directory(folder.plots) && ms_file_exists(folder.config));
    ck_assert(!ms_file_exists(folder.metrics) && !ms_file_exists(folder.spectra) && !ms_file_exists(folder.log));
    ms_run_folder_close(&folder);
    ms_run_folder_close(&folder);

    ms_expect(ms_run_folder_create(below("a/b"), config_text, &folder), MS_INVALID, "exists and holds 3 entries");
    ms_expect(ms_run_folder_check_new(below("a/b")), MS_INVALID, "exists and holds 3 entries");
    ck_assert_int_eq(ms_run_folder_check_new(below("a/c")), MS_OK);
    ck_assert_msg(ms_run_folder_resume(below("a/b"), &folder) == MS_OK, "%s", ms_status_message());
    char *saved;
    size_t size;
    ck_assert_int_eq(ms_file_read(folder.config, &saved, &size), MS_OK);
    ck_assert_uint_eq(size, strlen(config_text));
    ck_assert_mem_eq(saved, config_text, size);
    free(saved);
    ms_run_folder_close(&folder);
    ck_assert_int_eq(ms_run_folder_open(below("a/b"), &folder), MS_OK);
    ms_run_folder_close(&folder);
}
END_TEST

/* What was there before a run could not be started is there afterwards, and nothing else. */
START_TEST(a_start_that_fails_leaves_nothing) {
    ms_run_folder folder;
    static const char *const names[] = {"a", "a/b/c", "there/b//c/"};
    ms_must(ms_directory_create(below("there")));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        ms_must(ms_run_folder_create(below(names[i]), config_text, &folder));
        ms_must(ms_file_write(folder.metrics, "x", 1));
        ms_expect(ms_run_folder_discard(MS_FAIL(MS_NUMERIC, "loss %d", 7), &folder), MS_NUMERIC, "loss 7");
        ms_run_folder_close(&folder);
        ck_assert(!ms_is_directory(below("a")) && !ms_is_directory(below("there/b")) &&
                  ms_is_directory(below("there")));
    }
    ms_must(ms_run_folder_create(below("there"), config_text, &folder)); /* an empty folder is not ours to remove */
    ms_expect(ms_run_folder_discard(MS_FAIL(MS_IO, "x"), &folder), MS_IO, "x");
    ms_run_folder_close(&folder);
    ck_assert(ms_is_directory(below("there")) && !ms_is_directory(below("there/checkpoints")));
    ms_must(ms_run_folder_create(below("a/b"), config_text, &folder));
    ms_must(ms_file_write(below("a/notes"), "x", 1)); /* somebody else's */
    ms_must(ms_file_write(below("a/b/notes"), "x", 1));
    ms_expect(ms_run_folder_discard(MS_FAIL(MS_IO, "x"), &folder), MS_IO, "x");
    ms_run_folder_close(&folder);
    ck_assert(ms_file_exists(below("a/notes")) && ms_file_exists(below("a/b/notes")));
    ck_assert(!ms_file_exists(below("a/b/config.yaml")));
}
END_TEST

START_TEST(an_empty_folder_may_be_used) {
    ms_run_folder folder;
    ck_assert_int_eq(ms_directory_create(below("empty")), MS_OK);
    ck_assert_msg(ms_run_folder_create(below("empty"), config_text, &folder) == MS_OK, "%s", ms_status_message());
    ms_run_folder_close(&folder);
}
END_TEST

/* A creation that was killed leaves a folder that can be used again, as long as nothing was put into it. */
START_TEST(what_a_killed_creation_leaves_is_no_run) {
    static const char *const left[] = {"killed/lock", "killed/config.yaml.0123456789abcdef.tmp",
                                       "killed/config.yaml.tmp"};
    ms_run_folder folder;
    ck_assert_int_eq(ms_directory_create(below("killed/checkpoints")), MS_OK);
    ck_assert_int_eq(ms_directory_create(below("killed/plots")), MS_OK);
    for (size_t i = 0; i < sizeof left / sizeof *left; i++)
        ck_assert_int_eq(ms_file_write(below(left[i]), "", 0), MS_OK);
    ck_assert_int_eq(ms_run_folder_check_new(below("killed")), MS_OK);
    ms_expect(ms_run_folder_resume(below("killed"), &folder), MS_NOT_FOUND, "--run begins a run in it");
    static const char *const wanted[] = {"killed/checkpoints/x", "killed/plots/x", "killed/config.yaml",
                                         "killed/notes"};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        ck_assert_int_eq(ms_file_write(below(wanted[i]), "", 0), MS_OK);
        ms_expect(ms_run_folder_check_new(below("killed")), MS_INVALID, "exists and holds");
        ck_assert_int_eq(unlink(below(wanted[i])), 0);
    }
    ck_assert_msg(ms_run_folder_create(below("killed"), config_text, &folder) == MS_OK, "%s", ms_status_message());
    ms_run_folder_close(&folder);
}
END_TEST

START_TEST(what_is_no_run_is_refused) {
    ms_run_folder folder;
    ms_expect(ms_run_folder_resume(below("none"), &folder), MS_NOT_FOUND, "no run folder");
    ms_expect(ms_run_folder_open(below("none"), &folder), MS_NOT_FOUND, "no run folder");
    ck_assert_int_eq(ms_directory_create(below("other")), MS_OK);
    ms_expect(ms_run_folder_open(below("other"), &folder), MS_NOT_FOUND, "has no config.yaml");
    ms_expect(ms_run_folder_create("", config_text, &folder), MS_INVALID, "name is empty");
    ms_expect(ms_run_folder_check_new(""), MS_INVALID, "name is empty");
    ck_assert_int_eq(ms_file_write(below("file"), "x", 1), MS_OK);
    ms_expect(ms_run_folder_create(below("file"), config_text, &folder), MS_IO, "a file is in the way");
}
END_TEST

START_TEST(one_process_writes_a_run) {
    ms_run_folder folder, second;
    ck_assert_int_eq(ms_run_folder_create(below("run"), config_text, &folder), MS_OK);
    ms_expect(ms_run_folder_resume(below("run"), &second), MS_IO, "is being written by another process");
    pid_t child = fork();
    if (child == 0) {
        /* The child's own copy of the descriptor would keep the lock's owner alive, so it asks through a new open. */
        _exit(ms_run_folder_resume(below("run"), &second) == MS_IO ? 0 : 1);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    ms_run_folder_close(&folder);
    ck_assert_msg(ms_run_folder_resume(below("run"), &second) == MS_OK, "%s", ms_status_message());
    ms_run_folder_close(&second);
}
END_TEST

START_TEST(an_unwritable_place_is_named) {
    ms_run_folder folder;
    /* /proc refuses new folders even to the superuser. */
    ms_expect(ms_run_folder_create("/proc/muonscope/run", config_text, &folder), MS_NOT_FOUND, "/proc/muonscope");
    if (geteuid() == 0) return; /* the superuser may write anywhere else */
    ck_assert_int_eq(mkdir(below("closed"), 0555), 0);
    ms_expect(ms_run_folder_create(below("closed"), config_text, &folder), MS_IO, "cannot create directory");
}
END_TEST

/* What is deleted or put in its place is not the run's folder any more, whatever lies in it. */
START_TEST(a_folder_that_is_gone_is_an_error) {
    ms_run_folder folder, second;
    ck_assert_int_eq(ms_run_folder_create(below("run"), config_text, &folder), MS_OK);
    ck_assert_int_eq(ms_run_folder_check(&folder), MS_OK);
    ck_assert_int_eq(ms_directory_remove(folder.checkpoints), MS_OK);
    ck_assert_int_eq(symlink(base, folder.checkpoints),
                     0); /* in the place of the checkpoints: nothing goes through it */
    ms_expect(ms_run_folder_check(&folder), MS_IO, "checkpoints was removed, renamed or replaced");
    ck_assert_int_eq(ms_directory_remove(below("run")), MS_OK);
    ms_expect(ms_run_folder_check(&folder), MS_IO, "was removed, renamed or replaced");
    ck_assert_int_eq(ms_run_folder_create(below("run"), config_text, &second), MS_OK);
    ms_expect(ms_run_folder_check(&folder), MS_IO, "was removed, renamed or replaced");
    ck_assert_int_eq(ms_run_folder_check(&second), MS_OK);
    ms_run_folder_close(&folder);
    ms_run_folder_close(&second);
}
END_TEST

/* The lock is on the folder: no file in it opens the way for a second writer. */
START_TEST(no_file_is_the_lock) {
    ms_run_folder folder, second;
    ck_assert_int_eq(ms_run_folder_create(below("run"), config_text, &folder), MS_OK);
    ck_assert_int_eq(unlink(below("run/config.yaml")), 0);
    ck_assert_int_eq(rmdir(below("run/plots")), 0);
    ck_assert_int_eq(rmdir(below("run/checkpoints")), 0);
    unlink(below("run/lock"));
    ms_expect(ms_run_folder_create(below("run"), config_text, &second), MS_IO, "is being written by another process");
    ms_run_folder_close(&folder);
}
END_TEST

/* Many processes with one new name: one has it, and what it wrote stays. */
START_TEST(one_of_many_makes_the_run) {
    enum { N = 8, N_ROUNDS = 20 };
    for (int round = 0; round < N_ROUNDS; round++) {
        char name[32];
        snprintf(name, sizeof name, "many%d", round);
        pid_t children[N];
        for (int i = 0; i < N; i++) {
            children[i] = fork();
            ck_assert_int_ge(children[i], 0);
            if (children[i] > 0) continue;
            ms_run_folder folder;
            ms_status status = ms_run_folder_create(below(name), config_text, &folder);
            ms_run_folder_close(&folder); /* a finished run at once */
            _exit(status == MS_OK ? 1 : 0);
        }
        int n_made = 0;
        for (int i = 0; i < N; i++) {
            int status;
            ck_assert_int_eq(waitpid(children[i], &status, 0), children[i]);
            ck_assert(WIFEXITED(status));
            n_made += WEXITSTATUS(status);
        }
        ck_assert_int_eq(n_made, 1);
    }
}
END_TEST

START_TEST(links_are_no_part_of_a_run) {
    ms_run_folder folder;
    ck_assert_int_eq(ms_directory_create(below("elsewhere")), MS_OK);
    ck_assert_int_eq(ms_run_folder_create(below("run"), config_text, &folder), MS_OK);
    ms_run_folder_close(&folder);
    ck_assert_int_eq(rmdir(below("run/checkpoints")), 0);
    ck_assert_int_eq(symlink("../elsewhere", below("run/checkpoints")), 0);
    ms_expect(ms_run_folder_resume(below("run"), &folder), MS_IO, "run/checkpoints: a symbolic link is in the way");
}
END_TEST

int main(void) {
    Suite *suite = suite_create("run_folder");
    TCase *tests = tcase_create("run_folder");
    tcase_add_checked_fixture(tests, make_base, remove_base);
    tcase_add_test(tests, a_run_is_made_and_resumed);
    tcase_add_test(tests, a_start_that_fails_leaves_nothing);
    tcase_add_test(tests, an_empty_folder_may_be_used);
    tcase_add_test(tests, what_a_killed_creation_leaves_is_no_run);
    tcase_add_test(tests, what_is_no_run_is_refused);
    tcase_add_test(tests, one_process_writes_a_run);
    tcase_add_test(tests, an_unwritable_place_is_named);
    tcase_add_test(tests, a_folder_that_is_gone_is_an_error);
    tcase_add_test(tests, no_file_is_the_lock);
    tcase_add_test(tests, one_of_many_makes_the_run);
    tcase_add_test(tests, links_are_no_part_of_a_run);
    suite_add_tcase(suite, tests);
    return ms_suite_run(suite);
}
