/* What the program looks at before any library is initialised: limits under which it could only crash or wait. */
#define _GNU_SOURCE /* pthread_setattr_default_np */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "platform/blas.h"
#include "platform/thread.h"

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) /* which replace what is called here, later */
/* As many threads as OpenBLAS is going to have: one for each processor, unless the environment asks for fewer. */
static int openblas_threads(char **environment) {
    static const char *const names[] = {"OPENBLAS_NUM_THREADS=", "GOTO_NUM_THREADS=", "OMP_NUM_THREADS="};
    int n = ms_processor_affinity();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        for (char **entry = environment; *entry; entry++) {
            size_t length = strlen(names[i]);
            int asked = strncmp(*entry, names[i], length) == 0 ? atoi(*entry + length) : 0;
            if (asked > 0) return asked < n ? asked : n;
        }
    return n;
}

/* Threads have as much as the first one had when the program was loaded. */
static bool give_threads(size_t size_bytes) {
    pthread_attr_t attributes;
    if (pthread_attr_init(&attributes) != 0) return false;
    bool done = pthread_attr_setstacksize(&attributes, size_bytes) == 0 && pthread_setattr_default_np(&attributes) == 0;
    pthread_attr_destroy(&attributes);
    return done;
}

/* A stack that is too small is SIGSEGV without a word.  128 KiB are enough for every subcommand on device cpu and on
   lavapipe, 96 are not (end_to_end/room); twice that is asked for, since other drivers are other programs. */
static void check_stack(void) {
    enum { NEEDED_KIB = 256 };
    const rlim_t needed = (rlim_t)NEEDED_KIB << 10;
    struct rlimit limit;
    if (getrlimit(RLIMIT_STACK, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur >= needed) return;
    unsigned long long found = (unsigned long long)limit.rlim_cur >> 10;
    if (limit.rlim_max == RLIM_INFINITY || limit.rlim_max >= needed) {
        limit.rlim_cur = needed;
        if (setrlimit(RLIMIT_STACK, &limit) == 0 && give_threads((size_t)needed)) return;
    }
    char text[160];
    int n = snprintf(text, sizeof text,
                     "muonscope: too small a stack: the limit is %llu KiB, %d are needed; raise it (ulimit -s %d)\n",
                     found, (int)NEEDED_KIB, (int)NEEDED_KIB);
    ssize_t written = write(STDERR_FILENO, text, (size_t)n);
    (void)written;
    _exit(1);
}

/* Runs before the constructors of all libraries: OpenBLAS's never returns where it has too little address space. */
static void check_room(int argc, char **argv, char **environment) {
    (void)argc;
    (void)argv;
    static const char text[] = "muonscope: too little address space: OpenBLAS takes 128 MiB for each processor; raise "
                               "the limit (ulimit -v), or set OPENBLAS_NUM_THREADS=1\n";
    check_stack();
    if (ms_blas_has_room(openblas_threads(environment))) return;
    ssize_t written = write(STDERR_FILENO, text, sizeof text - 1);
    (void)written;
    _exit(1);
}

__attribute__((section(".preinit_array"), used)) static void (*const preinit)(int, char **, char **) = check_room;
#endif
