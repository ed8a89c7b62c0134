#include "tests/train/jobs.h"

#include "tests/support/suite.h"

ms_trainer_options job_small_options(void) {
    ms_trainer_options options = ms_trainer_defaults();
    options.model.vocabulary = 11;
    options.model.layers = 1;
    options.model.sequence_length = 8;
    options.batch_sequences = 1;
    return options;
}

job job_open(const ms_trainer_options *options) {
    job j;
    const ms_device_options cpu = {.name = "cpu", .numerics = MS_NUMERICS_EXACT, .n_threads = 2};
    const ms_dataset_options data = {.directory = MS_DATASET_SYNTHETIC,
                                     .split = "train",
                                     .sequence_length = options->model.sequence_length,
                                     .seed = 3,
                                     .vocab_size = options->model.vocabulary};
    ms_must(ms_device_open(&cpu, &j.device));
    ms_must(ms_trainer_open(j.device, options, &j.trainer));
    ms_must(ms_dataset_open(&data, &j.data));
    return j;
}

job job_start(const ms_trainer_options *options) {
    job j = job_open(options);
    ms_must(ms_trainer_allocate(j.trainer));
    ms_must(ms_trainer_initialise(j.trainer));
    return j;
}

void job_close(job *j) {
    ms_trainer_close(j->trainer);
    ms_dataset_close(j->data);
    ms_device_close(j->device);
}
