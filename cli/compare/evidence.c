/* What is missing in runs that are compared. */
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "cli/compare/runs.h"

static ms_status note_unfinished(ms_compare_set *set) {
    for (size_t i = 0; i < set->n; i++)
        if (!set->compared[i].finished)
            MS_TRY(ms_notes_add(&set->notes, "%s is not finished: it has made %lld of %lld steps", set->runs[i].path,
                                (long long)set->compared[i].last_step, (long long)set->runs[i].n_steps));
    return MS_OK;
}

/* Seeds without a run in the baseline, or in the group. */
static ms_status note_seeds(ms_compare_set *set) {
    for (size_t i = 0; i < set->n; i++)
        for (int g = 0; g < set->n_groups; g++) {
            bool is_baseline = set->compared[i].i_group == set->i_baseline, found = false;
            if (g == set->compared[i].i_group || (!is_baseline && g != set->i_baseline)) continue;
            for (size_t k = 0; k < set->n; k++)
                found |= set->compared[k].i_group == g && set->compared[k].seed == set->compared[i].seed;
            if (!found)
                MS_TRY(ms_notes_add(&set->notes, "seed %lld of %s has no partner in %s: it is in no pair",
                                    (long long)set->compared[i].seed, set->labels[set->compared[i].i_group],
                                    set->labels[g]));
        }
    return MS_OK;
}

static void drop_metric(ms_compare_set *set, size_t k) {
    for (size_t i = 0; i < set->n; i++) {
        ms_series *series = set->compared[i].series;
        ms_series_finish(&series[k]);
        memmove(&series[k], &series[k + 1], (set->n_series - k - 1) * sizeof *series);
        series[set->n_series - 1] = (ms_series){0};
    }
    memmove(&set->metrics[k], &set->metrics[k + 1], (set->n_metrics - k - 1) * sizeof *set->metrics);
    set->n_metrics--;
}

/* The mean of unlike numbers of matrices, steps without all of them. */
static ms_status note_averages(ms_compare_set *set, size_t k) {
    const char *name = set->metrics[k].name;
    size_t first = set->n;
    for (size_t i = 0; i < set->n; i++) {
        const ms_series *series = &set->compared[i].series[k];
        if (series->n_dropped > 0)
            MS_TRY(ms_notes_add(&set->notes, "%s: %lld snapshots lack lines with %s, and are left out",
                                set->runs[i].path, (long long)series->n_dropped, name));
        if (series->n_partial > 0)
            MS_TRY(ms_notes_add(&set->notes,
                                "%s: %s is the mean of fewer than %d numbers, others being null, at %lld steps",
                                set->runs[i].path, name, series->n_averaged, (long long)series->n_partial));
        if (series->n > 0 && first == set->n) first = i;
    }
    for (size_t i = first; i < set->n; i++) {
        int n = set->compared[i].series[k].n_averaged, n_first = set->compared[first].series[k].n_averaged;
        if (n > 0 && n != n_first)
            return ms_notes_add(&set->notes, "unlike: %s is the mean of %d numbers in %s and of %d in %s", name,
                                n_first, set->runs[first].path, n, set->runs[i].path);
    }
    return MS_OK;
}

static ms_status note_metrics(ms_compare_set *set, bool are_default) {
    for (size_t k = 0; k < set->n_metrics;) {
        size_t n_with = 0, without = 0;
        for (size_t i = 0; i < set->n; i++) {
            bool has = set->compared[i].series[k].n > 0;
            n_with += has;
            if (!has) without = i;
        }
        if (n_with == 0 && are_default) {
            drop_metric(set, k);
            continue;
        }
        if (n_with == 0)
            MS_TRY(
                ms_notes_add(&set->notes, "no run has a value of %s (%s)", set->metrics[k].name, set->metrics[k].file));
        else if (n_with < set->n)
            MS_TRY(ms_notes_add(&set->notes, "%zu of %zu runs have no value of %s (%s), %s for one", set->n - n_with,
                                set->n, set->metrics[k].name, set->metrics[k].file, set->runs[without].path));
        MS_TRY(note_averages(set, k++));
    }
    return MS_OK;
}

ms_status ms_compare_note_evidence(ms_compare_set *set, bool are_default) {
    MS_TRY(note_unfinished(set));
    MS_TRY(note_seeds(set));
    return note_metrics(set, are_default);
}

ms_status ms_compare_note_reach(ms_compare_set *set, ms_comparison_at at, double place) {
    if (isnan(place))
        return ms_notes_add(&set->notes, "no comparison at the same %s: no run has one", ms_comparison_at_name(at));
    for (size_t i = 0; i < set->n; i++) {
        if (ms_comparison_reaches(&set->compared[i], at, place)) continue;
        if (at == MS_AT_LOSS)
            MS_TRY(ms_notes_add(&set->notes,
                                "%s never reaches loss %.4f and is in no pair there, which favours its group: choose a "
                                "higher --loss",
                                set->runs[i].path, place));
        else
            MS_TRY(ms_notes_add(&set->notes, "%s does not reach %s %.0f and is in no pair there", set->runs[i].path,
                                ms_comparison_at_name(at), place));
    }
    return MS_OK;
}
