/* s1 of every matrix and update at every step: against full spectra, the bound of growth, files and states that do not
   depend on threads and resumptions, damaged states, matrices that cannot be computed. */
#define _XOPEN_SOURCE 700
#include "tracker/step_sigma.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "platform/directory.h"
#include "platform/file.h"
#include "platform/random.h"
#include "tests/support/suite.h"
#include "tracker/spectrum.h"

enum { N = 4, MOST = 48 * 20, N_STEPS = 12 };
static const ms_tracked_matrix matrices[N] = {
    {"q", 0, 16, 20, 1}, {"up", 0, 48, 20, 0}, {"q", 1, 16, 20, 0}, {"up", 1, 48, 20, 0}};
static char folder[40], path[80];

static void make_folder(void) {
    strcpy(folder, "/tmp/ms_step_sigma_XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/sigma_max.jsonl", folder);
}

static void remove_folder(void) { ms_must(ms_directory_remove(folder)); }

static int count(int i) { return matrices[i].rows * matrices[i].cols; }

/* Matrix i after a step of a synthetic run: from small noise, orthogonal-like updates of two directions that last and
   noise, under decay of a hundredth. */
static const float *weights_at(int i, int step) {
    static float out[MOST], noise[MOST];
    int n = count(i), cols = matrices[i].cols;
    ms_random_normal_fill(1, (uint64_t)i, 0.01, (size_t)n, out);
    for (int k = 1; k <= step; k++) {
        ms_random_normal_fill(2, (uint64_t)(100 * i + k), 0.01, (size_t)n, noise);
        for (int j = 0; j < n; j++)
            out[j] = (float)(0.99 * (double)out[j]) + noise[j] +
                     0.02f * (float)(sin(j / cols + i) * cos(2.0 * (j % cols)) + sin(3.0 * (j / cols)) * cos(j % cols));
    }
    return out;
}

static double exact_sigma(const float *of, int i) {
    double scalars[MS_SPECTRUM_N_SCALARS];
    ms_must(ms_spectrum_of_matrix(of, matrices[i].rows, matrices[i].cols, NULL, scalars));
    return scalars[MS_SPECTRUM_INDEX_sigma_max];
}

/* s1 of W - kept * W0 at a step. */
static double exact_update(int i, int step, double kept) {
    static float before[MOST], update[MOST];
    memcpy(before, weights_at(i, step - 1), sizeof(float) * (size_t)count(i));
    const float *after = weights_at(i, step);
    for (int j = 0; j < count(i); j++) update[j] = (float)((double)after[j] - kept * (double)before[j]);
    return exact_sigma(update, i);
}

static ms_step_sigma *create(int n_threads, int64_t resume_after_step) {
    ms_step_sigma *sigma;
    ms_must(ms_step_sigma_create(
        &(ms_step_sigma_options){path, matrices, N, n_threads, resume_after_step, .has_all_lines = true}, &sigma));
    return sigma;
}

static void hand_over(ms_step_sigma *sigma, int step, double decay_share) {
    float **places;
    ms_must(ms_step_sigma_next(sigma, &places));
    for (int i = 0; i < N; i++) memcpy(places[i], weights_at(i, step), sizeof(float) * (size_t)count(i));
    ms_must(ms_step_sigma_submit(sigma, &(ms_step_sigma_submission){step, 10 * step, decay_share}));
    ck_assert_int_eq(ms_step_sigma_step(sigma), step);
}

static char *contents(void) {
    char *text;
    size_t size;
    ms_must(ms_file_read(path, &text, &size));
    return text;
}

static double number(const json_t *line, const char *key, int i) {
    const json_t *array = json_object_get(json_object_get(line, key), matrices[i].projection);
    ck_assert_uint_eq(json_array_size(array), 2);
    return json_number_value(json_array_get(array, (size_t)matrices[i].layer));
}

