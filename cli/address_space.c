/* What the program looks at before any library is initialised. */
#include <stdlib.h>
#include <string.h>
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

/* Runs before the constructors of all libraries: OpenBLAS's never returns where it has too little address space. */
static void check_room(int argc, char **argv, char **environment) {
    (void)argc;
    (void)argv;
    static const char text[] = "muonscope: too little address space: OpenBLAS takes 128 MiB for each processor; raise "
                               "the limit (ulimit -v), or set OPENBLAS_NUM_THREADS=1\n";
    if (ms_blas_has_room(openblas_threads(environment))) return;
    ssize_t written = write(STDERR_FILENO, text, sizeof text - 1);
    (void)written;
    _exit(1);
}

__attribute__((section(".preinit_array"), used)) static void (*const preinit)(int, char **, char **) = check_room;
#endif
