#include "model/hf/folder.h"

#include <stdlib.h>
#include <string.h>

#include "platform/file.h"
#include "platform/json.h"

ms_status ms_hf_folder_write(const ms_hf_folder *folder, const char *name, const void *data, size_t size_bytes) {
    char *path = ms_path_join(folder->path, name);
    if (!path) return MS_FAIL(MS_OUT_OF_MEMORY, "no memory for a path below %s", folder->path);
    ms_writer writer;
    ms_status status = ms_writer_open_entry(folder->descriptor, name, path, &writer);
    if (status == MS_OK) {
        status = ms_writer_write(&writer, data, size_bytes);
        if (status == MS_OK)
            status = ms_writer_commit(&writer);
        else
            ms_writer_abort(&writer);
    }
    free(path);
    return status;
}

ms_status ms_hf_folder_write_json(const ms_hf_folder *folder, const char *name, const json_t *object) {
    enum { F32_DIGITS = 9 };
    char *text;
    MS_TRY(ms_json_text(object, name, JSON_INDENT(2) | JSON_REAL_PRECISION(F32_DIGITS), &text));
    size_t size = strlen(text);
    text[size] = '\n'; /* in the place of the NUL */
    ms_status status = ms_hf_folder_write(folder, name, text, size + 1);
    free(text);
    return status;
}
