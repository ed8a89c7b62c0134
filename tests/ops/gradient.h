#ifndef MS_TESTS_OPS_GRADIENT_H
#define MS_TESTS_OPS_GRADIENT_H

/* Fails the Check test unless the gradient of every differentiable op agrees with central differences in f64. */
void ms_check_gradients(void);

#endif
