/* Study files: what they become, and what is refused. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/study/plan.h"
#include "tests/support/suite.h"

static const char base[] = "study: s\npreset: micro\nseeds: 1-2\n";

/* The study of `base` and more text. */
static ms_status load(const char *more, ms_study **out) {
    char text[4096];
    snprintf(text, sizeof text, "%s%s", base, more);
    return ms_study_load_text("s.yaml", text, strlen(text), out);
}

static ms_config config_of(const ms_study_plan *plan, const char *name) {
    ms_config_request request;
    ms_config config;
    char seed[24];
    for (size_t i = 0; i < plan->n; i++) {
        if (strcmp(plan->runs[i].name, name) != 0) continue;
        ms_must(ms_study_run_config(plan, &plan->runs[i], seed, &request, &config));
        return config;
    }
    ck_abort_msg("no run %s", name);
}

/* "a-1 a-2 ...": the runs in the order they are made. */
static const char *names_of(const ms_study_plan *plan, char *out, size_t size) {
    out[0] = '\0';
    for (size_t i = 0; i < plan->n; i++)
        snprintf(out + strlen(out), size - strlen(out), "%s%s", i ? " " : "", plan->runs[i].name);
    return out;
}

START_TEST(test_arms) {
    ms_study *study;
    ms_study_plan plan;
    char names[1000];
    ms_must(
        load("base: {train.steps: 5, muon: {lr: 0.01}}\n"
             "tuning: {seed: 9, arms: {a: {key: muon.lr, values: [0.2, 0.1]}, b: {key: adamw.lr, values: [1, 2]}}}\n"
             "arms:\n  a: {tuned: a}\n  b: {tuned: b, seeds: [3, 1], set: {optimizer: adamw}}\n"
             "  c: {set: {muon: {lr: 0.5}}, control: true, seeds: 2}\n",
             &study));
    ms_must(ms_study_plan_init(study, "f", &plan));
    ck_assert_str_eq(names_of(&plan, names, sizeof names),
                     "tune-a-0.1-9 tune-a-0.2-9 tune-b-1-9 tune-b-2-9 a-1 b-1 a-2 c-2 b-3");
    ck_assert(study->arms[2].control && !study->arms[0].control);
    ck_assert_double_eq(config_of(&plan, "tune-a-0.2-9").muon.lr, 0.2);
    ck_assert_int_eq(config_of(&plan, "tune-a-0.2-9").train.seed, 9);
    ck_assert_double_eq(config_of(&plan, "c-2").muon.lr, 0.5);
    ck_assert_int_eq(config_of(&plan, "b-3").optimizer.name, MS_OPTIMIZER_ADAMW);
    ck_assert_int_eq(config_of(&plan, "b-3").train.seed, 3);
    ck_assert_int_eq(config_of(&plan, "b-3").train.steps, 5);
    ck_assert(!ms_study_run_is_known(&plan, &plan.runs[4]));
    for (int i = 0; i < 4; i++) {
        plan.runs[i].record.state = i == 3 ? MS_STUDY_DIVERGED : MS_STUDY_FINISHED;
        plan.runs[i].record.validation_loss = 4 - i;
    }
    ms_must(ms_study_plan_choose(&plan));
    ck_assert_int_eq(plan.chosen[0], 1);
    ck_assert_int_eq(plan.chosen[1], 0); /* the other diverged, whatever it had before */
    ck_assert(ms_study_plan_at_edge(&plan, 0));
    ck_assert_double_eq(config_of(&plan, "a-1").muon.lr, 0.2);
    ck_assert_double_eq(config_of(&plan, "b-1").adamw.lr, 1);
    plan.runs[2].record.state = MS_STUDY_DIVERGED;
    ms_expect(ms_study_plan_choose(&plan), MS_NUMERIC, "tuning of b");
    ms_study_plan_finish(&plan);
    ms_study_destroy(study);
}
END_TEST

