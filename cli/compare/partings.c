/* Where the runs of a pair part, for those whose weights were hashed. */
#include <stdbool.h>
#include <stdlib.h>

#include "cli/compare/runs.h"

ms_status ms_compare_add_pair(ms_compare_set *set, const char *a, const char *b, int64_t seed) {
    ms_compare_pair *larger = realloc(set->pairs, (set->n_pairs + 1) * sizeof *larger);
    if (!larger) return MS_FAIL(MS_OUT_OF_MEMORY, "compare: no memory for %zu pairs", set->n_pairs);
    set->pairs = larger;
    set->pairs[set->n_pairs++] = (ms_compare_pair){.a = a, .b = b, .seed = seed};
    return MS_OK;
}

/* Each run beside that of the baseline with its seed. */
static ms_status add_pairs(ms_compare_set *set) {
    for (size_t i = 0; i < set->n; i++)
        for (size_t k = 0; k < set->n; k++) {
            const ms_compared_run *base = &set->compared[k], *run = &set->compared[i];
            if (base->i_group != set->i_baseline || run->i_group == set->i_baseline || base->seed != run->seed)
                continue;
            MS_TRY(ms_compare_add_pair(set, set->runs[k].path, set->runs[i].path, run->seed));
        }
    return MS_OK;
}

ms_status ms_compare_find_partings(ms_compare_set *set) {
    size_t n = 0;
    MS_TRY(add_pairs(set));
    for (size_t i = 0; i < set->n_pairs; i++) {
        ms_compare_pair pair = set->pairs[i];
        MS_TRY(ms_parting_find(pair.a, pair.b, &pair.parting));
        if (pair.parting.faults.n_bad > 0)
            MS_TRY(ms_notes_add(&set->notes,
                                "%s, %s: %lld lines of hashes are cut, repeated or out of order (the first: %s)",
                                pair.a, pair.b, (long long)pair.parting.faults.n_bad, pair.parting.faults.first_bad));
        if (pair.parting.n_compared > 0) set->pairs[n++] = pair;
    }
    set->n_pairs = n;
    return MS_OK;
}
