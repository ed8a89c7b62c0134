/* What the scripts of plots hold: the data blocks and the ranges of a drawn run whose numbers are known, and the choice
   of projections and layers. */
#define _XOPEN_SOURCE 700
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/file.h"
#include "tests/support/suite.h"
#include "tests/tracker/plot_run.h"
#include "tracker/plot/plot.h"
#include "tracker/plot/script.h"

/* Every cell is there, and ends half-way to the next snapshot; at the edges it is as wide on both sides. */
START_TEST(cells_of_a_heat_map) {
    char *script = script_of("entropy_heatmap"), row[128];
    double low[N_SNAPSHOTS] = {-11, 13, 37.5, 62.5}, high[N_SNAPSHOTS] = {13, 37.5, 62.5, 87.5};
    for (int p = 0; p < N_PROJECTIONS; p++) {
        snprintf(row, sizeof row, "$%s << EOD\n", projections[p]);
        char *block = strstr(script, row);
        ck_assert_ptr_nonnull(block);
        block += strlen(row);
        for (int s = 0; s < N_SNAPSHOTS; s++)
            for (int layer = 0; layer < N_LAYERS; layer++) {
                snprintf(row, sizeof row, "%d %d %.9g %.9g %.9g\n", steps[s], layer, value_of(s, layer, p), low[s],
                         high[s]);
                ck_assert_msg(strncmp(block, row, strlen(row)) == 0, "%.60s is not %s", block, row);
                block += strlen(row);
            }
        ck_assert_int_eq(strncmp(block, "EOD\n", 4), 0);
    }
    free(script);
}
END_TEST

/* All panels have one scale of colours, ticks tell neighbours apart, and the shape's random matrix stands at each. */
START_TEST(one_scale_of_colours) {
    char *script = script_of("entropy_heatmap"), range[64];
    ck_assert_int_eq(count(script, "set cbrange"), 1);
    double low, high;
    ck_assert_int_eq(sscanf(strstr(script, "set cbrange"), "set cbrange [%lf:%lf]", &low, &high), 2);
    ck_assert_double_eq_tol(low, value_of(0, 0, 0), 1e-12);
    ck_assert_double_eq_tol(high, value_of(N_SNAPSHOTS - 1, N_LAYERS - 1, N_PROJECTIONS - 1), 1e-12);
    has(script, "set cbtics 0.001\nset format cb '%.3f'\n");
    ck_assert_int_eq(count(script, "set colorbox user"), 1);
    ck_assert_int_eq(count(script, "unset colorbox"), 1);
    for (int p = 0; p < N_PROJECTIONS; p++) {
        snprintf(range, sizeof range, "set title '%s   (random: %.3f)'", projections[p],
                 1 - 64 / (2.0 * 128) / log(64));
        has(script, range);
    }
    free(script);
    script = script_of("alignment_heatmap");
    ck_assert_int_eq(count(script, "   (chance: 0.250)'"), N_PROJECTIONS);
    /* values / 2 above .4968: layer 2 of v, all of up */
    has(script, "$q_above << EOD\nEOD\n");
    has(script, "$v_above << EOD\n1 2\n25.25 2\n50 2\n75 2\nEOD\n");
    has(script, "$up_above << EOD\n1 0\n1 1\n1 2\n25.25 0\n");
    free(script);
}
END_TEST

/* Chosen snapshots, first and last among them; a row for each matrix. */
START_TEST(slices) {
    char *script = script_of("entropy_mri"), row[128];
    for (int k = 0; k < 4; k++) {
        snprintf(row, sizeof row, "set title 'step %d (%d k tokens)'", steps[k], steps[k]);
        has(script, row);
        snprintf(row, sizeof row, "$slice_%d << EOD\n0 0 %.9g\n1 0 %.9g\n2 0 %.9g\n0 1 ", k, value_of(k, 0, 0),
                 value_of(k, 0, 1), value_of(k, 0, 2));
        has(script, row);
    }
    free(script);
}
END_TEST

