/* A study that is accepted can be run and tested: its arms and seeds are whole, every run has a name of its own and a
   configuration, and every hypothesis is of arms that are there. */
#include "cli/study/study.h"

#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

static void check_seeds(const ms_study *study, const ms_study_arm *arm) {
    MS_FUZZ_CLAIM(arm->seeds.n >= 1 && arm->seeds.n <= MS_STUDY_SEEDS);
    for (int i = 0; i < arm->seeds.n; i++) {
        MS_FUZZ_CLAIM(arm->seeds.items[i] != study->tuning_seed || study->n_tunings == 0);
        MS_FUZZ_CLAIM(i == 0 || arm->seeds.items[i] > arm->seeds.items[i - 1]);
    }
}

static void check_hypothesis(const ms_study *study, const ms_study_hypothesis *hypothesis) {
    char *text;
    MS_FUZZ_CLAIM(hypothesis->i_arm >= 0 && hypothesis->i_arm < study->n_arms);
    MS_FUZZ_CLAIM(hypothesis->i_against < study->n_arms && hypothesis->i_against != hypothesis->i_arm);
    MS_FUZZ_CLAIM(ms_study_hypothesis_text(hypothesis, &text) == MS_OK && *text);
    free(text);
}

/* The folder of a run is one below the study's. */
static bool is_name(const char *name) {
    return *name && *name != '.' &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.+-") == strlen(name);
}

/* One run of an arm on a seed; key NULL: nothing is tuned. */
static void check_run(const ms_study *study, const ms_study_arm *arm, ms_study_choice choice, int64_t seed) {
    ms_config_request request;
    char text[24];
    MS_FUZZ_CLAIM(ms_study_request(study, arm, &choice, seed, text, &request) == MS_OK);
}

static void check_arm(const ms_study *study, const ms_study_arm *arm) {
    MS_FUZZ_CLAIM(is_name(arm->name) && ms_study_find_arm(study, arm->name) == (int)(arm - study->arms));
    check_seeds(study, arm);
    MS_FUZZ_CLAIM(arm->i_tuning < study->n_tunings);
    const ms_study_tuning *tuning = arm->i_tuning >= 0 ? &study->tunings[arm->i_tuning] : NULL;
    for (int k = 0; k < (tuning ? tuning->n : 1); k++)
        check_run(study, arm, (ms_study_choice){tuning ? tuning->key : NULL, tuning ? tuning->values[k] : NULL},
                  arm->seeds.items[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes) {
    ms_study *study;
    ms_status status = ms_study_load_text("input.yaml", (const char *)data, size_bytes, &study);
    if (status != MS_OK) {
        MS_FUZZ_CLAIM(!study);
        ms_fuzz_refused(status);
        return 0;
    }
    MS_FUZZ_CLAIM(study->n_arms >= 1 && study->n_arms <= MS_STUDY_ARMS && is_name(study->name));
    for (int i = 0; i < study->n_arms; i++) check_arm(study, &study->arms[i]);
    for (int i = 0; i < study->n_tunings; i++)
        MS_FUZZ_CLAIM(study->tunings[i].n == study->tunings[0].n && study->tuning_seed >= 0);
    for (int i = 0; i < study->n_hypotheses; i++) check_hypothesis(study, &study->hypotheses[i]);
    for (int i = 0; i < study->n_compared; i++)
        MS_FUZZ_CLAIM(study->compared[i] >= 0 && study->compared[i] < study->n_arms &&
                      study->compared[i] != study->i_against);
    ms_study_destroy(study);
    return 0;
}
