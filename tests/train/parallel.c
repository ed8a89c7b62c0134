/* Ranks that share a job, as threads of this process: the bits of one rank alone, for any number of them; and how all
   learn of an error of one. */
#include <check.h>
#include <string.h>

#include "tests/support/suite.h"
#include "tests/train/ranks.h"
#include "train/parallel/ownership.h"
#include "train/parallel/transport_threads.h"

START_TEST(muon_on_any_number_of_ranks) {
    ms_trainer_options options = micro(12);
    options.optimizer.captures = true;
    expect_one_hash(&options, 1, MOST_RANKS);
}
END_TEST

START_TEST(other_rules_and_settings) {
    ms_trainer_options options = micro(6);
    options.optimizer.kind = MS_OPTIMIZER_ADAMW;
    expect_one_hash(&options, 2, 4);
    options.optimizer.kind = MS_OPTIMIZER_NORMUON;
    options.optimizer.interventions.sphere = MS_SPHERE_PROJECT;
    expect_one_hash(&options, 3, 3);
    options = micro(6);
    options.model.storage = MS_DTYPE_BF16;
    options.optimizer.master = MS_DTYPE_BF16;
    expect_one_hash(&options, 3, 3);
    options = micro(5); /* which 2 and 4 do not divide, nor the vocabulary, nor the layers */
    options.model.layers = 5;
    options.model.vocabulary = 997;
    options.model.tied_head = false;
    options.control = MS_CONTROL_SHUFFLED_TARGETS;
    expect_one_hash(&options, 2, 2);
    expect_one_hash(&options, 4, 4);
}
END_TEST

START_TEST(unequal_shares) {
    ms_trainer_options options = micro(7);
    rank alone, ranks[3];
    fill(&options, NULL, &alone, 1);
    run_rank(&alone);
    fill(&options, "3,1", ranks, 2);
    run_ranks(ranks, 2, 60);
    expect_same(&alone, &ranks[0]);
    options.model.layers = 5; /* nothing divides by 3, nor by 2 + 1 + 1 */
    options.model.vocabulary = 1007;
    fill(&options, NULL, &alone, 1);
    run_rank(&alone);
    fill(&options, "2,1,1", ranks, 3);
    run_ranks(ranks, 3, 60);
    expect_same(&alone, &ranks[0]);
}
END_TEST

/* Each rank adds up its own, so the bits are others than of one rank; the numbers are not. */
START_TEST(fast_is_near) {
    ms_trainer_options options = micro(6);
    rank alone, ranks[3];
    fill(&options, NULL, &alone, 1);
    run_rank(&alone);
    fill(&options, NULL, ranks, 3);
    for (int i = 0; i < 3; i++) ranks[i].numerics = MS_NUMERICS_FAST;
    run_ranks(ranks, 3, 60);
    must(&ranks[0]);
    for (int i = 0; i < N_STEPS; i++) {
        ck_assert_double_eq_tol(ranks[0].losses[i], alone.losses[i], 1e-4);
        ck_assert_double_eq_tol(ranks[0].norms[i] / alone.norms[i], 1, 1e-2);
    }
}
END_TEST

/* What a step sends is what the trainer says, on every rank; the parts of a round are those of the step. */
START_TEST(a_step_sends_what_was_said) {
    for (int i = 0; i < 3; i++) {
        ms_trainer_options options = micro(7);
        rank ranks[3];
        fill(&options, i == 1 ? "3,1,1" : NULL, ranks, 3);
        for (int r = 0; r < 3; r++) ranks[r].numerics = i == 2 ? MS_NUMERICS_FAST : MS_NUMERICS_EXACT;
        run_ranks(ranks, 3, 60);
        ck_assert_int_eq(ranks[0].traffic.n_rounds, i == 0 ? 3 : i == 1 ? 2 : 1);
        for (int r = 0; r < 3; r++) expect_traffic_as_said(&ranks[r]);
    }
}
END_TEST

