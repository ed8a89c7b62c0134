/* Interventions on the weights of layer matrices, beside what their rule does: a norm that stays, a cap on singular
   values, decay of the first singular direction alone.  All act on each row group (projection) of each layer alone.
   With W the weights, D the rule's delta (its decay included), lr the rate of the layer matrices at this step:

     spectral_decay   D += lr spectral_decay (W v) v^T, v about the first right singular vector of W: two power
                      iterations a step, from that of the step before (arXiv 2507.13338).  v is a mixture of the first
                      ones at first and where s1 / s2 is near 1
     sphere           `project`: W' = R (W - D) / norm(W - D);  `hyperball`: W' = R (W - E) / norm(W - E) with
                      E = lr R D / norm(D), in which the rule's own rate cancels (Wen et al. 2025, arXiv 2606.16899).
                      R: norm(W) before the run's first update; norms of Frobenius
     soft_cap         X = W - D;  X = X - a X X^T X;  W' = X + a X X^T X: singular values of at most the cap stay so,
                      with the least a that brings down the most that a step can add (arXiv 2507.13338).  Not with
                      cautious decay, which may add more

   After those, on heads: optim/qk_clip.h.  Noise in the update: optim/noise.h.  Cautious decay (arXiv 2510.12402) is
   part of the rules: they decay only where the update has the weight's sign. */
#ifndef MS_OPTIM_INTERVENTIONS_H
#define MS_OPTIM_INTERVENTIONS_H

#include "optim/rule.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum ms_sphere { MS_SPHERE_NONE, MS_SPHERE_PROJECT, MS_SPHERE_HYPERBALL } ms_sphere;
/* Names by value; ends with NULL. */
extern const char *const ms_sphere_names[];

typedef enum ms_noise_place { MS_NOISE_BEFORE, MS_NOISE_AFTER } ms_noise_place;
extern const char *const ms_noise_place_names[]; /* of the orthogonalisation */

/* All zero: none. */
typedef struct ms_interventions {
    float noise; /* strength, see optim/noise.h; 0: none.  Which groups get it: ms_optimizer_parameter.noisy */
    ms_noise_place noise_place;
    int32_t noise_first_layer, noise_last_layer; /* from 0; last -1: the model's */
    bool cautious_decay;
    ms_sphere sphere;
    float soft_cap;       /* largest singular value; 0: no cap */
    float spectral_decay; /* 0: none */
    float qk_clip;        /* largest attention logit of a head, see optim/qk_clip.h; 0: none */
    /* What a trainer puts here: */
    uint64_t seed;           /* of what is drawn */
    int32_t heads, kv_heads; /* of the model, for qk_clip, */
    int32_t logit_max;       /* and the variable f32 [L, heads] that has the largest logits of the step */
} ms_interventions;

/* The step scalars of interventions; those of the caps follow: one for each row group of each layer matrix. */
enum {
    MS_INTERVENTION_RATE,
    MS_INTERVENTION_IS_FIRST,
    MS_INTERVENTION_STEP,
    MS_INTERVENTION_JOLT,
    MS_N_INTERVENTION_SCALARS
};

/* Values of the fixed scalars. step counts from 0; rate: that of the layer matrices. */
void ms_intervention_scalars(int64_t step, double rate, float out[MS_N_INTERVENTION_SCALARS]);

/* Whether any of them changes weights after the rule's delta, whether ms_interventions_apply does (all but QK-clip),
   and which states they keep. */
bool ms_interventions_on_weights(const ms_interventions *interventions);
bool ms_interventions_on_groups(const ms_interventions *interventions);
bool ms_interventions_need_scalars(const ms_interventions *interventions);
bool ms_interventions_keep_norms(const ms_interventions *interventions);
bool ms_interventions_keep_directions(const ms_interventions *interventions);
ms_shape ms_intervention_norms_shape(const ms_shape *parameter, int n_groups);      /* [L, groups] */
ms_shape ms_intervention_directions_shape(const ms_shape *parameter, int n_groups); /* [L, groups, C] */

/* MS_INVALID: values out of range, interventions that contradict each other or the rule of the layer matrices. */
ms_status ms_interventions_check(const ms_interventions *interventions, const ms_rule_use *of_matrices);

/* The a of the cap for a row group, whose singular values a step may raise by `growth`.
   MS_INVALID: the cap is less than six times the growth; where the polynomial no longer rises up to there. */
ms_status ms_soft_cap_strength(double cap, double growth, double *out_strength);

/* What a new weight is made from: of one layer matrix. */
typedef struct ms_intervention_inputs {
    const ms_interventions *settings;
    const ms_optimizer_parameter *parameter;
    const char *name;                          /* of the weight's variable */
    ms_tensor weight, delta;                   /* of the parameter's layers from first_row on */
    int64_t layers;                            /* of the whole stack */
    ms_tensor initial_squares, top_directions; /* views of the states; MS_NO_TENSOR where not kept */
    int32_t first_scalar, first_cap;           /* indices of step scalars */
} ms_intervention_inputs;

/* Assigns the states and returns the new weights [L,R,C]. Errors as in backend/ir/graph.h. */
ms_tensor ms_interventions_apply(ms_graph *graph, const ms_intervention_inputs *inputs);

#ifdef __cplusplus
}
#endif

#endif