/* Every number of the file, and the sums. */
START_TEST(numbers_are_those_of_full_spectra) {
    ms_step_sigma *sigma = create(2, -1);
    ms_step_sigma_sums sums[N];
    double bound[N] = {0}, peak[N] = {0};
    for (int step = 0; step <= N_STEPS; step++) hand_over(sigma, step, _i == 0 ? 0.01 : NAN);
    ms_must(ms_step_sigma_take(sigma, sums));
    char *text = contents(), *line = text;
    for (int step = 0; step <= N_STEPS; step++) {
        char *end = strchr(line, '\n');
        json_t *object = json_loadb(line, (size_t)(end - line), 0, NULL);
        ck_assert_int_eq((int)json_integer_value(json_object_get(object, "step")), step);
        ck_assert_int_eq((int)json_integer_value(json_object_get(object, "tokens")), 10 * step);
        ck_assert_uint_eq(json_object_size(object), 5);
        for (int i = 0; i < N; i++) {
            double exact = exact_sigma(weights_at(i, step), i), s1 = number(object, "sigma_max", i);
            ck_assert_double_le(s1, exact * (1 + 1e-8));
            ck_assert_double_ge(s1, exact * (1 - 5e-3));
            ck_assert_double_lt(number(object, "sigma_residual", i), 0.1);
            peak[i] = fmax(peak[i], s1);
            if (step == 0) continue;
            double update = exact_update(i, step, _i == 0 ? 0.99 : 1);
            ck_assert_double_eq_tol(number(object, "update_sigma_max", i) / update, 1, 1e-6); /* that one is f32 */
            bound[i] += number(object, "update_sigma_max", i);
        }
        json_decref(object);
        line = end + 1;
    }
    ck_assert_int_eq(*line, '\0');
    for (int i = 0; i < N; i++) {
        ck_assert_double_eq_tol(sums[i].bound / bound[i], 1, 1e-8);
        ck_assert_double_eq(sums[i].total, sums[i].bound);
        ck_assert_double_eq_tol(sums[i].sigma_peak / peak[i], 1, 1e-8);
    }
    free(text);
    ms_must(ms_step_sigma_close(sigma));
}
END_TEST

/* By the triangle inequality, also where the one update is all of the growth. */
START_TEST(growth_stays_below_its_bound) {
    ms_step_sigma *sigma = create(1, -1);
    ms_step_sigma_sums sums[N];
    double last[N], total[N] = {0};
    for (int i = 0; i < N; i++) last[i] = exact_sigma(weights_at(i, 0), i);
    hand_over(sigma, 0, NAN);
    for (int step = 1; step <= N_STEPS; step++) {
        hand_over(sigma, step, 0.01);
        if (step % 4 != 0) continue;
        ms_must(ms_step_sigma_take(sigma, sums));
        for (int i = 0; i < N; i++) {
            double now = exact_sigma(weights_at(i, step), i);
            total[i] += sums[i].bound;
            ck_assert_double_le(now - last[i], sums[i].bound);
            ck_assert_double_gt(now - last[i], 0.2 * sums[i].bound);
            ck_assert_double_eq_tol(sums[i].total, total[i], 1e-12);
            last[i] = now;
        }
    }
    ms_must(ms_step_sigma_close(sigma));
    /* A rank-1 matrix that grows by itself: nothing is left between growth and bound but rounding. */
    sigma = create(1, -1);
    for (int step = 0; step < 3; step++) {
        float **places;
        ms_must(ms_step_sigma_next(sigma, &places));
        for (int i = 0; i < N; i++)
            for (int j = 0; j < count(i); j++) places[i][j] = (float)step;
        ms_must(ms_step_sigma_submit(sigma, &(ms_step_sigma_submission){step, step, 0}));
    }
    ms_must(ms_step_sigma_take(sigma, sums));
    for (int i = 0; i < N; i++) ck_assert_double_eq_tol(sums[i].bound / (2 * sqrt(count(i))), 1, 1e-14);
    ms_must(ms_step_sigma_close(sigma));
}
END_TEST

