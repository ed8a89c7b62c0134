/* test_logits RUN IDS OUT STEP: the logits of a run's checkpoint of that step (-1: the newest) for the token ids in the
   file IDS (decimal, of one text), as raw f32 [n, vocabulary] into OUT.  For what compares a run with other programs
   (tests/end_to_end/transformers.sh). */
#include <stdio.h>
#include <stdlib.h>

#include "cli/config/trainer_config.h"
#include "model/checkpoint/checkpoint.h"
#include "platform/file.h"
#include "tests/support/logits.h"
#include "tests/support/suite.h"
#include "train/run_folder.h"

enum { MOST_IDS = 4096 };

static const char **paths; /* RUN, IDS, OUT, STEP */

static int read_ids(const char *path, int32_t *out) {
    FILE *file = fopen(path, "r");
    ck_assert_ptr_nonnull(file);
    int n = 0;
    while (n < MOST_IDS && fscanf(file, "%d", &out[n]) == 1) n++;
    fclose(file);
    return n;
}

START_TEST(write_logits) {
    static int32_t ids[MOST_IDS];
    ms_run_folder folder;
    ms_config config;
    ms_checkpoint *checkpoint;
    ms_device *device;
    const ms_safetensor *embedding;
    int n = read_ids(paths[1], ids);
    ms_must(ms_run_folder_open(paths[0], &folder));
    ms_config_defaults(&config);
    ms_must(ms_config_load_file(&config, folder.config, NULL));
    ms_must(ms_checkpoint_open_or_name(folder.checkpoints, atoll(paths[3]), "step", &checkpoint));
    ms_must(ms_safetensors_find(ms_checkpoint_model(checkpoint), "embedding.weight", &embedding));
    ms_model_config model = ms_model_config_from_config(&config, (int32_t)embedding->shape[0]);
    ms_must(ms_device_open(&(ms_device_options){.name = "cpu", .n_threads = 1}, &device));
    float *values = ms_test_logits(device, &model, ms_checkpoint_model(checkpoint), ids, n);
    ms_must(ms_file_write(paths[2], values, (size_t)n * (size_t)model.vocabulary * sizeof *values));
    free(values);
    ms_device_close(device);
    ms_checkpoint_close(checkpoint);
    ms_run_folder_close(&folder);
}
END_TEST

int main(int argc, char **argv) {
    if (argc != 5) return 2;
    paths = (const char **)(argv + 1);
    Suite *suite = suite_create("logits");
    TCase *tcase = tcase_create("logits");
    tcase_add_test(tcase, write_logits);
    suite_add_tcase(suite, tcase);
    return ms_suite_run(suite);
}
