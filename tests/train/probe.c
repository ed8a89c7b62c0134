/* The probe: against NumPy on three models (tests/golden/probe), and in runs. */
#include <check.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/checkpoint/safetensors.h"
#include "model/data/shard.h"
#include "platform/directory.h"
#include "platform/file.h"
#include "tests/golden/config.h"
#include "tests/model/data_files.h"
#include "tests/support/suite.h"
#include "tests/train/runs.h"
#include "train/probe.h"

/* ---- against NumPy ---- */

static ms_trainer_options options_of(const json_t *golden) {
    ms_trainer_options options = ms_trainer_defaults();
    golden_read_model(golden, &options.model);
    options.batch_sequences = 1;
    options.probe_sequences = golden_integer(golden, "batch");
    options.probe_tokens = options.model.sequence_length;
    return options;
}

/* The golden's weights into the trainer, and its first batch into a shard of the folder. */
static void load(const json_t *golden, ms_trainer *trainer) {
    char path[128], name[128];
    ms_safetensors *file;
    const ms_safetensor *tensor;
    snprintf(path, sizeof path, "tests/golden/model/%s.safetensors",
             json_string_value(json_object_get(golden, "name")));
    ms_must(ms_safetensors_open(path, &file));
    for (int i = 0; i < trainer->model.n_parameters; i++) {
        int variable = trainer->model.parameters[i].variable;
        const ms_variable *info = ms_variables_get(trainer->variables, variable);
        snprintf(name, sizeof name, "initial.%s", info->name);
        ms_must(ms_safetensors_find(file, name, &tensor));
        ms_must(ms_store_upload(trainer->store, variable, 0, ms_shape_count(&info->shape), tensor->data));
    }
    ms_must(ms_safetensors_find(file, "tokens", &tensor));
    ms_shard_writer writer;
    (void)ms_remove_one(data_path("x_val_000000.bin"));
    ms_must(ms_shard_writer_open(data_path("x_val_000000.bin"), MS_SHARD_VOCAB_16, &writer));
    ms_must(ms_shard_writer_add(&writer, tensor->data,
                                (int64_t)trainer->options.probe_sequences * trainer->options.probe_tokens));
    ms_must(ms_shard_writer_commit(&writer));
    ms_safetensors_close(file);
}

/* Numbers in the same places; a forward pass in f32 beside one in f64. */
static void compare(const char *key, const json_t *actual, const json_t *expected) {
    if (json_is_array(expected)) {
        ck_assert_msg(json_array_size(actual) == json_array_size(expected), "%s: another size", key);
        for (size_t i = 0; i < json_array_size(expected); i++)
            compare(key, json_array_get(actual, i), json_array_get(expected, i));
        return;
    }
    double a = json_real_value(actual), b = json_real_value(expected);
    ck_assert_msg(json_is_real(actual) && fabs(a - b) <= 1e-5 * fmax(fabs(b), 0.1), "%s: %.9g, NumPy says %.9g", key, a,
                  b);
}

static void check_model(const json_t *golden) {
    ms_trainer_options options = options_of(golden);
    ms_trainer *trainer;
    ms_dataset *data;
    ms_probe *probe;
    ms_must(ms_trainer_open(runs_device, &options, &trainer));
    ms_must(ms_trainer_allocate(trainer));
    ms_must(ms_trainer_initialise(trainer)); /* the RoPE table */
    load(golden, trainer);
    const ms_dataset_options from = {.directory = data_path(""),
                                     .split = "val",
                                     .sequence_length = options.model.sequence_length,
                                     .vocab_size = options.model.vocabulary};
    ms_must(ms_dataset_open(&from, &data));
    const ms_probe_options wanted = {.path = data_path("probes.jsonl"), .resume_after_step = -1};
    ms_must(ms_probe_open(trainer, data, &wanted, &probe));
    ms_must(ms_probe_take(probe));
    ms_must(ms_probe_close(probe));
    FILE *file = fopen(data_path("probes.jsonl"), "r");
    const json_t *lines = json_object_get(golden, "lines"), *expected;
    for (int i = 0; i < options.model.layers; i++) {
        json_t *line = json_loadf(file, JSON_DISABLE_EOF_CHECK, NULL);
        ck_assert_ptr_nonnull(line);
        ck_assert_int_eq(golden_integer(line, "layer"), i);
        ck_assert_int_eq(golden_integer(line, "step"), 0);
        const char *key;
        size_t n = 3;
        json_object_foreach(json_array_get(lines, (size_t)i), key, expected) {
            compare(key, json_object_get(line, key), expected);
            n++;
        }
        ck_assert_uint_eq(json_object_size(line), n);
        json_decref(line);
    }
    fclose(file);
    ms_dataset_close(data);
    ms_trainer_close(trainer);
}

