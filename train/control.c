#include "train/control.h"

#include <stdio.h>

#include "backend/ir/build.h"
#include "platform/random.h"

const char *const ms_control_names[] = {
    [MS_CONTROL_NONE] = "none", [MS_CONTROL_NOISE] = "noise", [MS_CONTROL_SHUFFLED_TARGETS] = "shuffled_targets", NULL};

void ms_control_add_noise(const ms_model *model, uint64_t seed, ms_graph *graph) {
    for (int i = 0; i < model->n_parameters; i++) {
        const ms_parameter *parameter = &model->parameters[i];
        char name[160];
        snprintf(name, sizeof name, "noise.%s", ms_variables_get(model->variables, parameter->variable)->name);
        const ms_random_normal_attributes attributes = {
            .deviation = ms_constant(1),
            .seed = seed,
            .stream = ms_name_hash(name),
            .step_scalar = 0,
            .shape = ms_variables_get(model->variables, parameter->gradient)->shape};
        ms_assign(graph, ms_random_normal(graph, &attributes), ms_view_all(graph, parameter->gradient));
    }
}

/* The next position of those with a target from `at` downwards; -1: there is none. */
static int64_t target_below(const int32_t *targets, int64_t at) {
    while (at >= 0 && targets[at] < 0) at--;
    return at;
}

void ms_control_shuffle(const ms_control_pass *pass, int64_t count, int32_t *targets) {
    const uint64_t stream = ms_name_hash("shuffled_targets") + (uint64_t)pass->i_pass;
    uint64_t state = (uint64_t)ms_random_word(pass->seed, stream, 2 * (uint64_t)pass->step) << 32 |
                     ms_random_word(pass->seed, stream, 2 * (uint64_t)pass->step + 1);
    /* A position without a target is drawn again: those with one are equally likely. */
    for (int64_t i = target_below(targets, count - 1); i > 0; i = target_below(targets, i - 1)) {
        int64_t j;
        do j = (int64_t)(((ms_split_mix(&state) >> 32) * (uint64_t)(i + 1)) >> 32);
        while (targets[j] < 0);
        int32_t kept = targets[i];
        targets[i] = targets[j];
        targets[j] = kept;
    }
}
