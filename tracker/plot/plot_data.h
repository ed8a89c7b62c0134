/* What the plots of a run show, read from its metrics.jsonl, spectra.jsonl and probes.jsonl.
   Not thread-safe on one object. */
#ifndef MS_TRACKER_PLOT_PLOT_DATA_H
#define MS_TRACKER_PLOT_PLOT_DATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/json_lines.h"
#include "platform/status.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    MS_PLOT_NAME_SIZE = 32,
    MS_PLOT_TOP = 10,
    MS_PLOT_PROJECTIONS = 16,
    MS_PLOT_LAYERS = 9999,
    MS_PLOT_DECILES = 10
};

/* A loss at a step. */
typedef struct ms_plot_loss {
    int64_t step, tokens;
    double loss;                     /* nats per token */
    bool has_deciles;                /* the line has loss_by_frequency */
    double deciles[MS_PLOT_DECILES]; /* loss by decile of the target's frequency, the most frequent first */
} ms_plot_loss;

/* X(key): the numbers of a line of spectra.jsonl that are drawn.  NaN where the line has null, or lacks the key, as
   that of an older version does. */
#define MS_PLOT_KEYS(X)                                                                                                \
    X(rows)                                                                                                            \
    X(cols)                                                                                                            \
    X(sigma_max)                                                                                                       \
    X(growth_efficiency)                                                                                               \
    X(growth_efficiency_null)                                                                                          \
    X(ceiling)                                                                                                         \
    X(ceiling_measured)                                                                                                \
    X(ceiling_decay)                                                                                                   \
    X(noise_null)                                                                                                      \
    X(gap)                                                                                                             \
    X(spectral_entropy)                                                                                                \
    X(entropy_l1)                                                                                                      \
    X(orthogonality_error)                                                                                             \
    X(alignment_left)                                                                                                  \
    X(alignment_random)                                                                                                \
    X(alignment_random_p95)                                                                                            \
    X(alignment_margin)                                                                                                \
    X(persistence_left)                                                                                                \
    X(persistence_right)                                                                                               \
    X(alignment_random_right)                                                                                          \
    X(alignment_random_right_p95)                                                                                      \
    X(alignment_momentum_left)                                                                                         \
    X(momentum_small_share)                                                                                            \
    X(momentum_small_share_merged)                                                                                     \
    X(update_rank)                                                                                                     \
    X(update_rank_merged)

/* X(key, list, entry): what is drawn of the lists of six: the 1 % quantile and the largest of the singular values of O,
   of the rows of the projection alone, and of the whole stored matrix that they are a slice of. */
#define MS_PLOT_ENTRIES(X)                                                                                             \
    X(orthogonality_of_update_q01, orthogonality_of_update, 1)                                                         \
    X(orthogonality_of_update_max, orthogonality_of_update, 5)                                                         \
    X(orthogonality_of_update_merged_q01, orthogonality_of_update_merged, 1)                                           \
    X(orthogonality_of_update_merged_max, orthogonality_of_update_merged, 5)

enum { MS_PLOT_O_ENTRIES = 6 };

enum ms_plot_key {
#define X(key) MS_PLOT_##key,
    MS_PLOT_KEYS(X)
#undef X
#define X(key, list, entry) MS_PLOT_##key,
        MS_PLOT_ENTRIES(X)
#undef X
            MS_PLOT_N_KEYS
};

/* By enum ms_plot_key; of an entry, the name of its list. */
extern const char *const ms_plot_key_names[MS_PLOT_N_KEYS];

/* The same for tables: of an entry, a name of its own. */
extern const char *const ms_plot_column_names[MS_PLOT_N_KEYS];

/* One matrix in one snapshot. */
typedef struct ms_plot_spectrum {
    int64_t step, tokens;
    int layer;
    int i_projection;              /* in ms_plot_data.projections */
    double values[MS_PLOT_N_KEYS]; /* by enum ms_plot_key */
    int n_top;                     /* valid entries of top */
    double top[MS_PLOT_TOP];       /* leading singular values */
} ms_plot_spectrum;

/* What the heads of one layer look at, in one snapshot of the probe. */
typedef struct ms_plot_probe {
    int64_t step, tokens;
    int layer, n_heads;
    size_t i_entropy; /* the n_heads numbers of the line's attention_entropy begin here in ms_plot_data.entropies */
} ms_plot_probe;

/* Where a series changes (tracker/phases.h). */
typedef struct ms_plot_change {
    enum ms_plot_key key; /* MS_PLOT_N_KEYS: the loss, which has no matrix */
    int layer, i_projection;
    int64_t step;
} ms_plot_change;

