/* The update of a step as one graph: gradient norms, global clipping, the deltas of the rules, new weights.  Which
   rules there are: rules.def.  What a rule is: rule.h.  Nothing here is thread-safe on one object. */
#ifndef MS_OPTIM_OPTIMIZER_H
#define MS_OPTIM_OPTIMIZER_H

#include "optim/adamw.h"
#include "optim/interventions.h"
#include "optim/muon.h"
#include "optim/normuon.h"
#include "optim/rule.h"
#include "optim/sgd.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum ms_optimizer_kind {
#define RULE(upper, lower) MS_OPTIMIZER_##upper,
#include "optim/rules.def"
#undef RULE
    MS_OPTIMIZER_COUNT
} ms_optimizer_kind;
/* Names by value; ends with NULL. */
extern const char *const ms_optimizer_kind_names[];

typedef struct ms_optimizer_config {
    ms_optimizer_kind kind;    /* rule of the layer matrices; everything else has AdamW */
    ms_rule_use matrices_rule; /* a rule of the layer matrices that is not in rules.def, in place of kind; its rule is
                                  NULL: kind counts.  Lives as long as the optimizer */
    bool captures;             /* make variables and the graph that show what the rule of layer matrices captures */
    bool sharded; /* only parts of the parameters are updated, in two graphs: see ms_optimizer_squares.  For qk_clip the
                     largest logits must be those of all shards by the second */
    float gradient_clip; /* of the norm of all gradients together; 0: off */
    ms_dtype master; /* of weights and the rules' states, which lie in f32 either way.  MS_DTYPE_BF16: each of them is
                        rounded to bf16, to nearest even, as it is stored; the update itself is computed in f32 from
                        stored values.  What interventions keep stays f32 */
    ms_interventions interventions; /* on layer matrices */
/* Settings of each rule: `muon`, `adamw`, `normuon`, `sgd`. */
#define RULE(upper, lower) ms_##lower##_settings lower;
#include "optim/rules.def"
#undef RULE
} ms_optimizer_config;

enum {
    MS_MAX_OPTIMIZER_PARAMETERS = 24,
    MS_MAX_STEP_SCALARS =
        2 * MS_MAX_RULE_SCALARS + MS_N_INTERVENTION_SCALARS + MS_MAX_OPTIMIZER_PARAMETERS * MS_MAX_ROW_GROUPS
};

/* A rule at work in an optimizer. */
typedef struct ms_optimizer_rule_in_use {
    ms_rule_use use;
    int32_t first_scalar; /* its place among the step scalars */
} ms_optimizer_rule_in_use;

/* A parameter at work in an optimizer. */
typedef struct ms_optimizer_entry {
    ms_optimizer_parameter parameter;
    ms_shape shape;                     /* of the part that is updated; the variable's, but of a sharded optimizer */
    int64_t first_element;              /* of that part */
    int32_t first_block, n_blocks;      /* of what is no matrix, within ms_optimizer.block_squares */
    int32_t i_rule;                     /* index in ms_optimizer.rules */
    int32_t states[MS_MAX_RULE_STATES]; /* variables of the part, in the rule's order; -1: it has no rows */
    int32_t captures[MS_CAPTURE_COUNT]; /* OUTPUT variables of the parameter's shape; -1: it has none */
    int32_t initial_squares, top_directions; /* variables of the interventions, -1: none */
    int32_t first_cap;                       /* step scalar of its row group 0, under a soft cap */
    int32_t first_norm; /* index of its first sum of squares within ms_optimizer.gradient_squares */
    int32_t n_norms;    /* L * n_groups for matrices (layer-major), else 1 */
} ms_optimizer_entry;

/* Must stay where it was initialised: the rules' settings are in it. */
typedef struct ms_optimizer {
    ms_optimizer_config config;
    ms_variables *variables; /* borrowed */
    int32_t n_rules;
    ms_optimizer_rule_in_use rules[2]; /* first that of layer matrices, last that of everything else */
    ms_adamw_settings matrices_adamw;  /* AdamW's settings for layer matrices that have their own rate */
    int32_t n_parameters;
    ms_optimizer_entry parameters[MS_MAX_OPTIMIZER_PARAMETERS];
    int32_t first_intervention; /* step scalar, where interventions need some */
    int32_t step_scalars;       /* INPUT variable f32 [n_step_scalars] */
    int32_t n_step_scalars;
    int32_t n_norms;
    int32_t gradient_squares, weight_squares, update_squares; /* OUTPUT variables f32 [n_norms]: sums of squares of raw
                                                     gradients, weights before the update, and applied updates */
    int32_t n_blocks;
    int32_t block_squares; /* OUTPUT variable f32 [n_blocks] of a sharded optimizer: sums of squares of the raw
                              gradients of what is no matrix, for each MS_REDUCE_BLOCK elements; -1: not sharded */
    int32_t clip;          /* OUTPUT variable f32 [2]: global gradient norm, clip factor (1 when clipping is off) */
} ms_optimizer;

/* The rule of a kind.  Static.  NULL: no such kind. */
const ms_optimizer_rule *ms_optimizer_kind_rule(ms_optimizer_kind kind);

/* Adds the variables of the optimizer: step scalars, states, outputs.
   MS_INVALID: too many parameters, settings out of range, a parameter that its rule does not take, or interventions
   that contradict each other, the rule or the parameters (ms_interventions_check, ms_soft_cap_strength,
   ms_qk_clip_check). */
ms_status ms_optimizer_init(const ms_optimizer_config *config, ms_variables *variables,
                            const ms_optimizer_parameter *parameters, int n_parameters, ms_optimizer *out);

/* The first half of a sharded update: sums of squares of the gradients of its parts, in gradient_squares (matrices) and
   block_squares.  When these two have the sums of all parts of all shards, ms_optimizer_update is the second half, with
   the bits of an update that is not sharded. */
ms_status ms_optimizer_squares(const ms_optimizer *optimizer, ms_graph *graph);
/* Adds the whole update to a graph made with this optimizer's step scalars. */
ms_status ms_optimizer_update(const ms_optimizer *optimizer, ms_graph *graph);
/* The same update, which also leaves what is captured in the variables for it. */
ms_status ms_optimizer_update_captured(const ms_optimizer *optimizer, ms_graph *graph);
/* Whether layer matrices have a capture: config.captures is on and their rule makes it. */
bool ms_optimizer_captures(const ms_optimizer *optimizer, ms_capture capture);

/* Adds the rounding of all weights to `master`, for weights that come from elsewhere. */
ms_status ms_optimizer_round(const ms_optimizer *optimizer, ms_graph *graph);

/* What the host needs for one update. */
typedef struct ms_optimizer_step {
    double matrices_lr, others_lr;      /* learning rates of layer matrices and of everything else */
    float scalars[MS_MAX_STEP_SCALARS]; /* to be written to ms_optimizer.step_scalars; n_step_scalars are filled */
} ms_optimizer_step;

/* step counts from 0; factor: that of the schedule.  MS_NUMERIC: a step scalar that is not finite, by its name. */
ms_status ms_optimizer_step_at(const ms_optimizer *optimizer, int64_t step, double factor, ms_optimizer_step *out);

/* Where the sum of squares of a row group of a layer of a parameter stands in the outputs; layer and group are 0 for
   what is no matrix. */
int ms_optimizer_norm_index(const ms_optimizer *optimizer, int i_parameter, int layer, int group);

#ifdef __cplusplus
}
#endif

#endif