START_TEST(as_numpy) {
    json_error_t error;
    json_t *file = json_load_file("tests/golden/probe/probe.json", 0, &error);
    ck_assert_msg(file != NULL, "%s", error.text);
    const json_t *models = json_object_get(file, "models");
    ck_assert_uint_eq(json_array_size(models), 3);
    for (size_t i = 0; i < 3; i++) check_model(json_array_get(models, i));
    json_decref(file);
}
END_TEST

/* ---- in runs ---- */

static ms_run_options with_probe(int64_t n_steps) {
    ms_run_options options = runs_small(n_steps);
    options.probe = true;
    return options;
}

static void read_lines(const ms_run *run, char **out) {
    size_t size;
    ms_must(ms_file_read(run->folder.probes, out, &size));
}

/* Lines of steps 0, 1, 2, 4 and 6, whether in one go or two, on however many threads, watched or not. */
START_TEST(a_resumed_run_has_the_lines_of_a_whole_one) {
    ms_run_options whole_options = with_probe(6), half_options = with_probe(3), plain_options = runs_small(6);
    ms_run *whole = runs_new(&whole_options, "whole"), *half = runs_new(&half_options, "half");
    ms_run_close(half);
    whole_options.tracking.n_threads = 3;
    half = runs_resume(&whole_options, "half");
    char *of_whole, *of_half;
    read_lines(whole, &of_whole);
    read_lines(half, &of_half);
    ck_assert_int_eq(runs_count(whole->folder.probes, "\"layer\":1"), 5);
    /* Step 3 was the last of the half. */
    ck_assert_int_eq(runs_count(half->folder.probes, "\"step\":3,"), 2);
    const char *at = strstr(of_half, "{\"step\":3,"), *after = strstr(of_half, "{\"step\":4,");
    ck_assert(at && after && at < after);
    size_t before = (size_t)(at - of_half);
    ck_assert_uint_lt(before, strlen(of_whole));
    ck_assert_mem_eq(of_half, of_whole, before);
    ck_assert_str_eq(after, of_whole + before);
    ms_run *plain = runs_new(&plain_options, "plain");
    ck_assert_str_eq(plain->weights_sha256, whole->weights_sha256);
    ck_assert(!ms_file_exists(plain->folder.probes));
    free(of_whole);
    free(of_half);
    ms_run_close(whole);
    ms_run_close(half);
    ms_run_close(plain);
}
END_TEST

START_TEST(its_tensors_are_rounded_in_bf16) {
    ms_run_options options = with_probe(1);
    options.trainer.model.storage = MS_DTYPE_BF16;
    ms_run *run = runs_begin(&options, "run");
    ms_trainer *trainer = run->trainer;
    float values[4][2 * 2 * 16 * 32];
    const int32_t variables[4] = {trainer->probe.q, trainer->probe.k, trainer->probe.stream, trainer->probe.hidden};
    ms_must(ms_probe_take(run->probe));
    for (int i = 0; i < 4; i++) {
        ms_shape shape = ms_variables_get(trainer->variables, variables[i])->shape;
        int64_t n = ms_shape_count(&shape);
        n = n < 2048 ? n : 2048;
        bool any = false;
        ms_must(ms_store_download(trainer->store, variables[i], 0, n, values[i]));
        for (int64_t j = 0; j < n; j++) {
            uint32_t bits;
            memcpy(&bits, &values[i][j], sizeof bits);
            any |= bits != 0;
            ck_assert_msg((bits & 0xffff) == 0, "variable %d, element %lld: %.9g is no bf16 number", i, (long long)j,
                          (double)values[i][j]);
        }
        ck_assert(any);
    }
    ms_must(ms_probe_drain(run->probe));
    ms_run_close(run);
}
END_TEST

