#include "cli/analyze/source.h"

#include <stdlib.h>

#include "model/checkpoint/checkpoint.h"
#include "model/checkpoint/checkpoint_names.h"
#include "platform/directory.h"
#include "platform/file.h"

static ms_status no_memory(const char *path) { return MS_FAIL(MS_OUT_OF_MEMORY, "%s: no memory for its path", path); }

/* The newest checkpoint in a folder of them. */
static ms_status open_newest(const char *checkpoints, int64_t step, ms_foreign **out) {
    char *checkpoint;
    MS_TRY(ms_checkpoint_path(checkpoints, step, &checkpoint));
    char *path = ms_path_join(checkpoint, "model.safetensors");
    ms_status status = path ? ms_foreign_open(path, out) : no_memory(checkpoint);
    free(path);
    free(checkpoint);
    return status;
}

ms_status ms_analyze_open(const char *path, ms_foreign **out) {
    *out = NULL;
    if (!ms_is_directory(path)) return ms_foreign_open(path, out);
    char *checkpoints = ms_path_join(path, "checkpoints");
    if (!checkpoints) return no_memory(path);
    int64_t step;
    const char *folder = ms_is_directory(checkpoints) ? checkpoints : path;
    ms_status status = ms_checkpoint_latest(folder, &step);
    if (status == MS_OK)
        status = open_newest(folder, step, out);
    else if (status == MS_NOT_FOUND && folder == path) /* no checkpoints: weights of another program */
        status = ms_foreign_open(path, out);
    free(checkpoints);
    return status;
}
