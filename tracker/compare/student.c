#include "tracker/compare/student.h"

#include <math.h>

/* The continued fraction of I_x(a, b), DLMF 8.17.22, by the recurrence of Lentz (1976) as Thompson & Barnett (1986)
   changed it.  Converges fast for x < (a + 1) / (a + b + 2). */
static double beta_fraction(double x, double a, double b) {
    enum { MOST_TERMS = 10000 };
    const double tiny = 1e-300;
    double c = 1, d = 1 - (a + b) * x / (a + 1);
    d = 1 / (fabs(d) < tiny ? tiny : d);
    double value = d;
    for (int m = 1; m < MOST_TERMS; m++) {
        const double terms[2] = {m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
                                 -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))};
        double change = 1;
        for (int k = 0; k < 2; k++) {
            d = 1 + terms[k] * d;
            c = 1 + terms[k] / c;
            d = 1 / (fabs(d) < tiny ? tiny : d);
            c = fabs(c) < tiny ? tiny : c;
            change = c * d;
            value *= change;
        }
        if (fabs(change - 1) < 1e-15) break;
    }
    return value;
}

/* y = 1 - x, which is given since it may be small. */
static double incomplete_beta(double x, double y, double a, double b) {
    if (x <= 0) return 0;
    if (y <= 0) return 1;
    double front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log(y));
    return x < (a + 1) / (a + b + 2) ? front * beta_fraction(x, a, b) / a : 1 - front * beta_fraction(y, b, a) / b;
}

double ms_student_two_sided(double t, int freedom) {
    double square = t * t, n = freedom;
    return incomplete_beta(n / (n + square), square / (n + square), n / 2, 0.5);
}

double ms_student_quantile(double confidence, int freedom) {
    double outside = 1 - confidence, low = 0, high = 1;
    while (ms_student_two_sided(high, freedom) > outside && high < 1e300) high *= 2;
    for (int i = 0; i < 200 && high - low > 1e-15 * high; i++) {
        double middle = low + (high - low) / 2;
        if (ms_student_two_sided(middle, freedom) > outside)
            low = middle;
        else
            high = middle;
    }
    return low + (high - low) / 2;
}
