/* Writing files into an open folder.  Thread-safe. */
#ifndef MS_MODEL_HF_FOLDER_H
#define MS_MODEL_HF_FOLDER_H

#include <jansson.h>
#include <stddef.h>

#include "platform/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ms_hf_folder {
    int descriptor;
    const char *path; /* for messages */
} ms_hf_folder;

/* Writes a file, complete or not at all.  MS_IO, MS_NO_SPACE, MS_OUT_OF_MEMORY. */
ms_status ms_hf_folder_write(const ms_hf_folder *folder, const char *name, const void *data, size_t size_bytes);
/* The same of an object, indented; reals have 9 digits at most, which read back to the same f32. */
ms_status ms_hf_folder_write_json(const ms_hf_folder *folder, const char *name, const json_t *object);

#ifdef __cplusplus
}
#endif

#endif
