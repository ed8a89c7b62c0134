/* The device probe: does a device add, subtract and multiply as IEEE-754 says, is nothing contracted or reassociated,
   do subnormals survive?  A backend runs one kernel over triples of numbers; its results are compared with this
   processor's. Subnormals are reported and not required: `exact` never meets one in training (see backend/exact.h). */
#ifndef MS_BACKEND_PROBE_H
#define MS_BACKEND_PROBE_H

#include <stdbool.h>
#include <stddef.h>

/* Results of a triple (x, y, z): x + y, x - y, x y, x y + z, (x + y) - x, exp x, log y, 1 / z, 1 / sqrt y of
   backend/exact.h, and a smallest normal number, 2^-126 (1 + (i mod 256) 2^-23) for triple i, halved and doubled
   again. */
enum {
    MS_PROBE_RANDOM = 4096,
    MS_PROBE_SPECIAL = 64,
    MS_PROBE_TRIPLES = MS_PROBE_RANDOM + MS_PROBE_SPECIAL,
    MS_PROBE_RESULTS = 10
};

/* [MS_PROBE_TRIPLES, 3], always the same.  First MS_PROBE_RANDOM of normal numbers of both signs between 2^-8 and 2^8;
   y positive; in one of eight z all but cancels x y.  Then x and y from zeros, ones, infinities and NaN, whose sum,
   difference and product must be right: a driver may treat them as if they did not exist unless it is told not to. */
void ms_probe_triples(float *out);

/* Whether all results [MS_PROBE_TRIPLES, MS_PROBE_RESULTS] are as they must be; out_text: what was found, of `size`
   bytes with its end, 240 are enough. */
bool ms_probe_judge(const float *triples, const float *results, char *out_text, size_t size);

#endif
