/* Student's t distribution (Student 1908).  Thread-safe. */
#ifndef MS_TRACKER_COMPARE_STUDENT_H
#define MS_TRACKER_COMPARE_STUDENT_H

#ifdef __cplusplus
extern "C" {
#endif

/* P(|T| > t) for `freedom` >= 1 degrees of freedom: I_x(freedom / 2, 1 / 2) at x = freedom / (freedom + t^2), the
   regularised incomplete beta function (DLMF 8.17), good to 1e-12 of itself. */
double ms_student_two_sided(double t, int freedom);

/* The t with P(|T| <= t) = confidence, 0 < confidence < 1: half the width of an interval in standard errors. */
double ms_student_quantile(double confidence, int freedom);

#ifdef __cplusplus
}
#endif

#endif
