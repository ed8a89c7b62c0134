#include "cli/verify/runs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/verify/bits.h"
#include "cli/verify/drift.h"
#include "platform/clock.h"
#include "platform/directory.h"
#include "platform/file.h"

enum { MAX_OVERRIDES = 6 };

/* A training run: the preset micro with some keys set. */
typedef struct run_variant {
    const char *name;
    const char *overrides[MAX_OVERRIDES][2]; /* key, value; NULL after the last */
    bool resumes;                            /* in quick runs too, exchange the device half-way */
} run_variant;

static const run_variant variants[] = {
    {"train muon", {{NULL}}, true},
    {"train muon, per head", {{"attention.merged", "false"}, {"muon.split", "per_head"}}, false},
    {"train adamw", {{"optimizer.name", "adamw"}}, false},
    {"train normuon, per head",
     {{"optimizer.name", "normuon"}, {"attention.merged", "false"}, {"muon.split", "per_head"}},
     false},
    {"train sgd", {{"optimizer.name", "sgd"}, {"sgd.nesterov", "true"}, {"sgd.decay", "0.01"}}, false},
    {"train sphere, first direction",
     {{"intervention.sphere", "project"},
      {"intervention.spectral_decay", "0.2"},
      {"intervention.cautious_decay", "true"},
      {"muon.decay_mode", "decoupled"},
      {"muon.decay", "0.1"}},
     true},
    {"train noise, exponent 0.5",
     {{"intervention.noise", "0.5"},
      {"intervention.noise_first_layer", "1"},
      {"intervention.noise_projections", "q,v,down"},
      {"muon.spectral_exponent", "0.5"}},
     true},
    {"train adamw, noise",
     {{"optimizer.name", "adamw"}, {"intervention.noise", "0.3"}, {"intervention.noise_place", "after"}},
     false},
    {"train soft cap, first spectral norms",
     {{"intervention.soft_cap", "0.4"}, {"init.sigma_q", "0.3"}, {"init.sigma_down", "0.35"}},
     false},
    {"train accumulation 2, QK-clip",
     {{"train.accumulation", "2"},
      {"intervention.qk_clip", "3"},
      {"attention.qk_norm", "false"},
      {"model.kv_heads", "4"},
      {"init.std", "0.3"}},
     false},
    {"train recompute", {{"model.recompute", "true"}}, false},
    {"train bf16", {{"train.storage", "bf16"}}, true},
    {"train adamw, bf16", {{"optimizer.name", "adamw"}, {"train.storage", "bf16"}}, false},
    {"train per projection", {{"attention.merged", "false"}, {"muon.split", "per_projection"}}, false},
    {"train gelu_tanh", {{"model.activation", "gelu_tanh"}}, false},
    {"train swiglu, untied",
     {{"model.activation", "swiglu"},
      {"model.tied_head", "false"},
      {"model.residual_scale", "learned_layer"},
      {"attention.rope_layout", "half_split"}},
     false},
    {"train biases, angles of llama3",
     {{"attention.qkv_bias", "true"},
      {"attention.qk_norm", "false"},
      {"attention.rope_scaling", "llama3"},
      {"attention.rope_factor", "8"},
      {"attention.rope_base", "50"},
      {"attention.rope_original_length", "24"}},
     false},
    {"train biases, bf16",
     {{"attention.qkv_bias", "true"},
      {"attention.merged", "false"},
      {"train.storage", "bf16"},
      {"attention.rope_scaling", "linear"},
      {"attention.rope_factor", "4"},
      {"model.embedding_scale", "4"}},
     false},
};

/* The deepest products of the preset micro. */
enum { PRODUCT_DEPTH = 128 };

typedef struct runs {
    const ms_verify_runs_options *options;
    ms_device *cpu; /* what is right: exact, one thread */
    ms_verify_report *report;
    char folder[64]; /* temporary, holds one run at a time */
    int32_t n_steps;
} runs;

/* One variant and what is right. */
typedef struct expectation {
    const run_variant *variant;
    ms_config config; /* device cpu, exact, one thread */
    ms_verify_outcome exact, noisy;
    double noise; /* of the noisy run, 0: none yet */
} expectation;

/* ---- runs ---- */

