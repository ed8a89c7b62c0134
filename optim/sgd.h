/* Stochastic gradient descent with momentum (Polyak 1964; Sutskever et al. 2013 for Nesterov's form), as in PyTorch:
   b' = momentum b + g;  u = b', or g + momentum b' with nesterov;  W -= lr (u + decay W), the decay decoupled
   (Loshchilov & Hutter 2019). */
#ifndef MS_OPTIM_SGD_H
#define MS_OPTIM_SGD_H

#include "optim/rule.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ms_sgd_settings {
    double lr, momentum; /* peak rate, >= 0; momentum in [0, 1) */
    bool nesterov;
    float decay; /* >= 0 */
} ms_sgd_settings;

/* Of variables of any shape. */
extern const ms_optimizer_rule ms_sgd_rule;

#ifdef __cplusplus
}
#endif

#endif
