/* Chance levels: what alignments of random matrices are. */
#ifndef MS_TRACKER_CHANCE_H
#define MS_TRACKER_CHANCE_H

#ifdef __cplusplus
extern "C" {
#endif

/* Mean, and 95th percentile, of the mean cosine of the principal angles between two random 5-dimensional subspaces of
   a space of `dimension` >= 1.  From the table chance.def, made by the simulation tests/tracker/chance.c; between its
   dimensions, times sqrt(dimension), linear in 1/dimension.  1 for dimension <= 5.  The mean nears
   1.85 / sqrt(dimension); 8/(3 pi) sqrt(5/dimension), the quarter-circle law, is 2.5 % above that.  Thread-safe. */
double ms_alignment_random(int dimension);
double ms_alignment_random_p95(int dimension);

#ifdef __cplusplus
}
#endif

#endif
