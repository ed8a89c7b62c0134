/* Muon (Jordan et al. 2024, as in vukrosic/muon-llm-research): m' = momentum m + (1 - momentum) g;
   u = (1 - momentum) g + momentum m'; U = scale * orthogonalise(u); W -= lr * (U + decay terms). */
#ifndef MS_OPTIM_MUON_H
#define MS_OPTIM_MUON_H

#include "optim/orthogonalise.h"
#include "optim/rule.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Choices, each with its names by value, which end with NULL. */

typedef enum ms_muon_scaling {
    MS_SCALING_MAX_ROWS_COLS, /* sqrt(max(1, rows/cols)) */
    MS_SCALING_MOONLIGHT,     /* 0.2 sqrt(max(rows, cols)), Liu et al. 2025 */
    MS_SCALING_ROWS_COLS      /* sqrt(rows/cols) */
} ms_muon_scaling;
extern const char *const ms_muon_scaling_names[];

typedef enum ms_muon_split {
    MS_SPLIT_MERGED,         /* a stored matrix is orthogonalised as it is */
    MS_SPLIT_PER_PROJECTION, /* each of q, k, v, o alone */
    MS_SPLIT_PER_HEAD        /* each head of q, k, v alone (head_size rows); o as one matrix */
} ms_muon_split;
extern const char *const ms_muon_split_names[];

/* U: scaled orthogonalised update, d: decay (vukrosic/llm-weight-decay-research). */
typedef enum ms_decay_mode {
    MS_DECAY_NONE,      /* W -= lr U */
    MS_DECAY_DECOUPLED, /* W -= lr (U + d W) */
    MS_DECAY_UPDATE,    /* W -= lr (1 + d) U */
    MS_DECAY_BOTH       /* W -= lr (U + d (W + U)) */
} ms_decay_mode;
extern const char *const ms_decay_mode_names[];

typedef struct ms_muon_settings {
    double lr, momentum; /* peak rate, >= 0; momentum in [0, 1) */
    bool nesterov;       /* false: u = m' */
    ms_coefficients coefficients;
    ms_exponent exponent; /* of the singular values of the update; 0: it is orthogonalised */
    ms_muon_scaling scaling;
    ms_muon_split split;
    int32_t head_size; /* for MS_SPLIT_PER_HEAD */
    ms_decay_mode decay_mode;
    float decay;
} ms_muon_settings;

/* Of stacks of matrices only. */
extern const ms_optimizer_rule ms_muon_rule;

/* What another rule does with Muon's orthogonalised pieces before they are scaled.  o [pieces, rows, C]: the pieces of
   rows [begin, begin + n_rows) of every layer; returns the same shape. */
typedef struct ms_muon_piece_change {
    ms_tensor (*apply)(void *context, ms_graph *graph, ms_tensor o, int64_t begin, int64_t n_rows);
    void *context;
} ms_muon_piece_change;

/* For rules that are Muon but for a change of the pieces (NULL: none): Muon's check of its settings, and its delta. The
   rule's state 0 must be the momentum, and its first scalars ms_muon_rule's. */
ms_status ms_muon_check(const ms_muon_settings *settings, const ms_optimizer_parameter *parameter,
                        const ms_variable *variable);
ms_tensor ms_muon_delta(const ms_muon_settings *settings, ms_graph *graph, const ms_rule_inputs *inputs,
                        const ms_muon_piece_change *change);
/* ms_optimizer_rule.decay_share of Muon. */
double ms_muon_decay_share(const ms_muon_settings *settings, double rate);
/* By which decay of the update multiplies the rate: 1 + decay, or 1 without it. */
double ms_muon_update_factor(const ms_muon_settings *settings);

/* Rows of what is orthogonalised as one with rows of group i_group: of a head, the group, or the whole parameter. */
int64_t ms_muon_piece_rows(const ms_muon_settings *settings, const ms_optimizer_parameter *parameter, int i_group);

/* The largest singular value that row group i_group of a parameter with so many columns can get in the delta, over the
   learning rate, without decay of the weights. */
double ms_muon_largest_step(const ms_muon_settings *settings, const ms_optimizer_parameter *parameter, int i_group,
                            int64_t columns);

/* The scale of the orthogonalised update of a rows x columns matrix.  NAN: no such scaling. */
double ms_muon_scale(ms_muon_scaling scaling, int64_t rows, int64_t columns);

#ifdef __cplusplus
}
#endif

#endif