/* Runs a part, taking the sums at every fourth step; returns its state. */
static char *run_part(int n_threads, int from, int to, const char *state, ms_step_sigma_sums *out_sums) {
    ms_step_sigma *sigma = create(n_threads, from == 0 ? -1 : from);
    char *text;
    if (state) ms_must(ms_step_sigma_restore(sigma, state));
    for (int step = from; step <= to; step++) {
        hand_over(sigma, step, 0.01);
        if (step % 4 == 0 && step > from) ms_must(ms_step_sigma_take(sigma, out_sums));
    }
    ms_must(ms_step_sigma_state(sigma, &text));
    ms_must(ms_step_sigma_check_file(sigma));
    ck_assert_int_eq((int)ms_step_sigma_mending(sigma)->n_missing, 0);
    ms_must(ms_step_sigma_close(sigma));
    return text;
}

START_TEST(threads_and_resumptions_change_no_bit) {
    ms_step_sigma_sums sums[3][N];
    char *states[3], *files[3];
    states[0] = run_part(1, 0, N_STEPS, NULL, sums[0]);
    files[0] = contents();
    states[1] = run_part(3, 0, N_STEPS, NULL, sums[1]);
    files[1] = contents();
    char *half = run_part(2, 0, 7, NULL, sums[2]);
    free(run_part(2, 7, 9, half, sums[2])); /* was killed, and is begun from 7 again */
    states[2] = run_part(1, 7, N_STEPS, half, sums[2]);
    files[2] = contents();
    for (int k = 1; k < 3; k++) {
        ck_assert_str_eq(files[k], files[0]);
        ck_assert_str_eq(states[k], states[0]);
        ck_assert_int_eq(memcmp(sums[k], sums[0], sizeof sums[0]), 0);
        free(files[k]);
        free(states[k]);
    }
    free(files[0]);
    free(states[0]);
    free(half);
}
END_TEST

/* Followed from the middle of a run on: the interval that was begun, and the whole, are not known. */
START_TEST(what_was_not_followed_is_not_known) {
    ms_step_sigma *sigma = create(1, 5);
    ms_step_sigma_sums sums[N];
    ck_assert_int_eq((int)ms_step_sigma_mending(sigma)->n_missing, 5);
    hand_over(sigma, 5, 0.01);
    hand_over(sigma, 6, 0.01);
    ms_must(ms_step_sigma_take(sigma, sums));
    ck_assert(isnan(sums[1].bound) && isnan(sums[1].total) && isnan(sums[1].sigma_peak) && isnan(sums[1].update_peak));
    hand_over(sigma, 7, 0.01);
    ms_must(ms_step_sigma_take(sigma, sums));
    ck_assert_double_eq_tol(sums[1].bound / exact_update(1, 7, 0.99), 1, 1e-6);
    ck_assert(isnan(sums[1].total) && sums[1].sigma_peak > 0);
    ms_must(ms_step_sigma_close(sigma));
}
END_TEST

START_TEST(damaged_states_are_refused) {
    ms_step_sigma_sums sums[N];
    char *state = run_part(1, 0, 3, NULL, sums);
    size_t length = strlen(state), at[] = {0, 2, 4, 8, 30, 100, length - 1};
    ms_step_sigma *sigma = create(1, 3);
    ms_must(ms_step_sigma_restore(sigma, state));
    for (size_t k = 0; k < sizeof at / sizeof *at; k++) {
        char *damaged = strdup(state);
        damaged[at[k]] = 'x';
        ms_expect(ms_step_sigma_restore(sigma, damaged), MS_CORRUPT, "checkpoint: sigma_max of every step");
        damaged[at[k]] = '\0';
        ms_expect(ms_step_sigma_restore(sigma, damaged), MS_CORRUPT, "checkpoint: sigma_max of every step");
        free(damaged);
    }
    char *infinite = strdup(state);
    memcpy(infinite + length - 8, "7f800000", 8);
    ms_expect(ms_step_sigma_restore(sigma, infinite), MS_CORRUPT, "is damaged at layer 1 up");
    free(infinite);
    char *more = calloc(length + 2, 1);
    strcat(strcpy(more, state), "0");
    ms_expect(ms_step_sigma_restore(sigma, more), MS_CORRUPT, "more than 4 matrices");
    free(more);
    ms_must(ms_step_sigma_close(sigma));
    sigma = create(1, 2); /* of another step */
    ms_expect(ms_step_sigma_restore(sigma, state), MS_CORRUPT, "begins with \"3 4 ");
    ms_must(ms_step_sigma_close(sigma));
    free(state);
}
END_TEST