static ms_status set_keys(const runs *all, const run_variant *variant, ms_config *out) {
    char steps[16], every[16], seed[24];
    snprintf(steps, sizeof steps, "%d", all->n_steps);
    snprintf(every, sizeof every, "%d", all->options->quick ? 1 : 5);
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)all->options->seed);
    /* A snapshot falls on the middle step, where runs are resumed, in whole runs too. */
    const char *const common[][2] = {{"train.steps", steps},      {"tracker.every", every}, {"train.seed", seed},
                                     {"validation.every", "0"},   {"train.device", "cpu"},  {"train.threads", "1"},
                                     {"train.numerics", "exact"}, {"checkpoint.every", "0"}};
    ms_config_defaults(out);
    MS_TRY(ms_config_load_preset(out, "micro"));
    for (size_t i = 0; i < sizeof common / sizeof *common; i++) MS_TRY(ms_config_set(out, common[i][0], common[i][1]));
    for (int i = 0; i < MAX_OVERRIDES && variant->overrides[i][0]; i++)
        MS_TRY(ms_config_set(out, variant->overrides[i][0], variant->overrides[i][1]));
    return ms_config_check(out);
}

static void use_subject(const ms_verify_subject *subject, ms_config *config) {
    snprintf(config->train.device, sizeof config->train.device, "%s", subject->device);
    config->train.threads = subject->n_threads;
    config->train.numerics = subject->numerics;
}

/* A whole run in the temporary folder, which is then empty again. */
static ms_status run_whole(const runs *all, const ms_verify_segment *segment, ms_verify_outcome *out) {
    ms_status status = ms_verify_train(segment, out);
    ms_status removed = ms_directory_remove(all->folder);
    if (status == MS_OK && removed != MS_OK) ms_verify_outcome_finish(out);
    return status != MS_OK ? status : removed;
}

/* The first half of the steps as one segment says, the rest as another. */
static ms_status run_halves(const runs *all, ms_verify_segment first, ms_verify_segment second,
                            ms_verify_outcome *out) {
    ms_config half = *first.config;
    half.train.steps = all->n_steps / 2;
    first.config = &half;
    second.resume = true;
    ms_verify_outcome until_half;
    ms_status status = ms_verify_train(&first, &until_half);
    if (status == MS_OK) {
        ms_verify_outcome_finish(&until_half);
        status = ms_verify_train(&second, out);
    }
    ms_status removed = ms_directory_remove(all->folder);
    return status != MS_OK ? status : removed;
}

/* ---- rows ---- */

static ms_verify_row start_row(const expectation *e, const ms_verify_subject *subject, const char *what) {
    ms_verify_row row = {.is_run = true,
                         .name = e->variant->name,
                         .device = subject->device,
                         .numerics = subject->numerics,
                         .verdict = MS_VERDICT_PASS,
                         .worst = NAN};
    snprintf(row.test, sizeof row.test, "%s", what);
    return row;
}

/* Completes a row: status is that of the run, whose outcome is finished here. */
static ms_status end_row(const runs *all, const expectation *e, double begin, ms_status status,
                         ms_verify_outcome *outcome, ms_verify_row *row) {
    row->seconds = ms_clock_seconds() - begin;
    if (status == MS_INTERRUPTED) return status;
    if (status != MS_OK) {
        row->verdict = status == MS_UNSUPPORTED ? MS_VERDICT_UNSUPPORTED : MS_VERDICT_ERROR;
        snprintf(row->message, sizeof row->message, "%.500s", ms_status_message());
    } else if (row->numerics == MS_NUMERICS_EXACT) {
        ms_verify_judge_bits(&e->exact, outcome, row);
    } else {
        ms_verify_judge_drift(&(ms_verify_drift){&e->exact, &e->noisy, outcome}, row);
    }
    ms_verify_outcome_finish(outcome);
    return ms_verify_report_add(all->report, row);
}

static ms_status is_there(const ms_verify_subject *subject) {
    if (subject->handle) return MS_OK;
    return MS_FAIL(MS_DEVICE_LOST, "device %s was lost before, and cannot be opened again", subject->device);
}

/* After its rows failed: the next run may find it again. */
static void reopen(ms_verify_subject *subject) {
    ms_verify_subject_close(subject);
    if (ms_verify_subject_open(subject) != MS_OK) subject->handle = NULL;
}

static ms_status check_whole(const runs *all, const expectation *e, ms_verify_subject *subject) {
    char what[64];
    snprintf(what, sizeof what, "%d steps", all->n_steps);
    ms_verify_row row = start_row(e, subject, what);
    ms_config config = e->config;
    use_subject(subject, &config);
    uint32_t change = subject->numerics == MS_NUMERICS_EXACT ? 1u : 1u << 29; /* the lowest bit, or 1 becomes 2^-64 */
    ms_verify_segment segment = {
        .folder = all->folder, .device = subject->handle, .config = &config, .plant = all->options->plant ? change : 0};
    ms_verify_outcome outcome = {.n_losses = 0};
    double begin = ms_clock_seconds();
    ms_status status = is_there(subject);
    if (status == MS_OK) status = run_whole(all, &segment, &outcome);
    MS_TRY(end_row(all, e, begin, status, &outcome, &row));
    if (status == MS_DEVICE_LOST) reopen(subject);
    if (all->options->plant) ms_verify_report_planted(all->report, ms_verdict_is_difference(row.verdict));
    return MS_OK;
}

