/* muonscope verify: holds every usable device against device cpu, op by op and in whole training runs. */
#include <math.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/options/suggest.h"
#include "cli/verify/ops.h"
#include "cli/verify/parallel.h"
#include "cli/verify/production.h"
#include "cli/verify/ranks.h"
#include "cli/verify/runs.h"
#include "platform/output.h"
#include "platform/signals.h"
#include "train/parallel/launch.h"

enum { MAX_DEVICES = 64, MAX_SUBJECTS = 2 * MAX_DEVICES, CPU_THREADS = 3 };

struct arguments {
    ms_option_list ops, devices;
    const char *numerics, *json, *slice, *production, *storage;
    int64_t seed, parallel;
    bool quick, plant, ops_only, runs_only;
};

static const ms_option options[] = {
    {"op", MS_OPTION_REPEATED, offsetof(struct arguments, ops), NULL, "NAME",
     "Only this op, or a list with commas, and no training runs; repeatable"},
    {"device", MS_OPTION_REPEATED, offsetof(struct arguments, devices), NULL, "NAME",
     "Only this device, which must then run every case; repeatable (default: all usable ones)"},
    {"numerics", MS_OPTION_STRING, offsetof(struct arguments, numerics), NULL, "exact|fast|both",
     "Which kernels (default both)"},
    {"quick", MS_OPTION_FLAG, offsetof(struct arguments, quick), NULL, NULL, "Small cases and short runs"},
    {"ops-only", MS_OPTION_FLAG, offsetof(struct arguments, ops_only), NULL, NULL, "No training runs"},
    {"runs-only", MS_OPTION_FLAG, offsetof(struct arguments, runs_only), NULL, NULL, "No ops"},
    {"slice", MS_OPTION_STRING, offsetof(struct arguments, slice), NULL, "K/N",
     "Of each op, the first case and the Kth of N parts of the others, K from 0;\nof the training runs, the Kth of N "
     "parts"},
    {"production", MS_OPTION_STRING, offsetof(struct arguments, production), NULL, "PRESET",
     "Instead: each distinct product, attention and loss of a step of a preset at\nits full size, then 10 steps, "
     "`fast` "
     "compared with `exact` on the --device"},
    {"storage", MS_OPTION_STRING, offsetof(struct arguments, storage), NULL, "f32|bf16|both",
     "With --production: the storage (default the preset's)"},
    {"parallel", MS_OPTION_COUNT, offsetof(struct arguments, parallel), NULL, "N",
     "Instead: training runs in `exact` by 1 to N ranks, which are threads, each\nwith a device of its own (the "
     "--devices "
     "in turn), compared with one process"},
    {"seed", MS_OPTION_COUNT, offsetof(struct arguments, seed), NULL, "N", "Seed of all inputs (default 1)"},
    {"json", MS_OPTION_STRING, offsetof(struct arguments, json), NULL, "FILE", "Also write JSON lines"},
    {"planted-fault", MS_OPTION_FLAG, offsetof(struct arguments, plant), NULL, NULL,
     "Make faults in each op and run (a bit of a result, memory around and\nbefore, a NaN): the command must then fail "
     "and name each"},
    {NULL, MS_OPTION_END, 0, NULL, NULL, NULL}};

static const ms_command command = {
    "verify",
    NULL,
    "Runs every op case and whole training runs on this machine's devices.  `exact` must have the bits of device cpu, "
    "`fast` lie\n"
    "within derived bounds of an f64 oracle.  Fails when anything differs, or when a named device lacks an op or a "
    "case.",
    options,
    0,
    0,
    NULL,
    "Device cpu is compared with itself: three threads with one.  JSON keys: cli/verify/report.h."};

/* ---- what to verify ---- */

typedef struct selection {
    ms_verify_ops_options ops;
    ms_verify_subject subjects[MAX_SUBJECTS];
    int n_subjects;
} selection;

