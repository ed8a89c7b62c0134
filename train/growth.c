#include "train/growth.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tracker/exact_text.h"

ms_status ms_growth_init(const ms_trainer *trainer, const ms_weight_matrix *matrices, int n, ms_growth *out) {
    const ms_optimizer *optimizer = &trainer->optimizer;
    bool is_defined = ms_noise_null_is_defined(&optimizer->config);
    double known = trainer->step == 0 ? 0 : NAN;
    *out = (ms_growth){calloc((size_t)n + 1, sizeof *out->matrices), n};
    if (!out->matrices) return MS_FAIL(MS_OUT_OF_MEMORY, "growth: no memory for %d matrices", n);
    for (int i = 0; i < n; i++) {
        const ms_optimizer_parameter *parameter = &optimizer->parameters[matrices[i].i_parameter].parameter;
        out->matrices[i] = (ms_growth_matrix){NAN, known, known, known};
        if (is_defined)
            out->matrices[i].step =
                ms_muon_largest_step(&optimizer->config.muon, parameter, matrices[i].group, matrices[i].columns);
    }
    return MS_OK;
}

void ms_growth_finish(ms_growth *growth) {
    free(growth->matrices);
    *growth = (ms_growth){NULL, 0};
}

void ms_growth_advance(ms_growth *growth, const ms_trainer *trainer, double lr) {
    const ms_muon_settings *muon = &trainer->optimizer.config.muon;
    double share = ms_muon_decay_share(muon, lr), lambda = ms_muon_decay_share(muon, 1);
    for (int i = 0; i < growth->n; i++) {
        ms_growth_matrix *of = &growth->matrices[i];
        /* A share above 1 turns W round. */
        double equilibrium = lambda > 0 && share <= 1 ? of->step / lambda : INFINITY;
        of->rise += lr * of->step;
        if (equilibrium > of->equilibrium) of->equilibrium = equilibrium;
        if (isnan(equilibrium)) of->equilibrium = NAN;
    }
}

void ms_growth_report(ms_growth *growth, ms_tracker_slot *slot) {
    for (int i = 0; i < growth->n; i++) {
        ms_growth_matrix *of = &growth->matrices[i];
        slot->growth_null[i] = slot->noise_null[i] - of->null_at_last;
        slot->ceiling[i] = of->rise;
        slot->ceiling_decay[i] = of->equilibrium;
        of->null_at_last = slot->noise_null[i];
    }
}

/* --- "N", then the numbers of each matrix --- */

enum { HEAD = 32, N_NUMBERS = 3 };

static void list_numbers(ms_growth_matrix *of, double *out[N_NUMBERS]) {
    out[0] = &of->rise;
    out[1] = &of->equilibrium;
    out[2] = &of->null_at_last;
}

ms_status ms_growth_print(const ms_growth *growth, char **out_text) {
    char *text = malloc(HEAD + (size_t)growth->n * N_NUMBERS * MS_EXACT_F64), *end = text;
    double *numbers[N_NUMBERS];
    *out_text = text;
    if (!text) return MS_FAIL(MS_OUT_OF_MEMORY, "growth: no memory for its state");
    end += snprintf(end, HEAD, "%d ", growth->n);
    for (int i = 0; i < growth->n; i++) {
        list_numbers(&growth->matrices[i], numbers);
        for (int k = 0; k < N_NUMBERS; k++) end = ms_exact_put_f64(end, *numbers[k]);
    }
    *end = '\0';
    return MS_OK;
}

ms_status ms_growth_read(ms_growth *growth, const char *text) {
    char head[HEAD];
    double *numbers[N_NUMBERS];
    size_t length = (size_t)snprintf(head, sizeof head, "%d ", growth->n);
    const char *rest = strncmp(text, head, length) == 0 ? text + length : NULL;
    for (int i = 0; i < growth->n && rest; i++) {
        list_numbers(&growth->matrices[i], numbers);
        for (int k = 0; k < N_NUMBERS && rest; k++) {
            rest = ms_exact_take_f64(rest, numbers[k]);
            if (rest && *numbers[k] < 0) rest = NULL;
        }
    }
    if (rest && *rest == '\0') return MS_OK;
    return MS_FAIL(MS_CORRUPT, "checkpoint: what bounds the growth of %d matrices is damaged, or of other matrices",
                   growth->n);
}
