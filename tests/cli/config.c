/* The configuration: defaults, presets, YAML with line numbers, cross checks, round trip. */
#include <check.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/config/config.h"
#include "cli/config/trainer_config.h"
#include "platform/file.h"
#include "tests/support/suite.h"

static ms_config config;

static void reset(void) { ms_config_defaults(&config); }

static ms_status load(const char *text) { return ms_config_load_text(&config, "run.yaml", text, strlen(text)); }

/* Fails unless `status` came with a message that holds `part`. */
static void expect(ms_status got, ms_status status, const char *part) {
    ck_assert_msg(got == status, "status %s (%s), expected %s", ms_status_text(got), ms_status_message(),
                  ms_status_text(status));
    ck_assert_msg(strstr(ms_status_message(), part) != NULL, "message '%s' lacks '%s'", ms_status_message(), part);
}

START_TEST(defaults_are_those_documented) {
    ck_assert_double_eq(config.muon.lr, 0.024);
    ck_assert_double_eq(config.muon.momentum, 0.95);
    ck_assert_double_eq(config.model.norm_epsilon, 1.1920929e-07);
    ck_assert_int_eq(config.optimizer.name, MS_OPTIMIZER_MUON);
    ck_assert_int_eq(config.train.numerics, MS_NUMERICS_FAST);
    ck_assert_int_eq(config.model.residual_scale, MS_RESIDUAL_FIXED);
    ck_assert_str_eq(config.data.directory, "data/demo");
    ck_assert_str_eq(config.train.device, "cpu");
    ck_assert(config.attention.merged && config.attention.qk_norm && config.muon.nesterov && config.model.tied_head);
    ck_assert_int_eq(ms_config_check(&config), MS_OK);
}
END_TEST

START_TEST(every_default_is_allowed) {
    int n;
    const ms_config_key *keys = ms_config_keys(&n);
    ck_assert_int_gt(n, 60);
    for (int i = 0; i < n; i++) {
        char text[MS_CONFIG_STRING_SIZE];
        ms_config_value_text(&config, &keys[i], text, sizeof text);
        ck_assert_msg(ms_config_set(&config, keys[i].full_name, text) == MS_OK, "%s", ms_status_message());
        ck_assert_str_ne(ms_config_section_doc(keys[i].section), "");
        for (int j = 0; j < i; j++) ck_assert_str_ne(keys[i].full_name, keys[j].full_name);
    }
    ms_config untouched;
    const ms_config_key *differing[4];
    ms_config_defaults(&untouched);
    ck_assert_int_eq(ms_config_difference(&config, &untouched, differing, 4), 0);
}
END_TEST

/* Parameters of a model with RMSNorm of queries and keys. */
static int64_t count_parameters(int64_t vocabulary) {
    int64_t width = config.model.width, head = config.model.head_size;
    int64_t rows = (config.model.heads + 2 * config.model.kv_heads) * head + width;
    int64_t matrices = config.model.activation == MS_ACTIVATION_SWIGLU ? 3 : 2;
    int64_t layer = rows * width + matrices * width * config.model.feed_forward + 2 * width + 2 * head;
    return (config.model.tied_head ? 1 : 2) * vocabulary * width + config.model.layers * layer + width;
}

START_TEST(presets_load_and_have_their_size) {
    static const struct {
        const char *name;
        int64_t vocabulary, lowest, highest;
    } cases[] = {{"micro", 96, 1000, 50000},
                 {"tiny", 4096, 1450000, 1550000},
                 {"nano", 8192, 9900000, 10100000},
                 {"qwen3-nano", 8192, 12852352, 12852352},
                 {"blueberry-88m-published", 49152, 88630528, 88630528},
                 {"blueberry-88m-x8", 49152, 88630528, 88630528},
                 {"blueberry-88m", 49152, 88630528, 88630528}};
    int n = 0;
    for (const ms_preset *preset = ms_presets; preset->name; preset++) n++;
    ck_assert_int_eq(n, sizeof cases / sizeof *cases);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        reset();
        ck_assert_msg(ms_config_load_preset(&config, cases[i].name) == MS_OK, "%s", ms_status_message());
        ck_assert_msg(ms_config_check(&config) == MS_OK, "%s", ms_status_message());
        int64_t count = count_parameters(cases[i].vocabulary);
        ck_assert_int_ge(count, cases[i].lowest);
        ck_assert_int_le(count, cases[i].highest);
    }
    ck_assert_int_eq(ms_config_tokens_per_step(&config), 16384);
    ck_assert_int_eq(ms_config_steps(&config), 103760);
    expect(ms_config_load_preset(&config, "tiyn"), MS_NOT_FOUND, "did you mean tiny?");
}
END_TEST

