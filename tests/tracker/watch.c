/* Warnings: planted faults are said once, what is usual is not, and a resumed run says what a straight one does. */
#include "tracker/watch.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/directory.h"
#include "platform/file.h"
#include "tests/support/suite.h"

static char folder[64], log_path[96], lines_path[96];
static ms_logger *logger;
static ms_watch *watch;

static void open_all(void) {
    strcpy(folder, "/tmp/ms_watch_XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(log_path, sizeof log_path, "%s/run.log", folder);
    snprintf(lines_path, sizeof lines_path, "%s/lines.jsonl", folder);
    ms_must(ms_logger_create(MS_LOG_ERROR, &logger));
    ms_must(ms_logger_attach(logger, log_path));
    ms_must(ms_watch_create(1000, logger, &watch));
}

static void close_all(void) {
    ms_watch_destroy(watch);
    ms_logger_destroy(logger);
    ck_assert_int_eq(ms_directory_remove(folder), MS_OK);
}

/* How often `part` was said. */
static int said(const char *part) {
    char *text;
    size_t size;
    int n = 0;
    ms_must(ms_file_read(log_path, &text, &size));
    for (const char *at = text; (at = strstr(at, part)); at++) n++;
    free(text);
    return n;
}

static void see(ms_watched_file file, json_t *lines) {
    ck_assert_ptr_nonnull(lines);
    ms_must(ms_watch_lines(watch, file, lines));
    json_decref(lines);
}

static void see_step(int step, double loss, double gradient) {
    see(MS_WATCH_METRICS, json_pack("[{s:i, s:f, s:f, s:f, s:f}]", "step", step, "loss", loss, "grad_norm", gradient,
                                    "lr", 0.1, "adamw_lr", 0.1));
}

/* Four matrices; the second one as given. */
static json_t *snapshot(int step, double effective, double stable, double gradient) {
    json_t *lines = json_array();
    for (int i = 0; i < 4; i++)
        json_array_append_new(lines, json_pack("{s:i, s:i, s:s, s:f, s:f, s:f, s:f}", "step", step, "layer", i / 2,
                                               "projection", i % 2 ? "up" : "q", "effective_rank",
                                               i == 1 ? effective : 20.0, "stable_rank", i == 1 ? stable : 8.0,
                                               "grad_norm_max", i == 1 ? gradient : 1.0, "update_norm_max", 1.0));
    return lines;
}

static json_t *probes(int step, double rms) {
    return json_pack("[{s:i, s:i, s:f}, {s:i, s:i, s:f}]", "step", step, "layer", 0, "feed_forward_rms", 0.5, "step",
                     step, "layer", 1, "feed_forward_rms", rms);
}

/* A falling loss with noise of 2 %, and gradients whose logarithm scatters by a third. */
static void train(int from, int to) {
    for (int step = from; step <= to; step++) {
        uint64_t random = (uint64_t)step * 2654435761u;
        double noise = (double)(random % 1000) / 1000 - 0.5, other = (double)(random / 1000 % 1000) / 1000 - 0.5;
        see_step(step, 3 + 5 * exp(-step / 40.0) + 0.2 * noise, exp(1.2 * other));
    }
}

START_TEST(what_is_usual_is_not_said) {
    train(1, 1000);
    for (int step = 0; step <= 1000; step += 25) {
        see(MS_WATCH_SPECTRA,
            snapshot(step, 20 * (0.6 + 0.4 * exp(-step / 100.0)), 8 * (0.3 + 0.7 * exp(-step / 50.0)), 0.01));
        see(MS_WATCH_PROBES, probes(step, 1e-3));
    }
    ms_watch_end(watch);
    ck_assert_int_eq(said(" warning "), 0);
    ck_assert_int_eq(said("spiked"), 0);
}
END_TEST

START_TEST(spikes_are_said_once_and_counted) {
    train(1, 60);
    see_step(61, 4.5, 2.5); /* within what they scatter */
    see_step(62, 4.2, 40);
    train(63, 70);
    see_step(71, 20, 1);
    ms_watch_end(watch);
    ck_assert_int_eq(said("step 62: the gradient norm spikes: 40, the median of the last 50 steps is "), 1);
    ck_assert_int_eq(said("step 71: the loss spikes: 20, "), 1);
    ck_assert_int_eq(said(" warning "), 2);
    ck_assert_int_eq(said("spiked"), 0); /* each kind once */
    see_step(72, 25, 1);
    ms_watch_end(watch);
    ck_assert_int_eq(said(" warning "), 2);
    ck_assert_int_eq(said("the loss spiked in 2 steps, the last time at step 72"), 1);
}
END_TEST

/* Fewer steps than the window: their median tells nothing. */
START_TEST(early_steps_are_no_spikes) {
    train(1, 49);
    see_step(50, 100, 100);
    ck_assert_int_eq(said(" warning "), 0);
}
END_TEST

START_TEST(collapse_is_said_once_for_a_matrix) {
    see(MS_WATCH_SPECTRA, snapshot(0, 20, 8, 1));
    see(MS_WATCH_SPECTRA, snapshot(25, 5.1, 1.4, 1)); /* 1.4 is below a quarter of 8, 5.1 is not below one of 20 */
    ck_assert_int_eq(said("step 25: one direction has most of 1 matrix, the stable rank is below 1.5: layer 0 up (1.4, "
                          "was 8 at step 0)\n"),
                     1);
    ck_assert_int_eq(said("effective rank"), 0);
    for (int step = 50; step < 200; step += 25) see(MS_WATCH_SPECTRA, snapshot(step, 4.9, 1.4, 1));
    ck_assert_int_eq(said("step 50: the effective rank of 1 matrix has fallen below a quarter of what it was: layer 0 "
                          "up (4.9, was 20 at step 0)\n"),
                     1);
    ck_assert_int_eq(said(" warning "), 2);
}
END_TEST

/* What is of low rank from the beginning has not collapsed. */
START_TEST(low_rank_is_no_collapse) {
    for (int step = 0; step < 200; step += 25) see(MS_WATCH_SPECTRA, snapshot(step, 1.2, 1.1, 1));
    ck_assert_int_eq(said(" warning "), 0);
}
END_TEST

START_TEST(many_matrices_are_one_line) {
    for (int step = 0; step <= 25; step += 25) {
        json_t *lines = json_array();
        for (int i = 0; i < 6; i++)
            json_array_append_new(lines, json_pack("{s:i, s:i, s:s, s:f}", "step", step, "layer", i, "projection", "q",
                                                   "effective_rank", step ? 1.0 : 30.0));
        see(MS_WATCH_SPECTRA, lines);
    }
    ck_assert_int_eq(said(" warning "), 1);
    ck_assert_int_eq(said("of 6 matrices has fallen"), 1);
    ck_assert_int_eq(said("layer 3 q (1, was 30 at step 0), ...\n"), 1);
}
END_TEST

START_TEST(dead_layers_are_said) {
    see(MS_WATCH_SPECTRA, snapshot(0, 20, 8, 1e-9));
    see(MS_WATCH_SPECTRA, snapshot(25, 20, 8, 1e-9));
    see(MS_WATCH_SPECTRA, snapshot(50, 20, 8, 1)); /* it learns again */
    see(MS_WATCH_SPECTRA, snapshot(75, 20, 8, 0));
    see(MS_WATCH_SPECTRA, snapshot(100, 20, 8, 0));
    ck_assert_int_eq(said(" warning "), 0);
    see(MS_WATCH_SPECTRA, snapshot(125, 20, 8, 0));
    see(MS_WATCH_SPECTRA, snapshot(150, 20, 8, 0));
    ck_assert_int_eq(said("step 125: 1 matrix is no longer learned, in 3 snapshots: layer 0 up (gradient at most 0, "
                          "median of all 1)\n"),
                     1);
    for (int step = 0; step <= 100; step += 25) see(MS_WATCH_PROBES, probes(step, 0)); /* of step 0 it does not count */
    ck_assert_int_eq(said("step 75: every hidden activation of 1 feed-forward part is 0, in 3 snapshots: layer 1\n"),
                     1);
    ck_assert_int_eq(said(" warning "), 2);
}
END_TEST

static void append(FILE *file, json_t *lines) {
    for (size_t i = 0; i < json_array_size(lines); i++) {
        ck_assert_int_eq(json_dumpf(json_array_get(lines, i), file, JSON_COMPACT | JSON_REAL_PRECISION(17)), 0);
        fputc('\n', file);
    }
    json_decref(lines);
}

/* The lines of before are seen in silence, and count. */
START_TEST(a_resumed_run_goes_on_watching) {
    FILE *file = fopen(lines_path, "w");
    ck_assert_ptr_nonnull(file);
    append(file, snapshot(0, 20, 8, 0));
    append(file, snapshot(25, 4, 8, 0));
    ck_assert_int_eq(fclose(file), 0);
    ms_must(ms_watch_replay(watch, MS_WATCH_SPECTRA, lines_path));
    ck_assert_int_eq(said(" warning "), 0);
    see(MS_WATCH_SPECTRA, snapshot(50, 4, 1, 0));
    ck_assert_int_eq(said("effective rank"), 0); /* the other process said it */
    ck_assert_int_eq(said("stable rank is below 1.5: layer 0 up (1, was 8 at step 0)"), 1);
    ck_assert_int_eq(said("step 50: 1 matrix is no longer learned"), 1);
    ms_must(ms_watch_replay(watch, MS_WATCH_PROBES, "/nonexistent/probes.jsonl"));
}
END_TEST

int main(void) {
    TCase *tests = tcase_create("watch");
    tcase_add_checked_fixture(tests, open_all, close_all);
    tcase_add_test(tests, what_is_usual_is_not_said);
    tcase_add_test(tests, spikes_are_said_once_and_counted);
    tcase_add_test(tests, early_steps_are_no_spikes);
    tcase_add_test(tests, collapse_is_said_once_for_a_matrix);
    tcase_add_test(tests, low_rank_is_no_collapse);
    tcase_add_test(tests, many_matrices_are_one_line);
    tcase_add_test(tests, dead_layers_are_said);
    tcase_add_test(tests, a_resumed_run_goes_on_watching);
    Suite *suite = suite_create("tracker/watch");
    suite_add_tcase(suite, tests);
    return ms_suite_run(suite);
}
