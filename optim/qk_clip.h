/* QK-clip, for models without QK-norm (Kimi K2, Kimi Team 2025, arXiv 2507.20534: "MuonClip").  S_h is the largest
   attention logit q_i k_j / sqrt(D) of query head h of a layer, over all sequences and j <= i of the step's batch, in
   the forward passes that made its gradients.  After the update of the weights, for each head with S_h > tau, gamma_h =
   tau / S_h:

     W_q^h *= sqrt(gamma_h),  W_k^h *= sqrt(gamma_h)   where each query head has a key head of its own
     W_q^h *= gamma_h                                  where query heads share one, which stays as it is

   so that the same inputs would give head h a largest logit of tau.  Keys that heads share are left alone as the paper
   leaves those that the heads of its attention share (k^R): clipping one head touches no other, and no weight grows.
   Heads with S_h <= tau keep their bits.  A NaN among the logits makes W_q^h NaN. */
#ifndef MS_OPTIM_QK_CLIP_H
#define MS_OPTIM_QK_CLIP_H

#include "optim/interventions.h"

#ifdef __cplusplus
extern "C" {
#endif

/* MS_INVALID: a threshold that is negative or not finite, weights on a sphere (which undoes the clip), no logits of the
   heads, rows that are not whole heads, or no rows of queries, or of keys, among the parameters. */
ms_status ms_qk_clip_check(const ms_interventions *interventions, const ms_variables *variables,
                           const ms_optimizer_parameter *parameters, int n_parameters);

/* Whether it changes weights of the parameter. */
bool ms_qk_clip_touches(const ms_interventions *interventions, const ms_optimizer_parameter *parameter);

/* The weights [n,R,C] of such a parameter, its layers from first_row on, after the clip.  Errors as in
   backend/ir/graph.h. */
ms_tensor ms_qk_clip(ms_graph *graph, const ms_interventions *interventions, const ms_optimizer_parameter *parameter,
                     ms_tensor weight);

#ifdef __cplusplus
}
#endif

#endif
