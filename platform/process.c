#define _GNU_SOURCE /* posix_spawn_file_actions_addfchdir_np, pipe2, sigabbrev_np */
#include "platform/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "platform/file.h"

extern char **environ; /* POSIX leaves its declaration to the program */

/* Reads until the end; *out_text is NULL on failure. */
static ms_status read_all(int descriptor, char **out_text) {
    size_t size = 0, capacity = 4096;
    char *text = malloc(capacity);
    while (text) {
        ssize_t n = read(descriptor, text + size, capacity - size - 1);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) {
            int error = errno;
            text[size] = '\0';
            if (n == 0) {
                *out_text = text;
                return MS_OK;
            }
            free(text);
            return ms_status_from_errno(error, "read", "a pipe");
        }
        size += (size_t)n;
        if (capacity - size > 1024) continue;
        char *larger = realloc(text, capacity *= 2);
        if (!larger) free(text);
        text = larger;
    }
    return MS_FAIL(MS_OUT_OF_MEMORY, "output of a child process: %zu bytes", capacity);
}

static int spawn(const char *const *argv, int directory, int output, pid_t *out_pid) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int error = posix_spawn_file_actions_init(&actions);
    if (error) return error;
    error = posix_spawnattr_init(&attributes);
    if (error) {
        posix_spawn_file_actions_destroy(&actions);
        return error;
    }
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGXFSZ);
    sigaddset(&signals, SIGPIPE);
    error = posix_spawnattr_setsigdefault(&attributes, &signals);
    if (!error) error = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
    if (!error && directory >= 0) error = posix_spawn_file_actions_addfchdir_np(&actions, directory);
    if (!error) error = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (!error) error = posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    if (!error) error = posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO);
    /* The interface predates const: the strings are not written to. */
    if (!error) error = posix_spawnp(out_pid, argv[0], &actions, &attributes, (char *const *)argv, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

char *ms_process_ending(int exit_status, char *out, size_t size) {
    const char *name = exit_status > 128 ? sigabbrev_np(exit_status - 128) : NULL;
    if (name)
        snprintf(out, size, "was ended by SIG%s (%s)", name, sigdescr_np(exit_status - 128));
    else
        snprintf(out, size, "ended with %d", exit_status);
    return out;
}

ms_status ms_process_run(const char *const *argv, int directory, char **out_text, int *out_exit) {
    *out_text = NULL;
    *out_exit = 0;
    int ends[2];
    pid_t pid;
    if (pipe2(ends, O_CLOEXEC) != 0) return ms_status_from_errno(errno, "create", "a pipe");
    int error = spawn(argv, directory, ends[1], &pid);
    close(ends[1]);
    if (error) {
        close(ends[0]);
        if (error == ENOENT) return MS_FAIL(MS_NOT_FOUND, "program %s is not installed", argv[0]);
        return ms_status_from_errno(error, "run", argv[0]);
    }
    ms_status status = read_all(ends[0], out_text);
    close(ends[0]);
    int state = 0;
    while (waitpid(pid, &state, 0) < 0)
        if (errno != EINTR) {
            free(*out_text);
            *out_text = NULL;
            return ms_status_from_errno(errno, "wait for", argv[0]);
        }
    *out_exit = WIFEXITED(state) ? WEXITSTATUS(state) : 128 + WTERMSIG(state);
    return status;
}
