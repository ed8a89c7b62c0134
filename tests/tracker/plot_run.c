#define _XOPEN_SOURCE 700
#include "tests/tracker/plot_run.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/directory.h"
#include "tests/support/suite.h"
#include "tracker/plot/plot.h"

const char *const projections[N_PROJECTIONS] = {"q", "v", "up"};
const int steps[N_SNAPSHOTS] = {1, 25, 50, 75};
ms_plot_data data;

static char folder[64];

const char *in_folder(const char *name) {
    static char path[2][128];
    static int i;
    i = !i;
    snprintf(path[i], sizeof path[i], "%s/%s", folder, name);
    return path[i];
}

double value_of(int snapshot, int layer, int p) { return 0.9900 + 0.0001 * snapshot + 0.001 * layer + 0.002 * p; }

void make_run(void) {
    strcpy(folder, "/tmp/ms_scripts_XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    FILE *metrics = fopen(in_folder("metrics.jsonl"), "w"), *spectra = fopen(in_folder("spectra.jsonl"), "w");
    for (int step = 1; step <= N_STEPS; step++)
        fprintf(metrics, "{\"step\":%d,\"tokens\":%d,\"loss\":%d}\n", step, 1000 * step, step == 40 ? 9 : 4);
    for (int s = 0; s < N_SNAPSHOTS; s++)
        for (int layer = 0; layer < N_LAYERS; layer++)
            for (int p = 0; p < N_PROJECTIONS; p++) {
                double value = value_of(s, layer, p);
                fprintf(spectra,
                        "{\"step\":%d,\"tokens\":%d,\"layer\":%d,\"projection\":\"%s\",\"rows\":64,\"cols\":128,"
                        "\"sigma_top\":[2,1],\"sigma_max\":%g,\"noise_null\":9.95,\"gap\":2,\"spectral_entropy\":%g,"
                        "\"alignment_left\":%g,"
                        "\"alignment_random\":0.25,\"alignment_random_p95\":0.4968}\n",
                        steps[s], 1000 * steps[s], layer, projections[p], 10 * value, value, value / 2);
            }
    ck_assert_int_eq(fclose(metrics) | fclose(spectra), 0);
    ms_must(ms_plot_data_init(in_folder("metrics.jsonl"), in_folder("spectra.jsonl"), &data));
}

void remove_run(void) {
    ms_plot_data_finish(&data);
    ms_must(ms_directory_remove(folder));
}

char *styled_script(const char *name, ms_page_style style, char **out_table, ms_page *out_page) {
    int n;
    const ms_plot *plots = ms_plots(&n);
    for (int i = 0; i < n; i++) {
        if (strcmp(plots[i].name, name) != 0) continue;
        char *text, *table;
        size_t sizes[2];
        ms_page page = ms_page_make(style, open_memstream(&text, &sizes[0]), open_memstream(&table, &sizes[1]));
        plots[i].write(&page, &data);
        ck_assert_int_eq(fclose(page.out) | fclose(page.table.stream), 0);
        if (out_table)
            *out_table = table;
        else
            free(table);
        if (out_page) *out_page = page;
        return text;
    }
    ck_abort_msg("no plot %s", name);
}

char *script_of(const char *name) { return styled_script(name, (ms_page_style){0}, NULL, NULL); }

int count(const char *text, const char *part) {
    int n = 0;
    for (const char *at = strstr(text, part); at; at = strstr(at + 1, part)) n++;
    return n;
}

void has(const char *text, const char *part) {
    ck_assert_msg(strstr(text, part) != NULL, "no \"%s\" in:\n%s", part, text);
}
