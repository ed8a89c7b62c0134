/* Random numbers of tests whose goldens, made in Python, draw the same: Knuth's MMIX congruential generator.  Its high
   bits are the good ones. */
#ifndef MS_TESTS_SUPPORT_RANDOM_H
#define MS_TESTS_SUPPORT_RANDOM_H

#include <stdint.h>

/* The next state, and the number itself. */
static inline uint64_t ms_congruential(uint64_t *state) {
    return *state = *state * 6364136223846793005u + 1442695040888963407u;
}

/* Uniform in [-1, 1): the 24 high bits, exact in f32. */
static inline double ms_congruential_uniform(uint64_t *state) {
    return (double)(ms_congruential(state) >> 40) / 8388608.0 - 1.0;
}

#endif
