#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/compare/print.h"
#include "platform/output.h"

enum { N_COLUMNS = 8, CELL_SIZE = MS_SERIES_NAME_SIZE + 32, LABEL_WIDTH = 24 };

/* A line of a table; an empty line is left out. */
struct line {
    char cells[N_COLUMNS][CELL_SIZE];
};

/* Decimals that show `scale`, a spread of values, with two digits. */
static int decimals_for(double scale, double value) {
    if (!(scale > 0)) scale = 1e-4 * fabs(value);
    if (!(scale > 0)) return 4;
    double n = 1 - floor(log10(scale));
    return n < 0 ? 0 : n > 12 ? 12 : (int)n;
}

static void print_value(double value, int decimals, char *out) {
    if (!isfinite(value))
        strcpy(out, "-");
    else if (fabs(value) >= 1e9 || decimals > 9)
        snprintf(out, CELL_SIZE, "%.4g", value);
    else
        snprintf(out, CELL_SIZE, "%.*f", decimals, value);
}

/* "3.9640 (0.0121)" */
static void print_mean(const ms_paired *values, char *out) {
    char mean[CELL_SIZE], deviation[CELL_SIZE];
    if (values->n == 1) {
        snprintf(out, CELL_SIZE, "%.6g", values->mean);
        return;
    }
    int decimals = decimals_for(values->deviation, values->mean);
    print_value(values->mean, decimals, mean);
    print_value(values->deviation, decimals, deviation);
    snprintf(out, CELL_SIZE, values->n > 1 ? "%.40s (%.40s)" : "%.40s", mean, deviation);
}

/* "[-0.0200, -0.0080]" */
static void print_interval(const ms_paired *interval, int decimals, char *out) {
    char low[CELL_SIZE], high[CELL_SIZE];
    print_value(interval->low, decimals, low);
    print_value(interval->high, decimals, high);
    snprintf(out, CELL_SIZE, interval->n > 1 ? "[%.40s, %.40s]" : "-", low, high);
}

static void print_p(double p, char *out) {
    if (isnan(p))
        strcpy(out, "-");
    else
        snprintf(out, CELL_SIZE, "%.3g", p);
}

static void print_table(const struct line *lines, size_t n, FILE *stream) {
    size_t widths[N_COLUMNS] = {0};
    for (size_t i = 0; i < n; i++)
        for (int c = 0; c < N_COLUMNS; c++)
            widths[c] = strlen(lines[i].cells[c]) > widths[c] ? strlen(lines[i].cells[c]) : widths[c];
    for (size_t i = 0; i < n; i++) {
        char text[N_COLUMNS * (CELL_SIZE + 2)] = "";
        size_t used = 0, end = 0;
        for (int c = 0; c < N_COLUMNS; c++) {
            if (widths[c] == 0) continue;
            used += (size_t)snprintf(text + used, sizeof text - used, "%-*s  ", (int)widths[c], lines[i].cells[c]);
            if (lines[i].cells[c][0]) end = used - 2 - (widths[c] - strlen(lines[i].cells[c]));
        }
        text[end] = '\0';
        ms_print_line(stream, "  %s", text);
    }
}

/* The metric, and where it is taken if that is not the table's place. */
static void print_name(const ms_comparison *comparison, const ms_comparison_row *row, char *out) {
    if (row->place == comparison->place)
        snprintf(out, CELL_SIZE, "%s", row->name);
    else
        snprintf(out, CELL_SIZE, "%s (%s %.0f)", row->name, comparison->at == MS_AT_STEP ? "step" : "tokens",
                 row->place);
}

/* "step 60", "7680 tokens", "the first step with a training loss of at most 3.9871" */
static void print_place(const ms_comparison *comparison, char *out, size_t size) {
    if (comparison->at == MS_AT_STEP)
        snprintf(out, size, "step %.0f", comparison->place);
    else if (comparison->at == MS_AT_TOKENS)
        snprintf(out, size, "%.0f tokens", comparison->place);
    else
        snprintf(out, size, "the first step with a training loss of at most %.5g", comparison->place);
}

static const char *short_label(const char *label, const char *otherwise) {
    return strlen(label) <= LABEL_WIDTH ? label : otherwise;
}

/* --- one group alone --- */