/* However many are skipped, which the machine decides: each snapshot that is not has its lines. */
START_TEST(skipped_snapshots_are_counted) {
    enum { N_SNAPSHOTS = 40 };
    ms_run_options options = with_probe(1);
    options.tracking.when_behind = MS_WHEN_BEHIND_SKIP;
    ms_run *run = runs_begin(&options, "run");
    for (int i = 0; i < N_SNAPSHOTS; i++) ms_must(ms_probe_take(run->probe));
    ms_must(ms_probe_drain(run->probe));
    int64_t n_taken = N_SNAPSHOTS - ms_probe_n_skipped(run->probe);
    ck_assert_int_ge(n_taken, 1);
    for (int layer = 0; layer < 2; layer++)
        ck_assert_int_eq(runs_count(run->folder.probes, layer ? "\"layer\":1" : "\"layer\":0"), n_taken);
    ms_run_close(run);
}
END_TEST

static void expect_open(const ms_run_options *options, const char *part) {
    ms_run *run;
    ms_expect(ms_run_open(runs_device, options, &run), MS_INVALID, part);
}

START_TEST(sizes_that_do_not_fit_are_named) {
    runs_prepare_data("data");
    ms_run_options options = runs_on_shards(1);
    options.probe = true;
    options.probe_sequences = 100000;
    expect_open(&options, "tracker.probe_sequences is 100000, the validation split has ");
    options.probe_sequences = 0;
    options.probe_tokens = 1;
    expect_open(&options, "probe_tokens is 1, must be from 2");
    options.probe_tokens = 17;
    expect_open(&options, "probe_tokens is 17, must be from 2");
    options.probe_tokens = 0;
    ms_run *run;
    ms_must(ms_run_open(runs_device, &options, &run));
    ck_assert_int_eq(run->trainer->options.probe_sequences, MS_PROBE_SEQUENCES);
    ck_assert_int_eq(run->trainer->options.probe_tokens, 16); /* all of the model's */
    ms_run_close(run);
    ms_trainer_options many = runs_small(1).trainer;
    ms_trainer *trainer;
    many.model.sequence_length = many.probe_tokens = 1 << 16;
    many.probe_sequences = 65;
    ms_expect(ms_trainer_open(runs_device, &many, &trainer), MS_INVALID,
              "probe_sequences 65 x probe_tokens 65536 = 4259840 tokens");
}
END_TEST

/* The background thread's error ends the run, with the layer's name. */
START_TEST(a_value_that_is_not_finite_ends_the_run) {
    ms_run_options options = with_probe(2);
    ms_run *run = runs_begin(&options, "run");
    float value = NAN;
    const ms_parameter *matrix = NULL;
    for (int i = 0; i < run->trainer->model.n_parameters; i++)
        if (run->trainer->model.parameters[i].n_groups > 0) matrix = &run->trainer->model.parameters[i];
    ms_must(ms_store_upload(run->trainer->store, matrix->variable, 0, 1, &value));
    ms_must(ms_probe_take(run->probe));
    ms_expect(ms_probe_drain(run->probe), MS_NUMERIC, "layer 0");
    ms_expect(ms_probe_take(run->probe), MS_NUMERIC, "layer 0"); /* it stays */
    ms_run_close(run);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("train/probe");
    TCase *tcase = tcase_create("probe");
    tcase_add_checked_fixture(tcase, runs_open, runs_close);
    tcase_add_test(tcase, as_numpy);
    tcase_add_test(tcase, a_resumed_run_has_the_lines_of_a_whole_one);
    tcase_add_test(tcase, its_tensors_are_rounded_in_bf16);
    tcase_add_test(tcase, skipped_snapshots_are_counted);
    tcase_add_test(tcase, sizes_that_do_not_fit_are_named);
    tcase_add_test(tcase, a_value_that_is_not_finite_ends_the_run);
    suite_add_tcase(suite, tcase);
    return ms_suite_run(suite);
}
