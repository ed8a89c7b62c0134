/* Plots of a synthetic run: random-walk matrices through the real tracker, a made-up loss, every plot drawn by gnuplot.
   With MS_KEEP_PLOTS=FOLDER in the environment the run is left there, to be looked at. */
#define _XOPEN_SOURCE 700
#include "tracker/plot/plot.h"

#include <check.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "platform/directory.h"
#include "platform/file.h"
#include "platform/process.h"
#include "tracker/run_log.h"
#include "tracker/tracker.h"
#include "tests/support/random.h"
#include "tests/support/suite.h"

enum { N_LAYERS = 4, N_PROJECTIONS = 6, N_MATRICES = N_LAYERS * N_PROJECTIONS, N_SNAPSHOTS = 13, STEPS_BETWEEN = 25 };
enum { TOKENS_PER_STEP = 4096 };

static const ms_picture_options png = {.formats = MS_PLOT_PNG};
static char folder[256];
static bool keep;

static void make_folder(void) {
    const char *kept = getenv("MS_KEEP_PLOTS");
    keep = kept != NULL;
    if (keep) {
        snprintf(folder, sizeof folder, "%s", kept);
        ck_assert_int_eq(ms_directory_create(folder), MS_OK);
    } else {
        strcpy(folder, "/tmp/ms_plot's_XXXXXX"); /* a quote, which gnuplot must not trip over */
        ck_assert_ptr_nonnull(mkdtemp(folder));
    }
}

static void remove_folder(void) {
    if (!keep) ck_assert_int_eq(ms_directory_remove(folder), MS_OK);
}

static const char *in_folder(const char *name) {
    static char path[2][400];
    static int i;
    i = !i;
    snprintf(path[i], sizeof path[i], "%s/%s", folder, name);
    return path[i];
}

static float noise(uint64_t *state) { return (float)ms_congruential_uniform(state); }

/* Walks on: noise, and growth along a fixed direction that is stronger in later layers and in q. */
static void walk(const ms_tracked_matrix *matrix, int i_projection, uint64_t *state, float *weight) {
    float growth = 0.004f * (float)(1 + matrix->layer) * (i_projection == 0 ? 2.0f : 1.0f);
    for (int r = 0; r < matrix->rows; r++)
        for (int c = 0; c < matrix->cols; c++)
            weight[r * matrix->cols + c] += 0.01f * noise(state) + growth * sinf((float)r) * cosf(0.7f * (float)c);
}

static void write_spectra(void) {
    static const char *const names[N_PROJECTIONS] = {"q", "k", "v", "o", "up", "down"};
    static const int shapes[N_PROJECTIONS][2] = {{24, 24}, {12, 24}, {12, 24}, {24, 24}, {64, 24}, {24, 64}};
    ms_tracked_matrix matrices[N_MATRICES];
    float *weights[N_MATRICES];
    uint64_t state = 7;
    for (int i = 0; i < N_MATRICES; i++) {
        int p = i % N_PROJECTIONS;
        matrices[i] = (ms_tracked_matrix){names[p], i / N_PROJECTIONS, shapes[p][0], shapes[p][1], 0};
        size_t n = (size_t)(matrices[i].rows * matrices[i].cols);
        weights[i] = malloc(sizeof(float) * n);
        for (size_t j = 0; j < n; j++) weights[i][j] = 0.1f * noise(&state);
    }
    ms_tracker_options options = {
        in_folder("spectra.jsonl"), matrices, N_MATRICES, 2, 2, false, -1, 0, false, false, NULL, NULL, false, NULL};
    ms_tracker *tracker;
    ck_assert_int_eq(ms_tracker_create(&options, &tracker), MS_OK);
    for (int snapshot = 0; snapshot < N_SNAPSHOTS; snapshot++) {
        ms_tracker_slot *slot;
        ck_assert_int_eq(ms_tracker_acquire(tracker, &slot), MS_OK);
        for (int i = 0; i < N_MATRICES; i++) {
            size_t bytes = sizeof(float) * (size_t)(matrices[i].rows * matrices[i].cols);
            memcpy(slot->weight_before[i], weights[i], bytes);
            if (snapshot > 0) walk(&matrices[i], i % N_PROJECTIONS, &state, weights[i]); /* none at first: nulls */
            memcpy(slot->weight_after[i], weights[i], bytes);
        }
        int64_t step = snapshot * STEPS_BETWEEN;
        ck_assert_int_eq(ms_tracker_submit(tracker, slot, step, step * TOKENS_PER_STEP), MS_OK);
    }
    ck_assert_int_eq(ms_tracker_close(tracker), MS_OK);
    for (int i = 0; i < N_MATRICES; i++) free(weights[i]);
}

