#include "tracker/run_log_order.h"

#include <stdlib.h>
#include <string.h>

static bool is_in_order(const int64_t *steps, size_t n) {
    for (size_t i = 1; i < n; i++)
        if (steps[i] < steps[i - 1]) return false;
    return true;
}

/* The first of the ends [n_ends], whose steps do not rise, with a step below `step`. */
static size_t find_below(const int64_t *steps, const size_t *ends, size_t n_ends, int64_t step) {
    size_t low = 0, high = n_ends;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (steps[ends[middle]] < step)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

ms_status ms_run_log_order(const int64_t *steps, size_t n, bool *out_keep) {
    memset(out_keep, is_in_order(steps, n), n * sizeof *out_keep);
    if (n == 0 || out_keep[0]) return MS_OK;
    /* From the last line on: of several choices of as many lines, that of the earlier ones is found. */
    size_t *ends = malloc(n * sizeof *ends);   /* first lines of the sequences of 1, 2, ... lines that begin highest */
    size_t *after = malloc(n * sizeof *after); /* the line after each, where its sequence has one */
    size_t length = 0;
    for (size_t i = n; ends && after && i-- > 0;) {
        size_t k = find_below(steps, ends, length, steps[i]);
        after[i] = k > 0 ? ends[k - 1] : i;
        ends[k] = i;
        if (k == length) length++;
    }
    ms_status status =
        ends && after ? MS_OK : MS_FAIL(MS_OUT_OF_MEMORY, "no memory for the order of the steps of %zu lines", n);
    for (size_t i = status == MS_OK ? ends[length - 1] : 0, left = length; left > 0; left--, i = after[i])
        out_keep[i] = true;
    free(ends);
    free(after);
    return status;
}
