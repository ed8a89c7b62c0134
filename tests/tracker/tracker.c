/* The background tracker: file contents, thread count, waiting and skipping, errors, resuming. */
#define _XOPEN_SOURCE 700
#include "tracker/tracker.h"

#include <check.h>
#include <jansson.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "platform/directory.h"
#include "platform/file.h"
#include "platform/signals.h"
#include "tests/support/suite.h"
#include "tracker/metrics.h"
#include "tracker/spectrum.h"

enum { N_MATRICES = 5 };

static const ms_tracked_matrix matrices[N_MATRICES] = {
    {"q", 0, 24, 24, 1}, {"v", 0, 12, 24, 1}, {"up", 0, 48, 24, 0}, {"down", 0, 24, 48, 0}, {"q", 1, 24, 24, 0}};
static char folder[32];
static char path[64];

static void make_folder(void) {
    strcpy(folder, "/tmp/ms_tracker_XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/spectra.jsonl", folder);
}

static void remove_folder(void) { ck_assert_int_eq(ms_directory_remove(folder), MS_OK); }

static ms_tracker *create(int n_slots, int n_threads, bool skip, int64_t resume_after_step) {
    ms_tracker_options options = {path, matrices, N_MATRICES, n_slots, n_threads, skip,  resume_after_step,
                                  0,    false,    false,      NULL,    NULL,      false, NULL};
    ms_tracker *tracker;
    ms_status status = ms_tracker_create(&options, &tracker);
    ck_assert_msg(status == MS_OK, "%s", ms_status_message());
    return tracker;
}

static void fill(ms_tracker_slot *slot, int step) {
    for (int i = 0; i < N_MATRICES; i++) {
        for (int j = 0; j < matrices[i].rows * matrices[i].cols; j++) {
            slot->weight_before[i][j] = (float)sin(1.7 * j * j + i + 0.1 * step);
            slot->weight_after[i][j] = (float)sin(1.7 * j * j + i + 0.1 * (step + 1));
        }
        slot->grad_norm[i] = step + 0.25 * i;
        slot->update_norm[i] = 3;
        slot->grad_norm_max[i] = i == 1 ? INFINITY : 4;
        slot->weight_norm_max[i] = 5;
        slot->update_norm_max[i] = 6;
    }
}

static void take(ms_tracker *tracker, int step) {
    ms_tracker_slot *slot;
    ck_assert_int_eq(ms_tracker_acquire(tracker, &slot), MS_OK);
    ck_assert_ptr_nonnull(slot);
    fill(slot, step);
    ck_assert_int_eq(ms_tracker_submit(tracker, slot, step, step * 1024), MS_OK);
}

static char *contents(void) {
    char *text;
    size_t size;
    ck_assert_int_eq(ms_file_read(path, &text, &size), MS_OK);
    return text;
}

/* Runs 4 snapshots and returns the file. */
static char *run(int n_slots, int n_threads) {
    ms_tracker *tracker = create(n_slots, n_threads, false, -1);
    for (int step = 0; step < 4; step++) take(tracker, step);
    ck_assert_int_eq(ms_tracker_close(tracker), MS_OK);
    return contents();
}

START_TEST(lines) {
    char *text = run(2, 1), *line = text;
    size_t n_keys;
    const ms_metric *keys = ms_metrics(&n_keys);
    for (int step = 0; step < 4; step++)
        for (int i = 0; i < N_MATRICES; i++) {
            char *end = strchr(line, '\n');
            ck_assert_ptr_nonnull(end);
            json_t *object = json_loadb(line, (size_t)(end - line), 0, NULL);
            ck_assert_ptr_nonnull(object);
            ck_assert_int_eq((int)json_integer_value(json_object_get(object, "step")), step);
            ck_assert_int_eq((int)json_integer_value(json_object_get(object, "tokens")), step * 1024);
            ck_assert_int_eq((int)json_integer_value(json_object_get(object, "layer")), matrices[i].layer);
            ck_assert_str_eq(json_string_value(json_object_get(object, "projection")), matrices[i].projection);
            ck_assert_int_eq((int)json_integer_value(json_object_get(object, "rows")), matrices[i].rows);
            ck_assert_uint_eq(json_array_size(json_object_get(object, "sigma_top")), 10);
            ck_assert_double_eq(json_real_value(json_array_get(json_object_get(object, "sigma_top"), 0)),
                                json_real_value(json_object_get(object, "sigma_max")));
            ck_assert_double_eq(json_real_value(json_object_get(object, "grad_norm")), step + 0.25 * i);
            ck_assert(json_is_null(json_object_get(object, "grad_norm_max")) == (i == 1));
            ck_assert_double_eq(json_real_value(json_object_get(object, "update_norm_max")), 6);
            ck_assert_uint_eq(json_object_size(object), n_keys);
            size_t i_key = 0; /* the order of the table */
            const char *key;
            json_t *value;
            json_object_foreach(object, key, value) ck_assert_str_eq(key, keys[i_key++].key);
            json_decref(object);
            line = end + 1;
        }
    ck_assert_int_eq(*line, '\0');
    free(text);
}
END_TEST

