/* The values that tracker/phases.h looks at, read from a run's metrics.jsonl and spectra.jsonl. */
#ifndef MS_TRACKER_PHASE_VALUES_H
#define MS_TRACKER_PHASE_VALUES_H

#include <stdint.h>

#include "platform/json_lines.h"
#include "platform/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* X(key, of rates): the keys of spectra.jsonl that are looked at. */
#define MS_PHASE_KEYS(X)                                                                                               \
    X(alignment_momentum_left, false)                                                                                  \
    X(spectral_entropy, true)                                                                                          \
    X(gap, false)

enum {
#define X(key, rates) MS_PHASE_##key,
    MS_PHASE_KEYS(X)
#undef X
        MS_PHASE_N_KEYS
};

enum { MS_PHASE_NAME_SIZE = 32 };

typedef struct ms_phase_matrix {
    int layer;
    char projection[MS_PHASE_NAME_SIZE];
} ms_phase_matrix;

typedef struct ms_phase_values {
    int n_snapshots; /* whole ones, without that of step 0 */
    int n_matrices;
    int64_t *steps;            /* [n_snapshots], ascending */
    double *loss;              /* [n_snapshots] mean training loss since the last snapshot; NaN: none */
    ms_phase_matrix *matrices; /* [n_matrices] those of the first snapshot */
    double *values;            /* [n_snapshots][n_matrices][MS_PHASE_N_KEYS] */
    double *series;            /* [MS_PHASE_N_KEYS][n_matrices][n_snapshots]: the same; NaN: null, or no such key */
    ms_json_bad_lines bad;     /* lines that were left out, with the rest of their snapshots */
} ms_phase_values;

/* Errors of ms_phases_init (tracker/phases.h).  ms_phase_values_finish frees; `out` is zeroed on failure. */
ms_status ms_phase_values_init(const char *metrics_path, const char *spectra_path, ms_phase_values *out);
void ms_phase_values_finish(ms_phase_values *values);

/* [n_snapshots] of one key and matrix.  Borrowed. */
const double *ms_phase_values_of(const ms_phase_values *values, int i_key, int i_matrix);

#ifdef __cplusplus
}
#endif

#endif
