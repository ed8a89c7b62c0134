#include "cli/study/results.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const ms_study_group *ms_study_results_group(const ms_study_results *results, int i, int i_arm) {
    return &results->groups[i * results->plan->study->n_arms + i_arm];
}

static ms_study_group *group_of(ms_study_results *results, int i, int i_arm) {
    return (ms_study_group *)ms_study_results_group(results, i, i_arm);
}

/* --- each run --- */

static void leave_out(ms_study_group *group, const ms_study_run *run, const char *why) {
    ms_study_without *without = &group->without[group->n_without++];
    without->run = run->name;
    snprintf(without->why, sizeof without->why, "%s", why);
}

static void add_number(ms_study_group *group, const ms_study_run *run, const ms_measured *measured) {
    if (isnan(measured->value)) {
        leave_out(group, run, *measured->why ? measured->why : "it has no number");
        return;
    }
    group->numbers.seeds[group->numbers.n] = run->seed;
    group->numbers.values[group->numbers.n++] = measured->value;
    if (measured->step > group->step) group->step = measured->step;
}

static ms_status measure_run(ms_study_results *results, const ms_measure *const *measures, const ms_study_run *run) {
    char path[MS_STUDY_PATH_SIZE];
    int n = results->plan->study->n_hypotheses + 1;
    ms_measured measured[MS_STUDY_HYPOTHESES + 1];
    bool finished = run->record.state == MS_STUDY_FINISHED;
    if (finished)
        MS_TRY_NOTE(ms_measures_take(measures, (size_t)n, ms_study_run_path(results->plan, run, path), measured), "%s",
                    run->name);
    for (int i = 0; i < n; i++) {
        ms_study_group *group = group_of(results, i, run->i_arm);
        if (finished)
            add_number(group, run, &measured[i]);
        else
            leave_out(group, run, run->record.state == MS_STUDY_DIVERGED ? "it diverged" : "not finished");
    }
    return MS_OK;
}

static ms_status measure_runs(ms_study_results *results) {
    const ms_study *study = results->plan->study;
    const ms_measure *measures[MS_STUDY_HYPOTHESES + 1];
    ms_measure validation = {.kind = MS_MEASURE_LAST};
    MS_TRY(ms_quantity_find("validation_loss", &validation.of));
    for (int i = 0; i < study->n_hypotheses; i++) measures[i] = &study->hypotheses[i].measure;
    measures[study->n_hypotheses] = &validation;
    for (int i = 0; i < (study->n_hypotheses + 1) * study->n_arms; i++) results->groups[i].step = -1;
    for (size_t i = 0; i < results->plan->n; i++)
        if (results->plan->runs[i].i_tuning < 0) MS_TRY(measure_run(results, measures, &results->plan->runs[i]));
    for (int i = 0; i < (study->n_hypotheses + 1) * study->n_arms; i++) {
        ms_study_numbers *numbers = &results->groups[i].numbers;
        ms_paired_interval(numbers->values, numbers->n, MS_STUDY_CONFIDENCE, &numbers->statistic);
    }
    return MS_OK;
}

/* --- tests --- */

/* The numbers of one arm, or their differences to another, for the seeds that both have. */
static void fill_numbers(const ms_study_results *results, ms_study_test *test) {
    const ms_study_numbers *arm = &ms_study_results_group(results, test->i_hypothesis, test->i_arm)->numbers;
    if (test->i_against < 0) {
        test->numbers = *arm;
        return;
    }
    const ms_study_numbers *other = &ms_study_results_group(results, test->i_hypothesis, test->i_against)->numbers;
    for (size_t i = 0; i < arm->n; i++)
        for (size_t k = 0; k < other->n; k++) {
            if (arm->seeds[i] != other->seeds[k]) continue;
            test->numbers.seeds[test->numbers.n] = arm->seeds[i];
            test->numbers.values[test->numbers.n++] = arm->values[i] - other->values[k];
        }
}

static ms_status test_hypothesis(const ms_study_results *results, ms_study_test *test) {
    const ms_study_hypothesis *hypothesis = &results->plan->study->hypotheses[test->i_hypothesis];
    double shifted[MS_STUDY_SEEDS], expected = hypothesis->expected;
    ms_paired *statistic = &test->numbers.statistic;
    fill_numbers(results, test);
    for (size_t i = 0; i < test->numbers.n; i++) shifted[i] = test->numbers.values[i] - expected;
    MS_TRY(ms_paired_test(shifted, test->numbers.n, MS_STUDY_CONFIDENCE, statistic));
    statistic->mean += expected;
    statistic->low += expected;
    statistic->high += expected;
    if (isnan(statistic->p))
        snprintf(test->why_no_p, sizeof test->why_no_p,
                 test->numbers.n < MS_PAIRED_LEAST ? "%zu %s: fewer than %d reach no p-value at or below 0.05"
                                                   : "%zu %s: more than %d have too many patterns of signs",
                 test->numbers.n, test->i_against < 0 ? "seeds" : "pairs",
                 test->numbers.n < MS_PAIRED_LEAST ? MS_PAIRED_LEAST : MS_PAIRED_MOST);
    for (int i = 0; i < results->declared->n_changes; i++)
        test->changed |= strcmp(results->declared->changes[i].name, hypothesis->name) == 0;
    return MS_OK;
}