/* A line for every layer in every panel, one range of values for all, one entry of the legend for each layer. */
START_TEST(curves_of_every_layer) {
    char *script = script_of("update_alignment"), part[128];
    for (int layer = 0; layer < N_LAYERS; layer++)
        for (int p = 0; p < N_PROJECTIONS; p++) {
            snprintf(part, sizeof part, "$%s_%d << EOD\n1 %.9g 0.25 0.4968 NaN\n25 %.9g 0.25 0.4968 NaN\n",
                     projections[p], layer, value_of(0, layer, p) / 2, value_of(1, layer, p) / 2);
            has(script, part);
            snprintf(part, sizeof part, "$%s_%d using 1:2 with linespoints", projections[p], layer);
            ck_assert_int_eq(count(script, part), 1);
        }
    ck_assert_int_eq(count(script, "title 'layer 1'"), 1);
    ck_assert_int_eq(count(script, "title 'chance'"), 1);
    ck_assert_int_eq(count(script, "title 'chance, 95 %'"), 1);
    ck_assert_int_eq(count(script, "_0 using 1:3 with lines lc rgb 'black' dt 2"), N_PROJECTIONS);
    ck_assert_int_eq(count(script, "_0 using 1:4 with lines lc rgb 'black' dt 3"), N_PROJECTIONS);
    free(script);
    script = script_of("spectral_stretching_evolution");
    double low, high;
    ck_assert_int_eq(sscanf(strstr(script, "set yrange"), "set yrange [%lf:%lf]", &low, &high), 2);
    ck_assert_double_gt(low, 9.8); /* values from 9.9 to 9.963: not from 0 */
    ck_assert_double_lt(high, 10.1);
    has(script, "$v_2 << EOD\n1 9.94 9.95\n");
    ck_assert_int_eq(count(script, "title 'noise alone'"), 1);
    free(script);
    for (size_t i = 0; i < data.n_spectra; i++) data.spectra[i].values[MS_PLOT_noise_null] = NAN;
    script = script_of("spectral_stretching_evolution");
    ck_assert_ptr_null(strstr(script, "noise alone"));
    free(script);
}
END_TEST

/* At the value where the key changes, in every plot that shows it; what is not drawn is left out. */
START_TEST(changes_are_marked) {
    char *script = script_of("spectral_gap");
    ck_assert_ptr_null(strstr(script, "change"));
    free(script);
    ms_must(ms_plot_data_select(&data, NULL, "q,v"));
    static const struct {
        ms_plot_series series;
        int64_t steps[2];
        int n;
    } changes[] = {{{"loss", "", -1}, {40}, 1},       {{"gap", "v", 1}, {25, 75}, 2},
                   {{"gap", "q", 0}, {0}, 0},         {{"spectral_entropy", "q", 2}, {25}, 1},
                   {{"gap", "up", 1}, {25}, 1},       {{"gap", "q", 9}, {25}, 1},
                   {{"no_such_key", "q", 1}, {25}, 1}};
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++)
        ms_must(ms_plot_data_add_changes(&data, &changes[i].series, changes[i].steps, changes[i].n));
    ck_assert_uint_eq(data.n_changes, 4);
    script = script_of("spectral_gap");
    has(script, "$v_1_change_0 << EOD\n25 2\n75 2\nEOD\n");
    ck_assert_int_eq(count(script, "_change_0 << EOD"), 1);
    ck_assert_int_eq(count(script, "$v_1_change_0 using 1:2 with points"), 2); /* filled, and its edge */
    ck_assert_int_eq(count(script, "title 'change point'"), 1);
    free(script);
    script = script_of("entropy_heatmap");
    has(script, "$q_change << EOD\n25.25 2\nEOD\n");
    has(script, "$v_change << EOD\nEOD\n");
    has(script, "triangle: change of slope");
    free(script);
    script = script_of("loss");
    ck_assert_int_eq(count(script, "set arrow from first 40, graph 0 to first 40, graph 1 nohead"), 1);
    has(script, "title 'change of slope'");
    free(script);
    script = script_of("update_alignment"); /* phases does not look at it */
    ck_assert_ptr_null(strstr(script, "change"));
    free(script);
}
END_TEST

