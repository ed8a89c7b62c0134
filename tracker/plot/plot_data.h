/* What the plots of a run show, read from its metrics.jsonl and spectra.jsonl.  Not thread-safe on one object. */
#ifndef MS_TRACKER_PLOT_PLOT_DATA_H
#define MS_TRACKER_PLOT_PLOT_DATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/status.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { MS_PLOT_NAME_SIZE = 32, MS_PLOT_TOP = 10, MS_PLOT_PROJECTIONS = 16, MS_PLOT_LAYERS = 9999 };

/* A loss at a step. */
typedef struct ms_plot_loss {
    int64_t step, tokens;
    double loss; /* nats per token */
} ms_plot_loss;

/* X(key): the values of a line of spectra.jsonl that are drawn.  NaN where the line has null. */
#define MS_PLOT_KEYS(X)                                                                                                \
    X(sigma_max)                                                                                                       \
    X(gap)                                                                                                             \
    X(entropy_l1)                                                                                                      \
    X(orthogonality_error)                                                                                             \
    X(alignment_left)                                                                                                  \
    X(alignment_random)                                                                                                \
    X(alignment_margin)

enum ms_plot_key {
#define X(key) MS_PLOT_##key,
    MS_PLOT_KEYS(X)
#undef X
        MS_PLOT_N_KEYS
};

/* One matrix in one snapshot. */
typedef struct ms_plot_spectrum {
    int64_t step, tokens;
    int layer;
    int i_projection;              /* in ms_plot_data.projections */
    double values[MS_PLOT_N_KEYS]; /* by enum ms_plot_key */
    int n_top;                     /* valid entries of top */
    double top[MS_PLOT_TOP];       /* leading singular values */
} ms_plot_spectrum;

typedef struct ms_plot_data {
    ms_plot_loss *training; /* in the order of the file */
    size_t n_training;
    ms_plot_loss *validation;
    size_t n_validation;
    ms_plot_spectrum *spectra; /* in the order of the file: by step */
    size_t n_spectra;
    char projections[MS_PLOT_PROJECTIONS][MS_PLOT_NAME_SIZE]; /* in the order they first appear */
    int n_projections;
    int n_layers;      /* largest layer + 1 */
    size_t n_matrices; /* of a snapshot: the first n_matrices of spectra are the first snapshot */
} ms_plot_data;

/* Reads metrics.jsonl at metrics_path and, unless it is NULL, spectra.jsonl at spectra_path.  A partial last line, as a
   running or killed training leaves it, is ignored, and so is a last snapshot that lacks matrices of the first.
   ms_plot_data_finish frees; `out` is zeroed on failure.
   MS_NOT_FOUND: no such file, or not one usable line in it.  MS_CORRUPT: a line that is not JSON, lacks a key, or names
   a matrix that the first snapshot has not, with file, line number and key.  MS_IO, MS_OUT_OF_MEMORY. */
ms_status ms_plot_data_init(const char *metrics_path, const char *spectra_path, ms_plot_data *out);
void ms_plot_data_finish(ms_plot_data *data);

#ifdef __cplusplus
}
#endif

#endif