static ms_status check_halves(const runs *all, const expectation *e, ms_verify_subject *subject, bool to_subject) {
    char what[128];
    snprintf(what, sizeof what, "%s, then %s, from step %d", to_subject ? "cpu" : subject->device,
             to_subject ? subject->device : "cpu", all->n_steps / 2);
    ms_verify_row row = start_row(e, subject, what);
    ms_config config = e->config;
    use_subject(subject, &config);
    ms_verify_segment on_cpu = {.folder = all->folder, .device = all->cpu, .config = &e->config};
    ms_verify_segment on_subject = {.folder = all->folder, .device = subject->handle, .config = &config};
    ms_verify_outcome outcome = {.n_losses = 0};
    double begin = ms_clock_seconds();
    ms_status status = is_there(subject);
    if (status == MS_OK)
        status = run_halves(all, to_subject ? on_cpu : on_subject, to_subject ? on_subject : on_cpu, &outcome);
    MS_TRY(end_row(all, e, begin, status, &outcome, &row));
    if (status == MS_DEVICE_LOST) reopen(subject);
    return MS_OK;
}

/* The noisy run for a subject's matmuls. */
static ms_status add_noise(const runs *all, const ms_verify_subject *subject, expectation *e) {
    double noise = ms_verify_noise(&subject->rounding, PRODUCT_DEPTH, e->config.train.storage);
    if (noise == e->noise) return MS_OK;
    ms_verify_outcome_finish(&e->noisy);
    e->noise = noise;
    ms_verify_segment segment = {.folder = all->folder, .device = all->cpu, .config = &e->config, .noise = noise};
    MS_TRY_NOTE(run_whole(all, &segment, &e->noisy), "%s with noise", e->variant->name);
    return MS_OK;
}

static ms_status check_subject(const runs *all, ms_verify_subject *subject, expectation *e) {
    if (subject->numerics == MS_NUMERICS_FAST) MS_TRY(add_noise(all, subject, e));
    MS_TRY(check_whole(all, e, subject));
    if (subject->numerics != MS_NUMERICS_EXACT || all->options->plant) return MS_OK;
    if (all->options->quick && !e->variant->resumes) return MS_OK;
    MS_TRY(check_halves(all, e, subject, true));
    return check_halves(all, e, subject, false);
}

static ms_status expect(const runs *all, const run_variant *variant, expectation *e) {
    memset(e, 0, sizeof *e);
    e->variant = variant;
    MS_TRY(set_keys(all, variant, &e->config));
    ms_verify_segment segment = {.folder = all->folder, .device = all->cpu, .config = &e->config};
    MS_TRY_NOTE(run_whole(all, &segment, &e->exact), "%s on device cpu", variant->name);
    return MS_OK;
}

static ms_status check_variant(const runs *all, const run_variant *variant, ms_verify_subject *subjects,
                               int n_subjects) {
    expectation e;
    ms_status status = expect(all, variant, &e);
    for (int s = 0; status == MS_OK && s < n_subjects; s++) status = check_subject(all, &subjects[s], &e);
    ms_verify_outcome_finish(&e.exact);
    ms_verify_outcome_finish(&e.noisy);
    return status;
}

/* In a temporary folder. */
static ms_status check_variants(runs *all, ms_verify_subject *subjects, int n_subjects) {
    char root[] = "/tmp/muonscope-verify-XXXXXX";
    if (!mkdtemp(root)) return MS_FAIL(MS_IO, "verify: cannot make a folder %s", root);
    snprintf(all->folder, sizeof all->folder, "%s/run", root);
    ms_status status = MS_OK;
    int first = all->options->slice, step = all->options->n_slices ? all->options->n_slices : 1;
    for (int i = first; status == MS_OK && i < (int)(sizeof variants / sizeof *variants); i += step)
        status = check_variant(all, &variants[i], subjects, n_subjects);
    ms_status removed = ms_directory_remove(root);
    return status != MS_OK ? status : removed;
}

ms_status ms_verify_runs(const ms_verify_runs_options *options, ms_verify_subject *subjects, int n_subjects,
                         ms_verify_report *report) {
    runs all = {.options = options, .report = report, .n_steps = options->quick ? 5 : 50};
    ms_device_options cpu = {.name = "cpu", .numerics = MS_NUMERICS_EXACT, .n_threads = 1};
    MS_TRY(ms_device_open(&cpu, &all.cpu));
    ms_status status = check_variants(&all, subjects, n_subjects);
    ms_device_close(all.cpu);
    return status;
}
