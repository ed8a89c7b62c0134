#define _GNU_SOURCE /* MAP_ANONYMOUS */
#include "platform/blas.h"

#include <cblas.h>
#include <omp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <threads.h>

static once_flag once = ONCE_FLAG_INIT;
static char description[64];

/* Present in builds with run-time detection (DYNAMIC_ARCH) only: init() detects unless a choice stands, quit() drops
   it. */
extern void gotoblas_dynamic_init(void) __attribute__((weak));
extern void gotoblas_dynamic_quit(void) __attribute__((weak));

/* The buffers of calls: taken, put back, and taken again by later calls. */
extern void *blas_memory_alloc(int) __attribute__((weak));
extern void blas_memory_free(void *) __attribute__((weak));

/* The kernels OpenBLAS should use here, or NULL when its own choice is as good as any. */
static const char *better_kernels(const char *chosen) {
#if defined(__x86_64__)
    static const char *const before_avx2[] = {"Prescott", "Core2",   "Penryn",        "Dunnington", "Atom",
                                              "Nehalem",  "Opteron", "Opteron(SSE3)", "Barcelona",  "Sandybridge"};
    bool old = false;
    for (size_t i = 0; i < sizeof before_avx2 / sizeof *before_avx2; i++)
        if (strcmp(chosen, before_avx2[i]) == 0) old = true;
    if (!old) return NULL;
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512vl"))
        return "SkylakeX";
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return "Haswell";
#else
    (void)chosen;
#endif
    return NULL;
}

static void prepare_once(void) {
    const char *better = better_kernels(openblas_get_corename());
    if (better && gotoblas_dynamic_init && gotoblas_dynamic_quit && !getenv("OPENBLAS_CORETYPE")) {
        setenv("OPENBLAS_CORETYPE", better, 1);
        gotoblas_dynamic_quit();
        gotoblas_dynamic_init();
        unsetenv("OPENBLAS_CORETYPE");
    }
    if (openblas_get_parallel() == OPENBLAS_THREAD) openblas_set_num_threads(1);
    snprintf(description, sizeof description, "%s, %s build", openblas_get_corename(),
             openblas_get_parallel() == OPENBLAS_OPENMP   ? "OpenMP"
             : openblas_get_parallel() == OPENBLAS_THREAD ? "pthread"
                                                          : "serial");
}

ms_status ms_blas_prepare(void) {
    call_once(&once, prepare_once);
    if (openblas_get_parallel() == OPENBLAS_SEQUENTIAL)
        return MS_FAIL(MS_UNSUPPORTED,
                       "the system's libopenblas.so.0 is the build without threads, whose calls may not "
                       "run beside each other: install libopenblas0-openmp, or choose it by "
                       "update-alternatives");
    ms_blas_this_thread();
    return MS_OK;
}

/* Whether n_pieces of so many bytes can be mapped, one by one as OpenBLAS does: the sum may be refused at once. */
static bool has_room(int n_pieces, size_t size_bytes) {
    enum { MOST = 1024 };
    void *room[MOST];
    int n = 0, wanted = n_pieces < MOST ? n_pieces : MOST;
    while (n < wanted) {
        void *piece = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (piece == MAP_FAILED) break;
        room[n++] = piece;
    }
    for (int i = 0; i < n; i++) munmap(room[i], size_bytes);
    return n == wanted;
}

bool ms_blas_has_room(int n_threads) { return has_room(n_threads, MS_BLAS_ROOM_BYTES + 4096); }

ms_status ms_blas_reserve(int n_callers) {
    enum { MOST = 32 }; /* OpenBLAS has at least 50 buffers */
    if (!blas_memory_alloc || !blas_memory_free) return MS_OK;
    void *buffers[MOST];
    int n = 0, wanted = n_callers < MOST ? n_callers : MOST;
    /* And some more: other threads map memory meanwhile. */
    while (n < wanted && has_room(1, MS_BLAS_ROOM_BYTES + ((size_t)32 << 20))) buffers[n++] = blas_memory_alloc(0);
    for (int i = 0; i < n; i++) blas_memory_free(buffers[i]);
    if (n == wanted) return MS_OK;
    return MS_FAIL(
        MS_OUT_OF_MEMORY,
        "too little address space: OpenBLAS takes %zu MiB for each of %d threads; raise the limit (ulimit -v), "
        "or use fewer threads",
        MS_BLAS_ROOM_BYTES >> 20, n_callers);
}

const char *ms_blas_description(void) { return description; }

void ms_blas_this_thread(void) { omp_set_num_threads(1); }

void ms_blas_set_threads(int n_threads) { openblas_set_num_threads(n_threads); }
