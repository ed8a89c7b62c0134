/* Muon and AdamW as one update graph: gradient norms, global clipping, momenta, orthogonalisation, decay, new weights.

   Muon (Jordan et al. 2024, as in vukrosic/muon-llm-research): m' = momentum m + (1 - momentum) g; u = (1 - momentum) g
   + momentum m'; U = scale * orthogonalise(u); W -= lr * (U + decay terms).  AdamW: Loshchilov & Hutter 2019 as in
   PyTorch. Nothing here is thread-safe on one object. */
#ifndef MS_OPTIM_OPTIMIZER_H
#define MS_OPTIM_OPTIMIZER_H

#include "backend/ir/graph.h"
#include "optim/orthogonalise.h"

typedef enum ms_optimizer_kind { MS_OPTIMIZER_MUON, MS_OPTIMIZER_ADAMW } ms_optimizer_kind; /* of the block matrices */

typedef enum ms_muon_scaling {
    MS_SCALING_MAX_ROWS_COLS, /* sqrt(max(1, rows/cols)) */
    MS_SCALING_MOONLIGHT,     /* 0.2 sqrt(max(rows, cols)), Liu et al. 2025 */
    MS_SCALING_ROWS_COLS      /* sqrt(rows/cols) */
} ms_muon_scaling;

typedef enum ms_muon_split {
    MS_SPLIT_MERGED,         /* a stored matrix is orthogonalised as it is */
    MS_SPLIT_PER_PROJECTION, /* each of q, k, v, o alone */
    MS_SPLIT_PER_HEAD        /* each head of q, k, v alone (head_size rows); o as one matrix */
} ms_muon_split;

typedef enum ms_decay_mode { /* U: scaled orthogonalised update, d: decay (vukrosic/llm-weight-decay-research) */
                             MS_DECAY_NONE,      /* W -= lr U */
                             MS_DECAY_DECOUPLED, /* W -= lr (U + d W) */
                             MS_DECAY_UPDATE,    /* W -= lr (1 + d) U */
                             MS_DECAY_BOTH       /* W -= lr (U + d (W + U)) */
} ms_decay_mode;

typedef struct ms_optimizer_config {
    ms_optimizer_kind kind;
    float gradient_clip; /* of the norm of all gradients together; 0: off */
    ms_coefficients coefficients;
    ms_muon_scaling scaling;
    ms_muon_split split;
    ms_decay_mode decay_mode;
    float decay;
    bool nesterov;
    int32_t head_size; /* for MS_SPLIT_PER_HEAD */
    float beta1, beta2, epsilon;
    float matrix_decay; /* AdamW decay of block matrices, with MS_OPTIMIZER_ADAMW */
} ms_optimizer_config;

/* Step scalars: the f32 [MS_N_STEP_SCALARS] variable that the host writes before each update. */
enum {
    MS_SCALAR_LR_MUON,
    MS_SCALAR_LR_ADAMW,
    MS_SCALAR_MOMENTUM,
    MS_SCALAR_INVERSE_BIAS1, /* 1 / (1 - beta1^t), t counts from 1 */
    MS_SCALAR_INVERSE_BIAS2,
    MS_SCALAR_STEP,
    MS_N_STEP_SCALARS
};

/* One trained variable as the optimizer sees it. */
typedef struct ms_optimizer_parameter {
    int32_t variable, gradient; /* indices in the variables table; same shape */
    bool is_matrix;             /* a block matrix [L,R,C]: Muon (or AdamW with decay); else AdamW without decay */
    int32_t n_groups;           /* row groups of a block matrix, 1 to 4; norms are reported for each */
    int64_t group_rows[MS_MAX_SEGMENTS];
    bool per_head[MS_MAX_SEGMENTS]; /* groups that MS_SPLIT_PER_HEAD takes apart */
    int32_t momentum, second;       /* filled by ms_optimizer_init: state variables, -1 when unused */
    int32_t first_norm;             /* filled: index of its first sum of squares within ms_optimizer.gradient_squares */
    int32_t n_norms;                /* filled: L * n_groups for matrices (layer-major), else 1 */
} ms_optimizer_parameter;

enum { MS_MAX_OPTIMIZER_PARAMETERS = 24 };

typedef struct ms_optimizer {
    ms_optimizer_config config;
    ms_variables *variables; /* borrowed */
    int32_t n_parameters;
    ms_optimizer_parameter parameters[MS_MAX_OPTIMIZER_PARAMETERS];
    int32_t step_scalars;
    int32_t n_norms;
    int32_t gradient_squares, weight_squares, update_squares; /* OUTPUT variables f32 [n_norms]: sums of squares of raw
                                                     gradients, weights before the update, and applied updates */
    int32_t clip; /* OUTPUT variable f32 [2]: global gradient norm, clip factor (1 when clipping is off) */
} ms_optimizer;

/* Adds the optimizer's state and output variables.  step_scalars: an INPUT variable f32 [MS_N_STEP_SCALARS].
   MS_INVALID: too many parameters, settings out of range, per-head rows that are no multiple of head_size. */
ms_status ms_optimizer_init(const ms_optimizer_config *config, ms_variables *variables, int step_scalars,
                            const ms_optimizer_parameter *parameters, int n_parameters, ms_optimizer *out);

/* Adds the whole update to a graph made with this optimizer's step scalars. */
ms_status ms_optimizer_update(const ms_optimizer *optimizer, ms_graph *graph);

/* The scale of the orthogonalised update of a rows x columns matrix. */
double ms_muon_scale(ms_muon_scaling scaling, int64_t rows, int64_t columns);

#endif
