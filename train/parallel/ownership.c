#include "train/parallel/ownership.h"

#include <stdlib.h>
#include <string.h>

static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

/* Cost of all before granule after granule decides: the one in whose middle a rank's share ends goes to the nearer. */
static void cut(const ms_owned_parameter *parameters, ms_ownership *out) {
    int n_ranks = out->n_ranks;
    double total = 0, before = 0;
    for (int i = 0; i < out->n_parameters; i++) total += (double)parameters[i].rows * parameters[i].row_cost;
    for (int i = 0; i < out->n_parameters; i++) {
        const ms_owned_parameter *parameter = &parameters[i];
        int64_t *first_row = out->first_row + (size_t)i * (size_t)(n_ranks + 1);
        int last = 0; /* rank that the granule before went to */
        for (int64_t row = 0; row < parameter->rows; row += parameter->granule) {
            int64_t rows = smaller(parameter->granule, parameter->rows - row);
            double cost = (double)rows * parameter->row_cost;
            int rank = total > 0 ? (int)((before + cost / 2) / total * n_ranks) : 0;
            if (rank > n_ranks - 1) rank = n_ranks - 1;
            while (last < rank) first_row[++last] = row;
            out->begin[rank + 1] += rows * parameter->row_elements;
            before += cost;
        }
        while (last < n_ranks) first_row[++last] = parameter->rows;
    }
    for (int r = 0; r < n_ranks; r++) out->begin[r + 1] += out->begin[r];
}

ms_status ms_ownership_init(const ms_owned_parameter *parameters, int n_parameters, int n_ranks, ms_ownership *out) {
    *out = (ms_ownership){.n_ranks = n_ranks, .n_parameters = n_parameters};
    size_t bounds = (size_t)n_ranks + 1;
    out->first_row = calloc((size_t)n_parameters * bounds, sizeof *out->first_row);
    out->begin = calloc(bounds, sizeof *out->begin);
    if (!out->first_row || !out->begin)
        return MS_FAIL(MS_OUT_OF_MEMORY, "ranks: no memory for the parts of %d parameters", n_parameters);
    cut(parameters, out);
    return MS_OK;
}

void ms_ownership_finish(ms_ownership *ownership) {
    free(ownership->first_row);
    free(ownership->begin);
    *ownership = (ms_ownership){0};
}

int64_t ms_ownership_first_row(const ms_ownership *ownership, int i_parameter, int rank) {
    return ownership->first_row[(size_t)i_parameter * (size_t)(ownership->n_ranks + 1) + (size_t)rank];
}

int64_t ms_ownership_rows(const ms_ownership *ownership, int i_parameter, int rank) {
    return ms_ownership_first_row(ownership, i_parameter, rank + 1) -
           ms_ownership_first_row(ownership, i_parameter, rank);
}
