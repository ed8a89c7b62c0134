/* Choices that a program gives through the library: a value that its enumeration does not have is refused, with its
   name, its value and those there are.  None is taken for another. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "backend/ir/build.h"
#include "model/checkpoint/checkpoint.h"
#include "model/data/corpus.h"
#include "model/data/tokenizer.h"
#include "platform/choice.h"
#include "platform/directory.h"
#include "tests/support/suite.h"
#include "tests/train/jobs.h"
#include "tracker/tracker.h"
#include "train/trainer.h"

static void expect(ms_status status, const char *part) {
    ck_assert_msg(status == MS_INVALID, "%s: status %s: %s", part, ms_status_text(status), ms_status_message());
    ck_assert_msg(strstr(ms_status_message(), part) != NULL, "message: %s", ms_status_message());
}

START_TEST(test_the_check) {
    static const char *const names[] = {"a", "b", "c", NULL}, *const one[] = {"only", NULL};
    for (int i = 0; i < 3; i++) ms_must(ms_choice_check("x", i, names));
    expect(ms_choice_check("x", 3, names), "x is 3, must be 0 (a), 1 (b) or 2 (c)");
    expect(ms_choice_check("x", -1, names), "x is -1, must be 0 (a), 1 (b) or 2 (c)");
    expect(ms_choice_check("x", 1, one), "x is 1, must be 0 (only)");
}
END_TEST

/* ---- what a trainer is given ---- */

static void set_activation(ms_trainer_options *o, int value) { o->model.activation = (ms_activation)value; }
static void set_storage(ms_trainer_options *o, int value) { o->model.storage = (ms_dtype)value; }
static void set_rope_layout(ms_trainer_options *o, int value) { o->model.rope_layout = (ms_rope_layout)value; }
static void set_residual(ms_trainer_options *o, int value) { o->model.residual_scale = (ms_residual_scale)value; }
static void set_init(ms_trainer_options *o, int value) { o->model.init_scheme = (ms_init_scheme)value; }
static void set_kind(ms_trainer_options *o, int value) { o->optimizer.kind = (ms_optimizer_kind)value; }
static void set_coefficients(ms_trainer_options *o, int v) { o->optimizer.muon.coefficients = (ms_coefficients)v; }
static void set_exponent(ms_trainer_options *o, int value) { o->optimizer.muon.exponent = (ms_exponent)value; }
static void set_scaling(ms_trainer_options *o, int value) { o->optimizer.muon.scaling = (ms_muon_scaling)value; }
static void set_split(ms_trainer_options *o, int value) { o->optimizer.muon.split = (ms_muon_split)value; }
static void set_decay(ms_trainer_options *o, int value) { o->optimizer.muon.decay_mode = (ms_decay_mode)value; }
static void set_control(ms_trainer_options *o, int value) { o->control = (ms_control)value; }
static void set_schedule(ms_trainer_options *o, int value) { o->schedule.kind = (ms_schedule_kind)value; }

static const struct {
    void (*set)(ms_trainer_options *options, int value);
    const char *name, *range;
    int last; /* the largest value there is */
} trainer_choices[] = {
    {set_activation, "model: activation", "0 (relu2), 1 (swiglu) or 2 (gelu_tanh)", MS_ACTIVATION_GELU_TANH},
    {set_storage, "model: storage", "0 (f32) or 1 (bf16)", MS_DTYPE_BF16},
    {set_rope_layout, "model: rope_layout", "0 (interleaved) or 1 (half_split)", MS_ROPE_HALF_SPLIT},
    {set_residual, "model: residual_scale", "0 (fixed), 1 (learned_layer) or 2 (learned_branch)",
     MS_RESIDUAL_LEARNED_BRANCH},
    {set_init, "model: init_scheme", "0 (normal), 1 (slope) or 2 (stretched)", MS_INIT_STRETCHED},
    {set_kind, "optimizer: kind", "0 (muon), 1 (adamw), 2 (normuon) or 3 (sgd)", MS_OPTIMIZER_COUNT - 1},
    {set_coefficients, "muon: coefficients", "0 (polar_express), 1 (jordan), 2 (modula) or 3 (jordan_convergent)",
     MS_COEFFICIENTS_COUNT - 1},
    {set_exponent, "muon: exponent", "0 (0), 1 (0.25), 2 (0.5), 3 (0.75) or 4 (1)", MS_EXPONENT_1},
    {set_scaling, "muon: scaling", "0 (max_rows_cols), 1 (moonlight) or 2 (rows_cols)", MS_SCALING_ROWS_COLS},
    {set_split, "muon: split", "0 (merged), 1 (per_projection) or 2 (per_head)", MS_SPLIT_PER_HEAD},
    {set_decay, "muon: decay_mode", "0 (none), 1 (decoupled), 2 (update) or 3 (both)", MS_DECAY_BOTH},
    {set_control, "train: control", "0 (none), 1 (noise) or 2 (shuffled_targets)", MS_CONTROL_SHUFFLED_TARGETS},
    {set_schedule, "schedule: kind", "0 (constant), 1 (cosine), 2 (linear) or 3 (wsd)", MS_SCHEDULE_WSD},
};

