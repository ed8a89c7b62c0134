/* metrics.jsonl and spectra.jsonl with a line "==" between them: changes are steps in order, p-values are shares. */
#include "tests/fuzz/fuzz.h"
#include "tracker/phases.h"

static void check(const ms_phases *phases, const ms_phase_series *series) {
    for (int i = 0; i < series->n_changes; i++) {
        MS_FUZZ_CLAIM(series->changes[i] > phases->first_step && series->changes[i] <= phases->last_step);
        MS_FUZZ_CLAIM(i == 0 || series->changes[i] > series->changes[i - 1]);
    }
    if (series->n < MS_PHASE_LEAST) MS_FUZZ_CLAIM(series->n_changes == 0);
    MS_FUZZ_CLAIM(!(series->p < 0) && !(series->p > 1)); /* or NaN */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes) {
    static const char *const names[] = {"metrics.jsonl", "spectra.jsonl"};
    const char *paths[2];
    ms_fuzz_files(data, size_bytes, names, 2, paths);
    ms_phases phases;
    ms_status status = ms_phases_init(paths[0], paths[1] ? paths[1] : paths[0], 0, &phases);
    if (status != MS_OK) {
        ms_fuzz_refused(status);
        return 0;
    }
    for (int i = 0; i < phases.n_series; i++) check(&phases, &phases.series[i]);
    ms_phases_finish(&phases);
    return 0;
}
