#include "cli/verify/ops.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "backend/cases/compare.h"
#include "platform/clock.h"
#include "platform/signals.h"

enum { QUICK_ELEMENTS = 40000, SPECIAL_ELEMENTS = 20000, ODD_OFFSET = 33, ALIGNED_OFFSET = 64 };

/* The devices that are right by definition. */
typedef struct references {
    ms_device *exact, *oracle;
} references;

/* One case with what is right. */
typedef struct expectation {
    ms_op_case test;
    ms_case_program *exact_program, *oracle_program;
    ms_case_values exact, oracle;
    double *bounds[MS_MAX_OUTPUTS]; /* of the subject in turn */
} expectation;

/* What is compared with what in one run of a subject. */
typedef struct comparison {
    const expectation *expected;
    ms_verify_row *row;
    bool measure; /* hold `exact` against the oracle too */
} comparison;

/* ---- what is right ---- */

static ms_status run_reference(ms_case_program *program, ms_case_values *values, const char *name) {
    ms_case_finding finding;
    MS_TRY_NOTE(ms_case_program_run(program, values, &finding), "reference");
    if (finding.memory == MS_CASE_MEMORY_GOOD) return MS_OK;
    return MS_FAIL(MS_INTERNAL, "reference: %s of device cpu wrote where it must not, operand %d, element %lld", name,
                   finding.operand, (long long)finding.index);
}

static ms_status run_references(expectation *e) {
    const char *name = ms_op_get(e->test.op)->name;
    MS_TRY(run_reference(e->exact_program, &e->exact, name));
    return run_reference(e->oracle_program, &e->oracle, name);
}

static ms_status expectation_init(const references *right, const ms_op_case *test, expectation *e) {
    memset(e, 0, sizeof *e);
    e->test = *test;
    ms_case_layout layout = {MS_LAYOUT_PLAIN, -1, ALIGNED_OFFSET};
    MS_TRY_NOTE(ms_case_program_create(right->exact, &e->test, layout, &e->exact_program), "reference");
    MS_TRY_NOTE(ms_case_program_create(right->oracle, &e->test, layout, &e->oracle_program), "oracle");
    MS_TRY(ms_case_values_init(&e->test, &e->exact));
    MS_TRY(ms_case_values_init(&e->test, &e->oracle));
    return run_references(e);
}

static void drop_bounds(expectation *e) {
    for (int k = 0; k < MS_MAX_OUTPUTS; k++) {
        free(e->bounds[k]);
        e->bounds[k] = NULL;
    }
}

/* Where devices round matmuls differently, their bounds differ. */
static ms_status make_bounds(const ms_verify_subject *subject, expectation *e) {
    drop_bounds(e);
    bool fast = subject->numerics == MS_NUMERICS_FAST;
    return ms_case_bounds(&e->test, &e->oracle, fast ? &subject->rounding : NULL, e->bounds);
}

static void expectation_finish(expectation *e) {
    ms_case_program_destroy(e->exact_program);
    ms_case_program_destroy(e->oracle_program);
    ms_case_values_finish(&e->exact);
    ms_case_values_finish(&e->oracle);
    drop_bounds(e);
}

/* ---- judging one run ---- */

static void take_difference(ms_verify_row *row, ms_verdict verdict, const ms_case_difference *difference) {
    if (!difference->differs) return;
    row->verdict = verdict;
    row->has_difference = true;
    row->output = difference->output;
    row->index = difference->index;
    row->expected = difference->expected;
    row->found = difference->found;
}

static void take_finding(ms_verify_row *row, const ms_case_finding *finding) {
    static const char *const texts[] = {"", "wrote around", "changed", "did not write"};
    if (finding->memory == MS_CASE_MEMORY_GOOD) return;
    row->verdict = MS_VERDICT_MEMORY;
    snprintf(row->message, sizeof row->message, "%s %s %d at element %lld: %llx, was %llx", texts[finding->memory],
             finding->is_output ? "output" : "input", finding->operand, (long long)finding->index,
             (unsigned long long)finding->found, (unsigned long long)finding->expected);
}

