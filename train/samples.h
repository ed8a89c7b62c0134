/* samples.txt of a run: the texts that were drawn when it ended, or was asked to.

       -- step 600, 412 bytes: temperature 0.8, top_k 50, seed 42
       <those bytes: the prompt and what follows it>
       <an empty line>

   in the order of their steps, one a step.  The bytes are counted, since a text may hold a line like the first.  The
   file is written whole, under a temporary name.  Not thread-safe on one file. */
#ifndef MS_TRAIN_SAMPLES_H
#define MS_TRAIN_SAMPLES_H

#include <stddef.h>
#include <stdint.h>

#include "platform/status.h"
#include "train/sampling.h"

/* The text that a run draws when it ends. */
typedef struct ms_sample_request {
    const char *prompt; /* UTF-8; empty: begins a document */
    int64_t n_tokens;   /* to draw; fewer when the end-of-text token is drawn; 0: no text */
    ms_sampling sampling;
} ms_sample_request;

enum { MS_SAMPLE_HEADING_SIZE = 160 };

/* "step 600: temperature 0.8, top_k 50, seed 42".  Returns out. */
const char *ms_sample_heading(int64_t step, const ms_sampling *sampling, char out[MS_SAMPLE_HEADING_SIZE]);

/* Adds the text of a step.  Those of this step and of later ones go, and what is no sample: *out_n_foreign bytes of
   that.  Errors of ms_file_read and ms_file_write. */
ms_status ms_samples_add(const char *path, int64_t step, const ms_sampling *sampling, const char *text,
                         size_t size_bytes, int64_t *out_n_foreign);

/* Removes the texts of steps after `step`, and what is no sample: *out_n_foreign bytes of that.  An empty file goes;
   one that has nothing to remove is not written; a missing one is fine.  Errors of ms_file_read and ms_file_write. */
ms_status ms_samples_cut(const char *path, int64_t step, int64_t *out_n_foreign);

#endif