START_TEST(test_factors) {
    ms_study *study;
    ms_study_plan plan;
    char names[1000];
    ms_must(
        load("factors:\n  optimizer: {muon: , adamw: {set: {optimizer.name: adamw}}}\n  muon.momentum: [0.9, 0.95]\n",
             &study));
    ms_must(ms_study_plan_init(study, "f", &plan));
    ck_assert_str_eq(names_of(&plan, names, sizeof names),
                     "muon_0.9-1 muon_0.95-1 adamw_0.9-1 adamw_0.95-1 muon_0.9-2 muon_0.95-2 adamw_0.9-2 adamw_0.95-2");
    ck_assert_double_eq(config_of(&plan, "adamw_0.95-2").muon.momentum, 0.95);
    ms_study_plan_finish(&plan);
    ms_study_destroy(study);
    ms_must(load("arms: {a: {set: {train.steps: 3}}, b: }\nfactors:\n  preset: [micro, tiny]\n", &study));
    ms_must(ms_study_plan_init(study, "f", &plan));
    ck_assert_str_eq(names_of(&plan, names, sizeof names),
                     "a_micro-1 a_tiny-1 b_micro-1 b_tiny-1 a_micro-2 a_tiny-2 b_micro-2 b_tiny-2");
    ck_assert_int_eq(config_of(&plan, "a_tiny-1").train.steps, 3);
    ck_assert_int_ne(config_of(&plan, "a_tiny-1").model.width, config_of(&plan, "a_micro-1").model.width);
    ms_study_plan_finish(&plan);
    ms_study_destroy(study);
}
END_TEST

static const char hypothesis[] = "arms: {a: , b: }\nhypotheses:\n  h: ";

START_TEST(test_hypotheses) {
    ms_study *study;
    char text[400], *first, *second;
    snprintf(text, sizeof text,
             "%s{statement: one, measure: projection_difference, of: log_over_null, projections: [q, v], arm: a}\n"
             "  i: {statement: two, measure: last, of: validation_loss, arm: a, against: b, expected: 0.5}\n",
             hypothesis);
    ms_must(load(text, &study));
    ck_assert_int_eq(study->n_hypotheses, 2);
    ck_assert_int_eq(study->hypotheses[0].i_against, -1);
    ck_assert_int_eq(study->hypotheses[1].i_against, 1);
    ck_assert_str_eq(study->hypotheses[0].measure.projections, "q,v");
    ms_must(ms_study_hypothesis_text(&study->hypotheses[0], &first));
    ck_assert_ptr_nonnull(strstr(first, "ln(sigma_max / noise_null)"));
    snprintf(study->hypotheses[0].statement, sizeof study->hypotheses[0].statement, "three");
    ms_must(ms_study_hypothesis_text(&study->hypotheses[0], &second));
    ck_assert_str_ne(first, second);
    free(first);
    free(second);
    ms_study_destroy(study);
}
END_TEST