/* Arrays of momentum and O come into the lines: of a matrix alone, and of q and v together, which are stored as one. */
START_TEST(captures) {
    ms_tracker_options options = {path, matrices, N_MATRICES, 1, 2, false, -1, 0, true, true, NULL, NULL, false, NULL};
    ms_tracker *tracker;
    ms_tracker_slot *slot;
    float whole[2][36 * 24];
    ms_must(ms_tracker_create(&options, &tracker));
    ms_must(ms_tracker_acquire(tracker, &slot));
    fill(slot, 3);
    ck_assert(isnan(slot->decay_share));
    slot->decay_share = 0;
    for (int i = 0; i < N_MATRICES; i++)
        for (int j = 0; j < matrices[i].rows * matrices[i].cols; j++) {
            slot->momentum[i][j] = (float)sin(0.9 * j * j + i);
            slot->orthogonal[i][j] = (float)sin(1.1 * j * j + i);
            if (i < 2) whole[0][(i == 1) * 24 * 24 + j] = slot->momentum[i][j];
            if (i < 2) whole[1][(i == 1) * 24 * 24 + j] = slot->orthogonal[i][j];
        }
    ck_assert_ptr_eq(slot->momentum[0], slot->weight_after[N_MATRICES]);
    ms_must(ms_tracker_submit(tracker, slot, 1, 1));
    ms_must(ms_tracker_close(tracker));

    ms_spectrum_scratch *scratch;
    ms_update_quality merged;
    ms_spectrum_input input = {.name = "both", .rows = 36, .cols = 24, .momentum = whole[0], .orthogonal = whole[1]};
    ms_must(ms_spectrum_scratch_create(24, 36, &scratch));
    ms_must(ms_spectrum_quality(scratch, &input, &merged));
    ms_spectrum_scratch_destroy(scratch);
    char *text = contents(), *line = text;
    for (int i = 0; i < N_MATRICES; i++, line = strchr(line, '\n') + 1) {
        json_t *object = json_loads(line, JSON_DISABLE_EOF_CHECK, NULL);
        const json_t *rank = json_object_get(object, "update_rank_merged");
        const json_t *largest = json_array_get(json_object_get(object, "orthogonality_of_update_merged"), 5);
        ck_assert(json_is_real(json_object_get(object, "update_rank")));
        ck_assert(json_is_real(json_array_get(json_object_get(object, "update_sigma"), 9)));
        if (i < 2) ck_assert_double_eq(json_real_value(rank), merged.update_rank);
        if (i < 2) ck_assert_double_eq(json_real_value(largest), merged.orthogonality_of_update[5]);
        ck_assert(i < 2 || (json_is_null(rank) && json_is_null(largest)));
        json_decref(object);
    }
    free(text);
}
END_TEST

START_TEST(independent_of_threads) {
    char *one = run(1, 1), *two = run(3, 2), *four = run(2, 4);
    ck_assert_str_eq(one, two);
    ck_assert_str_eq(one, four);
    free(one);
    free(two);
    free(four);
}
END_TEST

START_TEST(drained_is_on_disk) {
    ms_tracker *tracker = create(2, 2, false, -1);
    take(tracker, 0);
    take(tracker, 1);
    ck_assert_int_eq(ms_tracker_drain(tracker), MS_OK);
    char *text = contents();
    int n_lines = 0;
    for (char *c = text; *c; c++) n_lines += *c == '\n';
    ck_assert_int_eq(n_lines, 2 * N_MATRICES);
    free(text);
    ck_assert_int_eq(ms_tracker_close(tracker), MS_OK);
}
END_TEST

START_TEST(skips_when_behind) {
    ms_tracker *tracker = create(1, 1, true, -1);
    ms_tracker_slot *slot;
    int n_taken = 0, n_tries = 200;
    for (int i = 0; i < n_tries; i++) { /* far faster than one thread computes */
        ck_assert_int_eq(ms_tracker_acquire(tracker, &slot), MS_OK);
        if (!slot) continue;
        fill(slot, i);
        ck_assert_int_eq(ms_tracker_submit(tracker, slot, i, i), MS_OK);
        n_taken++;
    }
    ck_assert_int_eq((int)ms_tracker_n_skipped(tracker), n_tries - n_taken);
    ck_assert_int_gt((int)ms_tracker_n_skipped(tracker), 0);
    ck_assert_int_eq(ms_tracker_close(tracker), MS_OK);
    char *text = contents();
    int n_lines = 0;
    for (char *c = text; *c; c++) n_lines += *c == '\n';
    ck_assert_int_eq(n_lines, n_taken * N_MATRICES);
    free(text);
}
END_TEST

