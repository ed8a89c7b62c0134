/* The folder of a study: locked, with a copy of the study file, and what was declared before its results.  Not
   thread-safe on one object. */
#ifndef MS_CLI_STUDY_FOLDER_H
#define MS_CLI_STUDY_FOLDER_H

#include "cli/study/study.h"
#include "platform/directory.h"

typedef struct ms_study_folder {
    char *path, *file; /* PATH, PATH/study.yaml; owned */
    ms_directory_locked lock;
} ms_study_folder;

#define MS_STUDY_FOLDER_CLOSED ((ms_study_folder){NULL, NULL, {-1, -1}})

/* Makes the folder where it is missing, and locks it.  MS_INVALID: it is the folder of a run.  MS_IO: another process
   holds it, or it cannot be made.  The caller closes `out`, also after an error. */
ms_status ms_study_folder_open(const char *path, ms_study_folder *out);
/* A closed one is fine. */
void ms_study_folder_close(ms_study_folder *folder);

/* Keeps a copy of the study file.  *out_changed: it held another text.  MS_MISMATCH: it belongs to a study of another
   name.  MS_IO, MS_NO_SPACE, MS_OUT_OF_MEMORY. */
ms_status ms_study_folder_keep_file(const ms_study_folder *folder, const ms_study *study, const char *text,
                                    bool *out_changed);

#endif