static void write_metrics(void) {
    ms_run_log *log;
    uint64_t state = 3;
    ck_assert_int_eq(ms_run_log_open(in_folder("metrics.jsonl"), -1, NULL, &log), MS_OK);
    for (int step = 1; step <= (N_SNAPSHOTS - 1) * STEPS_BETWEEN; step++) {
        double loss = 3.2 + 7.6 * exp(-step / 60.0);
        json_t *line = json_pack("{s:i, s:i, s:f, s:f}", "step", step, "tokens", step * TOKENS_PER_STEP, "loss",
                                 loss + 0.15 * (double)noise(&state), "lr", 0.024);
        ck_assert_int_eq(ms_run_log_append(log, line), MS_OK);
        json_decref(line);
        if (step % 50 != 0) continue;
        line =
            json_pack("{s:i, s:i, s:f}", "step", step, "tokens", step * TOKENS_PER_STEP, "validation_loss", loss + 0.1);
        json_t *deciles = json_array();
        for (int k = 0; k < MS_PLOT_DECILES; k++)
            json_array_append_new(deciles, k == 7 ? json_null() : json_real(loss * (0.5 + 0.1 * k)));
        json_object_set_new(line, "loss_by_frequency", deciles);
        ck_assert_int_eq(ms_run_log_append(log, line), MS_OK);
        json_decref(line);
    }
    ck_assert_int_eq(ms_run_log_close(log), MS_OK);
}

static void write_probes(void) {
    FILE *probes = fopen(in_folder("probes.jsonl"), "w");
    for (int snapshot = 0; snapshot < N_SNAPSHOTS; snapshot++)
        for (int layer = 0; layer < N_LAYERS; layer++) {
            int step = snapshot * STEPS_BETWEEN;
            double entropy = 1 - 0.05 * snapshot / (1 + layer);
            fprintf(probes, "{\"step\":%d,\"tokens\":%d,\"layer\":%d,\"attention_entropy\":[%g,%g,%g,null]}\n", step,
                    step * TOKENS_PER_STEP, layer, entropy, 0.9 * entropy, 0.8 * entropy);
        }
    ck_assert_int_eq(fclose(probes), 0);
}

static void check_picture(const char *name, const char *ending, const char *magic, size_t n_magic) {
    char file[96];
    snprintf(file, sizeof file, "plots/%s%s", name, ending);
    char *bytes;
    size_t size;
    ck_assert_msg(ms_file_read(in_folder(file), &bytes, &size) == MS_OK, "%s", ms_status_message());
    ck_assert_msg(size > 5000 && memcmp(bytes, magic, n_magic) == 0, "%s: %zu bytes", file, size);
    free(bytes);
}

static const ms_plot *find_plot(const char *name) {
    int n;
    const ms_plot *plots = ms_plots(&n);
    for (int i = 0; i < n; i++)
        if (strcmp(plots[i].name, name) == 0) return &plots[i];
    ck_abort_msg("no plot %s", name);
}