/* Outputs of one run against what is right. */
static void judge(const comparison *c, const ms_case_program *program, const ms_case_values *values) {
    const expectation *e = c->expected;
    ms_verify_row *row = c->row;
    bool exact = row->numerics == MS_NUMERICS_EXACT;
    ms_case_difference bits = {0}, errors = {0};
    for (int k = 0; k < e->test.n_outputs; k++) {
        if (!ms_case_program_stores(program, k)) continue;
        if (exact) ms_case_compare_bits(&e->test, k, e->exact.out[k], values->out[k], &bits);
        if (exact && !c->measure) continue;
        ms_case_compare_oracle(&e->test, k, e->oracle.out[k], values->out[k], e->bounds[k], &errors);
    }
    if (!exact || c->measure) row->worst = isnan(row->worst) ? errors.worst : fmax(row->worst, errors.worst);
    take_difference(row, MS_VERDICT_BOUND, &errors);
    take_difference(row, MS_VERDICT_DIFFERS, &bits);
}

static void judge_special(const comparison *c, const ms_case_program *program, const ms_case_values *values,
                          bool has_nan) {
    if (c->row->numerics == MS_NUMERICS_EXACT) {
        judge(c, program, values);
        return;
    }
    const ms_op_case *test = &c->expected->test;
    for (int k = 0; k < test->n_outputs && c->row->verdict == MS_VERDICT_PASS; k++) {
        ms_case_difference lost = {0};
        if (ms_case_program_stores(program, k))
            ms_case_compare_nan(test, k, &(ms_case_references){&c->expected->exact, &c->expected->oracle},
                                values->out[k], !has_nan, &lost);
        take_difference(c->row, MS_VERDICT_DIFFERS, &lost);
    }
}

static void judge_repeat(const comparison *c, const ms_case_program *program, const ms_case_values *first,
                         const ms_case_values *second) {
    ms_case_difference difference = {0};
    for (int k = 0; k < c->expected->test.n_outputs; k++)
        if (ms_case_program_stores(program, k))
            ms_case_compare_bits(&c->expected->test, k, first->out[k], second->out[k], &difference);
    take_difference(c->row, MS_VERDICT_REPEAT, &difference);
}

/* ---- planted faults ---- */

/* Changes one element of a result by as little as must be seen: its lowest bit, or for numbers of `fast` to the first
   one beyond the bound. */
static void plant(const expectation *e, ms_numerics numerics, ms_case_values *values, int64_t *out_index) {
    const ms_op_case *test = &e->test;
    size_t size = ms_dtype_size(test->out[0].dtype);
    *out_index = ms_shape_count(&test->out[0].shape) / 2;
    unsigned char *element = (unsigned char *)values->out[0] + (size_t)*out_index * size;
    uint32_t bits = 0;
    memcpy(&bits, element, size);
    bits ^= 1u;
    if (numerics == MS_NUMERICS_FAST && e->bounds[0])
        bits = ms_case_beyond(test, 0, e->oracle.out[0], e->bounds[0], *out_index);
    memcpy(element, &bits, size);
}

static void judge_plain(const comparison *c, ms_verify_subject *subject, const ms_verify_ops_options *options,
                        const ms_case_program *program, ms_case_values *values, ms_verify_report *report) {
    const ms_op_case *test = &c->expected->test;
    bool planting = options->plant && !subject->planted[test->op] && c->row->verdict == MS_VERDICT_PASS;
    int64_t index = -1;
    if (planting) plant(c->expected, subject->numerics, values, &index);
    judge(c, program, values);
    if (!planting) return;
    subject->planted[test->op] = true;
    const ms_verify_row *row = c->row;
    ms_verify_report_planted(report, ms_verdict_is_failure(row->verdict) && row->has_difference && row->output == 0 &&
                                         row->index == index && row->expected != row->found);
}

/* The first NaN among the results that must be one becomes 0; false: there is none. */
static bool plant_number(const expectation *e, const ms_case_program *program, ms_case_values *values) {
    for (int k = 0; k < e->test.n_outputs; k++) {
        int64_t i = ms_case_program_stores(program, k)
                        ? ms_case_first_nan(&e->test, k, &(ms_case_references){&e->exact, &e->oracle})
                        : -1;
        if (i < 0) continue;
        size_t size = ms_dtype_size(e->test.out[k].dtype);
        memset((unsigned char *)values->out[k] + (size_t)i * size, 0, size);
        return true;
    }
    return false;
}

/* ---- one case on one subject ---- */

/* A call on the subject failed: its row says so. */
static void take_status(ms_verify_row *row, ms_status status) {
    row->verdict = status == MS_UNSUPPORTED ? MS_VERDICT_UNSUPPORTED : MS_VERDICT_ERROR;
    snprintf(row->message, sizeof row->message, "%s", ms_status_message());
}

