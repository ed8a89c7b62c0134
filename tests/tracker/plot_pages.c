/* Tables of plots, and how pages are laid out. */
#define _XOPEN_SOURCE 700
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/suite.h"
#include "tests/tracker/plot_run.h"
#include "tracker/plot/panels.h"
#include "tracker/plot/plot.h"
#include "tracker/plot/script.h"

static const ms_page_style screen = {0}, column = {85, false}, narrow = {MS_PAGE_LEAST_MM, false};

/* Every row of the table is in the script, in the data block of its projection and layer. */
START_TEST(table_of_curves) {
    char *table, *script = styled_script("spectral_stretching_evolution", screen, &table, NULL), line[128];
    has(table, "projection,layer,step,tokens,sigma_max,noise_null\n");
    for (int s = 0; s < N_SNAPSHOTS; s++)
        for (int layer = 0; layer < N_LAYERS; layer++)
            for (int p = 0; p < N_PROJECTIONS; p++) {
                snprintf(line, sizeof line, "\n%s,%d,%d,%d000,%.9g,9.95\n", projections[p], layer, steps[s], steps[s],
                         10 * value_of(s, layer, p));
                has(table, line);
                snprintf(line, sizeof line, "$%s_%d << EOD\n", projections[p], layer);
                char *block = strstr(script, line), *end = block ? strstr(block, "\nEOD\n") : NULL;
                ck_assert_ptr_nonnull(end);
                snprintf(line, sizeof line, "\n%d %.9g 9.95\n", steps[s], 10 * value_of(s, layer, p));
                ck_assert(strstr(block, line) && strstr(block, line) < end);
            }
    ck_assert_int_eq(count(table, "\n"), 1 + N_SNAPSHOTS * N_LAYERS * N_PROJECTIONS);
    free(script);
    free(table);
}
END_TEST

START_TEST(tables_of_others) {
    char *table, line[128];
    free(styled_script("alignment_heatmap", screen, &table, NULL));
    has(table, "projection,layer,step,tokens,alignment_left,chance,above 95 % of chance\nq,0,1,1000,0.495,0.25,0\n");
    has(table, "\nup,0,1,1000,0.497,0.25,1\n");
    ck_assert_int_eq(count(table, "\n"), 1 + N_SNAPSHOTS * N_LAYERS * N_PROJECTIONS);
    free(table);
    free(styled_script("loss", screen, &table, NULL));
    has(table, "series,step,tokens,loss (nats per token),mean of lines around (nats per token)\ntraining,1,1000,4,4\n");
    has(table, "\ntraining,38,38000,4,5\n");
    free(table);
    free(styled_script("entropy_mri", screen, &table, NULL));
    snprintf(line, sizeof line, "step,tokens,projection,layer,spectral_entropy\n1,1000,q,0,%.9g\n", value_of(0, 0, 0));
    has(table, line);
    free(table);
    free(styled_script("singular_spectrum", screen, &table, NULL));
    has(table,
        "projection,layer,step,tokens,index,singular value over the largest\nq,0,1,1000,1,1\nq,0,1,1000,2,0.5\n");
    free(table);
    /* What a line lacks is an empty cell there, and a gap in the picture. */
    data.spectra[0].values[MS_PLOT_gap] = 0.0 / 0.0;
    char *script = styled_script("spectral_gap", screen, &table, NULL);
    has(table, "\nq,0,1,1000,\nq,0,25,25000,2\n");
    has(script, "$q_0 << EOD\n1 NaN\n25 2\n");
    free(script);
    free(table);
}
END_TEST

/* Rows as long as their heading, for all plots that this run has, on all pages. */
START_TEST(all_tables_are_whole) {
    int n, n_drawn = 0;
    const ms_plot *plots = ms_plots(&n);
    const ms_page_style styles[] = {screen, column, narrow, {MS_PAGE_MOST_MM, true}};
    for (int i = 0; i < n; i++)
        for (size_t k = 0; k < sizeof styles / sizeof *styles; k++) {
            char why[256], *table;
            ms_page page;
            if (ms_plot_lacks(&plots[i], &data, why, sizeof why)) continue;
            n_drawn++;
            free(styled_script(plots[i].name, styles[k], &table, &page));
            ck_assert_int_gt(page.height, 100);
            ck_assert(page.given_width == 0 || page.width == page.given_width);
            int n_commas = -1;
            for (char *line = strtok(table, "\n"); line; line = strtok(NULL, "\n")) {
                if (n_commas < 0) n_commas = count(line, ",");
                ck_assert_msg(count(line, ",") == n_commas, "%s: %s", plots[i].name, line);
            }
            ck_assert_int_gt(n_commas, 2);
            free(table);
        }
    ck_assert_int_eq(n_drawn, 10 * 4);
}
END_TEST

