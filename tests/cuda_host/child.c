#include "tests/cuda_host/child.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static _Noreturn void be_child(void (*run)(int), int argument, int out) {
    struct rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    dup2(out, STDERR_FILENO);
    run(argument);
    fprintf(stderr, "went on to the end\n");
    _exit(0);
}

/* Everything that can be read, up to size - 1 bytes. */
static void read_all(int in, char *text, size_t size) {
    size_t length = 0;
    char rest[256];
    for (ssize_t n; (n = read(in, rest, sizeof rest)) > 0;) {
        size_t n_kept = (size_t)n < size - 1 - length ? (size_t)n : size - 1 - length;
        memcpy(text + length, rest, n_kept);
        length += n_kept;
    }
    text[length] = '\0';
}

void test_must_abort(void (*run)(int), int argument, const char *message) {
    int ends[2], status;
    char text[4096];
    ck_assert_int_eq(pipe(ends), 0);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) be_child(run, argument, ends[1]);
    close(ends[1]);
    read_all(ends[0], text, sizeof text);
    close(ends[0]);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "no abort (status %d) but: %s", status, text);
    ck_assert_msg(strstr(text, "cuda-host: ") && strstr(text, message), "\"%s\" is not in: %s", message, text);
}
