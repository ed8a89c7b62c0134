/* What a run says in words: its configuration, its log, its samples.  What is missing is left out. */
#ifndef MS_CLI_REPORT_TEXTS_H
#define MS_CLI_REPORT_TEXTS_H

#include "cli/report/run_data.h"

#ifdef __cplusplus
extern "C" {
#endif

/* "configuration": every key with its section, value, default and doc; not there where config.yaml cannot be read.
   MS_OUT_OF_MEMORY. */
ms_status ms_report_add_configuration(const ms_report_run *run, json_t *data);

/* Of run.log: "warnings" and "messages", each of "time", "level" and "text" (step lines aside), and of `facts`
   "device", "begun", "ended" and "weights_sha256" of the last checkpoint.  MS_OUT_OF_MEMORY. */
ms_status ms_report_add_log(ms_report_run *run, json_t *data, json_t *facts);

/* "samples": each of "heading" and "text", of samples.txt.  MS_OUT_OF_MEMORY. */
ms_status ms_report_add_samples(ms_report_run *run, json_t *data);

#ifdef __cplusplus
}
#endif

#endif