START_TEST(background_error_is_handed_over) {
    ms_tracker *tracker = create(2, 2, false, -1);
    ms_tracker_slot *slot;
    take(tracker, 0);
    ck_assert_int_eq(ms_tracker_acquire(tracker, &slot), MS_OK);
    fill(slot, 1);
    slot->weight_after[2][30] = NAN;
    slot->weight_after[4][0] = NAN; /* the first matrix in order is reported, whichever thread is first */
    ck_assert_int_eq(ms_tracker_submit(tracker, slot, 1, 1024), MS_OK);
    ck_assert_int_eq(ms_tracker_drain(tracker), MS_NUMERIC);
    ck_assert_ptr_nonnull(strstr(ms_status_message(), "step 1"));
    ck_assert_ptr_nonnull(strstr(ms_status_message(), "layer 0 up"));
    ck_assert_int_eq(ms_tracker_acquire(tracker, &slot), MS_NUMERIC);
    ck_assert_ptr_null(slot);
    ck_assert_int_eq(ms_tracker_close(tracker), MS_NUMERIC);
    ck_assert_ptr_nonnull(strstr(ms_status_message(), "layer 0 up"));
    char *text = contents(); /* the snapshot before it is there, the bad one is absent as a whole */
    ck_assert_ptr_nonnull(strstr(text, "{\"step\":0,"));
    ck_assert_ptr_null(strstr(text, "{\"step\":1,"));
    free(text);
}
END_TEST

/* The number of a key in the line of matrix 0 at a step; NaN for null. */
static double first_number(const char *text, int step, const char *key) {
    for (int i = 0; i < step * N_MATRICES; i++) text = strchr(text, '\n') + 1;
    json_t *line = json_loads(text, JSON_DISABLE_EOF_CHECK, NULL);
    ck_assert_int_eq((int)json_integer_value(json_object_get(line, "step")), step);
    const json_t *value = json_object_get(line, key);
    double number = json_is_null(value) ? NAN : json_real_value(value);
    json_decref(line);
    return number;
}

/* A run finishes its snapshot; where the options say so, none of it is written. */
START_TEST(a_signal_ends_a_snapshot) {
    ms_must(ms_signals_catch());
    ck_assert_int_eq(raise(SIGTERM), 0);
    for (int stops = 0; stops < 2; stops++) {
        ms_tracker_options options = {.path = path,
                                      .matrices = matrices,
                                      .n_matrices = N_MATRICES,
                                      .n_slots = 1,
                                      .n_threads = 2,
                                      .resume_after_step = -1,
                                      .stops_at_signal = stops == 1};
        ms_tracker *tracker;
        ms_must(ms_tracker_create(&options, &tracker));
        take(tracker, 0);
        ck_assert_int_eq(ms_tracker_close(tracker), stops ? MS_INTERRUPTED : MS_OK);
        char *text = contents();
        ck_assert_int_eq(text[0] == '\0', stops);
        free(text);
    }
    ms_signals_release();
}
END_TEST

START_TEST(resumes) {
    ms_tracker *whole_run = create(2, 2, false, -1);
    char *states[3];
    take(whole_run, 0);
    take(whole_run, 1);
    ms_must(ms_tracker_state(whole_run, &states[0])); /* drains */
    take(whole_run, 2);
    take(whole_run, 3);
    ck_assert_int_eq(ms_tracker_close(whole_run), MS_OK);
    char *whole = contents();
    ck_assert(isnan(first_number(whole, 0, "growth")) && isnan(first_number(whole, 0, "persistence_left")));
    for (int step = 1; step < 4; step++) {
        double growth = first_number(whole, step, "sigma_max") - first_number(whole, step - 1, "sigma_max");
        ck_assert_double_eq(first_number(whole, step, "growth"), growth);
        ck_assert(first_number(whole, step, "persistence_right") > 0 &&
                  first_number(whole, step, "rotation_per_step") > 0);
    }
    FILE *file = fopen(path, "ab");
    fputs("{\"step\":4,\"tok", file); /* a crash in the middle of a line */
    fclose(file);
    ms_tracker *tracker = create(2, 1, false, 1);
    ms_must(ms_tracker_restore(tracker, states[0], 1));
    ms_must(ms_tracker_state(tracker, &states[1]));
    ck_assert(strcmp(states[0], states[1]) == 0);
    take(tracker, 2);
    take(tracker, 3);
    ck_assert_int_eq(ms_tracker_close(tracker), MS_OK);
    char *resumed = contents();
    ck_assert(strcmp(resumed, whole) == 0);
    free(resumed);
    /* From a checkpoint without the state: nothing is known of the last snapshot. */
    tracker = create(2, 1, false, 1);
    ms_must(ms_tracker_state(tracker, &states[2]));
    ck_assert_str_eq(states[2], "-1 0");
    ms_must(ms_tracker_restore(tracker, states[2], 1));
    take(tracker, 2);
    take(tracker, 3);
    ck_assert_int_eq(ms_tracker_close(tracker), MS_OK);
    resumed = contents();
    ck_assert(isnan(first_number(resumed, 2, "growth")) && isnan(first_number(resumed, 2, "rotation_per_step")));
    ck_assert_double_eq(first_number(resumed, 3, "growth"), first_number(whole, 3, "growth"));
    free(resumed);
    free(whole);
    for (int i = 0; i < 3; i++) free(states[i]);
}
END_TEST

