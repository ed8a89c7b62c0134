/* results.csv: a line for each measure, group and seed, and one for each test. */
#include <math.h>

#include "cli/study/results.h"
#include "platform/csv.h"
#include "platform/file.h"

/* hypothesis, kind, arm, against: what the line is of. */
static void begin(ms_csv *csv, const char *hypothesis, const char *kind, const char *arm, const char *against) {
    ms_csv_text(csv, hypothesis);
    ms_csv_text(csv, kind);
    ms_csv_text(csv, arm);
    ms_csv_text(csv, against);
}

static void print_statistic(ms_csv *csv, const ms_study_numbers *numbers, double p, double p_holm) {
    const ms_paired *statistic = &numbers->statistic;
    const double reals[] = {statistic->mean, statistic->deviation, statistic->low, statistic->high, p, p_holm};
    ms_csv_empty(csv, 2);
    ms_csv_integer(csv, (int64_t)numbers->n);
    for (size_t i = 0; i < sizeof reals / sizeof *reals; i++) ms_csv_real(csv, reals[i], 17);
    ms_csv_real(csv, isnan(p) ? NAN : statistic->p_least, 17);
    ms_csv_end(csv);
}

static void print_group(ms_csv *csv, const ms_study_results *results, int i, int i_arm) {
    const ms_study *study = results->plan->study;
    const char *name = i < study->n_hypotheses ? study->hypotheses[i].name : "validation loss of all arms";
    const ms_study_numbers *numbers = &ms_study_results_group(results, i, i_arm)->numbers;
    for (size_t k = 0; k < numbers->n; k++) {
        begin(csv, name, "run", study->arms[i_arm].name, "");
        ms_csv_integer(csv, numbers->seeds[k]);
        ms_csv_real(csv, numbers->values[k], 17);
        ms_csv_empty(csv, 8);
        ms_csv_end(csv);
    }
    begin(csv, name, study->arms[i_arm].control ? "control" : "arm", study->arms[i_arm].name, "");
    print_statistic(csv, numbers, NAN, NAN);
}

static void print_test(ms_csv *csv, const ms_study_results *results, const ms_study_test *test, const char *kind) {
    const ms_study *study = results->plan->study;
    begin(csv, study->hypotheses[test->i_hypothesis].name, kind, study->arms[test->i_arm].name,
          test->i_against >= 0 ? study->arms[test->i_against].name : "");
    print_statistic(csv, &test->numbers, test->numbers.statistic.p, test->p_holm);
}

ms_status ms_study_results_write_csv(const ms_study_results *results, const char *path) {
    const ms_study *study = results->plan->study;
    ms_writer writer;
    MS_TRY(ms_writer_open(path, &writer));
    ms_csv csv = {writer.stream, 0};
    fprintf(writer.stream, "hypothesis,kind,arm,against,seed,value,n,mean,deviation,low,high,p,p_holm,p_least\n");
    for (int i = 0; i < study->n_hypotheses; i++) print_test(&csv, results, &results->hypotheses[i], "hypothesis");
    for (size_t i = 0; i < results->n_comparisons; i++)
        print_test(&csv, results, &results->comparisons[i], "comparison");
    for (int i = 0; i <= study->n_hypotheses; i++)
        for (int k = 0; k < study->n_arms; k++) print_group(&csv, results, i, k);
    return ms_writer_commit(&writer);
}
