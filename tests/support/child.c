#include "tests/support/child.h"

#include <check.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "platform/directory.h"
#include "platform/file.h"

char *ms_child_output, *ms_child_error;
char ms_child_folder[64];

void ms_child_setup(void) {
    snprintf(ms_child_folder, sizeof ms_child_folder, "/tmp/ms_program_XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(ms_child_folder));
}

void ms_child_teardown(void) {
    free(ms_child_output);
    free(ms_child_error);
    ms_child_output = ms_child_error = NULL;
    ms_directory_remove(ms_child_folder);
}

static void redirect(const char *path, int to) {
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (file < 0 || dup2(file, to) < 0) _exit(98);
    close(file);
}

int ms_child_run(const char *program, const char *const *words) {
    enum { MOST = 30 };
    char *out_path = ms_path_join(ms_child_folder, "out"), *error_path = ms_path_join(ms_child_folder, "error");
    char *argv[MOST + 2] = {(char *)(uintptr_t)program};
    for (int i = 0; words[i]; i++) {
        ck_assert_int_lt(i, MOST);
        argv[i + 1] = (char *)(uintptr_t)words[i];
    }
    pid_t child = fork();
    if (child == 0) {
        redirect(out_path, STDOUT_FILENO);
        redirect(error_path, STDERR_FILENO);
        execv(program, argv);
        _exit(99);
    }
    int status;
    size_t size;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(WIFEXITED(status), "ended by signal %d", WTERMSIG(status));
    free(ms_child_output);
    free(ms_child_error);
    ck_assert_int_eq(ms_file_read(out_path, &ms_child_output, &size), MS_OK);
    ck_assert_int_eq(ms_file_read(error_path, &ms_child_error, &size), MS_OK);
    free(out_path);
    free(error_path);
    return WEXITSTATUS(status);
}