static ms_status select_op(const char *name, size_t length, ms_verify_ops_options *out) {
    char word[64];
    snprintf(word, sizeof word, "%.*s", (int)length, name);
    ms_op op = ms_op_find(word);
    if (op < MS_OP_COUNT) {
        out->selected[op] = true;
        return MS_OK;
    }
    ms_suggestion suggestion;
    ms_suggestion_init(word, &suggestion);
    for (int i = 0; i < MS_OP_COUNT; i++) ms_suggestion_offer(&suggestion, ms_op_get((ms_op)i)->name);
    const char *best = ms_suggestion_best(&suggestion);
    if (best) return MS_FAIL(MS_USAGE, "--op %s: no such op; did you mean %s?", word, best);
    return MS_FAIL(MS_USAGE, "--op %s: no such op", word);
}

static ms_status select_ops(const ms_option_list *list, ms_verify_ops_options *out) {
    for (int i = 0; i < MS_OP_COUNT; i++) out->selected[i] = list->n_items == 0;
    for (int i = 0; i < list->n_items; i++)
        for (const char *name = list->items[i]; *name;) {
            size_t length = strcspn(name, ",");
            MS_TRY(select_op(name, length, out));
            name += length + (name[length] == ',');
        }
    return MS_OK;
}

static void add_subjects(const char *device, bool named, const char *numerics, selection *plan) {
    static const ms_numerics both[] = {MS_NUMERICS_EXACT, MS_NUMERICS_FAST};
    for (int i = 0; i < 2; i++) {
        if (strcmp(numerics, "both") != 0 && strcmp(numerics, ms_numerics_name(both[i])) != 0) continue;
        ms_verify_subject *subject = &plan->subjects[plan->n_subjects++];
        memset(subject, 0, sizeof *subject);
        snprintf(subject->device, sizeof subject->device, "%s", device);
        subject->numerics = both[i];
        subject->n_threads = CPU_THREADS;
        subject->named = named;
    }
}

static ms_status add_all_devices(const char *numerics, selection *plan) {
    static ms_device_info devices[MAX_DEVICES];
    int n;
    MS_TRY(ms_device_list(devices, MAX_DEVICES, &n));
    if (n > MAX_DEVICES) return MS_FAIL(MS_UNSUPPORTED, "%d devices: at most %d can be verified", n, MAX_DEVICES);
    for (int i = 0; i < n; i++) {
        if (devices[i].usable)
            add_subjects(devices[i].name, false, numerics, plan);
        else
            ms_print_line(stdout, "not verified: %s (%s): %s", devices[i].name, devices[i].description,
                          devices[i].reason);
    }
    return MS_OK;
}

/* A device that is named twice would be verified twice, with no more to be learned. */
static ms_status check_devices(const ms_option_list *names) {
    if (names->n_items > MAX_DEVICES)
        return MS_FAIL(MS_USAGE, "--device: %d devices, at most %d can be verified", names->n_items, MAX_DEVICES);
    for (int i = 0; i < names->n_items; i++)
        for (int j = 0; j < i; j++)
            if (strcmp(names->items[i], names->items[j]) == 0)
                return MS_FAIL(MS_USAGE, "--device %s: it is given twice", names->items[i]);
    return MS_OK;
}

static ms_status read_slice(const char *text, ms_verify_ops_options *out) {
    char end;
    if (sscanf(text, "%d/%d%c", &out->slice, &out->n_slices, &end) != 2 || out->n_slices < 1 || out->slice < 0 ||
        out->slice >= out->n_slices)
        return MS_FAIL(MS_USAGE, "--slice %s: must be K/N with K from 0 to N - 1, e.g. 0/4", text);
    return MS_OK;
}

