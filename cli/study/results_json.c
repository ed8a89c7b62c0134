/* results.json.  docs/studies.md describes its keys. */
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/study/results.h"
#include "platform/clock.h"
#include "platform/json.h"
#include "tracker/run_log.h"

static const char what[] = "results.json";

static ms_status set_real(json_t *object, const char *key, double value) {
    return ms_json_set(object, what, key, ms_run_log_real(value));
}

/* A text, or null where it is empty. */
static ms_status set_text(json_t *object, const char *key, const char *text) {
    if (!text || !*text) return ms_json_set(object, what, key, json_null());
    return ms_json_set_text(object, what, key, text);
}

static ms_status set_integer(json_t *object, const char *key, int64_t value) {
    return ms_json_set(object, what, key, value < 0 ? json_null() : json_integer(value));
}

/* An empty array, or object, under a key of an object, which owns it. */
static ms_status set_new(json_t *object, const char *key, json_t *value, json_t **out) {
    *out = value;
    return ms_json_set(object, what, key, value);
}

static ms_status append_object(json_t *array, json_t **out) {
    *out = json_object();
    return ms_json_append(array, what, *out);
}

/* --- statistics --- */

static ms_status set_numbers(json_t *object, const ms_study_numbers *numbers) {
    json_t *seeds, *values;
    const ms_paired *statistic = &numbers->statistic;
    MS_TRY(set_integer(object, "n", (int64_t)numbers->n));
    MS_TRY(set_real(object, "mean", statistic->mean));
    MS_TRY(set_real(object, "deviation", statistic->deviation));
    MS_TRY(set_real(object, "low", statistic->low));
    MS_TRY(set_real(object, "high", statistic->high));
    MS_TRY(set_new(object, "seeds", json_array(), &seeds));
    MS_TRY(set_new(object, "values", json_array(), &values));
    for (size_t i = 0; i < numbers->n; i++) {
        MS_TRY(ms_json_append(seeds, what, json_integer(numbers->seeds[i])));
        MS_TRY(ms_json_append(values, what, ms_run_log_real(numbers->values[i])));
    }
    return MS_OK;
}

static ms_status set_group(const ms_study_results *results, json_t *object, const ms_study_group *group, int i_arm) {
    const ms_study_arm *arm = &results->plan->study->arms[i_arm];
    json_t *list, *item;
    MS_TRY(ms_json_set_text(object, what, "arm", arm->name));
    MS_TRY(ms_json_set(object, what, "control", json_boolean(arm->control)));
    MS_TRY(set_numbers(object, &group->numbers));
    MS_TRY(set_new(object, "missing", json_array(), &list));
    for (size_t i = 0; i < group->n_without; i++) {
        MS_TRY(append_object(list, &item));
        MS_TRY(ms_json_set_text(item, what, "run", group->without[i].run));
        MS_TRY(ms_json_set_text(item, what, "why", group->without[i].why));
    }
    return MS_OK;
}

static ms_status set_measure(json_t *object, const ms_study_hypothesis *hypothesis) {
    char formula[600];
    json_t *measure;
    MS_TRY(set_new(object, "measure", json_object(), &measure));
    MS_TRY(ms_json_set_text(measure, what, "measure", hypothesis->measure_name));
    MS_TRY(ms_json_set_text(measure, what, "of", hypothesis->of));
    MS_TRY(set_text(measure, "with", hypothesis->with));
    MS_TRY(set_text(measure, "layers", hypothesis->layers));
    MS_TRY(set_text(measure, "projections", hypothesis->projections));
    return ms_json_set_text(measure, what, "formula",
                            ms_measure_formula(&hypothesis->measure, formula, sizeof formula));
}

/* --- plan --- */

static ms_status set_settings(json_t *object, const char *key, const ms_study_settings *settings) {
    json_t *keys;
    MS_TRY(set_new(object, key, json_object(), &keys));
    if (*settings->preset && strcmp(key, "settings") == 0)
        MS_TRY(ms_json_set_text(keys, what, "preset", settings->preset));
    for (int i = 0; i < settings->n; i++)
        MS_TRY(ms_json_set_text(keys, what, settings->items[i].key->full_name, settings->items[i].value));
    return MS_OK;
}