/* What this run's tracker was not given: the momentum, the orthogonalised update and the rates. */
static void draw_up_updates(ms_plot_data *data) {
    uint64_t state = 5;
    for (size_t i = 0; i < data->n_spectra; i++) {
        ms_plot_spectrum *spectrum = &data->spectra[i];
        spectrum->values[MS_PLOT_noise_null] = 0.03 * sqrt((double)spectrum->step);
        if (spectrum->step == 0) continue;
        spectrum->values[MS_PLOT_alignment_momentum_left] = 0.4 + 0.05 * spectrum->layer + 0.05 * (double)noise(&state);
        spectrum->values[MS_PLOT_orthogonality_of_update_q01] = 0.7 + 0.1 * (double)noise(&state);
        spectrum->values[MS_PLOT_momentum_small_share] = 0.02 * spectrum->layer;
        spectrum->values[MS_PLOT_growth_efficiency] = 0.3 + 0.1 * (double)noise(&state);
        spectrum->values[MS_PLOT_growth_efficiency_null] = 1 / sqrt((double)spectrum->step);
        spectrum->values[MS_PLOT_ceiling] = 0.02 * (double)spectrum->step;
        spectrum->values[MS_PLOT_ceiling_decay] = 10;
        spectrum->values[MS_PLOT_update_rank] = 12 + spectrum->layer + (double)noise(&state);
    }
}

START_TEST(every_plot) {
    write_spectra();
    write_metrics();
    write_probes();
    ck_assert_int_eq(ms_directory_create(in_folder("plots")), MS_OK);
    ms_plot_data data;
    ms_status status = ms_plot_data_init(in_folder("metrics.jsonl"), in_folder("spectra.jsonl"), &data);
    ck_assert_msg(status == MS_OK, "%s", ms_status_message());
    ms_must(ms_plot_data_read_probes(&data, in_folder("probes.jsonl")));
    ck_assert_int_eq(data.n_layers, N_LAYERS);
    ck_assert_int_eq(data.n_projections, N_PROJECTIONS);
    ck_assert_uint_eq(data.n_spectra, (size_t)(N_MATRICES * N_SNAPSHOTS));
    ck_assert_uint_eq(data.n_training, (N_SNAPSHOTS - 1) * STEPS_BETWEEN);
    ck_assert_uint_eq(data.n_validation, (N_SNAPSHOTS - 1) * STEPS_BETWEEN / 50);
    ck_assert(isnan(data.spectra[0].values[MS_PLOT_alignment_left]));
    draw_up_updates(&data);
    const char *const keys[] = {"loss", "gap", "spectral_entropy"};
    const int64_t change = STEPS_BETWEEN;
    for (int k = 0; k < 3; k++)
        ms_must(ms_plot_data_add_changes(&data, &(ms_plot_series){keys[k], "v", 1}, &change, 1));
    ck_assert_uint_eq(data.n_changes, 3);
    int n_plots;
    const ms_plot *plots = ms_plots(&n_plots);
    ck_assert_int_eq(n_plots, 19);
    for (int i = 0; i < n_plots; i++) {
        ms_must(ms_plot_draw(&plots[i], &data, &(ms_picture_options){.formats = MS_PLOT_PNG | MS_PLOT_SVG},
                             in_folder("plots")));
        check_picture(plots[i].name, ".png", "\x89PNG", 4);
        check_picture(plots[i].name, ".svg", "<?xml", 5);
    }
    ms_must(ms_plot_draw(find_plot("entropy_mri"), &data, &(ms_picture_options){.formats = MS_PLOT_PDF},
                         in_folder("plots")));
    check_picture("entropy_mri", ".pdf", "%PDF", 4);
    ms_plot_data_finish(&data);
}
END_TEST

