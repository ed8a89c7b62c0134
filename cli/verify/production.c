#include "cli/verify/production.h"

#include <math.h>
#include <string.h>

#include "cli/config/trainer_config.h"
#include "cli/verify/production_case.h"
#include "cli/verify/production_shapes.h"
#include "cli/verify/production_training.h"
#include "platform/output.h"
#include "platform/signals.h"
#include "train/peak.h"

enum { MAX_STORAGES = 2, STEPS = 10, QUICK_STEPS = 2, VOCABULARY = 4096 };

/* One storage of the preset. */
typedef struct part {
    ms_config fast_config, exact_config;
    ms_trainer_options fast, exact; /* borrow their configuration's device name */
    ms_trainer_facts facts;         /* of fast */
} part;

typedef struct production {
    const ms_production_options *options;
    const char *device; /* its name */
    ms_production_devices devices;
    ms_verify_report *report;
    part parts[MAX_STORAGES];
    int n_parts;
    ms_production_shapes shapes;
} production;

/* ---- what there is to do ---- */

static ms_status configure(const production *all, const char *storage, ms_numerics numerics, ms_config *config,
                           ms_trainer_options *out) {
    ms_config_defaults(config);
    MS_TRY(ms_config_load_preset(config, all->options->preset));
    MS_TRY(ms_config_set(config, "train.device", all->device));
    MS_TRY(ms_config_set(config, "train.numerics", ms_numerics_name(numerics)));
    if (storage) MS_TRY(ms_config_set(config, "train.storage", storage));
    MS_TRY(ms_config_check(config));
    *out = ms_trainer_options_from_config(config, VOCABULARY);
    out->seed = all->options->seed;
    return MS_OK;
}

static ms_status add_part(production *all, const char *storage) {
    part *p = &all->parts[all->n_parts++];
    ms_trainer *trainer;
    MS_TRY(configure(all, storage, MS_NUMERICS_FAST, &p->fast_config, &p->fast));
    MS_TRY(configure(all, storage, MS_NUMERICS_EXACT, &p->exact_config, &p->exact));
    MS_TRY(ms_trainer_open(all->devices.fast, &p->fast, &trainer));
    p->facts = trainer->facts;
    ms_status status = ms_production_shapes_add(&all->shapes, trainer);
    if (status == MS_OK) status = ms_trainer_check_memory(trainer);
    ms_trainer_close(trainer);
    return status;
}

static ms_status add_parts(production *all) {
    const char *storage = all->options->storage;
    if (!storage || strcmp(storage, "both") != 0) return add_part(all, storage);
    MS_TRY(add_part(all, "f32"));
    return add_part(all, "bf16");
}

static int n_steps(const production *all) { return all->options->quick ? QUICK_STEPS : STEPS; }

typedef struct work {
    int n;
    double flops, elements;
} work;

/* The memory of the hungriest shape; what each kind of op takes. */
static ms_status weigh_shapes(const production *all, double *out_bytes, work works[3]) {
    for (int i = 0; i < all->shapes.n; i++) {
        ms_production_case c;
        double bytes = 0, flops, elements;
        ms_status status = ms_production_case_open(&all->devices, &all->shapes.list[i], &c);
        if (status == MS_OK) status = ms_production_case_bytes(&c, &bytes);
        if (status == MS_OK) {
            ms_op op = all->shapes.list[i].op;
            work *w = &works[op == MS_OP_CROSS_ENTROPY ? 2 : op == MS_OP_MATMUL || op == MS_OP_GRAM ? 0 : 1];
            ms_production_case_work(&c, &flops, &elements);
            w->n++;
            w->flops += flops;
            w->elements += elements;
        }
        ms_production_case_close(&c);
        MS_TRY(status);
        *out_bytes = fmax(*out_bytes, bytes);
    }
    return MS_OK;
}

/* Of `exact`, at the rate of the device's matmul, and of the host, which makes and compares numbers: 40 ns each is what
   a processor of 2026 takes. */
static void print_estimates(const production *all, double flop_rate, const work works[3]) {
    static const char *const names[] = {"products", "attentions", "losses"};
    static const double element_seconds = 40e-9;
    for (int i = 0; all->options->ops && i < 3; i++)
        ms_print_line(stdout, "  distinct %s: %d, about %.0f s (an estimate)", names[i], works[i].n,
                      works[i].flops / flop_rate + works[i].elements * element_seconds);
    for (int i = 0; all->options->runs && i < all->n_parts; i++) {
        const part *p = &all->parts[i];
        double step = 2.5 * p->facts.step_flops / flop_rate + (double)p->facts.parameters * 2e-9;
        ms_print_line(stdout, "  %d training steps, %s: about %.0f s (an estimate)", n_steps(all),
                      ms_dtype_name(p->fast.model.storage), n_steps(all) * step);
    }
}