static ms_status set_command(const ms_study_plan *plan, const ms_study_run *run, json_t *object) {
    char *text = NULL;
    size_t size;
    if (!ms_study_run_is_known(plan, run)) return ms_json_set(object, what, "command", json_null());
    FILE *stream = open_memstream(&text, &size);
    if (!stream) return MS_FAIL(MS_OUT_OF_MEMORY, "study: no memory for a command line");
    ms_status status = ms_study_run_command(plan, run, stream);
    if (fclose(stream) != 0 && status == MS_OK)
        status = MS_FAIL(MS_OUT_OF_MEMORY, "study: no memory for a command line");
    if (status == MS_OK) status = ms_json_set_text(object, what, "command", text);
    free(text);
    return status;
}

static ms_status add_plan(const ms_study_results *results, json_t *root) {
    const ms_study_plan *plan = results->plan;
    json_t *list, *object;
    MS_TRY(set_new(root, "plan", json_array(), &list));
    for (size_t i = 0; i < plan->n; i++) {
        const ms_study_run *run = &plan->runs[i];
        const ms_study_record *record = &run->record;
        bool is_there = record->state != MS_STUDY_MISSING;
        MS_TRY(append_object(list, &object));
        MS_TRY(ms_json_set_text(object, what, "run", run->name));
        MS_TRY(ms_json_set_text(object, what, "kind", run->i_tuning >= 0 ? "tuning" : "arm"));
        MS_TRY(ms_json_set_text(object, what, "arm", plan->study->arms[run->i_arm].name));
        MS_TRY(set_integer(object, "seed", run->seed));
        MS_TRY(ms_json_set_text(object, what, "state", ms_study_state_name(record->state)));
        MS_TRY(set_integer(object, "step", record->step));
        MS_TRY(set_integer(object, "steps", record->n_steps));
        MS_TRY(set_real(object, "seconds", is_there ? record->step_seconds : NAN));
        MS_TRY(set_real(object, "validation_loss", record->validation_loss));
        MS_TRY(set_command(plan, run, object));
    }
    return MS_OK;
}

static ms_status add_budget(const ms_study_results *results, json_t *root) {
    const ms_study_budget *budget = results->budget;
    json_t *object;
    char text[128];
    snprintf(text, sizeof text, "finished runs of %zu arms, a timing of %zu", budget->n_measured, budget->n_timed);
    MS_TRY(set_new(root, "budget", json_object(), &object));
    MS_TRY(set_integer(object, "runs_left", (int64_t)budget->n_left));
    MS_TRY(set_real(object, "seconds_left", budget->seconds_left));
    MS_TRY(set_real(object, "seconds_spent", budget->seconds_spent));
    MS_TRY(set_real(object, "bytes_left", budget->bytes_left));
    MS_TRY(set_real(object, "bytes_used", budget->bytes_used));
    return ms_json_set_text(object, what, "measured_from", text);
}

/* --- tuning --- */

static ms_status add_values(const ms_study_plan *plan, int i_tuning, json_t *object) {
    json_t *list, *item;
    MS_TRY(set_new(object, "values", json_array(), &list));
    for (size_t i = 0; i < plan->n; i++) {
        const ms_study_run *run = &plan->runs[i];
        bool counts = run->record.state != MS_STUDY_DIVERGED;
        if (run->i_tuning != i_tuning) continue;
        MS_TRY(append_object(list, &item));
        MS_TRY(ms_json_set_text(item, what, "value", plan->study->tunings[i_tuning].values[run->i_value]));
        MS_TRY(ms_json_set_text(item, what, "run", run->name));
        MS_TRY(set_real(item, "validation_loss", counts ? run->record.validation_loss : NAN));
        MS_TRY(ms_json_set_text(item, what, "state", ms_study_state_name(run->record.state)));
    }
    return MS_OK;
}

static ms_status add_tunings(const ms_study_results *results, json_t *root) {
    const ms_study_plan *plan = results->plan;
    json_t *list, *object;
    MS_TRY(set_new(root, "tuning", json_array(), &list));
    for (int i = 0; i < plan->study->n_tunings; i++) {
        const ms_study_tuning *tuning = &plan->study->tunings[i];
        bool is_chosen = plan->chosen[i] >= 0, at_edge = is_chosen && ms_study_plan_at_edge(plan, i);
        char warning[160] = "";
        if (at_edge)
            snprintf(warning, sizeof warning, "%s %s is at the end of the grid: the best value may lie beyond",
                     tuning->key->full_name, tuning->values[plan->chosen[i]]);
        MS_TRY(append_object(list, &object));
        MS_TRY(ms_json_set_text(object, what, "arm", tuning->arm));
        MS_TRY(ms_json_set_text(object, what, "key", tuning->key->full_name));
        MS_TRY(set_integer(object, "seed", plan->study->tuning_seed));
        MS_TRY(ms_json_set_text(object, what, "metric", "validation_loss"));
        MS_TRY(add_values(plan, i, object));
        MS_TRY(set_text(object, "chosen", is_chosen ? tuning->values[plan->chosen[i]] : NULL));
        MS_TRY(ms_json_set(object, what, "at_edge", json_boolean(at_edge)));
        MS_TRY(set_text(object, "warning", warning));
    }
    return MS_OK;
}