/* A line that the tracker could write. */
#define SPECTRUM                                                                                                       \
    "{\"step\":0,\"tokens\":0,\"layer\":0,\"projection\":\"q\",\"sigma_top\":[0.0],\"sigma_max\":0.0,\"gap\":null,"    \
    "\"entropy_l1\":null,\"orthogonality_error\":null,\"alignment_left\":null,\"alignment_random\":1.0,"               \
    "\"alignment_margin\":null}\n"
#define LOSS "{\"step\":0,\"tokens\":0,\"loss\":10.8}\n"

/* Draws every plot that has data, which are n_drawn. */
static void draw_all(const ms_plot_data *data, int n_drawn) {
    int n_plots;
    char why[256];
    const ms_plot *plots = ms_plots(&n_plots);
    for (int i = 0; i < n_plots; i++) {
        if (ms_plot_lacks(&plots[i], data, why, sizeof why)) {
            ck_assert_int_eq(ms_plot_draw(&plots[i], data, &png, in_folder("plots")), MS_INVALID);
            ck_assert_msg(strstr(ms_status_message(), why) != NULL, "%s", ms_status_message());
            continue;
        }
        ms_must(ms_plot_draw(&plots[i], data, &png, in_folder("plots")));
        n_drawn--;
    }
    ck_assert_int_eq(n_drawn, 0);
}

/* One snapshot of one zero matrix, everything else undefined: what has a number is still drawn. */
START_TEST(smallest_run) {
    ck_assert_int_eq(ms_file_write(in_folder("s"), SPECTRUM, strlen(SPECTRUM)), MS_OK);
    ck_assert_int_eq(ms_file_write(in_folder("m"), LOSS "{\"st", strlen(LOSS) + 4), MS_OK);
    ck_assert_int_eq(ms_directory_create(in_folder("plots")), MS_OK);
    ms_plot_data data;
    ck_assert_int_eq(ms_plot_data_init(in_folder("m"), in_folder("s"), &data), MS_OK);
    draw_all(&data, 5);
    ms_plot_data_finish(&data);
}
END_TEST

static void refuse(const char *metrics, const char *spectra, ms_status expected, const char *message) {
    ck_assert_int_eq(ms_file_write(in_folder("m"), metrics, strlen(metrics)), MS_OK);
    ck_assert_int_eq(ms_file_write(in_folder("s"), spectra, strlen(spectra)), MS_OK);
    ms_plot_data data;
    ck_assert_int_eq(ms_plot_data_init(in_folder("m"), in_folder("s"), &data), expected);
    ck_assert_msg(strstr(ms_status_message(), message) != NULL, "%s", ms_status_message());
    ck_assert_ptr_null(data.training);
}

/* A line of spectra.jsonl; the caller's buffer holds it. */
static const char *matrix_line(int step, int layer, const char *projection, const char *top, char *out, size_t size) {
    snprintf(out, size,
             "{\"step\":%d,\"tokens\":0,\"layer\":%d,\"projection\":\"%s\",\"sigma_top\":[%s],\"sigma_max\":2.0,"
             "\"gap\":1.5,\"entropy_l1\":0.5,\"orthogonality_error\":0.5,\"alignment_left\":0.5,"
             "\"alignment_random\":0.1,\"alignment_margin\":0.2}\n",
             step, layer, projection, top);
    return out;
}

