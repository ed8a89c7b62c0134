/* metrics.jsonl, spectra.jsonl and probes.jsonl, "==" between them: what is accepted gives a script for every plot. */
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
        char *script, *table;
        size_t sizes[2];
        FILE *streams[2] = {open_memstream(&script, &sizes[0]), open_memstream(&table, &sizes[1])};
        MS_FUZZ_CLAIM(streams[0] && streams[1]);
        ms_page page = ms_page_make((ms_page_style){.width_mm = i % 2 ? 85 : 0}, streams[0], streams[1]);
        plots[i].write(&page, data);
        MS_FUZZ_CLAIM(fclose(streams[0]) == 0 && fclose(streams[1]) == 0);
        MS_FUZZ_CLAIM(page.width > 0 && page.height > 0);
        free(script);
        free(table);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes) {
    static const char *const names[] = {"metrics.jsonl", "spectra.jsonl", "probes.jsonl"};
    const char *paths[3];
    ms_fuzz_files(data, size_bytes, names, 3, paths);
    ms_plot_data plot_data;
    ms_status status = ms_plot_data_init(paths[0], paths[1], &plot_data);
    if (status != MS_OK) {
        ms_fuzz_refused(status);
        return 0;
    }
    if (paths[2]) status = ms_plot_data_read_probes(&plot_data, paths[2]);
    if (status == MS_OK)
        write_scripts(&plot_data);
    else
        ms_fuzz_refused(status);
    ms_plot_data_finish(&plot_data);
    return 0;
}