START_TEST(test_trainer_refuses) {
    const ms_device_options cpu = {.name = "cpu", .numerics = MS_NUMERICS_EXACT, .n_threads = 1};
    ms_device *device;
    ms_must(ms_device_open(&cpu, &device));
    for (int value = -1; value < 100; value++) {
        ms_trainer_options options = job_small_options();
        ms_trainer *trainer;
        trainer_choices[_i].set(&options, value);
        ms_status status = ms_trainer_open(device, &options, &trainer);
        if (value >= 0 && value <= trainer_choices[_i].last) {
            ck_assert_msg(status == MS_OK, "%s %d: %s", trainer_choices[_i].name, value, ms_status_message());
            ms_trainer_close(trainer);
            continue;
        }
        char wanted[200];
        snprintf(wanted, sizeof wanted, "%s is %d, must be %s", trainer_choices[_i].name, value,
                 trainer_choices[_i].range);
        expect(status, wanted);
        ck_assert_ptr_null(trainer);
    }
    ms_device_close(device);
}
END_TEST

START_TEST(test_schedule_refuses) {
    const ms_schedule good = {MS_SCHEDULE_COSINE, 2, 10, 0.5, MS_CONVENTION_REFERENCE, 0.2};
    ms_must(ms_schedule_check(&good));
    ms_schedule bad = good;
    bad.warmup_steps = -3;
    expect(ms_schedule_check(&bad), "schedule: -3 warm-up steps of 10");
    bad = good;
    bad.final_fraction = NAN;
    expect(ms_schedule_check(&bad), "final fraction nan, must be in [0, 1]");
    bad = good;
    bad.decay_fraction = 1.5;
    expect(ms_schedule_check(&bad), "decay fraction 1.5, must be in [0, 1]");
    bad = good;
    bad.convention = (ms_schedule_convention)7;
    expect(ms_schedule_check(&bad), "schedule: convention is 7, must be 0 (muonscope) or 1 (reference)");
    bad = good;
    bad.kind = (ms_schedule_kind)9;
    ck_assert(isnan(ms_schedule_factor(&bad, 5)));
}
END_TEST

/* What answers without a status says so in its value. */
START_TEST(test_questions_about_nothing) {
    ck_assert_ptr_null(ms_coefficients_get((ms_coefficients)MS_COEFFICIENTS_COUNT));
    ck_assert_ptr_nonnull(ms_coefficients_get(MS_COEFFICIENTS_JORDAN_CONVERGENT));
    ck_assert_ptr_null(ms_optimizer_kind_rule((ms_optimizer_kind)77));
    ck_assert(isnan(ms_muon_scale((ms_muon_scaling)3, 4, 4)));
    ck_assert_str_eq(ms_dtype_name((ms_dtype)99), "unknown");
    ck_assert_str_eq(ms_numerics_name((ms_numerics)99), "unknown");
}
END_TEST

/* ---- the layers below ---- */