/* The published set-up differs from the sound one in what docs/blueberry.md lists, and in nothing else. */
START_TEST(published_preset_is_the_reference_as_run) {
    static const char *const differing[] = {"init.seed",
                                            "schedule.final_fraction",
                                            "schedule.convention",
                                            "train.storage",
                                            "train.master",
                                            "train.steps",
                                            "train.tokens",
                                            "validation.every",
                                            "validation.sequences",
                                            "checkpoint.every",
                                            "checkpoint.keep",
                                            "tracker.every"};
    enum { N_DIFFERING = sizeof differing / sizeof *differing };
    ms_config sound = config;
    const ms_config_key *keys[32];
    ck_assert_int_eq(ms_config_load_preset(&config, "blueberry-88m-published"), MS_OK);
    ck_assert_int_eq(ms_config_load_preset(&sound, "blueberry-88m"), MS_OK);
    ck_assert_int_eq(ms_config_steps(&config), 103760);
    ck_assert_int_eq(ms_config_schedule_steps(&config), 103759);
    ck_assert_int_eq(config.train.master, MS_DTYPE_BF16);
    int n = ms_config_difference(&sound, &config, keys, 32);
    for (int i = 0; i < n; i++) {
        int j = 0;
        while (j < N_DIFFERING && strcmp(keys[i]->full_name, differing[j]) != 0) j++;
        ck_assert_msg(j < N_DIFFERING, "%s differs", keys[i]->full_name);
    }
    ck_assert_int_eq(n, N_DIFFERING);
}
END_TEST

/* Ranks share micro-steps: what differs is how the same sequences are cut. */
START_TEST(x8_preset_is_the_reference_in_eight_parts) {
    ms_config whole = config;
    const ms_config_key *keys[4];
    ck_assert_int_eq(ms_config_load_preset(&config, "blueberry-88m-x8"), MS_OK);
    ck_assert_int_eq(ms_config_load_preset(&whole, "blueberry-88m"), MS_OK);
    ck_assert_int_eq(ms_config_tokens_per_step(&config), ms_config_tokens_per_step(&whole));
    ck_assert_int_eq(ms_config_difference(&whole, &config, keys, 4), 2);
    ck_assert_int_eq(config.train.accumulation, 8);
}
END_TEST

START_TEST(yaml_sets_keys) {
    ck_assert_msg(load("model:\n  layers: 3\n  activation: swiglu\noptimizer: adamw\nmuon:\n  lr: 1e-2\n"
                       "tracker: {enabled: no}\nsample:\n  prompt: \"a \\\"b\\\" \\u00e9\"\n") == MS_OK,
                  "%s", ms_status_message());
    ck_assert_int_eq(config.model.layers, 3);
    ck_assert_int_eq(config.model.activation, MS_ACTIVATION_SWIGLU);
    ck_assert_int_eq(config.optimizer.name, MS_OPTIMIZER_ADAMW);
    ck_assert_double_eq(config.muon.lr, 0.01);
    ck_assert(!config.tracker.enabled);
    ck_assert_str_eq(config.sample.prompt, "a \"b\" \xc3\xa9");
    ck_assert_int_eq(load(""), MS_OK);
    ck_assert_int_eq(load("# nothing\n"), MS_OK);
    ck_assert_int_eq(load("model:\n"), MS_OK);
}
END_TEST

