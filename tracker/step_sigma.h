/* The largest singular value of every weight matrix, and of its update, at every step.

   s1(W) comes from below, by a few products from the directions of the last step (tracker/power.h), with its residual.
   The s1 of updates are added up to a bound of growth, which must not be too low; the spectrum of an orthogonalised
   update is flat, and power iteration is then low by several per cents.  So they are computed to rounding, from a Gram
   matrix (tracker/decompose.h).

   The weights after each step are handed over; one background thread with its own pool computes them, adds up what the
   next snapshot reports, and appends one line to sigma_max.jsonl (tracker/step_sigma.def).  A matrix is computed by one
   thread: nothing depends on how many there are.

   All calls belong to one thread (the trainer's). */
#ifndef MS_TRACKER_STEP_SIGMA_H
#define MS_TRACKER_STEP_SIGMA_H

#include "tracker/run_log.h"
#include "tracker/tracker.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What is followed at every step, beside the norms. */
typedef enum ms_every_step {
    MS_EVERY_STEP_NONE,
    MS_EVERY_STEP_SIGMA_MAX /* what this header is about */
} ms_every_step;
/* Names by value; ends with NULL. */
extern const char *const ms_every_step_names[];

typedef struct ms_step_sigma ms_step_sigma;

typedef struct ms_step_sigma_options {
    const char *path;                  /* sigma_max.jsonl, copied; NULL: no file, another has it */
    const ms_tracked_matrix *matrices; /* in the order of layers, copied */
    int n_matrices;                    /* >= 1 */
    int n_threads;                     /* that compute, >= 1 */
    int64_t resume_after_step;         /* -1: a new file; else drop the lines of later steps (ms_run_log_open) */
    bool has_all_lines;                /* the file has a line of every step up to there: missing ones are counted */
    const bool *elsewhere;             /* [n_matrices] which of them others compute, copied; NULL: none.  See
                                          ms_step_sigma_write_kept */
} ms_step_sigma_options;

/* Bytes that following these matrices takes. */
size_t ms_step_sigma_planned_bytes(const ms_step_sigma_options *options);
/* Opens the file and starts the threads.  The caller closes it.  MS_INVALID: a count or side below 1.  Errors of
   ms_run_log_open.  MS_OUT_OF_MEMORY. */
ms_status ms_step_sigma_create(const ms_step_sigma_options *options, ms_step_sigma **out);

/* The step whose weights were handed over last; -1: none were. */
int64_t ms_step_sigma_step(const ms_step_sigma *sigma);
/* Waits for the work on the last weights, and lends the places of the next ones, [n] -> [rows, cols]
   row-major, of the n matrices that are computed here, to be filled before ms_step_sigma_submit.  Any error of the
   background thread, with its message; it stays, and nothing is computed any more. */
ms_status ms_step_sigma_next(ms_step_sigma *sigma, float ***out_weights);

/* What is handed over with weights. */
typedef struct ms_step_sigma_submission {
    int64_t step, tokens; /* that were made and seen */
    double decay_share;   /* of the matrix that decay took away in this step; outside [0, 1] or NaN: not known */
} ms_step_sigma_submission;
/* The weights after `step`, in the places that were lent.  Those of resume_after_step, whose line was written before
   the checkpoint, are only what the next ones are compared with.  MS_INVALID: no places were lent. */
ms_status ms_step_sigma_submit(ms_step_sigma *sigma, const ms_step_sigma_submission *submission);
/* Waits until every line is in the file.  Errors of the background thread. */
ms_status ms_step_sigma_drain(ms_step_sigma *sigma);

/* Of one matrix.  NaN: some of the steps were not followed. */
typedef struct ms_step_sigma_sums {
    double sigma_peak, residual_peak, update_peak; /* the largest of the steps since the last call of _take */
    double bound;                                  /* sum of the updates' s1 since then: s1 cannot have grown by more */
    double total;                                  /* the same since step 0 */
} ms_step_sigma_sums;
/* Waits for the work on the last weights, gives the sums [n_matrices] up to them, and begins new ones.  Errors of the
   background thread. */
ms_status ms_step_sigma_take(ms_step_sigma *sigma, ms_step_sigma_sums *out_sums);

/* Sums and directions, after all weights that were handed over, as text for a checkpoint: a run that is resumed has
   the same lines, bit for bit.  malloc'ed, the caller frees it.  MS_OUT_OF_MEMORY; errors of the background thread. */
ms_status ms_step_sigma_state(ms_step_sigma *sigma, char **out_text);
/* And back, before the first weights of a resumed run.  MS_CORRUPT: not such a text, of other matrices or of another
   step than resume_after_step; what it holds is then undefined. */
ms_status ms_step_sigma_restore(ms_step_sigma *sigma, const char *text);

/* Several of them that compute parts of the same steps, on machines of one kind, as trackers do (tracker/tracker.h):
   all are handed the weights of the same steps.  They keep the values of these, of MS_STEP_SIGMA_KEPT steps at most
   (MS_INTERNAL for more), until the one with the file has been given all, and writes them.  After
   ms_step_sigma_drain. */
enum { MS_STEP_SIGMA_KEPT = 64 };
/* Of matrix i, the values of all steps that are kept. */
size_t ms_step_sigma_kept_bytes(const ms_step_sigma *sigma);
void ms_step_sigma_get_kept(const ms_step_sigma *sigma, int i, void *out);
void ms_step_sigma_put_kept(ms_step_sigma *sigma, int i, const void *bytes);
/* Writes the kept steps up to `step`, and adds them to the sums. */
ms_status ms_step_sigma_write_kept(ms_step_sigma *sigma, int64_t step);
/* Drops what is kept. */
void ms_step_sigma_forget_kept(ms_step_sigma *sigma);
/* The directions of matrix i, which the next step begins with. */
size_t ms_step_sigma_directions_bytes(const ms_step_sigma *sigma, int i);
void ms_step_sigma_get_directions(const ms_step_sigma *sigma, int i, void *out);
void ms_step_sigma_put_directions(ms_step_sigma *sigma, int i, const void *bytes);

/* What opening the file found (ms_run_log_get_mending).  Borrowed. */
const ms_run_log_mending *ms_step_sigma_mending(const ms_step_sigma *sigma);
/* MS_IO: the file is no longer at its path. */
ms_status ms_step_sigma_check_file(const ms_step_sigma *sigma);

/* Waits for the work, stops the threads, closes the file and frees everything.  NULL is fine.  The first error of the
   background thread or of closing the file; it is gone either way. */
ms_status ms_step_sigma_close(ms_step_sigma *sigma);

#ifdef __cplusplus
}
#endif

#endif
