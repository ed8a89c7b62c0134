/* The results for a terminal. */
#include <math.h>
#include <string.h>

#include "cli/study/results.h"
#include "platform/output.h"

/* "0.0213 [0.0181, 0.0245]"; returns out. */
static const char *interval(const ms_study_numbers *numbers, char *out, size_t size) {
    const ms_paired *statistic = &numbers->statistic;
    if (numbers->n == 0)
        snprintf(out, size, "-");
    else if (numbers->n == 1)
        snprintf(out, size, "%.4g", statistic->mean);
    else
        snprintf(out, size, "%.4g [%.4g, %.4g]", statistic->mean, statistic->low, statistic->high);
    return out;
}

static void print_group(const ms_study_results *results, int i, int i_arm, FILE *stream) {
    char text[96];
    const ms_study_arm *arm = &results->plan->study->arms[i_arm];
    const ms_study_group *group = ms_study_results_group(results, i, i_arm);
    const char *why = group->numbers.n == 0 && group->n_without > 0 ? group->without[0].why : "";
    ms_print_line(stream, "    %-16s %s%s%s, %zu seeds%s", arm->name, interval(&group->numbers, text, sizeof text),
                  *why ? ": " : "", why, group->numbers.n, arm->control ? ", a control" : "");
}

static void print_test(const ms_study_results *results, const ms_study_test *test, FILE *stream) {
    char text[96], p[160];
    const ms_study *study = results->plan->study;
    const ms_study_hypothesis *hypothesis = &study->hypotheses[test->i_hypothesis];
    const ms_paired *statistic = &test->numbers.statistic;
    if (*test->why_no_p)
        snprintf(p, sizeof p, "no p: %s", test->why_no_p);
    else
        snprintf(p, sizeof p, "p %.3g, %.3g of %d hypotheses (Holm); the least that %zu can reach is %.3g",
                 statistic->p, test->p_holm, study->n_hypotheses, test->numbers.n, statistic->p_least);
    fprintf(stream, "\n");
    ms_print_line(stream, "%s: %s%s", hypothesis->name, hypothesis->statement,
                  test->changed ? " (changed after runs were there)" : "");
    ms_print_line(stream, "  %s%s%s: %s; %s", hypothesis->arm, test->i_against >= 0 ? " - " : "", hypothesis->against,
                  interval(&test->numbers, text, sizeof text), p);
    if (test->i_against >= 0) {
        print_group(results, test->i_hypothesis, test->i_arm, stream);
        print_group(results, test->i_hypothesis, test->i_against, stream);
    }
    for (int i = 0; i < study->n_arms; i++)
        if (study->arms[i].control) print_group(results, test->i_hypothesis, i, stream);
}

void ms_study_results_print(const ms_study_results *results, FILE *stream) {
    const ms_study *study = results->plan->study;
    fprintf(stream, "\nmean [%g %% interval] over seeds, a number a run\n", 100 * MS_STUDY_CONFIDENCE);
    for (int i = 0; i < study->n_hypotheses; i++) print_test(results, &results->hypotheses[i], stream);
    fprintf(stream, "\nlast validation loss\n");
    for (int i = 0; i < study->n_arms; i++) print_group(results, study->n_hypotheses, i, stream);
    if (results->warnings.n > 0) fprintf(stream, "\n");
    for (size_t i = 0; i < results->warnings.n; i++) ms_print_line(stream, "warning: %s", results->warnings.lines[i]);
}