static const struct {
    const char *yaml;
    const char *message;
} bad_yaml[] = {
    {"model:\n  layers: 2\n  layer: 3\n", "run.yaml:3: unknown key model.layer; did you mean model.layers?"},
    {"modle:\n  layers: 2\n", "run.yaml:1: unknown section modle; did you mean model?"},
    {"train:\n  lr: 2\n", "run.yaml:2: unknown key train.lr; did you mean muon.lr, sgd.lr or adamw.lr?"},
    {"lr: 2\n", "run.yaml:1: unknown key lr; did you mean muon.lr, sgd.lr or adamw.lr?"},
    {"muon.lr: 2\n", "run.yaml:1: muon.lr is a key of section muon: write muon: {lr: ...}"},
    {"\nmodel:\n  layers: two\n", "run.yaml:3: model.layers: 'two' is not an integer (allowed: 1 to 4096)"},
    {"model:\n  layers: 0\n", "run.yaml:2: model.layers: 0 is out of range (allowed: 1 to 4096)"},
    {"model:\n  layers: 2.5\n", "'2.5' is not an integer"},
    {"model:\n  layers: 99999999999999999999\n", "does not fit"},
    {"model:\n  layers:\n", "'' is not an integer"},
    {"muon:\n  lr: .nan\n", "'.nan' is not a number"},
    {"muon:\n  lr: nan\n", "nan is not a finite number"},
    {"muon:\n  lr: 1e-400\n", "run.yaml:2: muon.lr: 1e-400 does not fit in a double"},
    {"muon:\n  nesterov: maybe\n", "muon.nesterov: 'maybe' is not true or false"},
    {"muon:\n  scaling: moonligth\n", "did you mean moonlight?"},
    {"model:\n  activation: gelu\n", "'gelu' is not one of relu2 | swiglu | gelu_tanh"},
    {"model:\n  layers: [1, 2]\n", "run.yaml:2: model.layers takes one value (allowed: 1 to 4096)"},
    {"model:\n  layers: 2\n  layers: 3\n", "run.yaml:3: model.layers was already set on line 2"},
    {"optimizer: adamw\noptimizer:\n  name: muon\n", "run.yaml:3: optimizer.name was already set on line 1"},
    {"model: 3\n", "run.yaml:1: section model holds keys, not a value"},
    {"- model\n", "run.yaml:1: the configuration is not a mapping"},
    {"model:\n  - layers\n", "section model holds keys"},
    {"model:\n  layers: 2\n bad\n", "not valid YAML"},
    {"model: {layers: 2\n", "not valid YAML"},
    {"model:\n  layers: 2\n---\nmodel:\n  layers: 3\n", "a second YAML document"},
    {"sample:\n  prompt: \"a\\0b\"\n", "run.yaml:2: sample.prompt holds a NUL byte"},
};

START_TEST(bad_yaml_is_named_and_changes_nothing) {
    ms_config before = config;
    expect(load(bad_yaml[_i].yaml), MS_INVALID, bad_yaml[_i].message);
    const ms_config_key *differing[4];
    ck_assert_int_eq(ms_config_difference(&before, &config, differing, 4), 0);
}
END_TEST

START_TEST(long_or_foreign_text_is_refused) {
    char text[2 * MS_CONFIG_STRING_SIZE];
    memset(text, 'a', sizeof text);
    text[MS_CONFIG_STRING_SIZE] = '\0';
    expect(ms_config_set(&config, "sample.prompt", text), MS_INVALID, "512 bytes, at most 511 allowed");
    text[MS_CONFIG_STRING_SIZE - 1] = '\0';
    ck_assert_int_eq(ms_config_set(&config, "sample.prompt", text), MS_OK);
    static const char *const broken[] = {"\xff", "\xc3", "\xe2\x82", "\xc0\x80", "\xed\xa0\x80", "\xf5\x80\x80\x80"};
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++)
        expect(ms_config_set(&config, "sample.prompt", broken[i]), MS_INVALID, "not UTF-8");
}
END_TEST

static const struct {
    const char *key, *value, *message;
} contradictions[] = {
    {"model.width", "100", "model.width 100 is not model.heads 4 x model.head_size 32 = 128"},
    {"model.kv_heads", "3", "model.heads 4 is not a multiple of model.kv_heads 3"},
    {"model.head_size", "31", "model.head_size 31 is odd"},
    {"train.steps", "0", "train.steps and train.tokens are both 0"},
    {"train.tokens", "100", "train.tokens 100 is less than one step of 4096 tokens (256 x 16 x 1)"},
    {"intervention.soft_cap", "0.1", "soft_cap 0.1 is below the largest singular value at the start"},
    {"intervention.noise_projections", "q,x", "'x' is no projection"},
    {"intervention.noise_projections", "q all", "'all' is every projection and stands alone"},
    {"data.directory", "synthetic", "model.vocabulary 0"},
    {"data.directory", "", "data.directory is empty"},
};