/* Holm's correction is over all that were declared: one that has no p-value, or not yet, counts as one of 1. */
static ms_status correct(ms_study_results *results) {
    double p[MS_STUDY_HYPOTHESES], corrected[MS_STUDY_HYPOTHESES];
    int n = results->plan->study->n_hypotheses;
    for (int i = 0; i < n; i++) {
        double found = results->hypotheses[i].numbers.statistic.p;
        p[i] = isnan(found) ? 1 : found;
    }
    MS_TRY(ms_holm(p, (size_t)n, corrected));
    for (int i = 0; i < n; i++)
        results->hypotheses[i].p_holm = isnan(results->hypotheses[i].numbers.statistic.p) ? NAN : corrected[i];
    return MS_OK;
}

static ms_status make_tests(ms_study_results *results) {
    const ms_study *study = results->plan->study;
    for (int i = 0; i < study->n_hypotheses; i++) {
        const ms_study_hypothesis *hypothesis = &study->hypotheses[i];
        results->hypotheses[i] =
            (ms_study_test){.i_hypothesis = i, .i_arm = hypothesis->i_arm, .i_against = hypothesis->i_against};
        MS_TRY(test_hypothesis(results, &results->hypotheses[i]));
    }
    MS_TRY(correct(results));
    for (int i = 0; i < study->n_hypotheses; i++)
        for (int k = 0; k < study->n_compared; k++) {
            ms_study_test *test = &results->comparisons[results->n_comparisons++];
            *test = (ms_study_test){.i_hypothesis = i,
                                    .i_arm = study->compared[k],
                                    .i_against = study->i_against,
                                    .p_holm = NAN,
                                    .why_no_p = "declared as intervals only"};
            fill_numbers(results, test);
            ms_paired_interval(test->numbers.values, test->numbers.n, MS_STUDY_CONFIDENCE, &test->numbers.statistic);
        }
    return MS_OK;
}

/* --- warnings --- */

static ms_status warn_of_tunings(ms_study_results *results) {
    const ms_study_plan *plan = results->plan;
    for (int i = 0; i < plan->study->n_tunings; i++) {
        const ms_study_tuning *tuning = &plan->study->tunings[i];
        if (plan->chosen[i] < 0 || !ms_study_plan_at_edge(plan, i)) continue;
        MS_TRY(ms_notes_add(
            &results->warnings, "tuning of %s: %s %s is the %s of its grid: the best value may lie beyond", tuning->arm,
            tuning->key->full_name, tuning->values[plan->chosen[i]], plan->chosen[i] == 0 ? "least" : "greatest"));
    }
    return MS_OK;
}

static ms_status warn_of_declaration(ms_study_results *results) {
    const ms_study_declared *declared = results->declared;
    if (declared->runs_before > 0 && results->plan->study->n_hypotheses > 0)
        MS_TRY(
            ms_notes_add(&results->warnings,
                         "%zu runs of arms were in the folder when its hypotheses were recorded (%s): it does not show "
                         "that they were declared before",
                         declared->runs_before, declared->time));
    for (int i = 0; i < declared->n_changes; i++) {
        const ms_study_change *change = &declared->changes[i];
        MS_TRY(ms_notes_add(&results->warnings, "hypothesis %s was %s after runs were there: it is exploratory",
                            change->name,
                            !change->before ? "added"
                            : !change->now  ? "removed"
                                            : "changed"));
    }
    return MS_OK;
}

/* Runs of one arm, or of both of a pair, that were measured at other steps. */
static ms_status warn_of_runs(ms_study_results *results) {
    const ms_study_plan *plan = results->plan;
    results->finished = true;
    for (size_t i = 0; i < plan->n; i++) {
        const ms_study_run *run = &plan->runs[i];
        if (run->record.state == MS_STUDY_DIVERGED)
            MS_TRY(ms_notes_add(&results->warnings, "%s diverged: %s", run->name, run->record.why));
        results->finished &= run->record.state == MS_STUDY_DIVERGED || run->record.state == MS_STUDY_FINISHED;
    }
    for (int i = 0; i < plan->study->n_hypotheses; i++) {
        const ms_study_hypothesis *hypothesis = &plan->study->hypotheses[i];
        const ms_study_group *group = ms_study_results_group(results, i, hypothesis->i_arm);
        for (size_t k = 0; k < group->n_without; k++)
            if (results->finished)
                MS_TRY(ms_notes_add(&results->warnings, "%s: %s gives no number: %s", hypothesis->name,
                                    group->without[k].run, group->without[k].why));
    }
    return MS_OK;
}

/* --- the whole --- */

static ms_status make(ms_study_results *results) {
    MS_TRY(measure_runs(results));
    MS_TRY(make_tests(results));
    MS_TRY(warn_of_tunings(results));
    MS_TRY(warn_of_declaration(results));
    return warn_of_runs(results);
}

ms_status ms_study_results_init(const ms_study_results_request *request, ms_study_results *out) {
    const ms_study *study = request->plan->study;
    *out = (ms_study_results){.plan = request->plan,
                              .budget = request->budget,
                              .declared = request->declared,
                              .file = request->file,
                              .command = request->command,
                              .version = request->version};
    out->groups = calloc((size_t)((study->n_hypotheses + 1) * study->n_arms), sizeof *out->groups);
    out->comparisons = calloc((size_t)(study->n_hypotheses * study->n_compared + 1), sizeof *out->comparisons);
    ms_status status =
        out->groups && out->comparisons ? make(out) : MS_FAIL(MS_OUT_OF_MEMORY, "study: no memory for its results");
    if (status != MS_OK) ms_study_results_finish(out);
    return status;
}

void ms_study_results_finish(ms_study_results *results) {
    free(results->groups);
    free(results->comparisons);
    ms_notes_finish(&results->warnings);
    *results = (ms_study_results){0};
}
