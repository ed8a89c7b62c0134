/* From the user's configuration to a run's options. */
#ifndef MS_CLI_CONFIG_RUN_CONFIG_H
#define MS_CLI_CONFIG_RUN_CONFIG_H

#include "cli/config/config.h"
#include "train/run.h"

typedef struct ms_run_config {
    ms_run_options options;                         /* borrow the configuration's strings, and the texts below */
    char *config_text, *fixed_text, *settings_text; /* owned */
} ms_run_config;

/* Checks the configuration (errors of ms_config_check), which must live as long as `out`.  The caller finishes `out`,
   also after an error.  MS_OUT_OF_MEMORY. */
ms_status ms_run_config_init(const ms_config *config, ms_run_config *out);
/* A zeroed one is fine. */
void ms_run_config_finish(ms_run_config *run_config);

#endif