/* The right subspaces have a chance level of their own, and share the legend's entry. */
START_TEST(persistence_of_both_sides) {
    for (size_t i = 0; i < data.n_spectra; i++) {
        double *values = data.spectra[i].values;
        values[MS_PLOT_persistence_left] = 0.75;
        values[MS_PLOT_persistence_right] = 0.5;
        values[MS_PLOT_alignment_random_right] = 0.125;
        values[MS_PLOT_alignment_random_right_p95] = 0.25;
    }
    char *script = script_of("persistence");
    has(script, "$q_0 << EOD\n1 0.75 0.25 0.4968 0.5 0.125 0.25\n");
    ck_assert_int_eq(count(script, "title 'chance'"), 1);
    ck_assert_int_eq(count(script, "$up_0 using 1:6 with lines lc rgb 'black' dt 2"), 1);
    free(script);
}
END_TEST

/* Efficiency beside that of noise, and s1 below what it cannot exceed; a level that the run lacks has no entry. */
START_TEST(growth_and_its_bounds) {
    char why[128];
    int n;
    const ms_plot *plots = ms_plots(&n), *plot = plots;
    while (strcmp(plot->name, "growth_efficiency") != 0) plot++;
    ck_assert(ms_plot_lacks(plot, &data, why, sizeof why));
    has(why, "train with --tracker.every_step sigma_max");
    for (size_t i = 0; i < data.n_spectra; i++) {
        double *values = data.spectra[i].values;
        values[MS_PLOT_growth_efficiency] = 0.75;
        values[MS_PLOT_growth_efficiency_null] = 0.5;
        values[MS_PLOT_ceiling] = 12;
    }
    ck_assert(!ms_plot_lacks(plot, &data, why, sizeof why));
    char *script = script_of("growth_efficiency");
    has(script, "$q_0 << EOD\n1 0.75 0.5 9.9 9.95 12\n");
    ck_assert_int_eq(count(script, "title 'noise alone'"), 1);
    ck_assert_int_eq(count(script, "dt 3 lw 2 title 'ceiling of rates'"), 1);
    ck_assert_int_eq(count(script, "title 'ceiling"), 1);
    ck_assert_int_eq(count(script, "title '(black: layer 0)'"), 1);
    ck_assert_int_eq(count(script, "$up_0 using 1:6 with lines lc rgb 'black' dt 3"), 1);
    free(script);
    for (size_t i = 0; i < data.n_spectra; i++) data.spectra[i].values[MS_PLOT_ceiling_measured] = 11.9;
    script = script_of("growth_efficiency"); /* in a picture, the same */
    has(script, "$q_0 << EOD\n1 0.75 0.5 9.9 9.95 12\n");
    free(script);
    for (size_t i = 0; i < data.n_spectra; i++) data.spectra[i].values[MS_PLOT_ceiling_decay] = 13;
    data.spectra[data.n_spectra - 1].values[MS_PLOT_ceiling_measured] = 11;
    script = script_of("growth_efficiency");
    has(script, "$q_0 << EOD\n1 0.75 0.5 9.9 9.95 12 11.9 13\n");
    ck_assert_int_eq(count(script, "dt 4 lw 2 title 'ceiling measured'"), 1);
    ck_assert_int_eq(count(script, "dt 5 lw 2 title 'ceiling of decay'"), 1);
    free(script);
}
END_TEST

