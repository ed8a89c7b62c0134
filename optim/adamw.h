/* AdamW (Loshchilov & Hutter 2019), as in PyTorch. */
#ifndef MS_OPTIM_ADAMW_H
#define MS_OPTIM_ADAMW_H

#include "optim/rule.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ms_adamw_settings {
    double lr;                   /* peak rate, >= 0 */
    double matrix_lr;            /* peak rate of layer matrices, where AdamW has them; 0: lr */
    float beta1, beta2, epsilon; /* betas in [0, 1), epsilon > 0 */
    float matrix_decay;          /* decoupled decay of layer matrices; nothing else decays */
} ms_adamw_settings;

extern const ms_optimizer_rule ms_adamw_rule;

#ifdef __cplusplus
}
#endif

#endif