/* The first number behind `key` in the text. */
static double number_at(const char *text, const char *key) {
    const char *at = strstr(text, key);
    ck_assert_msg(at != NULL, "no %s in %s", key, text);
    return strtod(at + strlen(key), NULL);
}

START_TEST(page_of_a_column) {
    ms_page page;
    for (size_t i = 0; i < data.n_spectra; i++)
        data.spectra[i].values[MS_PLOT_gap] = 1 + 0.01 * (double)i; /* short labels */
    char *script = styled_script("spectral_gap", column, NULL, &page);
    ck_assert_int_eq(page.width, 643); /* 85 mm at 96 pixels an inch, drawn at half the size */
    ck_assert_double_eq(ms_page_scale(column), 0.5);
    ck_assert_double_eq(ms_page_scale(screen), 1);
    has(script, "set multiplot layout 2,2 title \"Spectral gap of the weights\"");
    ck_assert_double_lt(number_at(script, "set key at screen 0.01555,"), 0.3); /* below the panels */
    free(script);
    script = styled_script("spectral_gap", (ms_page_style){85, true}, NULL, NULL);
    has(script, "set multiplot layout 2,2 margins screen");
    free(script);
    script = styled_script("spectral_gap", screen, NULL, &page);
    has(script, "set multiplot layout 1,3 title");
    ck_assert_double_gt(number_at(script, "set key at screen "), 0.8); /* beside the panels */
    ck_assert_int_gt(page.width, 1300);
    free(script);
    script = styled_script("norm_heatmap", column, NULL, NULL);
    has(script, "set colorbox horizontal user");
    has(script, "set cblabel 's₁'");
    free(script);
    script = styled_script("spectral_gap", narrow, NULL, NULL);
    has(script, "set multiplot layout 3,1 title");
    free(script);
}
END_TEST

/* A title that a page is too narrow for is broken at its spaces, and loses none of its words. */
START_TEST(titles_are_broken) {
    char *script = styled_script("alignment_heatmap", narrow, NULL, NULL);
    char *title = strstr(script, "title \"") + strlen("title \""), joined[256] = "";
    *strchr(title, '"') = '\0';
    for (char *at = title; at;) {
        char *end = strstr(at, "\\n");
        if (end) *end = '\0';
        ck_assert_uint_lt(strlen(at), 34);
        snprintf(joined + strlen(joined), sizeof joined - strlen(joined), "%s%s", *joined ? " " : "", at);
        at = end ? end + 2 : NULL;
    }
    ck_assert_str_eq(joined,
                     "Alignment of the update ΔW with the weights W, left top 5 (dot: above the 95 % of chance)");
    free(script);
}
END_TEST

/* However many layers there are, the legend fits beside the panels, and what is no layer keeps its place. */
START_TEST(legend_that_fits) {
    static int layers[200];
    for (int i = 0; i < 200; i++) layers[i] = i;
    for (int n = 1; n <= 200; n += n < 30 ? 1 : 17) {
        const ms_plot_data many = {.layers = layers, .n_layers = n};
        ms_legend legend = {.n = 0};
        char *script;
        size_t size_bytes;
        ms_page page = ms_page_make(screen, open_memstream(&script, &size_bytes), NULL);
        ms_legend_add_layers(&legend, &many);
        ms_legend_add(&legend, "lines dt 2", "chance");
        ms_legend_add(&legend, "lines dt 3", "chance, 95 %");
        ms_panels panels = ms_panels_make(&page, 3, 1, 0, &legend);
        ms_panels_begin(&page, &panels, "title");
        ms_panels_end(&page, &panels);
        ck_assert_int_eq(fclose(page.out), 0);
        int n_entries = count(script, ", NaN with ");
        ck_assert_int_le(25 * n_entries, page.height);
        ck_assert_int_ge(n_entries, n < 10 ? n + 2 : 8);
        has(script, "title 'layer 0'");
        has(script, "title 'chance'");
        has(script, "title 'chance, 95 %'");
        free(script);
    }
}
END_TEST

