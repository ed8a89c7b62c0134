/* What no single key can be checked for: keys that contradict each other. */
#include "cli/config/config.h"

#include <math.h>
#include <string.h>

#include "model/projections.h"
#include "optim/noise.h"
#include "train/defaults.h"

const char *const ms_at_resume_names[] = {[MS_AT_RESUME_STRETCH] = "stretch", [MS_AT_RESUME_KEEP] = "keep", NULL};

static ms_status check_shapes(const ms_config *config) {
    long long width = config->model.width, heads = config->model.heads, kv_heads = config->model.kv_heads;
    long long head_size = config->model.head_size;
    if (heads % kv_heads != 0)
        return MS_FAIL(MS_INVALID, "model.heads %lld is not a multiple of model.kv_heads %lld", heads, kv_heads);
    if (head_size % 2 != 0)
        return MS_FAIL(MS_INVALID, "model.head_size %lld is odd: rotary positions turn pairs", head_size);
    if (config->attention.merged && width != heads * head_size)
        return MS_FAIL(MS_INVALID,
                       "model.width %lld is not model.heads %lld x model.head_size %lld = %lld, which attention.merged "
                       "needs; set attention.merged: false",
                       width, heads, head_size, heads * head_size);
    return MS_OK;
}

static ms_status check_pass(const ms_config *config) {
    long long length = config->model.sequence_length, sequences = config->train.batch_sequences;
    if (length * sequences > MS_PASS_TOKENS_MAX)
        return MS_FAIL(
            MS_INVALID,
            "model.sequence_length %lld x train.batch_sequences %lld = %lld tokens of one pass, at most %d are "
            "possible; use train.accumulation",
            length, sequences, length * sequences, MS_PASS_TOKENS_MAX);
    return MS_OK;
}

/* Chunks are summed one after the other: their size is part of what `exact` is. */
static ms_status check_loss_chunk(const ms_config *config) {
    long long chunk = config->model.loss_chunk;
    if (chunk == 0 || chunk == MS_LOSS_CHUNK) return MS_OK;
    if (config->train.numerics != MS_NUMERICS_EXACT) {
        long long tokens = config->model.sequence_length * config->train.batch_sequences;
        long long least = (tokens + MS_LOSS_CHUNKS_MAX - 1) / MS_LOSS_CHUNKS_MAX;
        if (chunk >= least) return MS_OK;
        return MS_FAIL(MS_INVALID,
                       "model.loss_chunk %lld: a pass of %lld tokens has at most %d chunks; at least %lld are needed, "
                       "or 0 for the default",
                       chunk, tokens, MS_LOSS_CHUNKS_MAX, least);
    }
    return MS_FAIL(
        MS_INVALID,
        "model.loss_chunk %lld: train.numerics exact is defined by chunks of %d tokens; leave it out, or take "
        "train.numerics fast",
        chunk, MS_LOSS_CHUNK);
}

static ms_status check_length(const ms_config *config) {
    long long per_step = ms_config_tokens_per_step(config), tokens = config->train.tokens;
    if (config->train.steps == 0 && tokens == 0)
        return MS_FAIL(MS_INVALID, "train.steps and train.tokens are both 0: one must say how long the run is");
    if (tokens > 0 && ms_config_steps(config) == 0)
        return MS_FAIL(MS_INVALID, "train.tokens %lld is less than one step of %lld tokens (%lld x %lld x %lld)",
                       tokens, per_step, (long long)config->model.sequence_length,
                       (long long)config->train.batch_sequences, (long long)config->train.accumulation);
    long long steps = ms_config_steps(config);
    if (config->train.control == MS_CONTROL_NOISE && steps > MS_NOISE_LAST_STEP)
        return MS_FAIL(MS_INVALID, "train.control noise has a run of at most %d steps, not %lld", MS_NOISE_LAST_STEP,
                       steps);
    return MS_OK;
}

/* The largest decay of the weights that the optimizer of the layer matrices is given; its key. */
static double decay_of(const ms_config *config, const char **out_key) {
    switch (config->optimizer.name) {
    case MS_OPTIMIZER_ADAMW:
        *out_key = "adamw.matrix_decay";
        return config->adamw.matrix_decay;
    case MS_OPTIMIZER_SGD:
        *out_key = "sgd.decay";
        return config->sgd.decay;
    default:
        *out_key = "muon.decay";
        ms_decay_mode mode = config->muon.decay_mode;
        return mode == MS_DECAY_DECOUPLED || mode == MS_DECAY_BOTH ? config->muon.decay : 0;
    }
}

/* About the largest singular value of a projection at the start: of its first or last layer. */
static double first_sigma_max(const ms_config *config, double sigma, int64_t rows, int64_t columns) {
    double last = config->init.scheme == MS_INIT_NORMAL || config->model.layers == 1 ? 1 : config->init.depth_factor;
    double first = sigma > 0 ? sigma : config->init.std * (sqrt((double)rows) + sqrt((double)columns));
    return fmax(1, last) * first;
}

/* The largest and the smallest of those. */
static void range_at_start(const ms_config *config, double *out_least, double *out_most) {
    int64_t width = config->model.width, hidden = config->model.feed_forward;
    int64_t queries = config->model.heads * config->model.head_size;
    int64_t keys = config->model.kv_heads * config->model.head_size;
    const double all[] = {first_sigma_max(config, config->init.sigma_q, queries, width),
                          first_sigma_max(config, config->init.sigma_k, keys, width),
                          first_sigma_max(config, config->init.sigma_v, keys, width),
                          first_sigma_max(config, config->init.sigma_o, width, queries),
                          first_sigma_max(config, config->init.sigma_up, hidden, width),
                          first_sigma_max(config, config->init.sigma_down, width, hidden),
                          first_sigma_max(config, config->init.sigma_gate, hidden, width)};
    int n = config->model.activation == MS_ACTIVATION_SWIGLU ? 7 : 6;
    *out_least = *out_most = all[0];
    for (int i = 1; i < n; i++) {
        *out_least = fmin(*out_least, all[i]);
        *out_most = fmax(*out_most, all[i]);
    }
}

