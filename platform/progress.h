/* How far work is.  The lines of a training run: a live line on a terminal, plain lines elsewhere.  Columns stand below
   each other.

       step 120/600  loss   5.1234  lr 2.40e-02  grad     0.873    412 ms     9942 tok/s  MFU  61.2%  ETA 3m18s
       step 120/600  validation loss   5.0123, 1.2345 bits per byte */
#ifndef MS_PLATFORM_PROGRESS_H
#define MS_PLATFORM_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* What one step line says. */
typedef struct ms_step_line {
    int64_t step, n_steps;    /* steps done, of how many */
    double loss;              /* nats per token; NAN: there is none */
    double lr;                /* learning rate of the matrices */
    double gradient_norm;     /* global, before clipping */
    double milliseconds;      /* wall time of the step */
    double tokens_per_second; /* of the step; NAN: not printed */
    double mfu;         /* model FLOP/s over the machine's peak; above 1: printed as ">100%"; negative: not printed */
    double eta_seconds; /* time left; negative: unknown, printed as "?" */
} ms_step_line;

/* Writes the line without a line break and returns out.  200 bytes hold any line; longer text is cut. */
const char *ms_step_line_text(const ms_step_line *line, char *out, size_t size);

/* Likewise that of a validation, of which step, n_steps and loss count; bits_per_byte: NAN is not printed. */
const char *ms_validation_line_text(const ms_step_line *line, double bits_per_byte, char *out, size_t size);

/* Steps between lines such that a screen holds those of a run: 1, 2 or 5 times a power of ten, and at most 50 multiples
   of it in n_steps; with the first and the last step at most 52 lines. */
int64_t ms_progress_every(int64_t n_steps);

typedef struct ms_progress {
    FILE *stream;  /* borrowed */
    bool live;     /* the stream is a terminal */
    bool showing;  /* a live line stands unfinished on the terminal */
    int64_t every; /* steps between plain lines, and between kept lines on a terminal */
} ms_progress;

/* `stream` is borrowed and stays the caller's.  every >= 1. */
void ms_progress_init(FILE *stream, int64_t every, ms_progress *out);
/* Shows a step.  On a terminal every step redraws the live line (cut at the terminal's width), and each `every`-th and
   the last one stays.  Elsewhere each `every`-th step, the first and the last one print a line.  Returns true when the
   line stays, so that the caller can log the same.  Not thread-safe on one object. */
bool ms_progress_step(ms_progress *progress, const ms_step_line *line);
/* Prints a line that stays, after the live line where one stands. */
void ms_progress_print(ms_progress *progress, const char *text);
/* Ends an unfinished live line, before other output.  Idempotent. */
void ms_progress_break(ms_progress *progress);

/* Smoothed seconds per step, for the ETA: an exponential mean (weight 0.1 to the new step) that starts at the first
   value. `smoothed` is 0 before the first. */
double ms_progress_smooth(double smoothed, double seconds);

/* One line about any other work: on a terminal it is redrawn, and gone at the end; elsewhere it is printed again every
   10 seconds.  Times are seconds of one clock. */
typedef struct ms_work_line {
    FILE *stream; /* borrowed */
    bool live;    /* the stream is a terminal */
    bool showing; /* a live line stands there */
    double shown; /* when it was printed last; at first when the work began */
} ms_work_line;

/* `stream` is borrowed. */
void ms_work_line_init(FILE *stream, double now, ms_work_line *out);
/* Whether a line is wanted: 0.2 s after the last one on a terminal, 10 s elsewhere.  Cheap: made for inner loops. */
bool ms_work_line_is_due(const ms_work_line *line, double now);
/* Shows a line, escaped, and on a terminal cut at its width.  Not thread-safe on one object. */
void ms_work_line_show(ms_work_line *line, double now, const char *text);
/* Takes a live line away, before other output.  Idempotent. */
void ms_work_line_end(ms_work_line *line);

#endif