static ms_status print_group(const ms_compare_result *result, const ms_comparison *comparison, FILE *stream) {
    struct line *lines = calloc(comparison->n_rows + 1, sizeof *lines);
    char place[128];
    if (!lines) return MS_FAIL(MS_OUT_OF_MEMORY, "compare: no memory for a table");
    print_place(comparison, place, sizeof place);
    fputc('\n', stream);
    ms_print_line(stream, "At %s", place);
    strcpy(lines[0].cells[1], "mean (deviation)");
    snprintf(lines[0].cells[2], CELL_SIZE, "%g %% interval", 100 * result->confidence);
    strcpy(lines[0].cells[3], "n");
    for (size_t i = 0; i < comparison->n_rows; i++) {
        const ms_comparison_row *row = &comparison->rows[i];
        const ms_paired *values = &row->cells[0].values;
        print_name(comparison, row, lines[i + 1].cells[0]);
        print_mean(values, lines[i + 1].cells[1]);
        print_interval(values, decimals_for(values->deviation, values->mean), lines[i + 1].cells[2]);
        snprintf(lines[i + 1].cells[3], CELL_SIZE, "%d", values->n);
    }
    print_table(lines, comparison->n_rows + 1, stream);
    free(lines);
    return MS_OK;
}

/* --- a group against the baseline --- */

static void fill_line(const ms_comparison *comparison, const ms_comparison_row *row, int i_baseline, int i_group,
                      struct line *line) {
    const ms_comparison_cell *cell = &row->cells[i_group];
    const ms_paired *difference = &cell->difference;
    int decimals = decimals_for(difference->n > 1 ? difference->deviation : fabs(difference->mean), difference->mean);
    print_name(comparison, row, line->cells[0]);
    print_mean(&row->cells[i_baseline].values, line->cells[1]);
    print_mean(&cell->values, line->cells[2]);
    print_value(difference->mean, decimals, line->cells[3]);
    print_interval(difference, decimals, line->cells[4]);
    snprintf(line->cells[5], CELL_SIZE, "%d", difference->n);
    print_p(difference->p, line->cells[6]);
    print_p(cell->p_holm, line->cells[7]);
}

/* What the numbers of pairs can show. */
static void print_limits(const ms_comparison *comparison, int i_group, FILE *stream) {
    int fewest = 0, most = 0, most_tested = 0;
    for (size_t i = 0; i < comparison->n_rows; i++) {
        int n = comparison->rows[i].cells[i_group].difference.n;
        if (n > 0 && (fewest == 0 || n < fewest)) fewest = n;
        if (n > most) most = n;
        if (n >= MS_PAIRED_LEAST && n <= MS_PAIRED_MOST && n > most_tested) most_tested = n;
        if (n == 0) ms_print_line(stream, "  No pair has %s there.", comparison->rows[i].name);
    }
    if (most == 0) return;
    if (fewest < 2)
        ms_print_line(stream, "  Fewer than two pairs have no interval: the difference of one pair may be its seed's.");
    if (fewest < MS_PAIRED_LEAST)
        ms_print_line(stream,
                      "  Fewer than %d pairs are not tested: the smallest p-value that %d can reach is 2/2^%d = %.3g, "
                      "above 0.05.",
                      MS_PAIRED_LEAST, MS_PAIRED_LEAST - 1, MS_PAIRED_LEAST - 1, ldexp(2, 1 - MS_PAIRED_LEAST));
    if (most > MS_PAIRED_MOST)
        ms_print_line(stream, "  More than %d pairs are not tested: there are too many sign patterns.", MS_PAIRED_MOST);
    if (most_tested == 0) return;
    double least = ldexp(2, -most_tested), holm = fmin(1, least * comparison->n_tests);
    ms_print_line(
        stream,
        "  p: all 2^%d sign patterns; the smallest that %d pairs can reach is %.3g, and %.3g after Holm's correction "
        "for %d test%s%s.",
        most_tested, most_tested, least, holm, comparison->n_tests, comparison->n_tests == 1 ? "" : "s",
        holm > 0.05 ? ", so that no single one can be at most 0.05: name fewer metrics, or add seeds" : "");
}

static ms_status print_pair(const ms_compare_result *result, const ms_comparison *comparison, int i_group,
                            FILE *stream) {
    const ms_compare_set *set = result->set;
    const char *baseline = set->labels[set->i_baseline], *group = set->labels[i_group];
    struct line *lines = calloc(comparison->n_rows + 1, sizeof *lines);
    char place[128];
    if (!lines) return MS_FAIL(MS_OUT_OF_MEMORY, "compare: no memory for a table");
    print_place(comparison, place, sizeof place);
    fputc('\n', stream);
    ms_print_line(stream, "At %s: %s minus %s", place, group, baseline);
    strcpy(lines[0].cells[1], short_label(baseline, "baseline"));
    strcpy(lines[0].cells[2], short_label(group, "group"));
    strcpy(lines[0].cells[3], "difference");
    snprintf(lines[0].cells[4], CELL_SIZE, "%g %% interval", 100 * result->confidence);
    strcpy(lines[0].cells[5], "pairs");
    strcpy(lines[0].cells[6], "p");
    strcpy(lines[0].cells[7], "p (Holm)");
    for (size_t i = 0; i < comparison->n_rows; i++)
        fill_line(comparison, &comparison->rows[i], set->i_baseline, i_group, &lines[i + 1]);
    print_table(lines, comparison->n_rows + 1, stream);
    print_limits(comparison, i_group, stream);
    free(lines);
    return MS_OK;
}