/* Puts what was done before a failing row's message. */
static void name_failure(ms_verify_row *row, const char *what) {
    char message[sizeof row->message];
    snprintf(message, sizeof message, "%s", row->message);
    snprintf(row->message, sizeof row->message, "%s%s%.400s", what, message[0] ? ": " : "", message);
}

typedef struct case_run {
    const ms_verify_ops_options *options;
    expectation *expected;
    ms_verify_subject *subject;
    ms_verify_report *report;
    ms_verify_row *row;
    ms_status device_status; /* of the subject's last call */
} case_run;

static ms_status run_once(case_run *run, ms_case_program *program, ms_case_values *values) {
    ms_case_finding finding;
    run->device_status = ms_case_program_run(program, values, &finding);
    if (run->device_status == MS_OK)
        take_finding(run->row, &finding);
    else
        take_status(run->row, run->device_status);
    return run->device_status;
}

static bool passes(const case_run *run) { return run->row->verdict == MS_VERDICT_PASS; }

/* Each f32 and bf16 input in turn gets a NaN, an infinity and a negative one in its middle. */
static const float special_values[] = {NAN, INFINITY, -INFINITY};
enum { N_SPECIAL = 3 };

static void put_special(const ms_op_case *test, int i, int which, ms_case_values *values) {
    int64_t at = ms_shape_count(&test->shape[i]) / 2;
    if (test->dtype[i] == MS_DTYPE_F32) {
        ((float *)values->in[i])[at] = special_values[which];
        return;
    }
    uint32_t bits;
    memcpy(&bits, &special_values[which], sizeof bits);
    ((uint16_t *)values->in[i])[at] = (uint16_t)(bits >> 16);
}

static ms_status run_special(case_run *run, ms_case_program *program, ms_case_values *values, int i) {
    expectation *e = run->expected;
    comparison c = {e, run->row, false};
    ms_case_values *all[] = {&e->exact, &e->oracle, values};
    bool *planted = &run->subject->lost_nan[e->test.op];
    ms_status status = MS_OK;
    for (int which = 0; status == MS_OK && which < N_SPECIAL && passes(run); which++) {
        for (int k = 0; k < 3; k++) put_special(&e->test, i, which, all[k]);
        status = run_references(e);
        if (status != MS_OK || run_once(run, program, values) != MS_OK) continue;
        bool is_nan = isnan(special_values[which]);
        bool plants = run->options->plant && !*planted && is_nan && passes(run) && plant_number(e, program, values);
        if (passes(run)) judge_special(&c, program, values, is_nan);
        if (plants) ms_verify_report_planted(run->report, !passes(run));
        *planted = *planted || plants;
        char what[64];
        snprintf(what, sizeof what, "%g in input %d", (double)special_values[which], i);
        if (!passes(run)) name_failure(run->row, what);
    }
    for (int k = 0; k < 3; k++) ms_case_fill_input(&e->test, i, all[k]->in[i]);
    return status;
}

/* The references are left with their plain outputs again. */
static ms_status run_specials(case_run *run, ms_case_program *program, ms_case_values *values) {
    const ms_op_case *test = &run->expected->test;
    if (test->skip_special || ms_shape_count(&test->out[0].shape) > SPECIAL_ELEMENTS) return MS_OK;
    for (int i = 0; i < test->n_inputs && passes(run); i++) {
        bool real = test->dtype[i] == MS_DTYPE_F32 || test->dtype[i] == MS_DTYPE_BF16;
        if (ms_case_has_input(test, i) && real) MS_TRY(run_special(run, program, values, i));
    }
    return run_references(run->expected);
}

