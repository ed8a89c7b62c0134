/* What an update rule is: one struct that names its state, its step scalars and its learning rate, and builds its
   delta. `optimizer.h` does the rest for all rules.  rules.def lists the rules of this folder. */
#ifndef MS_OPTIM_RULE_H
#define MS_OPTIM_RULE_H

#include "backend/ir/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { MS_MAX_RULE_STATES = 4, MS_MAX_RULE_SCALARS = 6 };

/* Whose heads the rows of a group are, for QK-clip. */
typedef enum ms_head_rows { MS_HEAD_ROWS_NONE, MS_HEAD_ROWS_QUERY, MS_HEAD_ROWS_KEY } ms_head_rows;

/* One trained variable as the optimizer sees it. */
typedef struct ms_optimizer_parameter {
    int32_t variable, gradient; /* indices in the variables table; same shape */
    bool is_matrix;             /* a stack of layer matrices [L,R,C]; else any shape */
    int32_t n_groups;           /* row groups of a layer matrix, 1 to 4; norms are reported for each */
    int64_t group_rows[MS_MAX_ROW_GROUPS];
    bool per_head[MS_MAX_ROW_GROUPS]; /* groups whose rows are those of heads */
    ms_head_rows head_rows[MS_MAX_ROW_GROUPS];
    bool noisy[MS_MAX_ROW_GROUPS]; /* groups that get the noise of an intervention, if there is any */
    int64_t first_row, n_rows; /* of ms_optimizer_config.sharded: the part of the leading dimension (layers of a stack)
                                  that is updated; of what is no matrix it begins at a multiple of MS_REDUCE_BLOCK
                                  elements, and only the last part may end elsewhere */
} ms_optimizer_parameter;

/* A state tensor that a rule keeps for each of its parameters.  It is zero before the first step. */
typedef struct ms_rule_state {
    const char *prefix; /* the variable is "<prefix>.<name of the parameter>"; this is its name in checkpoints */
    ms_shape (*shape)(const ms_shape *parameter); /* NULL: the parameter's shape.  A stacked parameter's layers stay the
                                                     leading dimension */
} ms_rule_state;

/* A number that the host computes before each update, for ms_step_scalar. */
typedef struct ms_rule_scalar {
    const char *name; /* for messages */
    /* step counts from 0; rate: the learning rate at this step.  NULL: the value is the rate. */
    double (*value)(const void *settings, int64_t step, double rate);
} ms_rule_scalar;

/* What a rule can show of an update beside its delta, for analysis: tensors of the parameter's shape. */
typedef enum ms_capture {
    MS_CAPTURE_MOMENTUM,   /* u: what is applied, or enters the orthogonalisation */
    MS_CAPTURE_ORTHOGONAL, /* O: what the orthogonalisation gives, before anything is done to it */
    MS_CAPTURE_COUNT
} ms_capture;

/* What a rule builds a delta from: views of whole variables, and where its step scalars begin. */
typedef struct ms_rule_inputs {
    const void *settings;
    const ms_optimizer_parameter *parameter;
    ms_tensor weight, gradient;
    ms_tensor states[MS_MAX_RULE_STATES]; /* in the rule's order */
    ms_tensor clip; /* f32 [2], norm and factor of all gradients; the rule multiplies the gradient by the factor.
                       MS_NO_TENSOR: clipping is off */
    /* Interventions, see optim/interventions.h; false and NULL: none. */
    bool cautious_decay;          /* decay only where the update has the weight's sign: ms_rule_decayed_weight */
    const struct ms_noise *noise; /* in the update: ms_rule_with_noise */
    int32_t first_scalar; /* index of the rule's scalar 0: scalar i is ms_step_scalar(constant, first_scalar + i) */
    ms_tensor *captured;  /* [MS_CAPTURE_COUNT], where the rule puts what it shows; NULL: nothing is wanted */
} ms_rule_inputs;

/* A rule is static and never changes.  `settings` is always the rule's own settings struct. */
typedef struct ms_optimizer_rule {
    const char *name;
    int32_t n_states;
    ms_rule_state states[MS_MAX_RULE_STATES];
    int32_t n_scalars;
    ms_rule_scalar scalars[MS_MAX_RULE_SCALARS];
    bool heeds_interventions; /* it calls ms_rule_decayed_weight and ms_rule_with_noise (optim/rule_interventions.h) */
    bool orthogonalises;
    /* The peak learning rate; the schedule scales it. */
    double (*peak_rate)(const void *settings);
    /* MS_INVALID: settings out of range, or settings that do not fit a parameter.  Called for each parameter. */
    ms_status (*check)(const void *settings, const ms_optimizer_parameter *parameter, const ms_variable *variable);
    /* Assigns the new states, and returns what is to be subtracted from the weights.  Errors as in
       backend/ir/graph.h: MS_NO_TENSOR and a status in the graph. */
    ms_tensor (*delta)(ms_graph *graph, const ms_rule_inputs *inputs);
    bool captures[MS_CAPTURE_COUNT]; /* what delta puts into inputs->captured */
    /* The share of a layer matrix that decay takes away in a step at this rate, apart from what the rule does to its
       update.  NULL: decay is not of this form; the analysis leaves out what would tell it apart. */
    double (*decay_share)(const void *settings, double rate);
} ms_optimizer_rule;

/* A rule with its settings; both are borrowed. */
typedef struct ms_rule_use {
    const ms_optimizer_rule *rule;
    const void *settings;
} ms_rule_use;

#ifdef __cplusplus
}
#endif

#endif