/* --- the head --- */

static void print_group_line(const ms_compare_set *set, int i_group, FILE *stream) {
    char seeds[256] = "";
    int n = 0;
    for (size_t i = 0; i < set->n; i++) {
        if (set->compared[i].i_group != i_group) continue;
        if (n++ < 16)
            snprintf(seeds + strlen(seeds), sizeof seeds - strlen(seeds), " %lld", (long long)set->compared[i].seed);
    }
    ms_print_line(stream, "  %s: %d run%s, seed%s%s%s%s", set->labels[i_group], n, n == 1 ? "" : "s", n == 1 ? "" : "s",
                  seeds, n > 16 ? " ..." : "", i_group == set->i_baseline && set->n_groups > 1 ? " (baseline)" : "");
}

static void print_head(const ms_compare_set *set, FILE *stream) {
    char keys[512] = "";
    ms_compare_join_keys(set->by, set->n_by, keys, sizeof keys);
    ms_print_line(stream, "%zu run%s in %d group%s%s%s; a pair is two runs of one seed", set->n, set->n == 1 ? "" : "s",
                  set->n_groups, set->n_groups == 1 ? "" : "s", set->n_by ? " by " : "", keys);
    for (int g = 0; g < set->n_groups; g++) print_group_line(set, g, stream);
    for (size_t i = 0; i < set->notes.n; i++) ms_print_line(stream, "  note: %s", set->notes.lines[i]);
}

/* --- where runs part --- */

static void print_losses(const ms_parting *parting, char *out, size_t size) {
    if (parting->loss_first_unlike >= 0)
        snprintf(out, size, "; losses part at step %lld", (long long)parting->loss_first_unlike);
    else if (parting->loss_last_same >= 0)
        snprintf(out, size, "; losses are the same up to step %lld", (long long)parting->loss_last_same);
    else
        out[0] = '\0';
}

static void print_parting(const ms_compare_pair *pair, FILE *stream) {
    const ms_parting *parting = &pair->parting;
    char losses[80], same[80] = "are unlike from the first hash on: ";
    print_losses(parting, losses, sizeof losses);
    if (parting->last_same >= 0)
        snprintf(same, sizeof same, "are the same up to step %lld, and part by ", (long long)parting->last_same);
    if (parting->first_unlike < 0)
        ms_print_line(stream,
                      "  seed %lld: %s and %s are the same at all %lld steps that both hashed, up to step %lld%s",
                      (long long)pair->seed, pair->a, pair->b, (long long)parting->n_compared,
                      (long long)parting->last_same, losses);
    else
        ms_print_line(stream, "  seed %lld: %s and %s %sstep %lld, first in %s (%d of %d tensors differ there)%s",
                      (long long)pair->seed, pair->a, pair->b, same, (long long)parting->first_unlike, parting->tensor,
                      parting->n_unlike, parting->n_tensors, losses);
}

static void print_partings(const ms_compare_set *set, FILE *stream) {
    if (set->n_pairs == 0) return;
    fputc('\n', stream);
    ms_print_line(stream, "Weights, where both runs hashed them (train.hash_every)");
    for (size_t i = 0; i < set->n_pairs; i++) print_parting(&set->pairs[i], stream);
}

ms_status ms_compare_print_text(const ms_compare_result *result, FILE *stream) {
    const ms_compare_set *set = result->set;
    print_head(set, stream);
    for (size_t i = 0; i < result->n; i++) {
        if (set->n_groups == 1) MS_TRY(print_group(result, &result->comparisons[i], stream));
        for (int g = 0; g < set->n_groups; g++)
            if (g != set->i_baseline) MS_TRY(print_pair(result, &result->comparisons[i], g, stream));
    }
    print_partings(set, stream);
    fputc('\n', stream);
    ms_print_line(stream, "Numbers in brackets are standard deviations over seeds.");
    if (set->smoothing_tokens > 0)
        ms_print_line(stream, "Metrics of every step are means of the last %.0f tokens.", set->smoothing_tokens);
    return MS_OK;
}