/* Of two keys, neither of which is wrong alone. */
START_TEST(qk_clip_and_biases_contradict) {
    ck_assert_int_eq(ms_config_set(&config, "attention.qkv_bias", "true"), MS_OK);
    ck_assert_int_eq(ms_config_check(&config), MS_OK);
    ck_assert_int_eq(ms_config_set(&config, "intervention.qk_clip", "100"), MS_OK);
    expect(ms_config_check(&config), MS_INVALID, "intervention.qk_clip 100 and attention.qkv_bias contradict");
}
END_TEST

START_TEST(exact_has_one_chunk_of_the_loss) {
    const char *const chunks[] = {"0", "512", "511", "4096"};
    for (int i = 0; i < 8; i++) {
        bool is_exact = i >= 4, is_allowed = !is_exact || i % 4 < 2;
        ck_assert_int_eq(ms_config_set(&config, "train.numerics", is_exact ? "exact" : "fast"), MS_OK);
        ck_assert_int_eq(ms_config_set(&config, "model.loss_chunk", chunks[i % 4]), MS_OK);
        if (is_allowed)
            ck_assert_int_eq(ms_config_check(&config), MS_OK);
        else
            expect(ms_config_check(&config), MS_INVALID, "train.numerics exact is defined by chunks of 512 tokens");
        ck_assert_int_eq(ms_trainer_options_from_config(&config, 64).loss_chunk, atoi(chunks[i % 4]));
    }
}
END_TEST

START_TEST(a_loss_has_so_many_chunks) {
    ck_assert_int_eq(ms_config_set(&config, "train.batch_sequences", "64"), MS_OK); /* of 256 tokens: 16384 */
    ck_assert_int_eq(ms_config_set(&config, "model.loss_chunk", "2"), MS_OK);
    ck_assert_int_eq(ms_config_check(&config), MS_OK);
    ck_assert_int_eq(ms_config_set(&config, "model.loss_chunk", "1"), MS_OK);
    expect(ms_config_check(&config), MS_INVALID,
           "model.loss_chunk 1: a pass of 16384 tokens has at most 8192 chunks; at least 2 are needed, or 0");
}
END_TEST

START_TEST(contradictions_are_named) {
    ck_assert_int_eq(ms_config_set(&config, contradictions[_i].key, contradictions[_i].value), MS_OK);
    expect(ms_config_check(&config), MS_INVALID, contradictions[_i].message);
}
END_TEST

/* A trial run of two steps begins the ramp of a preset. */
START_TEST(short_runs_begin_the_ramp) {
    config.schedule.warmup_steps = 601;
    ck_assert_int_eq(ms_config_check(&config), MS_OK);
    config.schedule.name = MS_SCHEDULE_WSD;
    config.schedule.warmup_steps = 481;
    ck_assert_int_eq(ms_config_check(&config), MS_OK);
}
END_TEST

/* A run of 100 steps that is resumed with 300, and resumed again. */
START_TEST(schedules_are_stretched_or_kept) {
    config.train.steps = 100;
    ms_config saved = config, wanted = config;
    wanted.train.steps = 300;
    ms_config_resume_schedule(&saved, &wanted);
    ck_assert_int_eq(ms_config_schedule_steps(&wanted), 300);
    wanted.schedule.at_resume = MS_AT_RESUME_KEEP;
    ms_config_resume_schedule(&saved, &wanted);
    ck_assert_int_eq(ms_config_steps(&wanted), 300);
    ck_assert_int_eq(ms_config_schedule_steps(&wanted), 100);
    saved = wanted;
    wanted.train.steps = 400;
    ms_config_resume_schedule(&saved, &wanted);
    ck_assert_int_eq(ms_config_schedule_steps(&wanted), 100);
    saved = wanted;
    wanted.schedule.at_resume = MS_AT_RESUME_STRETCH;
    ms_config_resume_schedule(&saved, &wanted);
    ck_assert_int_eq(ms_config_schedule_steps(&wanted), 400);
    wanted.schedule.steps = 250;
    ms_config_resume_schedule(&saved, &wanted);
    ck_assert_int_eq(ms_config_schedule_steps(&wanted), 250);
}
END_TEST