/* A projection has its colour whatever else is drawn. */
START_TEST(colours_of_projections) {
    const char *up = "$up_last using 1:2 with linespoints lc rgb '#cc79a7'";
    char *script = script_of("spectral_norm_vs_depth");
    has(script, up);
    free(script);
    ms_must(ms_plot_data_select(&data, NULL, "up"));
    script = script_of("spectral_norm_vs_depth");
    has(script, up);
    free(script);
    ck_assert_str_ne(ms_script_projection_color("up", 0), ms_script_projection_color("gate", 0));
    ck_assert_str_eq(ms_script_projection_color("W", 1), ms_script_projection_color("X", 1));
}
END_TEST

/* Layers that were asked for are all drawn. */
START_TEST(spectra_of_chosen_layers) {
    enum { MANY = 9 };
    static int layers[MANY];
    data.layers = realloc(data.layers, sizeof layers);
    for (int i = 0; i < MANY; i++) data.layers[i] = i;
    data.n_layers = MANY;
    char *script = script_of("singular_spectrum");
    ck_assert_int_eq(count(script, "title 'layer "), 4);
    has(script, "title 'layer 8'");
    free(script);
    ms_must(ms_plot_data_select(&data, "0-8", NULL));
    script = script_of("singular_spectrum");
    ck_assert_int_eq(count(script, "title 'layer "), MANY);
    free(script);
}
END_TEST

/* The same run again, with other values: as another one. */
static void read_again(ms_plot_data *out) {
    ms_must(ms_plot_data_init(in_folder("metrics.jsonl"), in_folder("spectra.jsonl"), out));
    for (size_t i = 0; i < out->n_spectra; i++) out->spectra[i].values[MS_PLOT_sigma_max] *= 2;
}

static const char *const names[2] = {"one", "it's_{2}"};

/* A line for each run, of the means over its layers, under its name. */
START_TEST(runs_over_each_other) {
    ms_plot_data runs[2] = {data, {0}}, one = data;
    read_again(&runs[1]);
    ms_must(ms_plot_data_overlay(runs, names, 2, &data));
    char *table, *script = styled_script("spectral_stretching_evolution", screen, &table, NULL), line[128];
    has(script, "title \"Spectral stretching: largest singular value s₁; mean of layers 0 to 2\"");
    has(script, "title 'it''s_{2}'");
    ck_assert_int_eq(count(script, "title 'one'"), 1);
    ck_assert_ptr_null(strstr(script, "title 'layer"));
    has(table, "projection,run,step,tokens,sigma_max,noise_null\n");
    for (int p = 0; p < N_PROJECTIONS; p++) { /* the mean of the layers is the middle one */
        snprintf(line, sizeof line, "\n%s,one,50,50000,%.9g,9.95\n", projections[p], 10 * value_of(2, 1, p));
        has(table, line);
        snprintf(line, sizeof line, "\n%s,it's_{2},50,50000,%.9g,9.95\n", projections[p], 20 * value_of(2, 1, p));
        has(table, line);
        snprintf(line, sizeof line, "$%s_1 using 1:2 with linespoints pt 5 ps 0.8", projections[p]);
        has(script, line);
    }
    ck_assert_int_eq(count(table, "\n"), 1 + 2 * N_SNAPSHOTS * N_PROJECTIONS);
    has(script, "set x2label 'tokens'");
    free(script);
    free(table);
    script = styled_script("loss", screen, &table, NULL);
    has(table, "\none,training,38,38000,4,5\n");
    has(table, "\nit's_{2},training,200,200000,4,4\n");
    has(script, "$training_1 using 1:3 with lines");
    free(script);
    free(table);
    script = styled_script("spectral_norm_vs_depth", screen, &table, NULL);
    snprintf(line, sizeof line, "\nit's_{2},up,2,75,75000,%.9g,9.95\n", 20 * value_of(3, 2, 2));
    has(table, line);
    has(script, "$up_1 using 1:2 with linespoints");
    free(script);
    free(table);
    ms_plot_data_finish(&data);
    ms_plot_data_finish(&runs[1]);
    data = one;
}
END_TEST