typedef struct ms_plot_data {
    ms_plot_loss *training; /* in the order of the file */
    size_t n_training;
    ms_plot_loss *validation;
    size_t n_validation;
    ms_plot_spectrum *spectra; /* in the order of the file: by step */
    size_t n_spectra;
    char projections[MS_PLOT_PROJECTIONS][MS_PLOT_NAME_SIZE]; /* in the order they first appear */
    int n_projections;
    int *layers; /* [n_layers], ascending */
    int n_layers;
    bool chose_layers;     /* they are those that were asked for: none of them is left out for want of room */
    ms_plot_probe *probes; /* by step, then by layer; NULL: the run has none */
    size_t n_probes;
    size_t n_probe_layers; /* of a snapshot: the first n_probe_layers of probes are the first snapshot */
    double *entropies;     /* [n_entropies] 0 one key, 1 all visible keys alike; NaN where undefined */
    size_t n_entropies;
    size_t n_matrices;                      /* of a snapshot: the first n_matrices of spectra are the first snapshot */
    bool marks_changes[MS_PLOT_N_KEYS + 1]; /* by key, the loss last: its changes, or that it has none, are shown */
    ms_plot_change *changes;                /* [n_changes] */
    size_t n_changes;
    /* Several runs in one picture, else NULL: a layer stands for each, its values are the means over the run's. */
    const struct ms_plot_data *runs; /* [n_layers] borrowed */
    const char *const *run_names;    /* [n_layers] borrowed */
    bool unlike_tokens;              /* they take unlike numbers of tokens a step */
    char averaged[48];               /* over what, in words */
    ms_json_bad_lines bad;           /* lines that were left out */
} ms_plot_data;

/* Reads metrics.jsonl at metrics_path and, unless it is NULL, spectra.jsonl at spectra_path.  A partial last line, as a
   running or killed training leaves it, is ignored, and so is a last snapshot that lacks matrices of the first.
   ms_plot_data_finish frees; `out` is zeroed on failure.
   Lines that are no JSON are left out and counted.  MS_NOT_FOUND: no such file, or not one usable line in it.
   MS_CORRUPT: a line lacks what says where it belongs, has no number where one should be, or names a matrix that the
   first snapshot has not, with file, line number and key.  MS_IO, MS_OUT_OF_MEMORY. */
ms_status ms_plot_data_init(const char *metrics_path, const char *spectra_path, ms_plot_data *out);
void ms_plot_data_finish(ms_plot_data *data);

/* Adds what probes.jsonl at `path` says.  A partial last line and a last snapshot that lacks layers of the first are
   left out.  Errors as above, but a file without a usable line is none; the first snapshot has the layers from 0 on
   without a gap. */
ms_status ms_plot_data_read_probes(ms_plot_data *data, const char *path);

/* A series of this key was looked at for changes, and changes `n` times, at these steps: all are marked wherever the
   key is drawn, and a plot of it without a mark has no change.  key: of spectra.jsonl, or "loss", for which layer and
   projection do not count; what is not drawn, of what was chosen, is left out.  After the choice of projections and
   layers.  MS_OUT_OF_MEMORY. */
typedef struct ms_plot_series {
    const char *key, *projection;
    int layer;
} ms_plot_series;

ms_status ms_plot_data_add_changes(ms_plot_data *data, const ms_plot_series *series, const int64_t *steps, int n);

/* Whether the key of this matrix changes at its snapshot. */
bool ms_plot_data_changes(const ms_plot_data *data, const ms_plot_spectrum *spectrum, enum ms_plot_key key);

/* Whether the run has this matrix. */
bool ms_plot_data_has(const ms_plot_data *data, int i_projection, int layer);

/* Leaves the spectra and probes of these layers, "0,5,18-21", and projections, "q,v"; NULL: all.  The run's order
   stays. MS_USAGE: neither a layer nor a range.  MS_NOT_FOUND: the run has no such layer or projection, with those that
   it has (tracker/plot/selection.h). */
ms_status ms_plot_data_select(ms_plot_data *data, const char *layers, const char *projections);

/* Several runs as one, for plots that draw a line a run: `out` borrows runs and names, [n], which must stay;
   ms_plot_data_finish frees it.  MS_INVALID: the runs' spectra are of unlike projections, layers or shapes, with the
   names of both.  MS_OUT_OF_MEMORY. */
ms_status ms_plot_data_overlay(const ms_plot_data *runs, const char *const *names, int n, ms_plot_data *out);

#ifdef __cplusplus
}
#endif

#endif
