/* A rule that is not in optim/rules.def and joins by its struct alone: Adam with one second moment a row (as Adam-mini,
   Zhang et al. 2024), whose state [L,R] has another shape than its parameter [L,R,C].  Of stacks of matrices only. */
#ifndef MS_TESTS_OPTIM_ROW_ADAM_H
#define MS_TESTS_OPTIM_ROW_ADAM_H

#include "optim/rule.h"

typedef struct row_adam_settings {
    double lr;
    float beta1, beta2, epsilon, decay;
} row_adam_settings;

extern const ms_optimizer_rule row_adam_rule;

#endif