static void refuse_overlay(const ms_plot_data *runs, const char *message) {
    ms_plot_data overlay;
    ck_assert_int_eq(ms_plot_data_overlay(runs, names, 2, &overlay), MS_INVALID);
    has(ms_status_message(), message);
    ck_assert_ptr_null(overlay.spectra);
}

/* Messages name both runs, and the way out. */
START_TEST(runs_of_unlike_shapes) {
    ms_plot_data other, runs[2];
    read_again(&other);
    for (size_t i = 0; i < other.n_spectra; i++) other.spectra[i].values[MS_PLOT_rows] = 32;
    runs[0] = data, runs[1] = other;
    refuse_overlay(runs, "--runs: q of layer 0 is 64 x 128 in one and 32 x 128 in it's_{2}");
    ms_plot_data_finish(&other);
    read_again(&other);
    ms_must(ms_plot_data_select(&other, "0,1", NULL));
    runs[1] = other;
    refuse_overlay(runs, "--runs: one has 3 layers, it's_{2} has 2: choose with --layers what both have");
    ms_plot_data_finish(&other);
    read_again(&other);
    ms_must(ms_plot_data_select(&other, NULL, "q,up"));
    runs[1] = other;
    refuse_overlay(runs,
                   "one has the projections q, v, up, it's_{2} has q, up: choose with --projections what both have");
    ms_plot_data_finish(&other);
    ms_must(ms_plot_data_init(in_folder("metrics.jsonl"), NULL, &other));
    runs[1] = other;
    refuse_overlay(runs, "one has spectra, it's_{2} has none: only losses can be drawn (--only loss)");
    /* Losses alone, of other tokens a step: no axis of tokens, which would be that of one. */
    for (size_t i = 0; i < other.n_training; i++) other.training[i].tokens *= 2;
    runs[0].n_spectra = 0;
    runs[1] = other;
    ms_plot_data overlay;
    ms_must(ms_plot_data_overlay(runs, names, 2, &overlay));
    ck_assert(overlay.unlike_tokens);
    ms_plot_data_finish(&overlay);
    ms_plot_data_finish(&other);
}
END_TEST

/* Long labels of values get room beside them: the axis's own label would be left of the page. */
START_TEST(long_labels_of_values_have_room) {
    ck_assert_int_eq(ms_script_value_characters((ms_range){0, 0.0141}, 6), 5); /* 0.010 */
    ck_assert_int_eq(ms_script_value_characters((ms_range){0.1, 0.5}, 6), 3);
    ck_assert_int_eq(ms_script_value_characters((ms_range){-0.0007, 0.0004}, 6), 7); /* -0.0006 */
    for (int given = 0; given < 2; given++) {
        ms_page page = ms_page_make(given ? column : screen, NULL, NULL);
        ms_legend legend = {.n = 0};
        ms_panels usual = ms_panels_make(&page, 2, 1, 4, &legend), wider = ms_panels_make(&page, 2, 1, 6, &legend);
        ck_assert_double_ge(wider.left, usual.left + 24);
        ck_assert_double_le(wider.left + wider.columns * wider.wide + wider.right, wider.width);
        if (given) ck_assert_int_eq(wider.width, usual.width);
    }
}
END_TEST

int main(void) {
    TCase *tests = tcase_create("plot_pages");
    tcase_add_checked_fixture(tests, make_run, remove_run);
    tcase_add_test(tests, table_of_curves);
    tcase_add_test(tests, tables_of_others);
    tcase_add_test(tests, long_labels_of_values_have_room);
    tcase_add_test(tests, all_tables_are_whole);
    tcase_add_test(tests, page_of_a_column);
    tcase_add_test(tests, titles_are_broken);
    tcase_add_test(tests, legend_that_fits);
    tcase_add_test(tests, colours_of_projections);
    tcase_add_test(tests, spectra_of_chosen_layers);
    tcase_add_test(tests, runs_over_each_other);
    tcase_add_test(tests, runs_of_unlike_shapes);
    Suite *suite = suite_create("tracker/plot_pages");
    suite_add_tcase(suite, tests);
    return ms_suite_run(suite);
}