START_TEST(a_value_that_is_not_finite_is_named) {
    ms_step_sigma *sigma = create(2, -1);
    ms_step_sigma_sums sums[N];
    float **places;
    char *state;
    hand_over(sigma, 0, NAN);
    ms_must(ms_step_sigma_next(sigma, &places));
    for (int i = 0; i < N; i++)
        for (int j = 0; j < count(i); j++) places[i][j] = i == 3 && j == 25 ? NAN : 1;
    ms_must(ms_step_sigma_submit(sigma, &(ms_step_sigma_submission){1, 10, 0}));
    ms_expect(ms_step_sigma_next(sigma, &places), MS_NUMERIC, "sigma_max of step 1: layer 1 up: element [1, 5] is nan");
    ms_expect(ms_step_sigma_take(sigma, sums), MS_NUMERIC, "layer 1 up");
    ms_expect(ms_step_sigma_state(sigma, &state), MS_NUMERIC, "layer 1 up");
    ms_expect(ms_step_sigma_close(sigma), MS_NUMERIC, "layer 1 up");
    char *text = contents();
    ck_assert_ptr_eq(strchr(text, '\n'), text + strlen(text) - 1); /* step 0 alone */
    free(text);
}
END_TEST

START_TEST(refused) {
    ms_step_sigma_options options = {path, matrices, N, 1, -1, false, NULL};
    ms_step_sigma *sigma;
    options.n_threads = 0;
    ms_expect(ms_step_sigma_create(&options, &sigma), MS_INVALID, "4 matrices, 0 threads");
    const ms_tracked_matrix flat = {"q", 0, 0, 4, 0};
    ms_expect(ms_step_sigma_create(&(ms_step_sigma_options){path, &flat, 1, 1, -1, false, NULL}, &sigma), MS_INVALID,
              "matrix 0 has the shape [0, 4]");
    options.n_threads = 1;
    options.path = "/nowhere/sigma_max.jsonl";
    ms_expect(ms_step_sigma_create(&options, &sigma), MS_NOT_FOUND, "/nowhere");
    sigma = create(1, -1);
    ms_expect(ms_step_sigma_submit(sigma, &(ms_step_sigma_submission){0, 0, NAN}), MS_INVALID, "have no place");
    ms_must(ms_step_sigma_close(sigma));
    ms_must(ms_step_sigma_close(NULL));
}
END_TEST

int main(void) {
    Suite *suite = suite_create("step_sigma");
    TCase *tcase = tcase_create("step_sigma");
    tcase_add_checked_fixture(tcase, make_folder, remove_folder);
    tcase_add_loop_test(tcase, numbers_are_those_of_full_spectra, 0, 2);
    tcase_add_test(tcase, growth_stays_below_its_bound);
    tcase_add_test(tcase, threads_and_resumptions_change_no_bit);
    tcase_add_test(tcase, what_was_not_followed_is_not_known);
    tcase_add_test(tcase, damaged_states_are_refused);
    tcase_add_test(tcase, a_value_that_is_not_finite_is_named);
    tcase_add_test(tcase, refused);
    suite_add_tcase(suite, tcase);
    return ms_suite_run(suite);
}