static ms_status make_plan(const struct arguments *arguments, selection *plan) {
    const char *numerics = arguments->numerics ? arguments->numerics : "both";
    if (strcmp(numerics, "exact") != 0 && strcmp(numerics, "fast") != 0 && strcmp(numerics, "both") != 0)
        return MS_FAIL(MS_USAGE, "--numerics %s: must be exact, fast or both", numerics);
    if (arguments->runs_only && (arguments->ops_only || arguments->ops.n_items > 0))
        return MS_FAIL(MS_USAGE, "--runs-only with --ops-only or --op leaves nothing to verify");
    ms_verify_ops_options slice = {.n_slices = 0};
    if (arguments->slice) MS_TRY(read_slice(arguments->slice, &slice));
    plan->ops = (ms_verify_ops_options){.quick = arguments->quick,
                                        .slice = slice.slice,
                                        .n_slices = slice.n_slices,
                                        .plant = arguments->plant,
                                        .seed = (uint64_t)arguments->seed};
    MS_TRY(select_ops(&arguments->ops, &plan->ops));
    if (arguments->devices.n_items == 0) return add_all_devices(numerics, plan);
    MS_TRY(check_devices(&arguments->devices));
    for (int i = 0; i < arguments->devices.n_items; i++)
        add_subjects(arguments->devices.items[i], true, numerics, plan);
    return MS_OK;
}

/* Opens the subjects and drops those that cannot be: with a row of the report if the user named the device.
   MS_NOT_FOUND: a name that no device has. */
static ms_status open_subjects(selection *plan, ms_verify_report *report) {
    int n_open = 0;
    for (int i = 0; i < plan->n_subjects; i++) {
        ms_verify_subject *subject = &plan->subjects[i];
        ms_status status = ms_verify_subject_open(subject);
        if (status == MS_NOT_FOUND) return status;
        if (status == MS_OK) {
            ms_verify_subject opened = *subject;
            memset(subject, 0, sizeof *subject);
            plan->subjects[n_open++] = opened;
        } else if (subject->named) {
            ms_verify_row row = {.name = "open",
                                 .device = subject->device,
                                 .numerics = subject->numerics,
                                 .verdict = MS_VERDICT_ERROR,
                                 .worst = NAN};
            snprintf(row.message, sizeof row.message, "%.500s", ms_status_message());
            MS_TRY(ms_verify_report_add(report, &row));
        } else {
            ms_print_line(stdout, "not verified: %s, %s: %s", subject->device, ms_numerics_name(subject->numerics),
                          ms_status_message());
        }
    }
    plan->n_subjects = n_open;
    return MS_OK;
}

/* ---- verdict ---- */

static ms_status report_coverage(const selection *plan, ms_verify_report *report, int *out_n_incomplete) {
    *out_n_incomplete = 0;
    for (int i = 0; i < plan->n_subjects; i++) {
        const ms_verify_subject *subject = &plan->subjects[i];
        ms_verify_coverage coverage = {subject->device, subject->numerics, plan->ops.selected, subject->ran,
                                       subject->unsupported};
        double percent;
        MS_TRY(ms_verify_report_coverage(report, &coverage, &percent));
        *out_n_incomplete += subject->named && percent < 100;
    }
    return MS_OK;
}

/* named: the devices are those that the user named. */
static ms_status conclude(const ms_verify_totals *totals, bool named, int n_incomplete) {
    if (totals->found < totals->planted)
        return MS_FAIL(MS_INTERNAL, "verify: %lld of %lld planted faults were not found",
                       (long long)(totals->planted - totals->found), (long long)totals->planted);
    if (totals->failed > 0)
        return MS_FAIL(MS_MISMATCH, "verify: %lld of %lld rows fail", (long long)totals->failed,
                       (long long)totals->rows);
    if (n_incomplete > 0) return MS_FAIL(MS_UNSUPPORTED, "verify: a named device does not run every op");
    if (named && totals->unsupported > 0)
        return MS_FAIL(MS_UNSUPPORTED, "verify: %lld of %lld rows are unsupported on named devices",
                       (long long)totals->unsupported, (long long)totals->rows);
    if (totals->rows == 0) return MS_FAIL(MS_NOT_FOUND, "verify: there was nothing to verify");
    return MS_OK;
}