/* 103,759.7 steps of 16,384 tokens: the reference trains until it has seen all tokens, and its schedule ends before. */
START_TEST(tokens_are_whole_steps) {
    config.model.sequence_length = 2048;
    config.train.batch_sequences = 8;
    config.train.tokens = 1700000000;
    ck_assert_int_eq(ms_config_steps(&config), 103759);
    config.schedule.convention = MS_CONVENTION_REFERENCE;
    ck_assert_int_eq(ms_config_steps(&config), 103760);
    ck_assert_int_eq(ms_config_schedule_steps(&config), 103759);
    config.train.tokens = 16384;
    ck_assert_int_eq(ms_config_steps(&config), 1);
    config.train.tokens = 1;
    ck_assert_int_eq(ms_config_steps(&config), 1);
    ck_assert_msg(ms_config_check(&config) == MS_OK, "%s", ms_status_message());
    config.schedule.convention = MS_CONVENTION_MUONSCOPE;
    expect(ms_config_check(&config), MS_INVALID, "train.tokens 1 is less than one step of 16384 tokens");
}
END_TEST

/* A key more here, and no checkpoint that exists could be resumed: a new key is ADDED in config.def. */
START_TEST(identity_has_the_keys_of_older_checkpoints) {
    static const char names[] =
        "model.layers model.width model.heads model.kv_heads model.head_size model.feed_forward "
        "model.vocabulary model.sequence_length model.activation model.tied_head model.norm_epsilon "
        "model.residual_scale model.residual_scale_init attention.merged attention.qk_norm "
        "attention.rope_base attention.rope_layout init.scheme init.std init.depth_factor "
        "optimizer.name train.storage train.seed train.batch_sequences train.accumulation";
    char found[sizeof names + 1024] = "", *text;
    ck_assert_int_eq(ms_config_fixed_text(&config, &text), MS_OK);
    for (const char *line = text; *line; line = strchr(line, '\n') + 1) {
        ck_assert_uint_lt(strlen(found) + 64, sizeof found);
        sprintf(found + strlen(found), "%s%.*s", *found ? " " : "", (int)strcspn(line, "="), line);
    }
    ck_assert_str_eq(found, names);
    free(text);
}
END_TEST

/* Checkpoints of runs that are older than a fixed key go on. */
START_TEST(later_keys_identify_a_run_only_when_set) {
    char *plain, *noise;
    ck_assert_int_eq(ms_config_fixed_text(&config, &plain), MS_OK);
    ck_assert_ptr_nonnull(strstr(plain, "train.seed=42\n"));
    ck_assert_ptr_null(strstr(plain, "train.control"));
    config.train.control = MS_CONTROL_NOISE;
    ck_assert_int_eq(ms_config_fixed_text(&config, &noise), MS_OK);
    ck_assert_ptr_nonnull(strstr(noise, "train.control=noise\n"));
    free(plain);
    free(noise);
    config.train.steps = 16777217;
    expect(ms_config_check(&config), MS_INVALID, "train.control noise has a run of at most 16777216 steps");
}
END_TEST

START_TEST(trapezoid_is_wsd) {
    char text[MS_CONFIG_STRING_SIZE];
    ck_assert_int_eq(ms_config_set(&config, "schedule.name", "trapezoid"), MS_OK);
    ck_assert_int_eq(config.schedule.name, MS_SCHEDULE_WSD);
    ck_assert_str_eq(ms_config_value_text(&config, ms_config_find("schedule.name"), text, sizeof text), "wsd");
    expect(ms_config_set(&config, "muon.split", "trapezoid"), MS_INVALID, "is not one of");
}
END_TEST

START_TEST(split_attention_frees_the_width) {
    config.model.width = 100;
    config.attention.merged = false;
    ck_assert_int_eq(ms_config_check(&config), MS_OK);
}
END_TEST

