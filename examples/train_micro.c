/* Trains the preset `micro` (35 thousand parameters, synthetic data) on the CPU and prints the spectra of its weight
   matrices before and after.  Usage: train_micro [STEPS]

   In `exact` numerics the weights are, bit for bit, those of
       muonscope train --preset micro --numerics exact --steps STEPS */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "backend/backend.h"
#include "library/version.h"
#include "model/data/dataset.h"
#include "tracker/spectrum.h"
#include "train/matrices.h"
#include "train/trainer.h"

enum { MAX_MATRICES = 32, MAX_STEPS = 1000000 };

/* What presets/micro.yaml has that is not a default. */
static ms_trainer_options micro(void) {
    ms_trainer_options options = ms_trainer_defaults();
    options.model.layers = 2;
    options.model.width = 32;
    options.model.heads = 4;
    options.model.kv_heads = 2;
    options.model.head_size = 8;
    options.model.feed_forward = 64;
    options.model.vocabulary = 96;
    options.model.sequence_length = 32;
    options.batch_sequences = 4;
    return options;
}

static ms_status print_spectrum(ms_trainer *trainer, const ms_weight_matrix *matrix) {
    int rows = (int)matrix->rows, columns = (int)matrix->columns, smaller = rows < columns ? rows : columns;
    float *weights = malloc(sizeof *weights * (size_t)rows * (size_t)columns);
    double *values = malloc(sizeof *values * (size_t)smaller), scalars[MS_SPECTRUM_N_SCALARS];
    ms_status status = weights && values ? MS_OK : MS_FAIL(MS_OUT_OF_MEMORY, "no memory for a matrix");
    if (status == MS_OK)
        status =
            ms_store_download(trainer->store, matrix->part.variable, matrix->part.offset, matrix->part.count, weights);
    if (status == MS_OK) status = ms_spectrum_of_matrix(weights, rows, columns, values, scalars);
    if (status == MS_OK)
        printf("%5d  %-5s %3d x %-3d  s1 %8.5f  s2 %8.5f  last %8.5f  stable rank %7.3f  effective rank %7.3f\n",
               (int)matrix->layer, matrix->projection, rows, columns, values[0], values[1], values[smaller - 1],
               scalars[MS_SPECTRUM_INDEX_stable_rank], scalars[MS_SPECTRUM_INDEX_effective_rank]);
    free(values);
    free(weights);
    return status;
}

static ms_status print_spectra(ms_trainer *trainer) {
    ms_weight_matrix matrices[MAX_MATRICES];
    int n = ms_weight_matrices(trainer, matrices, MAX_MATRICES);
    printf("layer  matrix, after step %lld\n", (long long)trainer->step);
    for (int i = 0; i < n && i < MAX_MATRICES; i++) MS_TRY(print_spectrum(trainer, &matrices[i]));
    return MS_OK;
}

static ms_status train(ms_trainer *trainer, ms_dataset *data, long n_steps) {
    char weights[65], state[65];
    MS_TRY(ms_trainer_allocate(trainer));
    MS_TRY(ms_trainer_initialise(trainer));
    MS_TRY(print_spectra(trainer));
    for (long step = 1; step <= n_steps; step++) {
        ms_step_result result;
        MS_TRY(ms_trainer_step(trainer, ms_dataset_source(data), NULL, &result));
        if (step % 10 == 0) printf("step %ld: loss %.4f\n", step, result.loss);
    }
    MS_TRY(print_spectra(trainer));
    MS_TRY(ms_trainer_hashes(trainer, weights, state));
    printf("weights_sha256 %s\n", weights);
    return MS_OK;
}

static ms_status train_on(ms_device *device, ms_dataset *data, long n_steps) {
    ms_trainer_options options = micro();
    ms_trainer *trainer;
    options.schedule.total_steps = n_steps;
    MS_TRY(ms_trainer_open(device, &options, &trainer));
    ms_status status = train(trainer, data, n_steps);
    ms_trainer_close(trainer);
    return status;
}

static ms_status run(long n_steps) {
    const ms_trainer_options options = micro();
    const ms_dataset_options data_options = {.directory = MS_DATASET_SYNTHETIC,
                                             .split = "train",
                                             .sequence_length = options.model.sequence_length,
                                             .vocab_size = options.model.vocabulary,
                                             .seed = options.seed,
                                             .shuffle = true};
    const ms_device_options device_options = {.name = "cpu", .numerics = MS_NUMERICS_EXACT};
    ms_dataset *data;
    ms_device *device;
    MS_TRY(ms_dataset_open(&data_options, &data));
    ms_status status = ms_device_open(&device_options, &device);
    if (status == MS_OK) {
        status = train_on(device, data, n_steps);
        ms_device_close(device);
    }
    ms_dataset_close(data);
    return status;
}

/* A whole number in range, and nothing else; beyond long, strtol gives a number that is out of range too. */
static bool parse_steps(const char *text, long *out) {
    char *end;
    *out = strtol(text, &end, 10);
    return end != text && *end == '\0' && *out >= 1 && *out <= MAX_STEPS;
}

int main(int argc, char **argv) {
    long n_steps = 50;
    if (argc > 2) {
        fprintf(stderr, "usage: train_micro [STEPS]\n");
        return 2;
    }
    if (argc == 2 && !parse_steps(argv[1], &n_steps)) {
        fprintf(stderr, "train_micro: STEPS is \"%s\", must be a whole number, 1 to %d\n", argv[1], (int)MAX_STEPS);
        return 2;
    }
    printf("muonscope %s\n", ms_version());
    if (run(n_steps) == MS_OK) return 0;
    fprintf(stderr, "train_micro: %s\n", ms_status_message());
    return 1;
}
