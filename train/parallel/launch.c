#include "train/parallel/launch.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "platform/environment.h"
#include "platform/library.h"
#include "train/parallel/mpi/mpi_module.h"

/* What launchers tell the processes that they start: Open MPI, the Hydra of MPICH and Intel MPI, Slurm. */
typedef struct launcher {
    const char *name, *size, *rank;
} launcher;

static const launcher launchers[] = {{"mpirun of Open MPI", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK"},
                                     {"mpirun", "PMI_SIZE", "PMI_RANK"},
                                     {"srun", "SLURM_STEP_NUM_TASKS", "SLURM_PROCID"}};

static long number_of(const char *variable) {
    const char *text = getenv(variable); /* not ours: platform/environment.def has those */
    return text ? strtol(text, NULL, 10) : -1;
}

static ms_launch find_launcher(void) {
    for (size_t i = 0; i < sizeof launchers / sizeof *launchers; i++) {
        long size = number_of(launchers[i].size), rank = number_of(launchers[i].rank);
        if (size > 1 && rank >= 0) return (ms_launch){launchers[i].name, size, rank};
    }
    return (ms_launch){NULL, 1, 0};
}

ms_status ms_launch_find(ms_launch *out) {
    const char *how = ms_environment_text(MS_ENVIRONMENT_PARALLEL);
    *out = find_launcher();
    if (!how || strcmp(how, "auto") == 0) return MS_OK;
    if (strcmp(how, "none") != 0) return MS_FAIL(MS_USAGE, "MUONSCOPE_PARALLEL=%s: must be none or auto", how);
    *out = (ms_launch){NULL, 1, 0};
    return MS_OK;
}

void ms_launch_let_rank_0_speak(void) { nanosleep(&(struct timespec){.tv_sec = 1}, NULL); }

static ms_status open_module(const char *path, ms_mpi_module_open_function *out) {
    ms_library *library;
    void (*function)(void);
    MS_TRY(ms_library_open(path, &library));
    MS_TRY(ms_library_function(library, MS_MPI_MODULE_ENTRY, &function));
    *out = (ms_mpi_module_open_function)function;
    return MS_OK;
}

static ms_status open_beside(const char *name, ms_mpi_module_open_function *out) {
    char *path = ms_library_beside(name);
    ms_status status = path ? open_module(path, out) : MS_FAIL(MS_NOT_FOUND, "the library's own folder is not known");
    free(path);
    return status;
}

static ms_status find_module(ms_mpi_module_open_function *out) {
    const char *named = ms_environment_text(MS_ENVIRONMENT_MPI_MODULE);
    if (named && !strchr(named, '/'))
        return MS_FAIL(MS_INVALID, "MUONSCOPE_MPI_MODULE=%s: a path is needed, ./%s or an absolute one", named, named);
    if (named) return open_module(named, out);
    ms_status status = open_beside("muonscope-mpi.so", out);
    if (status == MS_NOT_FOUND) status = open_beside("muonscope/muonscope-mpi.so", out);
    if (status != MS_NOT_FOUND) return status;
    return MS_FAIL(MS_UNSUPPORTED, "there is no module muonscope-mpi.so beside libmuonscope or in muonscope/ there (it "
                                   "is built where mpicc is found)");
}

static ms_status join(const ms_launch *by, double timeout_seconds, ms_transport *out) {
    char error[MS_TRANSPORT_TEXT_SIZE];
    ms_mpi_module_open_function function = NULL;
    ms_status status = find_module(&function);
    if (status != MS_OK && by->launcher)
        return ms_status_note(status,
                              "%s has started %ld processes to train together (--parallel none: each for itself)",
                              by->launcher, by->size);
    MS_TRY(status);
    if (!function(MS_MPI_MODULE_VERSION, timeout_seconds, out, error))
        return MS_FAIL(MS_UNSUPPORTED, "muonscope-mpi.so: %s", error);
    if (!by->launcher || out->n_ranks == by->size) return MS_OK;
    int found = out->n_ranks;
    out->close(out->context);
    return MS_FAIL(
        MS_UNSUPPORTED,
        "%s has started %ld processes, but muonscope-mpi.so finds %d: it was built for another MPI; start it "
        "with the mpirun of the MPI whose mpicc was found when muonscope was built",
        by->launcher, by->size, found);
}

ms_status ms_launch_join(const char *how, double timeout_seconds, ms_group **out, bool *out_is_silent) {
    ms_launch by = find_launcher();
    ms_transport transport;
    *out = NULL;
    *out_is_silent = by.rank > 0;
    if (!how) MS_TRY(ms_launch_find(&by));
    *out_is_silent = false;
    bool is_auto = !how || strcmp(how, "auto") == 0, is_mpi = how && strcmp(how, "mpi") == 0;
    if (how && strcmp(how, "none") == 0) return MS_OK;
    *out_is_silent = by.rank > 0;
    if (!is_auto && !is_mpi) return MS_FAIL(MS_USAGE, "--parallel %s: must be auto, mpi or none", how);
    if (!by.launcher && is_auto) return MS_OK;
    MS_TRY(join(&by, timeout_seconds, &transport));
    ms_status status = MS_OK;
    if (transport.n_ranks > 1) status = ms_group_create(&transport, out);
    if (!*out) transport.close(transport.context);
    *out_is_silent = false;
    return status;
}
