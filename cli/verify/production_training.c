#include "cli/verify/production_training.h"

#include <math.h>

#include "cli/verify/drift.h"
#include "platform/clock.h"
#include "platform/output.h"
#include "platform/signals.h"
#include "train/zipf.h"

/* Of the first gain of the last norm, which begins as 1: it becomes 2^-64. */
static const uint32_t planted_bit = 1u << 29;

typedef struct variant {
    const char *name;
    ms_device *device;
    const ms_trainer_options *options;
    double noise;
    bool plant;
} variant;

static ms_status steps(const ms_production_training *training, const variant *of, ms_trainer *trainer,
                       ms_verify_outcome *out) {
    ms_zipf_source source = {.seed = of->options->seed,
                             .vocabulary = of->options->model.vocabulary,
                             .length = of->options->model.sequence_length};
    MS_TRY(ms_trainer_check_memory(trainer));
    MS_TRY(ms_trainer_allocate(trainer));
    MS_TRY(ms_trainer_initialise(trainer));
    if (of->plant) MS_TRY(ms_verify_plant_weight(trainer, planted_bit));
    double begin = ms_clock_seconds();
    for (int i = 0; i < training->n_steps; i++) {
        ms_step_result result;
        if (of->noise > 0) MS_TRY(ms_verify_add_noise(trainer, of->noise));
        MS_TRY(ms_trainer_step(trainer, ms_zipf_batches(&source), NULL, &result));
        out->losses[out->n_losses++] = result.loss;
        MS_TRY(ms_signals_check("verify"));
    }
    ms_print_line(stdout, "  %s: %d steps in %.1f s", of->name, training->n_steps, ms_clock_seconds() - begin);
    return MS_OK;
}

static ms_status run_variant(const ms_production_training *training, const variant *of, ms_verify_outcome *out) {
    ms_trainer *trainer;
    *out = (ms_verify_outcome){.n_losses = 0};
    MS_TRY_NOTE(ms_trainer_open(of->device, of->options, &trainer), "%s", of->name);
    ms_status status = steps(training, of, trainer, out);
    ms_trainer_close(trainer);
    return status == MS_OK ? MS_OK : ms_status_note(status, "%s", of->name);
}

static void print_losses(const ms_verify_drift *drift) {
    for (int i = 0; i < drift->exact->n_losses && i < drift->fast->n_losses; i++)
        ms_print_line(stdout,
                      "  step %2d: loss %.7f fast, %.7f exact, %.7f exact with noise; difference %+.2e, bound %.2e",
                      i + 1, drift->fast->losses[i], drift->exact->losses[i], drift->noisy->losses[i],
                      drift->fast->losses[i] - drift->exact->losses[i], ms_verify_drift_bound(drift, i));
}

ms_status ms_production_train(const ms_production_training *training, ms_verify_row *row) {
    const ms_model_config *model = &training->fast->model;
    const ms_production_devices *devices = training->devices;
    int64_t depth = model->feed_forward > model->width ? model->feed_forward : model->width;
    ms_verify_outcome outcomes[3];
    const variant variants[3] = {{"exact", devices->exact, training->exact, 0, false},
                                 {"exact with noise", devices->exact, training->exact,
                                  ms_verify_noise(&devices->rounding, depth, model->storage), false},
                                 {"fast", devices->fast, training->fast, 0, training->plant}};
    double begin = ms_clock_seconds();
    for (int i = 0; i < 3; i++) MS_TRY(run_variant(training, &variants[i], &outcomes[i]));
    const ms_verify_drift drift = {&outcomes[0], &outcomes[1], &outcomes[2]};
    print_losses(&drift);
    ms_verify_judge_drift(&drift, row);
    row->seconds = ms_clock_seconds() - begin;
    return MS_OK;
}