/* What a study file may not say, and what the message says of it. */
static const struct {
    const char *more, *part;
} refused[] = {
    {"", "needs `arms` or `factors`"},
    {"arms: {a: }\nhypothesis: {}\n", "s.yaml:5: a study has no key hypothesis; did you mean hypotheses?"},
    {"arms: {a: }\narms: {b: }\n", "s.yaml:5: arms was already given on line 4"},
    {"arms: {a-b: }\n", "letters, digits"},
    {"arms: {../a: }\n", "letters, digits"},
    {"arms: {a: {set: {muon.lrr: 1}}}\n", "did you mean muon.lr"},
    {"arms: {a: {set: {muon: {lr: x}}}}\n", "muon.lr"},
    {"arms: {a: {set: {muon: {lr: 1}, muon.lr: 2}}}\n", "muon.lr was already set"},
    {"arms: {a: {set: {train.seed: 1}}}\n", "train.seed is what `seeds` sets"},
    {"arms: {a: {sets: {}}}\n", "did you mean set?"},
    {"arms: {a: {preset: mcro}}\n", "did you mean micro?"},
    {"arms: {a: {set: {model.heads: 3}}}\n", "arm a: "},
    {"arms: {a: {seeds: 3-1}}\n", "neither a seed nor a range"},
    {"arms: {a: {seeds: [1, 1]}}\n", "seed 1 is there twice"},
    {"arms: {a: {seeds: []}}\n", "there is none"},
    {"arms: {a: {seeds: 1-65}}\n", "more than 64 seeds"},
    {"arms: {a: {tuned: a}}\n", "which `tuning` does not have"},
    {"arms: {a: }\ntuning: {seed: 2, arms: {a: {key: muon.lr, values: [1, 2]}}}\n",
     "seed 2 is also one of arm a: what was tuned on a seed"},
    {"arms: {a: }\ntuning: {seed: 3, arms: {b: {key: muon.lr, values: [1, 2]}}}\n", "there is no arm b (there are a)"},
    {"arms: {a: }\ntuning: {seed: 3, arms: {a: {key: muon.lr, values: [1]}}}\n", "tunes nothing"},
    {"arms: {a: }\ntuning: {seed: 3, arms: {a: {key: muon.lr, values: [1, 1.0]}}}\n", "is there twice"},
    {"arms: {a: }\ntuning: {seed: 3, arms: {a: {key: train.device, values: [1, 2]}}}\n", "no key with a number"},
    {"arms: {a: , b: }\n"
     "tuning: {seed: 3, arms: {a: {key: muon.lr, values: [1, 2]}, b: {key: muon.lr, values: [1, 2, 3]}}}\n",
     "arm b is tuned with 3 runs and a with 2"},
    {"arms: {a: {tuned: a, set: {muon.lr: 1}}}\ntuning: {seed: 3, arms: {a: {key: muon.lr, values: [1, 2]}}}\n",
     "sets muon.lr, which is tuned"},
    {"arms: {a: }\nfactors: {muon.lr: [0.1, 1e-3]}\n", "letters, digits"},
    {"arms: {a: {set: {muon.lr: 1}}}\nfactors: {muon.lr: [0.1, 0.2]}\n", "arm a_0.1: muon.lr is set twice"},
    {"factors: {train.steps: []}\n", "has no level"},
    {"arms: {a: }\nhypotheses: {h: {measure: last, of: loss, arm: a}}\n", "needs `statement`"},
    {"arms: {a: }\nhypotheses: {h: {statement: x, measure: least, of: loss, arm: a}}\n",
     "is none of last, depth_slope"},
    {"arms: {a: }\nhypotheses: {h: {statement: x, measure: last, of: lossy, arm: a}}\n", "no file of a run"},
    {"arms: {a: }\nhypotheses: {h: {statement: x, measure: last, of: loss, arm: c}}\n", "there is no arm c"},
    {"arms: {a: }\nhypotheses: {h: {statement: x, measure: last, of: loss, arm: a, against: a}}\n", "with itself"},
    {"arms: {a: }\nhypotheses: {h: {statement: x, measure: depth_slope, of: loss, arm: a}}\n", "of no layer"},
    {"arms: {a: }\nhypotheses: {h: {statement: x, measure: projection_difference, of: gap, arm: a}}\n",
     "exactly two `projections`"},
    {"arms: {a: }\nhypotheses: {h: {statement: x, measure: difference_correlation, of: gap, arm: a}}\n",
     "needs a second quantity"},
    {"arms: {a: }\nhypotheses: {a: {statement: x, measure: last, of: loss, arm: a}, b: {statement: x, measure: last, "
     "of: "
     "loss, arm: a}, c: {statement: x, measure: last, of: loss, arm: a}, d: {statement: x, measure: last, of: loss, "
     "arm: "
     "a}, e: {statement: x, measure: last, of: loss, arm: a}, f: {statement: x, measure: last, of: loss, arm: a}, g: "
     "{statement: x, measure: last, of: loss, arm: a}}\n",
     "more than 6 hypotheses"},
    {"arms: {a: }\ncomparisons: {arms: [a], against: a}\n", "compared with itself"},
    {"arms: [a]\n", "not a mapping"},
    {"arms: {a: \"x\"}\n", "not a mapping"},
    {"arms: {a: }\n---\nstudy: b\n", "a second YAML document"},
};

START_TEST(test_refused) {
    ms_study *study;
    ms_expect(load(refused[_i].more, &study), MS_INVALID, refused[_i].part);
    ck_assert_ptr_null(study);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("cli/study");
    TCase *tests = tcase_create("files");
    tcase_add_test(tests, test_arms);
    tcase_add_test(tests, test_factors);
    tcase_add_test(tests, test_hypotheses);
    tcase_add_loop_test(tests, test_refused, 0, (int)(sizeof refused / sizeof *refused));
    suite_add_tcase(suite, tests);
    return ms_suite_run(suite);
}