/* Each name of each choice is set, read back, and touches no other key. */
START_TEST(choices_have_their_own_place) {
    int n_keys, n_choices = 0;
    const ms_config_key *keys = ms_config_keys(&n_keys), *differing;
    for (int i = 0; i < n_keys; i++) {
        for (int j = 0; keys[i].type == MS_CONFIG_CHOICE && keys[i].choices[j]; j++, n_choices++) {
            ms_config other = config;
            char text[MS_CONFIG_STRING_SIZE];
            ck_assert_int_eq(ms_config_set(&other, keys[i].full_name, keys[i].choices[j]), MS_OK);
            ck_assert_str_eq(ms_config_value_text(&other, &keys[i], text, sizeof text), keys[i].choices[j]);
            int n = ms_config_difference(&config, &other, &differing, 1);
            ck_assert_int_eq(n, j == (int)keys[i].initial ? 0 : 1);
            if (n) ck_assert_ptr_eq(differing, &keys[i]);
            /* Besides the key's own bytes there is no other. */
            memcpy((char *)&other + keys[i].offset, (char *)&config + keys[i].offset, keys[i].size_bytes);
            ck_assert_mem_eq(&other, &config, sizeof config);
        }
    }
    ck_assert_int_gt(n_choices, 30);
    ms_config other = config;
    ck_assert_int_eq(ms_config_set(&other, "model.activation", "gelu_tanh"), MS_OK);
    ck_assert_int_eq(other.model.activation, MS_ACTIVATION_GELU_TANH);
}
END_TEST

/* Those that a program gets without a configuration. */
START_TEST(defaults_are_the_trainers) {
    const ms_trainer_options want = ms_trainer_options_from_config(&config, 0), have = ms_trainer_defaults();
#define SAME(field) ck_assert_msg(have.field == want.field, #field " is %g, %g", (double)have.field, (double)want.field)
    SAME(model.layers);
    SAME(model.width);
    SAME(model.heads);
    SAME(model.kv_heads);
    SAME(model.head_size);
    SAME(model.feed_forward);
    SAME(model.vocabulary);
    SAME(model.sequence_length);
    SAME(model.activation);
    SAME(model.tied_head);
    SAME(model.merged);
    SAME(model.qk_norm);
    SAME(model.recompute);
    SAME(model.storage);
    SAME(model.rope_layout);
    SAME(model.residual_scale);
    SAME(model.residual_scale_init);
    SAME(model.norm_epsilon);
    SAME(model.qkv_bias);
    SAME(model.embedding_scale);
    SAME(model.rope_base);
    SAME(model.init_scheme);
    SAME(model.init_std);
    SAME(model.init_depth_factor);
    SAME(optimizer.kind);
    SAME(optimizer.gradient_clip);
    SAME(optimizer.master);
    SAME(optimizer.interventions.cautious_decay);
    SAME(optimizer.interventions.noise);
    SAME(optimizer.interventions.noise_place);
    SAME(optimizer.interventions.noise_first_layer);
    SAME(optimizer.interventions.noise_last_layer);
    SAME(optimizer.interventions.sphere);
    SAME(optimizer.interventions.soft_cap);
    SAME(optimizer.interventions.spectral_decay);
    SAME(optimizer.interventions.qk_clip);
    SAME(optimizer.normuon.beta2);
    SAME(optimizer.normuon.muon.lr);
    SAME(optimizer.normuon.muon.split);
    SAME(optimizer.sgd.lr);
    SAME(optimizer.sgd.momentum);
    SAME(optimizer.sgd.nesterov);
    SAME(optimizer.sgd.decay);
    SAME(optimizer.muon.exponent);
    SAME(optimizer.muon.coefficients);
    SAME(optimizer.muon.scaling);
    SAME(optimizer.muon.split);
    SAME(optimizer.muon.decay_mode);
    SAME(optimizer.muon.decay);
    SAME(optimizer.muon.nesterov);
    SAME(optimizer.adamw.beta1);
    SAME(optimizer.adamw.beta2);
    SAME(optimizer.adamw.epsilon);
    SAME(optimizer.adamw.matrix_decay);
    SAME(schedule.kind);
    SAME(schedule.warmup_steps);
    SAME(schedule.final_fraction);
    SAME(schedule.convention);
    SAME(schedule.decay_fraction);
    SAME(optimizer.muon.lr);
    SAME(optimizer.muon.momentum);
    SAME(optimizer.adamw.lr);
    SAME(optimizer.adamw.matrix_lr);
    SAME(seed);
    SAME(init_seed);
    SAME(batch_sequences);
    SAME(accumulation);
    SAME(control);
#undef SAME
}
END_TEST

