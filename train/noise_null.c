#include "train/noise_null.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool ms_noise_null_is_defined(const ms_optimizer_config *config) {
    const ms_interventions *interventions = &config->interventions;
    return config->kind == MS_OPTIMIZER_MUON && !config->matrices_rule.rule && config->muon.exponent == MS_EXPONENT_0 &&
           interventions->noise == 0 && !interventions->cautious_decay && !ms_interventions_on_weights(interventions);
}

/* How a matrix is orthogonalised: as ms_muon_rule does it. */
static ms_null_matrix describe(const ms_trainer *trainer, const ms_weight_matrix *matrix) {
    const ms_muon_settings *muon = &trainer->optimizer.config.muon;
    const ms_optimizer_parameter *parameter = &trainer->optimizer.parameters[matrix->i_parameter].parameter;
    const ms_coefficient_set *set = ms_coefficients_get(muon->coefficients);
    int64_t whole = ms_muon_piece_rows(muon, parameter, matrix->group);
    return (ms_null_matrix){.rows = (int)matrix->rows,
                            .cols = (int)matrix->columns,
                            .whole_rows = (int)whole,
                            .whole_cols = (int)matrix->columns,
                            .scale = ms_muon_scale(muon->scaling, whole, matrix->columns),
                            .n_steps = set->n_steps,
                            .triples = set->triples};
}

ms_status ms_noise_null_init(const ms_trainer *trainer, const ms_weight_matrix *matrices, int n, ms_noise_null *out) {
    *out = (ms_noise_null){.known = false};
    if (!ms_noise_null_is_defined(&trainer->optimizer.config)) return MS_OK;
    out->known = trainer->step == 0;
    out->n = n;
    out->shapes = calloc((size_t)n + 1, sizeof *out->shapes);
    if (!out->shapes) return MS_FAIL(MS_OUT_OF_MEMORY, "noise null: no memory for %d matrices", n);
    for (int i = 0; i < n; i++) {
        ms_null_matrix matrix = describe(trainer, &matrices[i]);
        MS_TRY_NOTE(ms_null_shape_init(&matrix, &out->shapes[i]), "layer %d %s", matrices[i].layer,
                    matrices[i].projection);
    }
    return MS_OK;
}

void ms_noise_null_finish(ms_noise_null *null) {
    free(null->shapes);
    *null = (ms_noise_null){.known = false};
}

void ms_noise_null_advance(ms_noise_null *null, const ms_trainer *trainer, double lr) {
    const ms_muon_settings *muon = &trainer->optimizer.config.muon;
    if (!null->known) return;
    ms_null_advance(&null->state, &(ms_null_step){.rate = lr * ms_muon_update_factor(muon),
                                                  .kept = 1 - ms_muon_decay_share(muon, lr),
                                                  .momentum = muon->momentum,
                                                  .nesterov = muon->nesterov});
}

double ms_noise_null_sigma(const ms_noise_null *null, int i) {
    return null->known && i < null->n ? ms_null_sigma(&null->state, &null->shapes[i]) : NAN;
}

/* --- "null STEPS numbers", hexadecimal floats; "null -": not known --- */

enum { N_NUMBERS = 1 + 2 * MS_NULL_ORDERS + MS_NULL_CHAIN };

static void list_numbers(ms_null_state *state, double *out[N_NUMBERS]) {
    int n = 0;
    out[n++] = &state->momentum_variance;
    for (int i = 0; i < MS_NULL_ORDERS; i++) out[n++] = &state->variance[i];
    for (int i = 0; i < MS_NULL_ORDERS; i++) out[n++] = &state->covariance[i];
    for (int i = 0; i < MS_NULL_CHAIN; i++) out[n++] = &state->chain[i];
}

void ms_noise_null_print(const ms_noise_null *null, char out[MS_NOISE_NULL_TEXT]) {
    ms_null_state state = null->state;
    double *numbers[N_NUMBERS];
    list_numbers(&state, numbers);
    if (!null->known) {
        strcpy(out, "null -");
        return;
    }
    int used = snprintf(out, MS_NOISE_NULL_TEXT, "null %lld", (long long)state.steps);
    for (int i = 0; i < N_NUMBERS; i++)
        used += snprintf(out + used, (size_t)(MS_NOISE_NULL_TEXT - used), " %a", *numbers[i]);
}

ms_status ms_noise_null_read(ms_noise_null *null, const ms_trainer *trainer, const char *text) {
    ms_null_state state = {0};
    double *numbers[N_NUMBERS];
    list_numbers(&state, numbers);
    if (strcmp(text, "null -") == 0) return MS_OK; /* and stays so */
    if (strncmp(text, "null ", 5) != 0) return MS_FAIL(MS_CORRUPT, "checkpoint: no state of the noise null");
    char *cursor, *end;
    state.steps = strtoll(text + 5, &cursor, 10);
    for (int i = 0; i < N_NUMBERS; i++, cursor = end) {
        *numbers[i] = strtod(cursor, &end);
        if (end == cursor)
            return MS_FAIL(MS_CORRUPT, "checkpoint: the noise null ends at number %d of %d", i, N_NUMBERS);
    }
    if (*cursor != '\0' || state.steps != trainer->step)
        return MS_FAIL(MS_CORRUPT, "checkpoint: the noise null of %lld steps, the trainer has made %lld",
                       (long long)state.steps, (long long)trainer->step);
    if (!null->shapes) return MS_OK; /* the rule is another one now */
    null->state = state;
    null->known = true;
    return MS_OK;
}
