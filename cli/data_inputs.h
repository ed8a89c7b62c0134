/* The files that a command line names, with those of its folders. */
#ifndef MS_CLI_DATA_INPUTS_H
#define MS_CLI_DATA_INPUTS_H

#include "platform/status.h"

/* Zeroed is empty; the owner finishes it. */
typedef struct ms_data_inputs {
    char **paths; /* [n] owned */
    int n, capacity;
} ms_data_inputs;

/* Adds a path as it is.  MS_INVALID: more than 100,000; MS_OUT_OF_MEMORY. */
ms_status ms_data_inputs_add_file(ms_data_inputs *inputs, const char *path);

/* Adds a path as it is, or, of a folder, the files in it and in its folders, in the order of their names by byte. Names
   that begin with a dot are left out, and links to folders within a folder.  MS_INVALID: a folder without a file, or
   more than 100,000 files; MS_IO, MS_OUT_OF_MEMORY. */
ms_status ms_data_inputs_add(ms_data_inputs *inputs, const char *path);
void ms_data_inputs_finish(ms_data_inputs *inputs);

#endif
