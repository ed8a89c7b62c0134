/* The median of measured times. */
#ifndef MS_PLATFORM_MEDIAN_H
#define MS_PLATFORM_MEDIAN_H

/* The median of n >= 1 values (of an even number: the upper middle one).  Sorts them.  Thread-safe. */
double ms_median(double *values, int n);

#endif
