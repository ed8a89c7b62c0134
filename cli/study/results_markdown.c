/* results.md: all tables, as a page of the docs takes them. */
#include <math.h>
#include <string.h>

#include "cli/study/results.h"
#include "platform/clock.h"
#include "platform/file.h"

/* A text in a cell: no bar and no line break. */
static void print_cell(FILE *stream, const char *text) {
    for (; *text; text++) {
        if (*text == '|') fputc('\\', stream);
        fputc(*text == '\n' || *text == '\r' ? ' ' : *text, stream);
    }
}

static void print_real(FILE *stream, const char *format, double value) {
    if (isfinite(value))
        fprintf(stream, format, value);
    else
        fputs("-", stream);
}

/* "| n | mean | [low, high] " */
static void print_statistic(FILE *stream, const ms_study_numbers *numbers) {
    fprintf(stream, "| %zu | ", numbers->n);
    print_real(stream, "%.5g", numbers->statistic.mean);
    if (numbers->n > 1)
        fprintf(stream, " | [%.5g, %.5g] ", numbers->statistic.low, numbers->statistic.high);
    else
        fprintf(stream, " | - ");
}

static void print_values(FILE *stream, const ms_study_numbers *numbers) {
    fprintf(stream, "| ");
    for (size_t i = 0; i < numbers->n; i++)
        fprintf(stream, "%s%lld: %.4g", i ? ", " : "", (long long)numbers->seeds[i], numbers->values[i]);
    fprintf(stream, " ");
}

/* --- parts --- */

static void print_head(const ms_study_results *results, FILE *stream) {
    const ms_study *study = results->plan->study;
    char time[32], duration[32], device[240];
    fprintf(stream, "# Results of the study %s\n\n", study->name);
    if (*study->question) fprintf(stream, "%s\n\n", study->question);
    fprintf(stream, "| | |\n|---|---|\n| command | `%s` |\n", results->command);
    fprintf(stream, "| made | %s, muonscope %s |\n", ms_clock_utc(time, sizeof time), results->version);
    fprintf(stream, "| machine | ");
    print_cell(stream, ms_study_plan_device(results->plan, device, sizeof device));
    fprintf(stream, " |\n| runs | %zu, %zu to make; %s of training |\n", results->plan->n, results->budget->n_left,
            ms_duration_text(results->budget->seconds_spent, duration, sizeof duration));
    fprintf(stream, "| hypotheses | recorded %s, with %zu runs of arms in the folder |\n", results->declared->time,
            results->declared->runs_before);
    for (size_t i = 0; i < results->warnings.n; i++) {
        fprintf(stream, "| warning | ");
        print_cell(stream, results->warnings.lines[i]);
        fprintf(stream, " |\n");
    }
}

static void print_hypotheses(const ms_study_results *results, FILE *stream) {
    const ms_study *study = results->plan->study;
    fprintf(stream,
            "\n## Hypotheses\n\nA run gives one number; the seed is the replicate. Mean over seeds (of the paired "
            "differences, where two arms are compared), its t\ninterval (%g %%), the exact sign-flip test, Holm's "
            "correction over the %d hypotheses, and the least p that so many seeds can reach.\n\n"
            "| hypothesis | arm | n | mean | interval | p | p (Holm) | least p |\n|---|---|---|---|---|---|---|---|\n",
            100 * MS_STUDY_CONFIDENCE, study->n_hypotheses);
    for (int i = 0; i < study->n_hypotheses; i++) {
        const ms_study_test *test = &results->hypotheses[i];
        const ms_study_hypothesis *hypothesis = &study->hypotheses[i];
        fprintf(stream, "| `%s`%s | %s%s%s ", hypothesis->name, test->changed ? " (changed later)" : "",
                hypothesis->arm, test->i_against >= 0 ? " - " : "", hypothesis->against);
        print_statistic(stream, &test->numbers);
        if (*test->why_no_p) {
            fprintf(stream, "| %s | | |\n", test->why_no_p);
            continue;
        }
        fprintf(stream, "| ");
        print_real(stream, "%.4g", test->numbers.statistic.p);
        fprintf(stream, " | ");
        print_real(stream, "%.4g", test->p_holm);
        fprintf(stream, " | %.4g |\n", test->numbers.statistic.p_least);
    }
}

static void print_group(const ms_study_results *results, int i, int i_arm, FILE *stream) {
    const ms_study_arm *arm = &results->plan->study->arms[i_arm];
    const ms_study_group *group = ms_study_results_group(results, i, i_arm);
    fprintf(stream, "| %s%s ", arm->name, arm->control ? " (control)" : "");
    print_statistic(stream, &group->numbers);
    if (group->numbers.n == 0 && group->n_without > 0) {
        fprintf(stream, "| ");
        print_cell(stream, group->without[0].why);
        fprintf(stream, " |\n");
        return;
    }
    print_values(stream, &group->numbers);
    fprintf(stream, "|\n");
}

static const char group_head[] = "| arm | n | mean | interval | by seed |\n|---|---|---|---|---|\n";