START_TEST(what_is_written_reads_back) {
    ck_assert_int_eq(ms_config_set(&config, "sample.prompt", "tab\t, \"quote\", back\\slash,\nline # : \xc3\xa9"),
                     MS_OK);
    ck_assert_int_eq(ms_config_set(&config, "muon.decay_mode", "both"), MS_OK);
    config.muon.lr = 0.1 + 0.2;
    config.adamw.epsilon = 1e-300;
    config.train.seed = INT64_C(9007199254740991);
    config.train.tokens = INT64_C(999999999999999);
    config.model.recompute = true;
    char *text;
    ck_assert_msg(ms_config_text(&config, &text) == MS_OK, "%s", ms_status_message());
    ms_config back;
    ms_config_defaults(&back);
    ck_assert_msg(ms_config_load_text(&back, "text", text, strlen(text)) == MS_OK, "%s", ms_status_message());
    ck_assert_mem_eq(&back, &config, sizeof config);
    free(text);
    expect(ms_config_load_file(&back, "/tmp/there/is/no/such.yaml", NULL), MS_NOT_FOUND, "/tmp/there/is/no/such.yaml");
}
END_TEST

START_TEST(resume_refuses_another_shape) {
    ms_config other = config;
    ck_assert_int_eq(ms_config_check_resume(&config, &other), MS_OK);
    other.muon.lr = 0.01;
    other.train.steps = 1000;
    ck_assert_int_eq(ms_config_check_resume(&config, &other), MS_OK);
    const ms_config_key *differing[4];
    ck_assert_int_eq(ms_config_difference(&config, &other, differing, 4), 2);
    ck_assert_str_eq(differing[0]->full_name, "muon.lr");
    ck_assert_int_eq(ms_config_difference(&config, &other, differing, 0), 2);
    other.model.layers = 7;
    expect(ms_config_check_resume(&config, &other), MS_MISMATCH, "model.layers is 6 in the run and 7 now");
    other = config;
    other.intervention.soft_cap = 1; /* ADDED is as fixed */
    expect(ms_config_check_resume(&config, &other), MS_MISMATCH, "intervention.soft_cap is 0 in the run and 1 now");
}
END_TEST

START_TEST(help_lists_every_key) {
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    ms_config_print_help(&config, stream);
    fclose(stream);
    int n;
    const ms_config_key *keys = ms_config_keys(&n);
    for (int i = 0; i < n; i++) {
        ck_assert_msg(strstr(text, keys[i].full_name) != NULL, "%s", keys[i].full_name);
        ck_assert_msg(strstr(text, keys[i].doc) != NULL, "%s", keys[i].full_name);
    }
    free(text);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("config");
    TCase *tests = tcase_create("config");
    tcase_add_checked_fixture(tests, reset, NULL);
    tcase_add_test(tests, defaults_are_those_documented);
    tcase_add_test(tests, every_default_is_allowed);
    tcase_add_test(tests, presets_load_and_have_their_size);
    tcase_add_test(tests, published_preset_is_the_reference_as_run);
    tcase_add_test(tests, x8_preset_is_the_reference_in_eight_parts);
    tcase_add_test(tests, yaml_sets_keys);
    tcase_add_loop_test(tests, bad_yaml_is_named_and_changes_nothing, 0, sizeof bad_yaml / sizeof *bad_yaml);
    tcase_add_test(tests, long_or_foreign_text_is_refused);
    tcase_add_test(tests, exact_has_one_chunk_of_the_loss);
    tcase_add_test(tests, a_loss_has_so_many_chunks);
    tcase_add_test(tests, qk_clip_and_biases_contradict);
    tcase_add_loop_test(tests, contradictions_are_named, 0, sizeof contradictions / sizeof *contradictions);
    tcase_add_test(tests, split_attention_frees_the_width);
    tcase_add_test(tests, short_runs_begin_the_ramp);
    tcase_add_test(tests, schedules_are_stretched_or_kept);
    tcase_add_test(tests, tokens_are_whole_steps);
    tcase_add_test(tests, trapezoid_is_wsd);
    tcase_add_test(tests, identity_has_the_keys_of_older_checkpoints);
    tcase_add_test(tests, later_keys_identify_a_run_only_when_set);
    tcase_add_test(tests, choices_have_their_own_place);
    tcase_add_test(tests, defaults_are_the_trainers);
    tcase_add_test(tests, what_is_written_reads_back);
    tcase_add_test(tests, resume_refuses_another_shape);
    tcase_add_test(tests, help_lists_every_key);
    suite_add_tcase(suite, tests);
    return ms_suite_run(suite);
}
