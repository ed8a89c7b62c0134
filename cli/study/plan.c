#include "cli/study/plan.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/shell.h"

const char *ms_study_state_name(ms_study_state state) {
    static const char *const names[MS_STUDY_STATES] = {"missing", "unfinished", "finished", "diverged"};
    return names[state];
}

/* --- which runs there are --- */

static size_t count_runs(const ms_study *study) {
    size_t n = 0;
    for (int i = 0; i < study->n_tunings; i++) n += (size_t)study->tunings[i].n;
    for (int i = 0; i < study->n_arms; i++) n += (size_t)study->arms[i].seeds.n;
    return n;
}

static ms_study_run *new_run(ms_study_plan *plan, int i_arm, int64_t seed) {
    ms_study_run *run = &plan->runs[plan->n++];
    *run = (ms_study_run){.i_arm = i_arm, .i_tuning = -1, .i_value = -1, .seed = seed};
    run->record.validation_loss = NAN;
    snprintf(run->name, sizeof run->name, "%s-%lld", plan->study->arms[i_arm].name, (long long)seed);
    return run;
}

static void add_tuning(ms_study_plan *plan, int i_tuning) {
    const ms_study_tuning *tuning = &plan->study->tunings[i_tuning];
    for (int k = 0; k < tuning->n; k++) {
        ms_study_run *run = new_run(plan, tuning->i_arm, plan->study->tuning_seed);
        run->i_tuning = i_tuning;
        run->i_value = k;
        snprintf(run->name, sizeof run->name, "tune-%s-%s-%lld", tuning->arm, tuning->values[k], (long long)run->seed);
    }
}

static bool has_seed(const ms_study_arm *arm, int64_t seed) {
    for (int i = 0; i < arm->seeds.n; i++)
        if (arm->seeds.items[i] == seed) return true;
    return false;
}

/* The least seed of any arm that is greater; -1: there is none. */
static int64_t next_seed(const ms_study *study, int64_t seed) {
    int64_t next = -1;
    for (int i = 0; i < study->n_arms; i++)
        for (int k = 0; k < study->arms[i].seeds.n; k++) {
            int64_t other = study->arms[i].seeds.items[k];
            if (other > seed && (next < 0 || other < next)) next = other;
        }
    return next;
}

ms_status ms_study_plan_init(const ms_study *study, const char *folder, ms_study_plan *out) {
    *out = (ms_study_plan){study, folder, calloc(count_runs(study) + 1, sizeof *out->runs), 0, {0}};
    if (!out->runs) return MS_FAIL(MS_OUT_OF_MEMORY, "study: no memory for %zu runs", count_runs(study));
    for (int i = 0; i < MS_STUDY_TUNINGS; i++) out->chosen[i] = -1;
    for (int i = 0; i < study->n_tunings; i++) add_tuning(out, i);
    /* A study that is stopped has whole pairs. */
    for (int64_t seed = next_seed(study, -1); seed >= 0; seed = next_seed(study, seed))
        for (int i = 0; i < study->n_arms; i++)
            if (has_seed(&study->arms[i], seed)) new_run(out, i, seed);
    return MS_OK;
}

void ms_study_plan_finish(ms_study_plan *plan) {
    free(plan->runs);
    *plan = (ms_study_plan){0};
}

/* --- their configurations --- */

const char *ms_study_run_path(const ms_study_plan *plan, const ms_study_run *run, char out[MS_STUDY_PATH_SIZE]) {
    snprintf(out, MS_STUDY_PATH_SIZE, "%s/%s", plan->folder, run->name);
    return out;
}

bool ms_study_run_is_known(const ms_study_plan *plan, const ms_study_run *run) {
    int i_tuning = plan->study->arms[run->i_arm].i_tuning;
    return run->i_tuning >= 0 || i_tuning < 0 || plan->chosen[i_tuning] >= 0;
}

ms_status ms_study_run_config(const ms_study_plan *plan, const ms_study_run *run, char seed_text[24],
                              ms_config_request *out_request, ms_config *out_config) {
    const ms_study *study = plan->study;
    const ms_study_arm *arm = &study->arms[run->i_arm];
    ms_study_choice choice = {NULL, NULL};
    int i_tuning = run->i_tuning >= 0 ? run->i_tuning : arm->i_tuning;
    int i_value = run->i_tuning >= 0 ? run->i_value : i_tuning >= 0 ? plan->chosen[i_tuning] : -1;
    if (i_value >= 0)
        choice = (ms_study_choice){study->tunings[i_tuning].key, study->tunings[i_tuning].values[i_value]};
    MS_TRY(ms_study_request(study, arm, &choice, run->seed, seed_text, out_request));
    ms_config_defaults(out_config);
    return ms_config_request_resolve(out_request, out_config, NULL);
}

