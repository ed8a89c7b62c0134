/* Drawn texts as lines of JSON on standard output. */
#ifndef MS_CLI_GENERATE_JSON_H
#define MS_CLI_GENERATE_JSON_H

#include "train/text.h"

/* Not thread-safe on one object. */
typedef struct ms_json_texts {
    const char *run;                /* the run's folder, as given; UTF-8 */
    const ms_text_request *request; /* what was asked for */
    int64_t step;                   /* of the weights; set by the sink */
    char weights_sha256[65];        /* likewise: as training prints it */
} ms_json_texts;

/* A sink that prints a line for each text that has ended, and flushes it.  MS_INVALID: the run's name is not UTF-8.
   MS_IO, MS_NO_SPACE, MS_OUT_OF_MEMORY. */
ms_text_sink ms_json_texts_sink(ms_json_texts *texts);

#endif