static ms_status verify_reported(const struct arguments *arguments, selection *plan, ms_verify_report *report) {
    int n_incomplete = 0;
    ms_verify_totals totals;
    MS_TRY(open_subjects(plan, report));
    if (!arguments->runs_only) {
        MS_TRY(ms_verify_ops(&plan->ops, plan->subjects, plan->n_subjects, report));
        MS_TRY(report_coverage(plan, report, &n_incomplete));
    }
    if (!arguments->ops_only && arguments->ops.n_items == 0) {
        ms_verify_runs_options runs = {.quick = arguments->quick,
                                       .plant = arguments->plant,
                                       .seed = (uint64_t)arguments->seed,
                                       .slice = plan->ops.slice,
                                       .n_slices = plan->ops.n_slices};
        MS_TRY(ms_verify_runs(&runs, plan->subjects, plan->n_subjects, report));
    }
    MS_TRY(ms_verify_report_finish(report, &totals));
    return conclude(&totals, arguments->devices.n_items > 0, n_incomplete);
}

/* ---- at production sizes ---- */

static ms_status check_production(const struct arguments *arguments) {
    const char *storage = arguments->storage;
    if (storage && strcmp(storage, "f32") != 0 && strcmp(storage, "bf16") != 0 && strcmp(storage, "both") != 0)
        return MS_FAIL(MS_USAGE, "--storage %s: must be f32, bf16 or both", storage);
    if (arguments->numerics)
        return MS_FAIL(MS_USAGE, "--production compares fast with exact: leave --numerics %s out", arguments->numerics);
    if (arguments->ops.n_items > 0 || arguments->slice)
        return MS_FAIL(MS_USAGE, "--production takes its ops from the preset: leave --op and --slice out");
    if (arguments->runs_only && arguments->ops_only)
        return MS_FAIL(MS_USAGE, "--runs-only with --ops-only leaves nothing to verify");
    if (arguments->devices.n_items == 0)
        return MS_FAIL(MS_USAGE, "--production needs --device NAME: on a slow one it takes hours");
    return check_devices(&arguments->devices);
}

static ms_status verify_production(const struct arguments *arguments) {
    ms_verify_report *report = NULL;
    ms_verify_totals totals = {0};
    const ms_production_options production = {.preset = arguments->production,
                                              .storage = arguments->storage,
                                              .ops = !arguments->runs_only,
                                              .runs = !arguments->ops_only,
                                              .quick = arguments->quick,
                                              .plant = arguments->plant,
                                              .seed = (uint64_t)arguments->seed};
    MS_TRY(check_production(arguments));
    ms_status status = ms_verify_report_create(stdout, arguments->json, &report);
    for (int i = 0; status == MS_OK && i < arguments->devices.n_items; i++)
        status = ms_verify_production(&production, arguments->devices.items[i], report);
    if (status == MS_OK) status = ms_verify_report_finish(report, &totals);
    ms_verify_report_destroy(report);
    return status == MS_OK ? conclude(&totals, true, 0) : status;
}

/* ---- by several ranks ---- */

static ms_status check_parallel(const struct arguments *arguments) {
    int64_t n = arguments->parallel;
    if (n < 2 || n > MS_VERIFY_MOST_RANKS)
        return MS_FAIL(MS_USAGE, "--parallel %lld: must be a number of ranks from 2 to %d", (long long)n,
                       MS_VERIFY_MOST_RANKS);
    if (arguments->numerics && strcmp(arguments->numerics, "exact") != 0)
        return MS_FAIL(MS_USAGE,
                       "--parallel compares bits, which in fast differ between numbers of ranks: leave --numerics %s "
                       "out",
                       arguments->numerics);
    if (arguments->production || arguments->storage || arguments->ops.n_items > 0 || arguments->slice ||
        arguments->ops_only)
        return MS_FAIL(MS_USAGE, "--parallel has training runs of its own: leave --production, --storage, --op, "
                                 "--slice and --ops-only out");
    if (arguments->devices.n_items > n)
        return MS_FAIL(MS_USAGE, "--parallel %lld and %d devices: each needs a rank", (long long)n,
                       arguments->devices.n_items);
    return MS_OK;
}