/* One more run for each kind of fault in memory, each with a row of its own. */
static ms_status plant_memory(case_run *run, ms_case_program *program, ms_case_values *values) {
    ms_verify_row *case_row = run->row;
    ms_status status = MS_OK;
    for (int fault = MS_CASE_MEMORY_GUARD; status == MS_OK && fault <= MS_CASE_MEMORY_UNWRITTEN; fault++) {
        ms_case_finding planted, found = {.memory = MS_CASE_MEMORY_GOOD};
        ms_case_program_plant(program, (ms_case_memory)fault, &planted);
        if (planted.memory == MS_CASE_MEMORY_GOOD) continue;
        ms_verify_row row = *case_row;
        row.verdict = MS_VERDICT_PASS;
        row.worst = NAN;
        row.has_difference = false;
        row.message[0] = '\0';
        run->row = &row;
        run->device_status = ms_case_program_run(program, values, &found);
        if (run->device_status == MS_OK)
            take_finding(&row, &found);
        else
            take_status(&row, run->device_status);
        ms_verify_report_planted(run->report, row.verdict == MS_VERDICT_MEMORY && found.memory == planted.memory &&
                                                  found.is_output == planted.is_output &&
                                                  found.operand == planted.operand && found.index == planted.index);
        status = ms_verify_report_add(run->report, &row);
    }
    run->row = case_row;
    return status;
}

static ms_status run_twice(case_run *run, ms_case_program *program, bool plain, ms_case_values *first,
                           ms_case_values *second) {
    comparison c = {run->expected, run->row, plain};
    if (run_once(run, program, first) != MS_OK || !passes(run)) return MS_OK;
    run->subject->ran[run->expected->test.op] = true;
    bool plants = plain && run->options->plant && !run->subject->planted[run->expected->test.op];
    if (plain)
        judge_plain(&c, run->subject, run->options, program, first, run->report);
    else
        judge(&c, program, first);
    if (plants) return plant_memory(run, program, second);
    if (!passes(run) || run_once(run, program, second) != MS_OK || !passes(run)) return MS_OK;
    judge_repeat(&c, program, first, second);
    return passes(run) && plain ? run_specials(run, program, second) : MS_OK;
}

static ms_status run_layout(case_run *run, ms_case_layout layout) {
    ms_case_program *program = NULL;
    ms_case_values first = {0}, second = {0};
    const ms_op_case *test = &run->expected->test;
    ms_status status = ms_case_values_init(test, &first);
    if (status == MS_OK) status = ms_case_values_init(test, &second);
    if (status == MS_OK) {
        run->device_status = ms_case_program_create(run->subject->handle, test, layout, &program);
        if (run->device_status != MS_OK) take_status(run->row, run->device_status);
    }
    if (program) status = run_twice(run, program, layout.kind == MS_LAYOUT_PLAIN, &first, &second);
    ms_case_program_destroy(program);
    ms_case_values_finish(&first);
    ms_case_values_finish(&second);
    char what[64];
    if (!passes(run) && layout.kind != MS_LAYOUT_PLAIN)
        name_failure(run->row, ms_case_layout_text(layout, what, sizeof what));
    return status;
}

static ms_status run_layouts(case_run *run, int i_case) {
    const ms_op_case *test = &run->expected->test;
    int32_t offset = i_case % 2 ? ALIGNED_OFFSET : ODD_OFFSET;
    MS_TRY(run_layout(run, (ms_case_layout){MS_LAYOUT_PLAIN, -1, offset}));
    if (test->large) return MS_OK;
    for (int kind = MS_LAYOUT_UNASSIGNED; kind <= MS_LAYOUT_OVERWRITE; kind++) {
        for (int k = kind == MS_LAYOUT_UNASSIGNED ? 0 : -1; k < test->n_outputs && passes(run); k++) {
            ms_case_layout layout = {(ms_case_layout_kind)kind, k, offset};
            if (kind == MS_LAYOUT_OVERWRITE && k >= 0) break;
            if (ms_case_layout_applies(test, layout)) MS_TRY(run_layout(run, layout));
        }
    }
    return MS_OK;
}

static ms_status check_subject(case_run *run, int i_case) {
    ms_verify_subject *subject = run->subject;
    const ms_op_case *test = &run->expected->test;
    char shapes[96];
    ms_verify_row row = {.name = ms_op_get(test->op)->name,
                         .device = subject->device,
                         .numerics = subject->numerics,
                         .verdict = subject->handle ? MS_VERDICT_PASS : MS_VERDICT_NOT_RUN,
                         .worst = NAN};
    snprintf(row.test, sizeof row.test, "%d: %s", i_case, ms_case_text(test, shapes, sizeof shapes));
    run->row = &row;
    double begin = ms_clock_seconds();
    if (subject->handle) {
        MS_TRY(make_bounds(subject, run->expected));
        MS_TRY(run_layouts(run, i_case));
    }
    row.seconds = ms_clock_seconds() - begin;
    subject->unsupported += row.verdict == MS_VERDICT_UNSUPPORTED;
    if (run->device_status == MS_DEVICE_LOST) {
        ms_verify_subject_close(subject);
        if (ms_verify_subject_open(subject) != MS_OK) name_failure(&row, ms_status_message());
    }
    return ms_verify_report_add(run->report, &row);
}