START_TEST(test_device_and_graph_refuse) {
    ms_device *device;
    ms_device_options options = {.name = "cpu", .numerics = (ms_numerics)77};
    expect(ms_device_open(&options, &device), "numerics is 77, must be 0 (fast), 1 (exact) or 2 (oracle)");
    expect(ms_device_open(&options, &device), "device cpu");
    ck_assert_ptr_null(device);

    ms_variables *variables;
    ms_graph *graph;
    int x;
    ms_must(ms_variables_create(&variables));
    expect(ms_variables_add(variables, "x", (ms_variable_kind)6, MS_DTYPE_F32, ms_shape_3(1, 2, 2), &x),
           "variable x: kind is 6, must be 0 (parameter)");
    expect(ms_variables_add(variables, "x", MS_VARIABLE_INPUT, (ms_dtype)5, ms_shape_3(1, 2, 2), &x),
           "variable x: dtype is 5, must be 0 (f32)");
    ms_must(ms_variables_add(variables, "x", MS_VARIABLE_INPUT, MS_DTYPE_F32, ms_shape_3(1, 2, 2), &x));

    ms_must(ms_graph_create(variables, -1, &graph));
    expect(ms_graph_add(graph, (ms_op)4000, NULL, 0, NULL, NULL), "op is 4000, must be 0 (");
    ms_graph_destroy(graph);
    ms_must(ms_graph_create(variables, -1, &graph));
    ms_attributes fill;
    memset(&fill, 0, sizeof fill);
    fill.fill.dtype = (ms_dtype)9;
    fill.fill.shape = ms_shape_1(3);
    expect(ms_graph_add(graph, MS_OP_FILL, NULL, 0, &fill, &(ms_tensor){0}), "fill: dtype is 9, must be 0 (f32)");
    ms_graph_destroy(graph);
    ms_must(ms_graph_create(variables, -1, &graph));
    ck_assert_int_eq(ms_orthogonalise(graph, ms_view_all(graph, x), (ms_coefficients)44), MS_NO_TENSOR);
    expect(ms_graph_status(graph), "orthogonalise: coefficients is 44, must be 0 (polar_express)");
    ms_graph_destroy(graph);
    ms_variables_destroy(variables);
}
END_TEST

START_TEST(test_data_refuses) {
    ms_corpus *corpus;
    ms_corpus_options options = {.documents = (ms_documents)3};
    expect(ms_corpus_open("/dev/null", &options, &corpus), "corpus: documents is 3, must be 0 (chunk)");
    options = (ms_corpus_options){.format = (ms_corpus_format)-2};
    expect(ms_corpus_open("/dev/null", &options, &corpus), "corpus: format is -2, must be 0 (auto)");
    ck_assert_ptr_null(corpus);
    ms_tokenizer *tokenizer;
    ms_tokens ids = {0};
    ms_must(ms_tokenizer_open("tests/golden/tokenizer/gpt2.json", &tokenizer));
    expect(ms_tokenizer_encode(tokenizer, "a", 1, (ms_special)2, &ids),
           "special is 2, must be 0 (parse) or 1 (as_text)");
    ck_assert_uint_eq(ids.n, 0);
    ms_tokenizer_close(tokenizer);
}
END_TEST

START_TEST(test_checkpoint_and_tracker_refuse) {
    char folder[] = "/tmp/ms_choices_XXXXXX";
    ck_assert_ptr_nonnull(mkdtemp(folder));
    const float value = 1;
    const ms_safetensor tensor = {"x", "F32", 0, {0}, &value, 4};
    ms_checkpoint_entry entry = {"note", (ms_checkpoint_kind)3, "t", 0, 0};
    const ms_checkpoint_info info = {.config_hash = "h", .entries = &entry, .n_entries = 1};
    const char *wanted = "entry note: kind is 3, must be 0 (text), 1 (an integer) or 2 (a real)";
    expect(ms_checkpoint_write(folder, &info, &tensor, 1, NULL, 0), wanted);

    ms_tracker *tracker;
    const ms_tracked_matrix matrix = {"q", 0, 2, 2, 0};
    const ms_tracker_options options = {.path = "/nowhere",
                                        .matrices = &matrix,
                                        .n_matrices = 1,
                                        .n_slots = 1,
                                        .n_threads = 1,
                                        .when_behind = (ms_when_behind)2};
    expect(ms_tracker_create(&options, &tracker), "tracker: when_behind is 2, must be 0 (wait) or 1 (skip)");
    ck_assert_ptr_null(tracker);
    ms_must(ms_directory_remove(folder));
}
END_TEST

int main(void) {
    Suite *suite = suite_create("choices");
    TCase *tests = tcase_create("choices");
    tcase_add_test(tests, test_the_check);
    tcase_add_loop_test(tests, test_trainer_refuses, 0, (int)(sizeof trainer_choices / sizeof *trainer_choices));
    tcase_add_test(tests, test_schedule_refuses);
    tcase_add_test(tests, test_questions_about_nothing);
    tcase_add_test(tests, test_device_and_graph_refuse);
    tcase_add_test(tests, test_data_refuses);
    tcase_add_test(tests, test_checkpoint_and_tracker_refuse);
    suite_add_tcase(suite, tests);
    return ms_suite_run(suite);
}