START_TEST(misuse) {
    ms_tracker_options options = {path, matrices, N_MATRICES, 1,    1,    false, -1,
                                  0,    false,    false,      NULL, NULL, false, NULL};
    ms_tracker *tracker;
    options.n_slots = 0;
    ck_assert_int_eq(ms_tracker_create(&options, &tracker), MS_INVALID);
    options.n_slots = 1;
    options.planned_every = -1;
    ck_assert_int_eq(ms_tracker_create(&options, &tracker), MS_INVALID);
    options.planned_every = 0;
    ms_tracked_matrix unnamable = {"q\xff", 0, 2, 2, 0};
    options.matrices = &unnamable;
    options.n_matrices = 1;
    ck_assert_int_eq(ms_tracker_create(&options, &tracker), MS_INVALID);
    ck_assert_ptr_nonnull(strstr(ms_status_message(), "the projection \"q\\xFF\" is not UTF-8"));
    options.matrices = matrices;
    options.n_matrices = N_MATRICES;
    options.n_slots = 0;
    ck_assert_ptr_null(tracker);
    ms_tracked_matrix flat = {"k", 3, 0, 5, 0};
    options.n_slots = 1;
    options.matrices = &flat;
    options.n_matrices = 1;
    ck_assert_int_eq(ms_tracker_create(&options, &tracker), MS_INVALID);
    ck_assert_ptr_nonnull(strstr(ms_status_message(), "layer 3 k"));
    flat.rows = 4;
    options.path = "/nonexistent/spectra.jsonl";
    ck_assert_int_eq(ms_tracker_create(&options, &tracker), MS_NOT_FOUND);

    tracker = create(2, 1, false, -1);
    ms_tracker_slot *slot, *other;
    ck_assert_int_eq(ms_tracker_acquire(tracker, &slot), MS_OK);
    ck_assert_int_eq(ms_tracker_acquire(tracker, &other), MS_INVALID);
    ck_assert_int_eq(ms_tracker_submit(tracker, NULL, 0, 0), MS_INVALID);
    ck_assert_int_eq(ms_tracker_close(tracker), MS_OK); /* with a slot acquired */
    ck_assert_int_eq(ms_tracker_close(NULL), MS_OK);
}
END_TEST

START_TEST(planned_bytes) {
    ms_tracker_options options = {path, matrices, N_MATRICES, 1,    1,    false, -1,
                                  0,    false,    false,      NULL, NULL, false, NULL};
    size_t one = ms_tracker_planned_bytes(&options);
    options.n_slots = 3;
    size_t weights = 2 * sizeof(float) * (2 * 24 * 24 + 12 * 24 + 2 * 24 * 48); /* before and after */
    ck_assert_uint_ge(ms_tracker_planned_bytes(&options) - one, 2 * weights);
    size_t results = N_MATRICES * sizeof(ms_spectrum);
    ck_assert_uint_le(ms_tracker_planned_bytes(&options) - one, 2 * (weights + results) + 2 * 1024);
}
END_TEST

int main(void) {
    TCase *tests = tcase_create("tracker");
    tcase_add_checked_fixture(tests, make_folder, remove_folder);
    tcase_add_test(tests, lines);
    tcase_add_test(tests, captures);
    tcase_add_test(tests, independent_of_threads);
    tcase_add_test(tests, drained_is_on_disk);
    tcase_add_test(tests, skips_when_behind);
    tcase_add_test(tests, background_error_is_handed_over);
    tcase_add_test(tests, a_signal_ends_a_snapshot);
    tcase_add_test(tests, resumes);
    tcase_add_test(tests, misuse);
    tcase_add_test(tests, planned_bytes);
    Suite *suite = suite_create("tracker/tracker");
    suite_add_tcase(suite, tests);
    return ms_suite_run(suite);
}
