#include "cli/watch/run_state.h"

#include <stdlib.h>
#include <string.h>

#include "cli/config/config.h"
#include "platform/directory.h"
#include "platform/file.h"
#include "platform/hash.h"
#include "tracker/run_log.h"

/* A run locks its folder before it has a config.yaml: with the file looked at first, no lock means that it is over. */
ms_run_state ms_run_state_of(const char *folder) {
    if (!ms_folder_has(folder, "config.yaml")) return MS_RUN_ABSENT;
    return ms_directory_is_locked(folder) ? MS_RUN_TRAINS : MS_RUN_STOPPED;
}

ms_status ms_run_stamp(const char *folder, uint64_t *out) {
    static const char *const files[] = {"config.yaml",  "metrics.jsonl",   "spectra.jsonl", "probes.jsonl",
                                        "hashes.jsonl", "sigma_max.jsonl", "run.log",       "samples.txt"};
    *out = MS_HASH_EMPTY;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char *path = ms_path_join(folder, files[i]);
        if (!path) return MS_FAIL(MS_OUT_OF_MEMORY, "watch: no memory for a path");
        uint64_t stamp = ms_file_stamp(path);
        *out = ms_hash_append(*out, &stamp, sizeof stamp);
        free(path);
    }
    return MS_OK;
}

/* What cannot be read is not known. */
static ms_status unless_no_memory(ms_status status) { return status == MS_OUT_OF_MEMORY ? status : MS_OK; }

ms_status ms_run_progress(const char *folder, int64_t *out_step, int64_t *out_steps) {
    char *config_path = ms_path_join(folder, "config.yaml"), *metrics = ms_path_join(folder, "metrics.jsonl");
    ms_config config;
    *out_step = *out_steps = -1;
    ms_status status = config_path && metrics ? MS_OK : MS_FAIL(MS_OUT_OF_MEMORY, "watch: no memory for a path");
    ms_config_defaults(&config);
    if (status == MS_OK) {
        status = ms_config_load_file(&config, config_path, NULL);
        if (status == MS_OK) *out_steps = ms_config_steps(&config);
        status = unless_no_memory(status);
    }
    if (status == MS_OK) status = unless_no_memory(ms_run_log_last_step(metrics, out_step));
    free(config_path);
    free(metrics);
    return status;
}

ms_status ms_run_folder_suits(const char *folder) {
    ms_listing names;
    if (ms_file_exists(folder) && !ms_is_directory(folder))
        return MS_FAIL(MS_INVALID, "%s is no folder of a run", folder);
    if (ms_folder_has(folder, "study.yaml"))
        return MS_FAIL(MS_INVALID, "%s is a study: watch takes one of its runs; muonscope report makes its page",
                       folder);
    if (ms_folder_has(folder, "config.yaml") || ms_directory_is_locked(folder) ||
        ms_listing_read(folder, &names) != MS_OK)
        return MS_OK;
    bool is_empty = names.n == 0;
    ms_listing_finish(&names);
    return is_empty ? MS_OK : MS_FAIL(MS_INVALID, "%s is not a run folder: it has no config.yaml", folder);
}
