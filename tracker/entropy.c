#include "tracker/entropy.h"

#include <math.h>

double ms_entropy(const double *values, int n, bool squared, double total) {
    double sum = 0;
    for (int i = 0; i < n; i++) {
        double p = (squared ? values[i] * values[i] : values[i]) / total;
        if (p > 0) sum -= p * log(p);
    }
    return sum;
}