/* ---- all cases ---- */

/* The first case of an op is in every slice, so that each covers every op; the others are dealt out in turn. */
static bool is_in_slice(const ms_verify_ops_options *options, const ms_op_case *test, int i_case, bool in_bf16) {
    if (options->n_slices == 0 || (i_case == 0 && !in_bf16)) return true;
    return (2 * i_case + in_bf16 + (int)test->op) % options->n_slices == options->slice;
}

/* Quick: the first cases, and of the rest every fifth, which meets every combination of two- and fourfold choices, and
   those that say so. */
static bool is_wanted(const ms_verify_ops_options *options, const ms_op_case *test, int i_case) {
    if (!options->quick) return true;
    if (i_case >= 5 && i_case % 5 != 0 && !test->in_quick) return false;
    int64_t elements = 0;
    for (int i = 0; i < test->n_inputs; i++) elements += ms_shape_count(&test->shape[i]);
    for (int k = 0; k < test->n_outputs; k++) elements += ms_shape_count(&test->out[k].shape);
    return elements <= QUICK_ELEMENTS;
}

typedef struct ops_run {
    const ms_verify_ops_options *options;
    references reference;
    ms_verify_subject *subjects;
    int n_subjects;
    ms_verify_report *report;
} ops_run;

/* Tensor cores multiply whole tiles, hidden terms by a weight of 0: there an infinity among them is a NaN. */
static bool promises(const ms_verify_subject *subject, const ms_op_case *test) {
    bool tensor_cores = subject->numerics == MS_NUMERICS_FAST && subject->rounding.attention_weight > 0;
    return !test->hidden_special || !tensor_cores;
}

static ms_status check_case(const ops_run *all, ms_op_case *test, int i_case, bool in_bf16) {
    MS_TRY(ms_case_infer(test));
    if (!is_wanted(all->options, test, i_case) || !is_in_slice(all->options, test, i_case, in_bf16)) return MS_OK;
    test->seed = all->options->seed + 1000003u * (uint64_t)test->op + (uint64_t)i_case;
    expectation expected;
    ms_status status = expectation_init(&all->reference, test, &expected);
    for (int s = 0; status == MS_OK && s < all->n_subjects; s++) {
        if (!promises(&all->subjects[s], test)) continue;
        case_run run = {all->options, &expected, &all->subjects[s], all->report, NULL, MS_OK};
        status = check_subject(&run, i_case);
    }
    expectation_finish(&expected);
    return status;
}

static ms_status check_op(const ops_run *all, ms_op op) {
    ms_op_case test, in_bf16;
    for (int i = 0; ms_case_make(op, i, &test); i++) {
        MS_TRY(ms_signals_check("verify"));
        MS_TRY_NOTE(check_case(all, &test, i, false), "case %d", i);
        if (ms_case_in_bf16(&test, i, &in_bf16)) MS_TRY_NOTE(check_case(all, &in_bf16, i, true), "case %d in bf16", i);
    }
    return MS_OK;
}

static ms_status check_all(const ops_run *all) {
    for (int op = 0; op < MS_OP_COUNT; op++)
        if (all->options->selected[op]) MS_TRY_NOTE(check_op(all, (ms_op)op), "%s", ms_op_get((ms_op)op)->name);
    return MS_OK;
}

ms_status ms_verify_ops(const ms_verify_ops_options *options, ms_verify_subject *subjects, int n_subjects,
                        ms_verify_report *report) {
    ms_device_options exact = {.name = "cpu", .numerics = MS_NUMERICS_EXACT, .n_threads = 1};
    ms_device_options oracle = {.name = "cpu", .numerics = MS_NUMERICS_ORACLE};
    ops_run all = {options, {NULL, NULL}, subjects, n_subjects, report};
    ms_status status = ms_device_open(&exact, &all.reference.exact);
    if (status == MS_OK) status = ms_device_open(&oracle, &all.reference.oracle);
    if (status == MS_OK) status = check_all(&all);
    ms_device_close(all.reference.exact);
    ms_device_close(all.reference.oracle);
    return status;
}