/* What does not fit the first snapshot is named, and not left to gnuplot to stumble over. */
START_TEST(lines_that_do_not_belong) {
    static const struct {
        int step, layer;
        const char *projection, *top, *message;
    } bad[] = {{1, 9999, "q", "2,1", "/s line 3: \"layer\" 9999 of projection \"q\": layer 1 is missing"},
               {1, 10000, "q", "2,1", "/s line 3: \"layer\" 10000 is above 9999"},
               {2, 9999, "q", "2,1", "/s line 3: \"layer\" 9999 of projection \"q\" is not in the first snapshot"},
               {2, 0, "k", "2,1", "/s line 3: \"layer\" 0 of projection \"k\" is not in the first snapshot, of step 1"},
               {2, 0, "q", "\"text\",1", "/s line 3: entry 1 of \"sigma_top\" is no number"},
               {2, 0, "q", "2,[1]", "/s line 3: entry 2 of \"sigma_top\" is no number"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char lines[3][400], spectra[1200];
        snprintf(spectra, sizeof spectra, "%s%s%s", matrix_line(1, 0, "q", "2,1", lines[0], sizeof lines[0]),
                 matrix_line(1, 0, "v", "2,1", lines[1], sizeof lines[1]),
                 matrix_line(bad[i].step, bad[i].layer, bad[i].projection, bad[i].top, lines[2], sizeof lines[2]));
        refuse(LOSS, spectra, MS_CORRUPT, bad[i].message);
    }
}
END_TEST

/* A snapshot of which one matrix of two is there: every plot is drawn, without it. */
START_TEST(a_snapshot_that_is_cut_off) {
    char lines[3][400], spectra[1200];
    snprintf(spectra, sizeof spectra, "%s%s%s", matrix_line(1, 0, "q", "2,null", lines[0], sizeof lines[0]),
             matrix_line(1, 1, "q", "2,1", lines[1], sizeof lines[1]),
             matrix_line(2, 0, "q", "2,1", lines[2], sizeof lines[2]));
    ck_assert_int_eq(ms_file_write(in_folder("s"), spectra, strlen(spectra)), MS_OK);
    ck_assert_int_eq(ms_file_write(in_folder("m"), LOSS, strlen(LOSS)), MS_OK);
    ck_assert_int_eq(ms_directory_create(in_folder("plots")), MS_OK);
    ms_plot_data data;
    ms_must(ms_plot_data_init(in_folder("m"), in_folder("s"), &data));
    ck_assert_uint_eq(data.n_spectra, 2);
    draw_all(&data, 10); /* all but loss_by_frequency, and spectral_entropy's two, which these lines lack */
    ms_plot_data_finish(&data);
}
END_TEST

/* Lines that are no JSON are left out, and counted; all others are read. */
START_TEST(rubbish_between_lines) {
    static const char metrics[] = LOSS "rubbish\n" LOSS "{\"step\":1,\"tok\n", spectra[] = "\n" SPECTRUM;
    ck_assert_int_eq(ms_file_write(in_folder("m"), metrics, strlen(metrics)), MS_OK);
    ck_assert_int_eq(ms_file_write(in_folder("s"), spectra, strlen(spectra)), MS_OK);
    ms_plot_data data;
    ms_must(ms_plot_data_init(in_folder("m"), in_folder("s"), &data));
    ck_assert_int_eq(data.bad.n, 3);
    ck_assert_ptr_nonnull(strstr(data.bad.first, "/m line 2: "));
    ck_assert_uint_eq(data.n_training, 2);
    ck_assert_uint_eq(data.n_spectra, 1);
    ms_plot_data_finish(&data);
    /* In the first snapshot: the matrix that it lacks is left out of the others. */
    static const char first[] =
        "{\"step\":0,\"tokens\":0,\"layer\":0,\"projection\":\"q\",\"sigma_top\":[1]}\n{\"step\":0,\n"
        "{\"step\":1,\"tokens\":1,\"layer\":0,\"projection\":\"q\",\"sigma_top\":[1]}\n"
        "{\"step\":1,\"tokens\":1,\"layer\":1,\"projection\":\"q\",\"sigma_top\":[1]}\n";
    ck_assert_int_eq(ms_file_write(in_folder("s"), first, strlen(first)), MS_OK);
    ms_must(ms_plot_data_init(in_folder("m"), in_folder("s"), &data));
    ck_assert_uint_eq(data.n_matrices, 1);
    ck_assert_uint_eq(data.n_spectra, 2);
    ms_plot_data_finish(&data);
}
END_TEST

START_TEST(bad_files) {
    refuse("", SPECTRUM, MS_NOT_FOUND, "/m has no complete line");
    refuse("{\"step\":1", SPECTRUM, MS_NOT_FOUND, "/m has no complete line");
    refuse(LOSS, "", MS_NOT_FOUND, "/s has no complete line");
    refuse(LOSS "{\"step\":1,\"tokens\":5}\n", SPECTRUM, MS_CORRUPT, "/m line 2: neither");
    refuse(LOSS "{\"step\":1,\"loss\":5}\n", SPECTRUM, MS_CORRUPT, "/m line 2: no integer \"tokens\"");
    refuse(LOSS "{\"step\":1,\"tokens\":1,\"loss\":\"x\"}\n", SPECTRUM, MS_CORRUPT, "no number \"loss\"");
    refuse(LOSS "{\"step\":1,\"tokens\":1,\"validation_loss\":2,\"loss_by_frequency\":[1,2]}\n", SPECTRUM, MS_CORRUPT,
           "/m line 2: \"loss_by_frequency\" is no array of 10 numbers");
    refuse(LOSS, SPECTRUM LOSS, MS_CORRUPT, "/s line 2: no integer \"layer\"");
    refuse(LOSS, SPECTRUM "{\"step\":0,\"tokens\":0,\"layer\":0,\"projection\":\"$x y\"}\n", MS_CORRUPT, "\"$x y\"");
    ms_plot_data data;
    ck_assert_int_eq(ms_plot_data_init(in_folder("missing"), NULL, &data), MS_NOT_FOUND);
}
END_TEST

START_TEST(gnuplot_missing_or_failing) {
    ck_assert_int_eq(ms_file_write(in_folder("m"), LOSS, strlen(LOSS)), MS_OK);
    ck_assert_int_eq(ms_directory_create(in_folder("plots")), MS_OK);
    ms_plot_data data;
    ck_assert_int_eq(ms_plot_data_init(in_folder("m"), NULL, &data), MS_OK);
    ck_assert_int_eq(ms_plot_draw(find_plot("norm_heatmap"), &data, &png, in_folder("plots")), MS_INVALID);
    setenv("PATH", folder, 1); /* forked test: the change ends with it */
    ck_assert_int_eq(ms_plot_draw(find_plot("loss"), &data, &png, in_folder("plots")), MS_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(ms_status_message(), "gnuplot is not installed"));
    FILE *fake = fopen(in_folder("gnuplot"), "w");
    fputs("#!/bin/sh\necho\necho 'no such terminal'\nexit 3\n", fake);
    fclose(fake);
    const char *chmod[] = {"/bin/chmod", "755", in_folder("gnuplot"), NULL};
    char *text;
    int exit_status;
    ck_assert_int_eq(ms_process_run(chmod, -1, &text, &exit_status), MS_OK);
    free(text);
    ck_assert_int_eq(ms_plot_draw(find_plot("loss"), &data, &png, in_folder("plots")), MS_IO);
    ck_assert_ptr_nonnull(strstr(ms_status_message(), "gnuplot ended with 3: no such terminal"));
    ck_assert(!ms_file_exists(in_folder("plots/loss.png")));
    ms_plot_data_finish(&data);
}
END_TEST

int main(void) {
    TCase *tests = tcase_create("plot");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, make_folder, remove_folder);
    tcase_add_test(tests, every_plot);
    if (!getenv("MS_KEEP_PLOTS")) {
        tcase_add_test(tests, smallest_run);
        tcase_add_test(tests, bad_files);
        tcase_add_test(tests, rubbish_between_lines);
        tcase_add_test(tests, lines_that_do_not_belong);
        tcase_add_test(tests, a_snapshot_that_is_cut_off);
        tcase_add_test(tests, gnuplot_missing_or_failing);
    }
    Suite *suite = suite_create("tracker/plot");
    suite_add_tcase(suite, tests);
    return ms_suite_run(suite);
}