static ms_status print_plan(const production *all) {
    work works[3] = {{0, 0, 0}};
    double bytes = 0, flop_rate, memory = (double)ms_device_memory_bytes(all->devices.fast), training = 0;
    if (all->options->ops) MS_TRY(weigh_shapes(all, &bytes, works));
    for (int i = 0; all->options->runs && i < all->n_parts; i++)
        training = fmax(training, (double)all->parts[i].facts.memory.total);
    ms_print_line(stdout, "%s on %s (%s): fast compared with exact there", all->options->preset, all->device,
                  ms_device_get_info(all->devices.fast)->description);
    if (all->options->ops)
        ms_print_line(stdout, "memory: one shape at a time, at most %.1f MiB of %.0f MiB", bytes / 1048576,
                      memory / 1048576);
    if (all->options->runs)
        ms_print_line(stdout, "memory: one run at a time, at most %.1f MiB of %.0f MiB", training / 1048576,
                      memory / 1048576);
    if (memory > 0 && bytes > memory)
        return MS_FAIL(MS_OUT_OF_MEMORY,
                       "verify --production %s: a shape takes %.1f MiB, device %s has %.1f: take a smaller preset",
                       all->options->preset, bytes / 1048576, all->device, memory / 1048576);
    MS_TRY(ms_peak_measure_once(all->devices.exact, MS_DTYPE_F32, 0, &flop_rate));
    print_estimates(all, flop_rate, works);
    return MS_OK;
}

/* ---- rows ---- */

static ms_verify_row start_row(const production *all, const char *name, bool is_run) {
    return (ms_verify_row){.is_run = is_run,
                           .name = name,
                           .device = all->device,
                           .numerics = MS_NUMERICS_FAST,
                           .verdict = MS_VERDICT_PASS,
                           .worst = NAN};
}

/* An error becomes the row's, but for those after which there is nothing to go on with. */
static ms_status end_row(const production *all, ms_status status, ms_verify_row *row) {
    if (status == MS_INTERRUPTED || status == MS_DEVICE_LOST) return status;
    if (status != MS_OK) {
        row->verdict = status == MS_UNSUPPORTED ? MS_VERDICT_UNSUPPORTED : MS_VERDICT_ERROR;
        snprintf(row->message, sizeof row->message, "%.500s", ms_status_message());
    }
    return ms_verify_report_add(all->report, row);
}

/* "a b^T [16,32] [64,32]". */
static void describe(const ms_op_case *shape, char *out, size_t size) {
    const ms_matmul_attributes *a = &shape->attributes.matmul;
    const char *layout = "";
    if (shape->op == MS_OP_MATMUL) {
        static const char *const layouts[] = {"a b ", "a b^T ", "a^T b ", "a^T b^T "};
        layout = layouts[2 * a->transpose_a + a->transpose_b];
    } else if (shape->op == MS_OP_GRAM) {
        layout = shape->attributes.gram.transpose ? "x^T x " : "x x^T ";
    }
    char shapes[96];
    snprintf(out, size, "%s%s", layout, ms_case_text(shape, shapes, sizeof shapes));
}

static ms_status check_shape(const production *all, int i) {
    ms_op_case *shape = &all->shapes.list[i];
    ms_production_case c;
    shape->seed = all->options->seed + 1000003u * (uint64_t)(i + 1);
    ms_verify_row row = start_row(all, ms_op_get(shape->op)->name, false);
    describe(shape, row.test, sizeof row.test);
    ms_status status = ms_production_case_open(&all->devices, shape, &c);
    if (status == MS_OK) status = ms_production_case_check(&c, &row, all->options->plant ? all->report : NULL);
    ms_production_case_close(&c);
    if (all->options->plant && status == MS_OK) return MS_OK; /* a row for each fault is there */
    if (status == MS_OK) {
        size_t used = strlen(row.message);
        snprintf(row.message + used, sizeof row.message - used, "; %lld times %s", (long long)all->shapes.n_uses[i],
                 all->n_parts > 1 ? "in a step of each storage" : "a step");
    }
    return end_row(all, status, &row);
}

static ms_status check_training(const production *all, const part *p) {
    char name[32];
    snprintf(name, sizeof name, "train %s", ms_dtype_name(p->fast.model.storage));
    ms_verify_row row = start_row(all, name, true);
    snprintf(row.test, sizeof row.test, "%s: %d steps of %lld tokens", all->options->preset, n_steps(all),
             (long long)p->facts.tokens_per_step);
    ms_print_line(stdout, "%s, %s: at most %.1f MiB", row.test, name + 6, (double)p->facts.memory.total / 1048576);
    const ms_production_training training = {&all->devices, &p->fast, &p->exact, n_steps(all), all->options->plant};
    MS_TRY(end_row(all, ms_production_train(&training, &row), &row));
    if (all->options->plant) ms_verify_report_planted(all->report, row.verdict == MS_VERDICT_BOUND);
    return MS_OK;
}

static ms_status check_all(production *all) {
    MS_TRY(add_parts(all));
    MS_TRY(print_plan(all));
    for (int i = 0; all->options->ops && i < all->shapes.n; i++) {
        MS_TRY(ms_signals_check("verify"));
        MS_TRY(check_shape(all, i));
    }
    for (int i = 0; all->options->runs && i < all->n_parts; i++) MS_TRY(check_training(all, &all->parts[i]));
    return MS_OK;
}

ms_status ms_verify_production(const ms_production_options *options, const char *device, ms_verify_report *report) {
    production all = {.options = options, .device = device, .report = report};
    ms_device_options fast = {.name = device, .numerics = MS_NUMERICS_FAST}, exact = fast;
    exact.numerics = MS_NUMERICS_EXACT;
    MS_TRY(ms_device_open(&fast, &all.devices.fast));
    all.devices.rounding = ms_device_matmul_rounding(all.devices.fast);
    ms_status status = ms_device_open(&exact, &all.devices.exact);
    if (status == MS_OK) status = check_all(&all);
    ms_production_shapes_finish(&all.shapes);
    ms_device_close(all.devices.exact);
    ms_device_close(all.devices.fast);
    return status;
}