/* Layers to the right: s1, and beside that of the last snapshot what noise alone gives, where it is known. */
START_TEST(norm_over_depth) {
    char *script = script_of("spectral_norm_vs_depth");
    has(script, "$q_first << EOD\n0 9.9 NaN\n1 9.91 NaN\n2 9.92 NaN\nEOD\n");
    has(script, "$q_last << EOD\n0 9.903 9.95\n1 9.913 9.95\n2 9.923 9.95\nEOD\n");
    ck_assert_int_eq(count(script, "_last using 1:3 with lines"), N_PROJECTIONS);
    ck_assert_int_eq(count(script, "dt 2 lw 1.8 title 'noise alone'"), 1);
    free(script);
    for (size_t i = 0; i < data.n_spectra; i++) data.spectra[i].values[MS_PLOT_noise_null] = NAN;
    script = script_of("spectral_norm_vs_depth");
    ck_assert_ptr_null(strstr(script, "1:3"));
    ck_assert_ptr_null(strstr(script, "noise"));
    free(script);
}
END_TEST

/* A line of spectra.jsonl whose orthogonality_of_update is `list`, and more keys, each after a comma. */
static ms_status read_update_of(const char *list, const char *more, ms_plot_data *out) {
    char line[512];
    snprintf(line, sizeof line,
             "{\"step\":1,\"tokens\":1,\"layer\":0,\"projection\":\"q\",\"sigma_top\":[2,1],"
             "\"orthogonality_of_update\":%s,\"momentum_small_share\":0.25,\"update_rank\":7%s}\n",
             list, more);
    ms_must(ms_file_write(in_folder("update.jsonl"), line, strlen(line)));
    return ms_plot_data_init(in_folder("metrics.jsonl"), in_folder("update.jsonl"), out);
}

static ms_status read_update(const char *list, ms_plot_data *out) { return read_update_of(list, "", out); }

/* Of a matrix that is orthogonalised as it is: its own range, and no slice. */
START_TEST(quality_of_updates) {
    ms_plot_data_finish(&data);
    ms_must(read_update("[0.5,0.625,0.75,0.8,1.1,1.2]", &data));
    char *script = script_of("update_quality");
    has(script, "$q_0 << EOD\n1 0.625 NaN 1.2 0.25 NaN\nEOD\n");
    ck_assert_ptr_null(strstr(script, "slice"));
    free(script);
    script = script_of("update_rank_evolution");
    has(script, "$q_0 << EOD\n1 7 NaN\nEOD\n");
    free(script);
    ms_plot_data_finish(&data);
    ms_must(read_update("null", &data));
    ck_assert(isnan(data.spectra[0].values[MS_PLOT_orthogonality_of_update_q01]));
    ms_plot_data_finish(&data);
    ms_must(read_update("[1,null,1,1,1,1]", &data));
    ck_assert(isnan(data.spectra[0].values[MS_PLOT_orthogonality_of_update_q01]));
    ms_plot_data_finish(&data);
    const char *const bad[] = {"[1]", "5", "[1,\"x\",1,1,1,1]"};
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(read_update(bad[i], &data), MS_CORRUPT);
        has(ms_status_message(), "line 1: \"orthogonality_of_update\" is no array of 6 numbers");
    }
}
END_TEST

/* Of a projection that is stored in a merged matrix: the whole is drawn, which is what becomes orthogonal; the slice is
   dotted and named. */
START_TEST(quality_of_merged_updates) {
    ms_plot_data_finish(&data);
    ms_must(read_update_of("[0,0.001,0.1,0.5,0.9,1]",
                           ",\"momentum_small_share_merged\":0.125,\"update_rank_merged\":30,"
                           "\"orthogonality_of_update_merged\":[0.5,0.75,0.8,0.9,1.1,1.2]",
                           &data));
    char *script = script_of("update_quality");
    has(script, "$q_0 << EOD\n1 0.75 0.001 1.2 0.125 0.25\nEOD\n");
    ck_assert_int_eq(count(script, "$q_0 using 1:2 with linespoints"), 1);
    ck_assert_int_eq(count(script, "$q_0 using 1:3 with lines lc rgb '#440154' dt 3"), 1);
    ck_assert_int_eq(count(script, "$q_0 using 1:4 with lines lc rgb '#440154' lw 0.8"), 1);
    ck_assert_int_eq(count(script, "$q_0 using 1:5 with linespoints"), 1);
    ck_assert_int_eq(count(script, "$q_0 using 1:6 with lines lc rgb '#440154' dt 3"), 1);
    ck_assert_int_eq(count(script, "lw 1.8 title 'whole matrix'"), 1);
    ck_assert_int_eq(count(script, "dt 3 lw 1.5 title 'slice of it'"), 1);
    free(script);
    script = script_of("update_rank_evolution");
    has(script, "$q_0 << EOD\n1 30 7\nEOD\n");
    ck_assert_int_eq(count(script, "title 'slice of it'"), 1);
    free(script);
}
END_TEST

