/* What is in a folder of token shards: `muonscope data info` and `muonscope data decode`. */
#ifndef MS_CLI_DATA_SHOW_H
#define MS_CLI_DATA_SHOW_H

#include "cli/options/options.h"
#include "model/data/dataset_sidecar.h"

extern const ms_command ms_data_info_command, ms_data_decode_command;

/* The commands.  argv[0] is the word after "data". */
ms_status ms_data_info(int argc, char **argv);
ms_status ms_data_decode(int argc, char **argv);

/* Prints vocabulary and splits. */
void ms_data_print_sidecar(const char *directory, const ms_sidecar *sidecar);

#endif
