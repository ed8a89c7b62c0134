/* What rules do for the interventions in their deltas. */
#ifndef MS_OPTIM_RULE_INTERVENTIONS_H
#define MS_OPTIM_RULE_INTERVENTIONS_H

#include "optim/rule.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The weights as a decay takes them, where `update` is subtracted beside it.  With cautious_decay 0 where
   update and weight have opposite signs (Chen et al. 2025, arXiv 2510.12402), else all weights. */
ms_tensor ms_rule_decayed_weight(ms_graph *graph, const ms_rule_inputs *inputs, ms_tensor update);

/* x [L,R,C] with the noise of an intervention, if it has this place: `is_before` orthogonalisation or after
   it, where rules without one have their update.  Without noise: x. */
ms_tensor ms_rule_with_noise(ms_graph *graph, const ms_rule_inputs *inputs, bool is_before, ms_tensor x);

#ifdef __cplusplus
}
#endif

#endif