static void write_probes(const char *text) { ms_must(ms_file_write(in_folder("probes.jsonl"), text, strlen(text))); }

#define PROBE(step, layer, entropy)                                                                                    \
    "{\"step\":" #step ",\"tokens\":" #step ",\"layer\":" #layer ",\"attention_entropy\":" entropy "}\n"

/* Means over the heads that have a value, then the heads of the last whole snapshot; chosen layers. */
START_TEST(entropy_of_attention) {
    write_probes(PROBE(0, 0, "[1,0.5]") PROBE(0, 1, "[1,1]") PROBE(50, 0, "[0.25,null]") PROBE(50, 1, "[0.5,0.25]")
                     PROBE(75, 0, "[0,0]"));
    ms_must(ms_plot_data_read_probes(&data, in_folder("probes.jsonl")));
    char *script = script_of("attention_entropy");
    has(script, "$layers << EOD\n0 0 0.75 -25 25\n0 1 1 -25 25\n50 0 0.25 25 75\n50 1 0.375 25 75\nEOD\n");
    has(script, "$heads << EOD\n0 0 0.25\n0 1 0.5\n1 1 0.25\nEOD\n");
    has(script, "set cbrange [0.25:1]");
    free(script);
    ms_must(ms_plot_data_select(&data, "1,2", NULL));
    script = script_of("attention_entropy");
    has(script, "$layers << EOD\n0 0 1 -25 25\n50 0 0.375 25 75\nEOD\n");
    has(script, "set ytics ('1' 0)");
    free(script);
}
END_TEST

/* A layer that a snapshot lacks is a gap in the picture; only the last snapshot is left out for it. */
START_TEST(probes_with_a_gap) {
    write_probes(PROBE(0, 0, "[1]") PROBE(0, 1, "[0.5]") PROBE(50, 1, "[0.25]") PROBE(75, 0, "[0.75]")
                     PROBE(75, 1, "[0.5]") PROBE(90, 1, "[0]"));
    ms_must(ms_plot_data_read_probes(&data, in_folder("probes.jsonl")));
    char *script = script_of("attention_entropy");
    has(script,
        "$layers << EOD\n0 0 1 -25 25\n0 1 0.5 -25 25\n50 1 0.25 25 62.5\n75 0 0.75 62.5 87.5\n75 1 0.5 62.5 87.5\n"
        "EOD\n");
    has(script, "$heads << EOD\n0 0 0.75\n0 1 0.5\nEOD\n");
    free(script);
}
END_TEST

/* More heads than any model of today has. */
START_TEST(many_heads) {
    enum { N_HEADS = 300 };
    char text[4096];
    int length = snprintf(text, sizeof text, "{\"step\":0,\"tokens\":0,\"layer\":0,\"attention_entropy\":[0.25");
    for (int h = 1; h < N_HEADS; h++)
        length += snprintf(text + length, sizeof text - (size_t)length, h < N_HEADS - 1 ? ",0.5" : ",0.75]}\n");
    write_probes(text);
    ms_must(ms_plot_data_read_probes(&data, in_folder("probes.jsonl")));
    char *script = script_of("attention_entropy");
    has(script, "$layers << EOD\n0 0 0.5 ");
    has(script, "\n298 0 0.5\n299 0 0.75\nEOD\n");
    has(script, "set xrange [-0.5:299.5]");
    free(script);
}
END_TEST