/* What each hypothesis says and is measured by, and the same number in its arms and in the controls. */
static void print_details(const ms_study_results *results, FILE *stream) {
    const ms_study *study = results->plan->study;
    char formula[600];
    for (int i = 0; i < study->n_hypotheses; i++) {
        const ms_study_hypothesis *hypothesis = &study->hypotheses[i];
        fprintf(stream, "\n### `%s`\n\n%s\n\nMeasure (`%s`): %s.", hypothesis->name, hypothesis->statement,
                hypothesis->measure_name, ms_measure_formula(&hypothesis->measure, formula, sizeof formula));
        if (hypothesis->expected != 0) fprintf(stream, " Expected without it: %g.", hypothesis->expected);
        fprintf(stream, "\n\n%s", group_head);
        print_group(results, i, hypothesis->i_arm, stream);
        if (hypothesis->i_against >= 0) {
            print_group(results, i, hypothesis->i_against, stream);
            fprintf(stream, "| %s - %s ", hypothesis->arm, hypothesis->against);
            print_statistic(stream, &results->hypotheses[i].numbers);
            print_values(stream, &results->hypotheses[i].numbers);
            fprintf(stream, "|\n");
        }
        for (int k = 0; k < study->n_arms; k++)
            if (study->arms[k].control && k != hypothesis->i_arm && k != hypothesis->i_against)
                print_group(results, i, k, stream);
    }
}

static void print_comparisons(const ms_study_results *results, FILE *stream) {
    const ms_study *study = results->plan->study;
    if (results->n_comparisons == 0) return;
    fprintf(stream,
            "\n## Comparisons, intervals only\n\nThe same measures, as paired differences to %s. Nothing here is "
            "tested.\n\n| measure of | arm | n | mean difference | interval |\n|---|---|---|---|---|\n",
            study->arms[study->i_against].name);
    for (size_t i = 0; i < results->n_comparisons; i++) {
        const ms_study_test *test = &results->comparisons[i];
        fprintf(stream, "| `%s` | %s ", study->hypotheses[test->i_hypothesis].name, study->arms[test->i_arm].name);
        print_statistic(stream, &test->numbers);
        fprintf(stream, "|\n");
    }
}

static void print_tunings(const ms_study_results *results, FILE *stream) {
    const ms_study_plan *plan = results->plan;
    if (plan->study->n_tunings == 0) return;
    fprintf(stream,
            "\n## Tuning\n\nLast validation loss on seed %lld, which no arm is run with; the least is taken.\n\n"
            "| arm | key | loss by value | chosen |\n|---|---|---|---|\n",
            (long long)plan->study->tuning_seed);
    for (int i = 0; i < plan->study->n_tunings; i++) {
        const ms_study_tuning *tuning = &plan->study->tunings[i];
        fprintf(stream, "| %s | `%s` |", tuning->arm, tuning->key->full_name);
        for (size_t k = 0; k < plan->n; k++) {
            const ms_study_run *run = &plan->runs[k];
            if (run->i_tuning != i) continue;
            fprintf(stream, "%s %s: ", run->i_value ? "," : "", tuning->values[run->i_value]);
            if (run->record.state == MS_STUDY_FINISHED)
                print_real(stream, "%.4f", run->record.validation_loss);
            else
                fputs(ms_study_state_name(run->record.state), stream);
        }
        bool is_chosen = plan->chosen[i] >= 0;
        fprintf(stream, " | %s%s |\n", is_chosen ? tuning->values[plan->chosen[i]] : "-",
                is_chosen && ms_study_plan_at_edge(plan, i) ? " (end of the grid)" : "");
    }
}

static void print_settings(const ms_study_settings *settings, FILE *stream) {
    if (*settings->preset) fprintf(stream, "preset %s%s", settings->preset, settings->n ? ", " : "");
    for (int i = 0; i < settings->n; i++)
        fprintf(stream, "%s`%s %s`", i ? ", " : "", settings->items[i].key->full_name, settings->items[i].value);
}

static void print_arms(const ms_study_results *results, FILE *stream) {
    const ms_study_plan *plan = results->plan;
    const ms_study *study = plan->study;
    fprintf(stream, "\n## Arms\n\nAll have: ");
    print_settings(&study->base, stream);
    fprintf(stream, ".\n\n| arm | over that | tuned |\n|---|---|---|\n");
    for (int i = 0; i < study->n_arms; i++) {
        const ms_study_arm *arm = &study->arms[i];
        fprintf(stream, "| %s%s | ", arm->name, arm->control ? " (control)" : "");
        print_settings(&arm->settings, stream);
        if (arm->i_tuning >= 0) {
            int chosen = plan->chosen[arm->i_tuning];
            fprintf(stream, " | `%s %s`", study->tunings[arm->i_tuning].key->full_name,
                    chosen >= 0 ? study->tunings[arm->i_tuning].values[chosen] : "not yet");
        } else {
            fprintf(stream, " | ");
        }
        fprintf(stream, " |\n");
    }
    fprintf(stream, "\nLast validation loss:\n\n%s", group_head);
    for (int i = 0; i < study->n_arms; i++) print_group(results, study->n_hypotheses, i, stream);
}

ms_status ms_study_results_write_markdown(const ms_study_results *results, const char *path) {
    ms_writer writer;
    MS_TRY(ms_writer_open(path, &writer));
    print_head(results, writer.stream);
    if (results->plan->study->n_hypotheses > 0) {
        print_hypotheses(results, writer.stream);
        print_details(results, writer.stream);
    }
    print_comparisons(results, writer.stream);
    print_arms(results, writer.stream);
    print_tunings(results, writer.stream);
    return ms_writer_commit(&writer);
}