/* --- arms --- */

static ms_status add_arms(const ms_study_results *results, json_t *root) {
    const ms_study_plan *plan = results->plan;
    const ms_study *study = plan->study;
    json_t *list, *object, *tuned, *seeds, *group;
    MS_TRY(set_new(root, "arms", json_array(), &list));
    for (int i = 0; i < study->n_arms; i++) {
        const ms_study_arm *arm = &study->arms[i];
        MS_TRY(append_object(list, &object));
        MS_TRY(ms_json_set_text(object, what, "arm", arm->name));
        MS_TRY(ms_json_set(object, what, "control", json_boolean(arm->control)));
        MS_TRY(set_settings(object, "settings", &arm->settings));
        MS_TRY(set_new(object, "tuned", arm->i_tuning >= 0 ? json_object() : json_null(), &tuned));
        if (arm->i_tuning >= 0) {
            const ms_study_tuning *tuning = &study->tunings[arm->i_tuning];
            int chosen = plan->chosen[arm->i_tuning];
            MS_TRY(ms_json_set_text(tuned, what, "from", tuning->arm));
            MS_TRY(ms_json_set_text(tuned, what, "key", tuning->key->full_name));
            MS_TRY(set_text(tuned, "value", chosen >= 0 ? tuning->values[chosen] : NULL));
        }
        MS_TRY(set_new(object, "seeds", json_array(), &seeds));
        for (int k = 0; k < arm->seeds.n; k++) MS_TRY(ms_json_append(seeds, what, json_integer(arm->seeds.items[k])));
        MS_TRY(set_new(object, "validation_loss", json_object(), &group));
        MS_TRY(set_group(results, group, ms_study_results_group(results, study->n_hypotheses, i), i));
    }
    return MS_OK;
}

/* --- hypotheses --- */

static ms_status append_group(const ms_study_results *results, json_t *list, int i, int i_arm) {
    json_t *object;
    MS_TRY(append_object(list, &object));
    return set_group(results, object, ms_study_results_group(results, i, i_arm), i_arm);
}

static ms_status add_hypothesis(const ms_study_results *results, const ms_study_test *test, json_t *object) {
    const ms_study *study = results->plan->study;
    const ms_study_hypothesis *hypothesis = &study->hypotheses[test->i_hypothesis];
    const ms_paired *statistic = &test->numbers.statistic;
    json_t *groups, *controls;
    MS_TRY(ms_json_set_text(object, what, "name", hypothesis->name));
    MS_TRY(ms_json_set_text(object, what, "statement", hypothesis->statement));
    MS_TRY(set_measure(object, hypothesis));
    MS_TRY(ms_json_set_text(object, what, "arm", hypothesis->arm));
    MS_TRY(set_text(object, "against", hypothesis->against));
    MS_TRY(ms_json_set_text(object, what, "test", test->i_against < 0 ? "one-sample" : "paired"));
    MS_TRY(set_real(object, "expected", hypothesis->expected));
    MS_TRY(set_integer(object, "step", ms_study_results_group(results, test->i_hypothesis, test->i_arm)->step));
    MS_TRY(set_numbers(object, &test->numbers));
    MS_TRY(set_real(object, "p", statistic->p));
    MS_TRY(set_real(object, "p_holm", test->p_holm));
    MS_TRY(set_real(object, "p_least", statistic->p_least));
    MS_TRY(set_text(object, "why_no_p", test->why_no_p));
    MS_TRY(set_new(object, "groups", json_array(), &groups));
    MS_TRY(append_group(results, groups, test->i_hypothesis, test->i_arm));
    if (test->i_against >= 0) MS_TRY(append_group(results, groups, test->i_hypothesis, test->i_against));
    MS_TRY(set_new(object, "controls", json_array(), &controls));
    for (int i = 0; i < study->n_arms; i++)
        if (study->arms[i].control) MS_TRY(append_group(results, controls, test->i_hypothesis, i));
    return ms_json_set(object, what, "changed", json_boolean(test->changed));
}