/* The devices that are named, or all usable ones as far as there are ranks. */
static ms_status choose_devices(const struct arguments *arguments, const char *names[MS_VERIFY_MOST_RANKS],
                                int *out_n) {
    static ms_device_info devices[MAX_DEVICES];
    int n;
    *out_n = 0;
    for (int i = 0; i < arguments->devices.n_items; i++) names[(*out_n)++] = arguments->devices.items[i];
    if (*out_n > 0) return MS_OK;
    MS_TRY(ms_device_list(devices, MAX_DEVICES, &n));
    for (int i = 0; i < n && i < MAX_DEVICES; i++) {
        const char *reason = !devices[i].usable              ? devices[i].reason
                             : *out_n >= arguments->parallel ? "all ranks have a device"
                                                             : NULL;
        if (reason)
            ms_print_line(stdout, "not verified: %s (%s): %s", devices[i].name, devices[i].description, reason);
        else
            names[(*out_n)++] = devices[i].name;
    }
    return MS_OK;
}

/* It starts its ranks itself: processes of a launcher would all do the same. */
static ms_status check_launcher(bool *out_is_silent) {
    ms_launch launch;
    ms_status status = ms_launch_find(&launch);
    *out_is_silent = launch.rank > 0;
    if (status != MS_OK || !launch.launcher) return status;
    return MS_FAIL(MS_USAGE, "--parallel makes its ranks itself, and %s has started %ld processes: start it without",
                   launch.launcher, launch.size);
}

static ms_status verify_parallel(const struct arguments *arguments) {
    const char *names[MS_VERIFY_MOST_RANKS];
    ms_verify_report *report = NULL;
    ms_verify_totals totals = {0};
    ms_verify_parallel_options parallel = {.n_ranks = (int)arguments->parallel,
                                           .devices = names,
                                           .quick = arguments->quick,
                                           .plant = arguments->plant,
                                           .seed = (uint64_t)arguments->seed};
    MS_TRY(check_parallel(arguments));
    MS_TRY(choose_devices(arguments, names, &parallel.n_devices));
    ms_status status = ms_verify_report_create(stdout, arguments->json, &report);
    if (status == MS_OK) status = ms_verify_parallel(&parallel, report);
    if (status == MS_OK) status = ms_verify_report_finish(report, &totals);
    ms_verify_report_destroy(report);
    return status == MS_OK ? conclude(&totals, arguments->devices.n_items > 0, 0) : status;
}

/* ---- all ---- */

static ms_status verify(const struct arguments *arguments) {
    if (arguments->parallel >= 0) return verify_parallel(arguments);
    if (arguments->production) return verify_production(arguments);
    if (arguments->storage) return MS_FAIL(MS_USAGE, "--storage %s: only with --production", arguments->storage);
    static selection plan;
    ms_verify_report *report = NULL;
    ms_status status = make_plan(arguments, &plan);
    if (status == MS_OK) status = ms_verify_report_create(stdout, arguments->json, &report);
    if (status == MS_OK) status = verify_reported(arguments, &plan, report);
    ms_verify_report_destroy(report);
    for (int i = 0; i < MAX_SUBJECTS; i++) ms_verify_subject_close(&plan.subjects[i]);
    return status;
}

const ms_command *const ms_commands_verify[] = {&command, NULL};

int ms_cmd_verify(int argc, char **argv) {
    struct arguments arguments;
    memset(&arguments, 0, sizeof arguments);
    arguments.seed = 1;
    arguments.parallel = -1;
    ms_positionals rest;
    ms_status status = ms_options_parse(&command, argc, argv, &arguments, &rest);
    if (status == MS_OK && rest.help) return ms_command_help(&command);
    bool is_silent = false;
    if (status == MS_OK && arguments.parallel >= 0) status = check_launcher(&is_silent);
    if (status != MS_OK && is_silent) {
        ms_launch_let_rank_0_speak();
        return 2;
    }
    if (status == MS_OK) status = ms_signals_catch(); /* to the end of the process: temporary files are removed first */
    if (status == MS_OK) status = verify(&arguments);
    return ms_exit_status(status);
}