/* Whoever finds it, all end with it, once. */
START_TEST(an_error_of_one_is_known_to_all) {
    ms_trainer_options options = micro(4);
    /* Of step 2 rank 1's micro-step 1, in the first round; and rank 0's micro-step 3, beside which the gradients of the
       first round are exchanged. */
    const struct {
        int rank, sequence;
        const char *who, *what;
    } cases[] = {{1, 5, "step 2: rank 1 (", "): sequence 5 is gone"},
                 {0, 7, "step 2: rank 0 (", "): sequence 7 is gone"}};
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        rank ranks[3];
        fill(&options, NULL, ranks, 3);
        ranks[cases[k].rank].fails_at = cases[k].sequence;
        run_ranks(ranks, 3, 60);
        for (int i = 0; i < 3; i++) {
            ck_assert_int_eq(ranks[i].status, MS_IO);
            ck_assert_ptr_nonnull(strstr(ranks[i].message, cases[k].who));
            ck_assert_ptr_nonnull(strstr(ranks[i].message, cases[k].what));
            ck_assert_int_eq(ranks[i].is_silent, i > 0);
        }
    }
}
END_TEST

/* A bit of rank 1's weights is spoilt, as a device might: the gradients that it then makes are others. */
START_TEST(a_device_that_computes_otherwise_is_named) {
    ms_trainer_options options = micro(4);
    rank ranks[3];
    fill(&options, NULL, ranks, 3);
    ranks[1].counter.spoils = true;
    run_ranks(ranks, 3, 60);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(ranks[i].status, MS_MISMATCH);
        ck_assert_ptr_eq(strstr(ranks[i].message, "rank 1 ("), ranks[i].message);
        ck_assert_ptr_nonnull(strstr(ranks[i].message, "): of one micro-step of the same tokens, device cpu has "));
        ck_assert_int_eq(ranks[i].is_silent, i > 0);
    }
}
END_TEST

/* An exchange that fails beside micro-steps ends all, with its own message. */
START_TEST(a_link_cut_beside_micro_steps_is_said) {
    ms_trainer_options options = micro(4);
    rank ranks[2];
    fill(&options, NULL, ranks, 2);
    ranks[1].counter.loses_link = true;
    run_ranks(ranks, 2, 60);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(ranks[i].status, MS_DEVICE_LOST);
        ck_assert_ptr_nonnull(strstr(ranks[i].message, "step 2: rank"));
        ck_assert_int_eq(ranks[i].is_silent, false);
    }
    ck_assert_ptr_nonnull(strstr(ranks[1].message, "): the link is cut"));
    ck_assert_ptr_nonnull(strstr(ranks[0].message, "): rank 1 has left"));
}
END_TEST

/* A rank that never comes is named, and nobody waits longer than the timeout for it. */
START_TEST(a_missing_rank_is_named) {
    ms_trainer_options options = micro(4);
    rank ranks[2];
    ms_threads_hub *hub;
    fill(&options, NULL, ranks, 2);
    ms_must(ms_threads_hub_create(2, 0.2, &hub));
    ranks[0].transport = ms_threads_hub_transport(hub, 0);
    run_rank(&ranks[0]);
    ck_assert_int_eq(ranks[0].status, MS_DEVICE_LOST);
    ck_assert_ptr_nonnull(strstr(ranks[0].message, "no answer within 0.2 s from rank 1"));
    ms_threads_hub_destroy(hub);
}
END_TEST

START_TEST(what_cannot_be_shared_is_refused) {
    ms_trainer_options options = micro(2);
    rank ranks[3];
    fill(&options, NULL, ranks, 3);
    run_ranks(ranks, 3, 60);
    ck_assert_int_eq(ranks[0].status, MS_INVALID);
    ck_assert_str_eq(ranks[0].message,
                     "3 ranks and 2 micro-steps a step (train.accumulation): rank 2 would have none; start fewer "
                     "ranks, or accumulate more and smaller micro-steps, which gives other bits");
    fill(&options, "2,0", ranks, 2);
    run_ranks(ranks, 2, 60);
    ck_assert_int_eq(ranks[1].status, MS_INVALID);
    ck_assert_ptr_nonnull(strstr(ranks[1].message, "parallel.shares '2,0': must be 2 whole numbers"));
}
END_TEST