static ms_status add_hypotheses(const ms_study_results *results, json_t *root) {
    json_t *list, *object;
    MS_TRY(set_new(root, "hypotheses", json_array(), &list));
    for (int i = 0; i < results->plan->study->n_hypotheses; i++) {
        MS_TRY(append_object(list, &object));
        MS_TRY(add_hypothesis(results, &results->hypotheses[i], object));
    }
    return MS_OK;
}

static ms_status add_comparisons(const ms_study_results *results, json_t *root) {
    const ms_study *study = results->plan->study;
    json_t *list, *object;
    MS_TRY(set_new(root, "comparisons", json_array(), &list));
    for (size_t i = 0; i < results->n_comparisons; i++) {
        const ms_study_test *test = &results->comparisons[i];
        const ms_study_hypothesis *hypothesis = &study->hypotheses[test->i_hypothesis];
        MS_TRY(append_object(list, &object));
        MS_TRY(ms_json_set_text(object, what, "hypothesis", hypothesis->name));
        MS_TRY(set_measure(object, hypothesis));
        MS_TRY(ms_json_set_text(object, what, "arm", study->arms[test->i_arm].name));
        MS_TRY(ms_json_set_text(object, what, "against", study->arms[test->i_against].name));
        MS_TRY(set_numbers(object, &test->numbers));
        MS_TRY(set_text(object, "why_no_p", test->why_no_p));
    }
    return MS_OK;
}

static ms_status add_declared(const ms_study_results *results, json_t *root) {
    const ms_study_declared *declared = results->declared;
    json_t *object, *list, *item;
    MS_TRY(set_new(root, "declared", json_object(), &object));
    MS_TRY(set_text(object, "time", declared->time));
    MS_TRY(set_integer(object, "runs_before", (int64_t)declared->runs_before));
    MS_TRY(set_new(object, "changed", json_array(), &list));
    for (int i = 0; i < declared->n_changes; i++) {
        const ms_study_change *change = &declared->changes[i];
        MS_TRY(append_object(list, &item));
        MS_TRY(ms_json_set_text(item, what, "name", change->name));
        MS_TRY(ms_json_set_text(item, what, "what", !change->before ? "added" : !change->now ? "removed" : "changed"));
        MS_TRY(set_text(item, "before", change->before));
        MS_TRY(set_text(item, "now", change->now));
    }
    return MS_OK;
}

/* --- the whole --- */

static ms_status add_head(const ms_study_results *results, json_t *root) {
    const ms_study *study = results->plan->study;
    char time[32], device[240];
    MS_TRY(ms_json_set_text(root, what, "format", "muonscope-study"));
    MS_TRY(ms_json_set(root, what, "version", json_integer(1)));
    MS_TRY(ms_json_set_text(root, what, "name", study->name));
    MS_TRY(ms_json_set_text(root, what, "question", study->question));
    MS_TRY(ms_json_set_text(root, what, "file", results->file));
    MS_TRY(ms_json_set_text(root, what, "command", results->command));
    MS_TRY(ms_json_set_text(root, what, "muonscope", results->version));
    MS_TRY(ms_json_set_text(root, what, "made", ms_clock_utc(time, sizeof time)));
    MS_TRY(ms_json_set_text(root, what, "machine", ms_study_plan_device(results->plan, device, sizeof device)));
    MS_TRY(ms_json_set(root, what, "finished", json_boolean(results->finished)));
    MS_TRY(set_real(root, "confidence", MS_STUDY_CONFIDENCE));
    MS_TRY(set_text(root, "preset", study->base.preset));
    return set_settings(root, "base", &study->base);
}

static ms_status fill(const ms_study_results *results, json_t *root) {
    json_t *list;
    MS_TRY(add_head(results, root));
    MS_TRY(add_plan(results, root));
    MS_TRY(add_budget(results, root));
    MS_TRY(add_tunings(results, root));
    MS_TRY(add_arms(results, root));
    MS_TRY(add_hypotheses(results, root));
    MS_TRY(add_comparisons(results, root));
    MS_TRY(add_declared(results, root));
    MS_TRY(set_new(root, "warnings", json_array(), &list));
    for (size_t i = 0; i < results->warnings.n; i++)
        MS_TRY(ms_json_append(list, what, json_string(results->warnings.lines[i])));
    return MS_OK;
}

ms_status ms_study_results_write_json(const ms_study_results *results, const char *path) {
    json_t *root = json_object();
    if (!root) return MS_FAIL(MS_OUT_OF_MEMORY, "study: no memory for %s", what);
    ms_status status = fill(results, root);
    if (status == MS_OK) status = ms_json_write(root, what, JSON_INDENT(1), path);
    json_decref(root);
    return status;
}