static ms_status check_noise(const ms_config *config) {
    uint32_t projections;
    long long first = config->intervention.noise_first_layer, last = config->intervention.noise_last_layer;
    const char *names = config->intervention.noise_projections;
    MS_TRY_NOTE(ms_projections_parse(names, &projections), "intervention.noise_projections");
    if (config->intervention.noise == 0) return MS_OK;
    if (last < 0) last = config->model.layers - 1;
    if (first > last || last >= config->model.layers)
        return MS_FAIL(MS_INVALID,
                       "intervention.noise_first_layer %lld, noise_last_layer %lld: layers are 0 to %lld here", first,
                       last, (long long)config->model.layers - 1);
    if (strstr(names, "gate") && config->model.activation != MS_ACTIVATION_SWIGLU)
        return MS_FAIL(MS_INVALID, "intervention.noise_projections %s: only model.activation swiglu has a gate", names);
    if (ms_config_steps(config) > MS_NOISE_LAST_STEP)
        return MS_FAIL(MS_INVALID, "intervention.noise: the run has %lld steps, noise is keyed by steps up to %d",
                       (long long)ms_config_steps(config), MS_NOISE_LAST_STEP);
    return MS_OK;
}

static ms_status check_interventions(const ms_config *config) {
    const char *key;
    double decay = decay_of(config, &key), cap = config->intervention.soft_cap;
    bool is_sphere = config->intervention.sphere != MS_SPHERE_NONE;
    if (config->intervention.sphere == MS_SPHERE_HYPERBALL && decay > 0)
        return MS_FAIL(MS_INVALID, "intervention.sphere hyperball and %s %g contradict: the sphere undoes the decay",
                       key, decay);
    if (config->intervention.qk_clip > 0 && config->attention.qkv_bias)
        return MS_FAIL(
            MS_INVALID,
            "intervention.qk_clip %g and attention.qkv_bias contradict: it scales the weights of queries and "
            "keys, not their biases; leave one out",
            config->intervention.qk_clip);
    double least, most;
    range_at_start(config, &least, &most);
    if (is_sphere && least == 0)
        return MS_FAIL(MS_INVALID, "intervention.sphere %s keeps the first norm, which init.std 0 makes 0",
                       ms_sphere_names[config->intervention.sphere]);
    if (cap > 0 && most > cap)
        return MS_FAIL(MS_INVALID,
                       "intervention.soft_cap %g is below the largest singular value at the start, about %.3g: raise "
                       "the cap or lower init.std or init.sigma_*",
                       cap, most);
    return MS_OK;
}

static ms_status check_rope(const ms_config *config) {
    if (config->attention.rope_scaling != MS_ROPE_SCALING_LLAMA3 ||
        config->attention.rope_low < config->attention.rope_high)
        return MS_OK;
    return MS_FAIL(MS_INVALID, "attention.rope_low %g is not below attention.rope_high %g", config->attention.rope_low,
                   config->attention.rope_high);
}

ms_status ms_config_check(const ms_config *config) {
    MS_TRY(check_shapes(config));
    MS_TRY(check_rope(config));
    MS_TRY(check_pass(config));
    MS_TRY(check_loss_chunk(config));
    MS_TRY(check_length(config));
    MS_TRY(check_interventions(config));
    MS_TRY(check_noise(config));
    if (config->data.directory[0] == '\0') return MS_FAIL(MS_INVALID, "data.directory is empty");
    if (strcmp(config->data.directory, "synthetic") == 0 && config->model.vocabulary < 2)
        return MS_FAIL(MS_INVALID, "model.vocabulary %lld: synthetic data needs a vocabulary of at least 2 tokens",
                       (long long)config->model.vocabulary);
    return MS_OK;
}

int64_t ms_config_tokens_per_step(const ms_config *config) {
    return config->model.sequence_length * config->train.batch_sequences * config->train.accumulation;
}

static int64_t whole_steps(const ms_config *config) {
    if (config->train.tokens > 0) return config->train.tokens / ms_config_tokens_per_step(config);
    return config->train.steps;
}

int64_t ms_config_steps(const ms_config *config) {
    int64_t per_step = ms_config_tokens_per_step(config), steps = whole_steps(config);
    bool rest = config->train.tokens > 0 && config->train.tokens % per_step != 0;
    return steps + (rest && config->schedule.convention == MS_CONVENTION_REFERENCE);
}

int64_t ms_config_schedule_steps(const ms_config *config) {
    return config->schedule.steps > 0 ? config->schedule.steps : whole_steps(config);
}

void ms_config_resume_schedule(const ms_config *saved, ms_config *wanted) {
    bool keep = wanted->schedule.at_resume == MS_AT_RESUME_KEEP;
    if (wanted->schedule.steps != saved->schedule.steps) return;
    if (keep && ms_config_steps(saved) != ms_config_steps(wanted))
        wanted->schedule.steps = ms_config_schedule_steps(saved);
    if (!keep && saved->schedule.at_resume == MS_AT_RESUME_KEEP) wanted->schedule.steps = 0;
}