/* In its first step a rank may compile for long. */
static double timeouts[8];
static int n_timeouts;

static void note_timeout(void *context, double seconds) {
    (void)context;
    timeouts[n_timeouts++ % 8] = seconds;
}

START_TEST(the_first_step_may_take_longer) {
    ms_trainer_options options = micro(2);
    rank r;
    ms_threads_hub *hub;
    fill(&options, NULL, &r, 1);
    ms_must(ms_threads_hub_create(1, 60, &hub));
    r.transport = ms_threads_hub_transport(hub, 0);
    r.transport.set_timeout = note_timeout;
    r.timeout = 7;
    run_rank(&r);
    must(&r);
    ms_threads_hub_destroy(hub);
    ck_assert_int_eq(n_timeouts, 1 + N_STEPS);
    const double expected[] = {7, 70, 7, 7};
    ck_assert_mem_eq(timeouts, expected, sizeof expected);
}
END_TEST

/* Contiguous, complete, and no rank has much more than its part. */
START_TEST(parts_are_about_equal) {
    const ms_owned_parameter parameters[] = {{1000, 64, 64, 640}, {7, 4096, 1, 65536}, {7, 128, 32, 1280}};
    for (int n = 1; n <= 5; n++) {
        ms_ownership ownership;
        int64_t elements = 0;
        ms_must(ms_ownership_init(parameters, 3, n, &ownership));
        for (int p = 0; p < 3; p++) {
            int64_t rows = 0;
            for (int r = 0; r < n; r++) {
                ck_assert_int_eq(ms_ownership_first_row(&ownership, p, r), rows);
                rows += ms_ownership_rows(&ownership, p, r);
                if (rows < parameters[p].rows) ck_assert_int_eq(rows % parameters[p].granule, 0);
            }
            ck_assert_int_eq(rows, parameters[p].rows);
            elements += rows * parameters[p].row_elements;
        }
        for (int r = 0; r < n; r++) {
            double cost = 0;
            int64_t own = 0;
            for (int p = 0; p < 3; p++) {
                cost += (double)ms_ownership_rows(&ownership, p, r) * parameters[p].row_cost;
                own += ms_ownership_rows(&ownership, p, r) * parameters[p].row_elements;
            }
            ck_assert_double_lt(cost, (640e3 + 7 * 65536 + 7 * 1280) / n + 65536);
            ck_assert_int_eq(ownership.begin[r + 1] - ownership.begin[r], own);
        }
        ck_assert_int_eq(ownership.begin[n], elements);
        ms_ownership_finish(&ownership);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("parallel");
    TCase *tcase = tcase_create("parallel");
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, muon_on_any_number_of_ranks);
    tcase_add_test(tcase, other_rules_and_settings);
    tcase_add_test(tcase, unequal_shares);
    tcase_add_test(tcase, fast_is_near);
    tcase_add_test(tcase, a_step_sends_what_was_said);
    tcase_add_test(tcase, an_error_of_one_is_known_to_all);
    tcase_add_test(tcase, a_device_that_computes_otherwise_is_named);
    tcase_add_test(tcase, a_link_cut_beside_micro_steps_is_said);
    tcase_add_test(tcase, a_missing_rank_is_named);
    tcase_add_test(tcase, what_cannot_be_shared_is_refused);
    tcase_add_test(tcase, the_first_step_may_take_longer);
    tcase_add_test(tcase, parts_are_about_equal);
    suite_add_tcase(suite, tcase);
    return ms_suite_run(suite);
}