ms_status ms_study_run_command(const ms_study_plan *plan, const ms_study_run *run, FILE *stream) {
    char seed[24], path[MS_STUDY_PATH_SIZE];
    ms_config_request request;
    ms_config config;
    MS_TRY(ms_study_run_config(plan, run, seed, &request, &config));
    ms_shell_word folder = ms_shell_quote(ms_study_run_path(plan, run, path));
    fprintf(stream, "muonscope train");
    if (request.preset) fprintf(stream, " --preset %s", request.preset);
    for (int i = 0; i < request.n_overrides; i++) {
        const char *value = request.overrides[i].value;
        fprintf(stream, " --%s=%s", request.overrides[i].option, *value ? ms_shell_quote(value).text : "''");
    }
    fprintf(stream, " --run %s --resume %s", folder.text, folder.text);
    return MS_OK;
}

/* --- where they stand --- */

const char *ms_study_plan_device(const ms_study_plan *plan, char *out, size_t size) {
    const char *first = NULL;
    size_t n_other = 0;
    out[0] = '\0';
    for (size_t i = 0; i < plan->n; i++) {
        const ms_study_record *record = &plan->runs[i].record;
        if (record->state != MS_STUDY_FINISHED || !*record->device) continue;
        if (!first) first = record->device;
        n_other += strcmp(first, record->device) != 0;
    }
    if (first && n_other == 0) snprintf(out, size, "%s", first);
    if (n_other > 0) snprintf(out, size, "%s; %zu runs with another", first, n_other);
    return out;
}

ms_status ms_study_plan_look_at(ms_study_plan *plan, ms_study_run *run) {
    char path[MS_STUDY_PATH_SIZE], seed[24];
    ms_config_request request;
    ms_config config;
    if (!ms_study_run_is_known(plan, run)) return MS_OK;
    MS_TRY(ms_study_run_config(plan, run, seed, &request, &config));
    return ms_study_record_read(ms_study_run_path(plan, run, path), &config, &run->record);
}

static bool is_over(const ms_study_run *run) {
    return run->record.state == MS_STUDY_FINISHED || run->record.state == MS_STUDY_DIVERGED;
}

static ms_status choose(ms_study_plan *plan, int i_tuning) {
    const ms_study_tuning *tuning = &plan->study->tunings[i_tuning];
    double least = INFINITY;
    int best = -1;
    for (size_t i = 0; i < plan->n; i++) {
        const ms_study_run *run = &plan->runs[i];
        if (run->i_tuning != i_tuning) continue;
        if (!is_over(run)) return MS_OK;
        /* A run that diverged may have a loss from before. */
        if (run->record.state == MS_STUDY_DIVERGED || !(run->record.validation_loss < least)) continue;
        least = run->record.validation_loss;
        best = run->i_value;
    }
    plan->chosen[i_tuning] = best;
    if (best >= 0) return MS_OK;
    return MS_FAIL(MS_NUMERIC,
                   "tuning of %s: no run over %s has a validation loss at its end: take other values, or set "
                   "validation.every",
                   tuning->arm, tuning->key->full_name);
}

ms_status ms_study_plan_choose(ms_study_plan *plan) {
    for (int i = 0; i < plan->study->n_tunings; i++) MS_TRY(choose(plan, i));
    return MS_OK;
}

bool ms_study_plan_at_edge(const ms_study_plan *plan, int i_tuning) {
    int chosen = plan->chosen[i_tuning];
    return chosen == 0 || chosen == plan->study->tunings[i_tuning].n - 1;
}

ms_status ms_study_plan_look(ms_study_plan *plan) {
    for (size_t i = 0; i < plan->n; i++)
        if (plan->runs[i].i_tuning >= 0) MS_TRY(ms_study_plan_look_at(plan, &plan->runs[i]));
    MS_TRY(ms_study_plan_choose(plan));
    for (size_t i = 0; i < plan->n; i++)
        if (plan->runs[i].i_tuning < 0) MS_TRY(ms_study_plan_look_at(plan, &plan->runs[i]));
    return MS_OK;
}
