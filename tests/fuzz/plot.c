/* metrics.jsonl, a line with nothing but "==", spectra.jsonl: what is accepted gives a script for every plot. */
#define _GNU_SOURCE /* memmem */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "tracker/plot/plot.h"

static void write_scripts(const ms_plot_data *data) {
    int n;
    const ms_plot *plots = ms_plots(&n);
    for (int i = 0; i < n; i++) {
        char why[256];
        if (ms_plot_lacks(&plots[i], data, why, sizeof why)) continue;
        char *text;
        size_t size_bytes;
        FILE *stream = open_memstream(&text, &size_bytes);
        MS_FUZZ_CLAIM(stream);
        plots[i].write(stream, data);
        MS_FUZZ_CLAIM(fclose(stream) == 0);
        free(text);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes) {
    static const char between[] = "\n==\n";
    const uint8_t *cut = memmem(data, size_bytes, between, sizeof between - 1);
    size_t metrics_bytes = cut ? (size_t)(cut - data) + 1 : size_bytes;
    const char *metrics = ms_fuzz_file("metrics.jsonl", data, metrics_bytes), *spectra = NULL;
    if (cut) spectra = ms_fuzz_file("spectra.jsonl", data + metrics_bytes + 3, size_bytes - metrics_bytes - 3);
    ms_plot_data plot_data;
    ms_status status = ms_plot_data_init(metrics, spectra, &plot_data);
    if (status != MS_OK) {
        ms_fuzz_refused(status);
        return 0;
    }
    write_scripts(&plot_data);
    ms_plot_data_finish(&plot_data);
    return 0;
}
