/* Interventions and controls by ranks that share a job: the bits of one rank alone, for any number of them, also where
   a rank has no layer of a matrix, or none of those that get noise; on from a checkpoint with another number. */
#include <check.h>
#include <string.h>

#include "tests/model/data_files.h"
#include "tests/support/suite.h"
#include "tests/train/ranks.h"

/* Five layers, which no number of ranks here divides. */
static ms_trainer_options five_layers(void) {
    ms_trainer_options options = micro(5);
    options.model.layers = 5;
    return options;
}

/* Initial weights that give logits of about 30, and a threshold that all heads exceed. */
static ms_trainer_options clipped(void) {
    ms_trainer_options options = five_layers();
    options.model.qk_norm = false;
    options.model.init_std = 0.4f;
    options.optimizer.interventions.qk_clip = 4;
    return options;
}

/* Whether what is tested does anything. */
static void expect_other_weights(const ms_trainer_options *a, const ms_trainer_options *b) {
    rank of_a, of_b;
    fill(a, NULL, &of_a, 1);
    fill(b, NULL, &of_b, 1);
    run_rank(&of_a);
    run_rank(&of_b);
    must(&of_a);
    must(&of_b);
    ck_assert_str_ne(of_a.weights, of_b.weights);
}

/* Two steps by some ranks and the last by others, or by a process alone. */
static void expect_same_after_resumption(const ms_trainer_options *options, int before, int after) {
    rank alone, ranks[MOST_RANKS];
    fill(options, NULL, &alone, 1);
    run_rank(&alone);
    must(&alone);
    fill(options, NULL, ranks, before);
    ranks[0].n_steps = N_STEPS - 1;
    ranks[0].checkpoints = data_path("checkpoints");
    run_ranks(ranks, before, 60);
    must(&ranks[0]);
    fill(options, NULL, ranks, after);
    ranks[0].n_steps = 1;
    ranks[0].checkpoints = data_path("checkpoints");
    ranks[0].resumes = true;
    if (after > 1)
        run_ranks(ranks, after, 60);
    else
        run_rank(&ranks[0]);
    must(&ranks[0]);
    ck_assert_str_eq(ranks[0].weights, alone.weights);
    ck_assert_str_eq(ranks[0].state, alone.state);
}

START_TEST(noise_in_updates) {
    ms_trainer_options options = five_layers(), plain = options;
    ms_interventions *interventions = &options.optimizer.interventions;
    interventions->noise = 0.3f;
    interventions->noise_last_layer = -1;
    expect_other_weights(&options, &plain);
    expect_one_hash(&options, 2, 3);
    interventions->noise_place = MS_NOISE_AFTER;
    interventions->noise_first_layer = 1;
    interventions->noise_last_layer = 2;
    options.noise_projections = 1u << ms_projection_find("k", -1) | 1u << ms_projection_find("up", -1);
    options.optimizer.kind = MS_OPTIMIZER_NORMUON;
    expect_one_hash(&options, 3, 4);
}
END_TEST

START_TEST(spectral_decay) {
    ms_trainer_options options = five_layers(), plain = options;
    options.optimizer.interventions.spectral_decay = 0.5f;
    expect_other_weights(&options, &plain);
    expect_one_hash(&options, 2, 3);
    expect_same_after_resumption(&options, 3, 2);
}
END_TEST

START_TEST(qk_clip) {
    ms_trainer_options options = clipped(), plain = options;
    plain.optimizer.interventions.qk_clip = 0;
    expect_other_weights(&options, &plain);
    expect_one_hash(&options, 2, 4);
    options.model.kv_heads = options.model.heads / 2;
    options.model.merged = false;
    expect_one_hash(&options, 3, 3);
    expect_same_after_resumption(&options, 2, 1);
}
END_TEST

/* The largest logit may be that of any micro-step, in `fast` too, where all of a rank are in one sum. */
START_TEST(qk_clip_in_fast_is_near) {
    ms_trainer_options options = clipped();
    rank alone, ranks[2];
    fill(&options, NULL, &alone, 1);
    run_rank(&alone);
    must(&alone);
    fill(&options, NULL, ranks, 2);
    for (int i = 0; i < 2; i++) ranks[i].numerics = MS_NUMERICS_FAST;
    run_ranks(ranks, 2, 60);
    must(&ranks[0]);
    for (int i = 0; i < N_STEPS; i++) ck_assert_double_eq_tol(ranks[0].losses[i] / alone.losses[i], 1, 1e-3);
    ck_assert_double_eq_tol(ranks[0].first_matrix.update / alone.first_matrix.update, 1, 1e-3);
}
END_TEST

static void expect_traffic(const ms_trainer_options *options) {
    rank ranks[3];
    fill(options, NULL, ranks, 3);
    run_ranks(ranks, 3, 60);
    for (int i = 0; i < 3; i++) expect_traffic_as_said(&ranks[i]);
}

START_TEST(steps_send_what_was_said) {
    ms_trainer_options options = clipped();
    expect_traffic(&options);
    options = five_layers();
    options.control = MS_CONTROL_NOISE;
    expect_traffic(&options);
}
END_TEST

START_TEST(all_at_once) {
    ms_trainer_options options = clipped();
    ms_interventions *interventions = &options.optimizer.interventions;
    interventions->noise = 0.3f;
    interventions->noise_last_layer = 0;
    interventions->spectral_decay = 0.5f;
    interventions->cautious_decay = true;
    options.optimizer.master = MS_DTYPE_BF16;
    options.optimizer.captures = true;
    expect_one_hash(&options, 3, 3);
}
END_TEST

/* Every rank draws all gradients: a step has no micro-steps, and more ranks than it would have share the update. */
START_TEST(gradients_of_noise) {
    ms_trainer_options options = five_layers();
    options.accumulation = 2;
    options.control = MS_CONTROL_NOISE;
    options.optimizer.captures = true;
    expect_one_hash(&options, 1, 4);
    expect_same_after_resumption(&options, 4, 3);
}
END_TEST

static void make_folder(void) { data_folder_create(); }

int main(void) {
    Suite *suite = suite_create("parallel_interventions");
    TCase *tcase = tcase_create("parallel_interventions");
    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, make_folder, data_folder_remove);
    tcase_add_test(tcase, noise_in_updates);
    tcase_add_test(tcase, spectral_decay);
    tcase_add_test(tcase, qk_clip);
    tcase_add_test(tcase, qk_clip_in_fast_is_near);
    tcase_add_test(tcase, steps_send_what_was_said);
    tcase_add_test(tcase, all_at_once);
    tcase_add_test(tcase, gradients_of_noise);
    suite_add_tcase(suite, tcase);
    return ms_suite_run(suite);
}