START_TEST(probes_that_are_refused) {
    static const char *const bad[][2] = {
        {PROBE(0, 0, "[]"), "line 1: \"attention_entropy\" is no array of numbers"},
        {PROBE(0, 0, "[1]") PROBE(0, 0, "[1]"), "line 2: layer 0 after layer 0"},
        {PROBE(5, 0, "[1]") PROBE(4, 0, "[1]"), "line 2: step 4 after step 5"},
        {PROBE(0, 0, "[1,\"x\"]"), "line 1: entry 2 of \"attention_entropy\" is no number"},
        {PROBE(0, 10000, "[1]"), "line 1: \"layer\" 10000 is above 9999"},
        {PROBE(0, 9999, "[1]"), "/probes.jsonl line 1: \"layer\" 9999: layer 0 is missing before it"},
        {PROBE(0, 0, "[1]") PROBE(0, 2, "[1]"), "line 2: \"layer\" 2: layer 1 is missing before it"},
        {PROBE(0, 0, "[1]") PROBE(5, 0, "[1]") PROBE(5, 1, "[1]"),
         "/probes.jsonl line 3: \"layer\" 1 is not in the first snapshot, of step 0"},
        {PROBE(0, 0, "[1]") PROBE(5, 9999, "[1]"), "line 2: \"layer\" 9999 is not in the first snapshot, of step 0"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ms_plot_data only = {0};
        write_probes(bad[i][0]);
        ck_assert_int_eq(ms_plot_data_read_probes(&only, in_folder("probes.jsonl")), MS_CORRUPT);
        has(ms_status_message(), bad[i][1]);
        ms_plot_data_finish(&only);
    }
}
END_TEST

/* A single outlier lifts the mean around it, on both sides alike. */
START_TEST(mean_that_does_not_lag) {
    char *script = script_of("loss");
    has(script, "37 4 4\n38 4 5\n39 4 5\n40 9 5\n41 4 5\n42 4 5\n43 4 4\n"); /* 2 lines around, of 200 */
    has(script, "199 4 4\n200 4 4\nEOD");
    free(script);
}
END_TEST

START_TEST(chosen_projections_and_layers) {
    ms_must(ms_plot_data_select(&data, "0,2", "up,q"));
    ck_assert_int_eq(data.n_projections, 2);
    ck_assert_str_eq(data.projections[0], "q");
    ck_assert_str_eq(data.projections[1], "up");
    ck_assert_int_eq(data.n_layers, 2);
    ck_assert_uint_eq(data.n_matrices, 4);
    ck_assert_uint_eq(data.n_spectra, 4 * N_SNAPSHOTS);
    char *script = script_of("norm_heatmap");
    ck_assert_ptr_null(strstr(script, "$v"));
    has(script, "set ytics ('0' 0, '2' 1)");
    free(script);
    script = script_of("spectral_gap");
    has(script, "title 'layer 2'");
    ck_assert_ptr_null(strstr(script, "layer 1'"));
    free(script);
    script = script_of("entropy_mri");
    char part[64];
    snprintf(part, sizeof part, "\n1 1 %.9g\nEOD", value_of(0, 2, 2));
    has(script, part);
    free(script);
    ms_must(ms_plot_data_select(&data, "2", NULL));
    ck_assert_int_eq(data.layers[0], 2);
}
END_TEST

static void refuse_layers(const char *text, ms_status expected, const char *message) {
    ck_assert_int_eq(ms_plot_data_select(&data, text, NULL), expected);
    ck_assert_msg(strstr(ms_status_message(), message) != NULL, "%s", ms_status_message());
    ck_assert_uint_eq(data.n_spectra, N_LAYERS * N_PROJECTIONS * N_SNAPSHOTS);
}

START_TEST(choices_that_are_refused) {
    refuse_layers("0,3", MS_NOT_FOUND, "--layers: the run has no layer 3; it has 0 to 2");
    refuse_layers("0-9", MS_NOT_FOUND, "the run has no layer 3");
    refuse_layers("", MS_USAGE, "'' is no layer and no range");
    refuse_layers("0,,1", MS_USAGE, "'' is no layer");
    refuse_layers("2-1", MS_USAGE, "'2-1' is no layer");
    refuse_layers("-1", MS_USAGE, "'-1' is no layer");
    refuse_layers("1 ", MS_USAGE, "'1 ' is no layer");
    refuse_layers("00001", MS_USAGE, "'00001' is no layer");
    ck_assert_int_eq(ms_plot_data_select(&data, NULL, "q,w"), MS_NOT_FOUND);
    has(ms_status_message(), "--projections: the run has no projection 'w'; it has q, v, up");
    ck_assert_int_eq(ms_plot_data_select(&data, NULL, "u"), MS_NOT_FOUND);
    ck_assert_int_eq(ms_plot_data_select(&data, NULL, "q,"), MS_USAGE);
    has(ms_status_message(), "--projections: an empty name");
}
END_TEST

/* No character is cut in two, no quote ends the text, nothing in it is a command. */
START_TEST(texts_are_quoted) {
    static const struct {
        const char *text, *quoted;
    } cases[] = {{"it's", "it''s"},     {"s_{1}", "s_{1}"}, {"äöüäöü", "äöüäöü"}, {"äöüäöüä", "äöüäö…"},
                 {"abcdefg", "abcde…"}, {"", ""},           {"a\nb", "a\\nb"},    {"a\xff", "a\\xFF"}};
    char out[MS_QUOTED_SIZE];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ck_assert_str_eq(ms_script_quoted(cases[i].text, 6, out, sizeof out), cases[i].quoted);
}
END_TEST

START_TEST(labels_tell_ticks_apart) {
    static const struct {
        double low, high;
        const char *text;
    } cases[] = {{0.9931, 0.9934, "set ytics 0.0001\nset format y '%.4f'\n"},
                 {0, 1, "set ytics 0.2\nset format y '%.1f'\n"},
                 {3, 40, "set ytics 10\nset format y '%.0f'\n"},
                 {0, 3e9, "set ytics 1e+09\nset format y '%.4g'\n"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *text;
        size_t size_bytes;
        FILE *stream = open_memstream(&text, &size_bytes);
        ms_script_value_axis(stream, "y", (ms_range){cases[i].low, cases[i].high}, 5, true);
        fclose(stream);
        has(text, cases[i].text);
        free(text);
    }
}
END_TEST

int main(void) {
    TCase *tests = tcase_create("plot_scripts");
    tcase_add_checked_fixture(tests, make_run, remove_run);
    tcase_add_test(tests, cells_of_a_heat_map);
    tcase_add_test(tests, one_scale_of_colours);
    tcase_add_test(tests, slices);
    tcase_add_test(tests, curves_of_every_layer);
    tcase_add_test(tests, changes_are_marked);
    tcase_add_test(tests, persistence_of_both_sides);
    tcase_add_test(tests, growth_and_its_bounds);
    tcase_add_test(tests, norm_over_depth);
    tcase_add_test(tests, quality_of_updates);
    tcase_add_test(tests, quality_of_merged_updates);
    tcase_add_test(tests, entropy_of_attention);
    tcase_add_test(tests, probes_with_a_gap);
    tcase_add_test(tests, many_heads);
    tcase_add_test(tests, probes_that_are_refused);
    tcase_add_test(tests, mean_that_does_not_lag);
    tcase_add_test(tests, chosen_projections_and_layers);
    tcase_add_test(tests, choices_that_are_refused);
    tcase_add_test(tests, texts_are_quoted);
    tcase_add_test(tests, labels_tell_ticks_apart);
    Suite *suite = suite_create("tracker/plot_scripts");
    suite_add_tcase(suite, tests);
    return ms_suite_run(suite);
}
