/* muonscope bench [train|parallel|ops|generate|tracker|tokenizer|model] */
#include <limits.h>
#include <string.h>

#include "backend/backend.h"
#include "cli/bench/generate.h"
#include "cli/bench/model.h"
#include "cli/bench/ops.h"
#include "cli/bench/parallel.h"
#include "cli/bench/tokenizer.h"
#include "cli/bench/tracker.h"
#include "cli/bench/train.h"
#include "cli/config/config_request.h"
#include "cli/commands.h"
#include "cli/ranks.h"
#include "platform/output.h"
#include "platform/signals.h"
#include "platform/thread.h"

/* Options of a command, and the configuration that they ask for.  request: the first member of the command's arguments,
   which are set to their defaults.  False: the command has ended, as *out_exit_status says. */
static bool configure(const ms_command *command, int argc, char **argv, ms_config_request *request, ms_config *out,
                      int *out_exit_status) {
    ms_positionals positionals;
    ms_config_given given = {.keys = {false}};
    ms_config_defaults(out);
    ms_status status = ms_options_parse(command, argc, argv, request, &positionals);
    if (status == MS_OK && positionals.help) {
        *out_exit_status = ms_command_help(command);
        return false;
    }
    if (status == MS_OK) status = ms_config_request_resolve(request, out, &given);
    if (status == MS_OK && request->help) {
        ms_config_print_help(out, stdout);
        *out_exit_status = 0;
        return false;
    }
    if (status == MS_OK) status = ms_config_request_warn(out, &given);
    if (status == MS_OK) status = ms_config_check(out);
    *out_exit_status = ms_exit_status(status);
    return status == MS_OK;
}

/* ---- bench train ---- */

struct train_arguments {
    ms_config_request config; /* first: the configuration's option handlers expect it there */
    int64_t n_timed;
    bool skip_adamw;
};

static const ms_option train_options[] = {
    MS_CONFIG_OPTIONS,
    {"timed_steps", MS_OPTION_COUNT, offsetof(struct train_arguments, n_timed), NULL, "N", "Steps to time (default 5)"},
    {"without_adamw", MS_OPTION_FLAG, offsetof(struct train_arguments, skip_adamw), NULL, NULL,
     "Do not time the same model under AdamW beside another optimizer"},
    {NULL, MS_OPTION_END, 0, NULL, NULL, NULL}};

static const ms_command train_command = {
    "bench train",
    NULL,
    "Times training steps, on random tokens as frequent as those of a text, beside the device's rate of\n"
    "matmuls.",
    train_options,
    0,
    0,
    ms_config_request_dotted,
    MS_CONFIG_NOTES};

static int bench_train(int argc, char **argv) {
    struct train_arguments arguments;
    memset(&arguments, 0, sizeof arguments);
    arguments.n_timed = 5;
    ms_config config;
    int exit_status;
    if (!configure(&train_command, argc, argv, &arguments.config, &config, &exit_status)) return exit_status;
    if (strcmp(config.train.device, "cpu") == 0) ms_warn_of_threads(config.train.threads);
    bool compare = !arguments.skip_adamw && config.optimizer.name != MS_OPTIMIZER_ADAMW;
    return ms_exit_status(ms_bench_train(&config, (int)arguments.n_timed, compare, stdout));
}

/* ---- bench parallel ---- */

struct parallel_arguments {
    ms_config_request config; /* first: the configuration's option handlers expect it there */
    int64_t n_ranks, n_timed, n_alone_threads;
};

static const ms_option parallel_options[] = {
    MS_CONFIG_OPTIONS,
    {"ranks", MS_OPTION_COUNT, offsetof(struct parallel_arguments, n_ranks), NULL, "N",
     "Ranks that are threads of this process (default 2; under mpirun its processes are the ranks)"},
    {"timed_steps", MS_OPTION_COUNT, offsetof(struct parallel_arguments, n_timed), NULL, "N",
     "Steps to time (default 5)"},
    {"alone_threads", MS_OPTION_COUNT, offsetof(struct parallel_arguments, n_alone_threads), NULL, "N",
     "On the CPU, threads of the one process (default: those of all ranks; under mpirun of one)"},
    {NULL, MS_OPTION_END, 0, NULL, NULL, NULL}};

static const ms_command parallel_command = {
    "bench parallel",
    NULL,
    "Times training steps that ranks share, each with --threads of its own, beside the same steps by one process: what "
    "a\n"
    "rank's time goes into, what it sends, memory of each.  Also under mpirun.",
    parallel_options,
    0,
    0,
    ms_config_request_dotted,
    MS_CONFIG_NOTES};

static ms_status check_parallel(const ms_bench_parallel *bench, const ms_ranks *ranks, int64_t n_ranks) {
    if (ranks->group && n_ranks >= 0)
        return MS_FAIL(MS_USAGE, "--ranks %lld: mpirun has started %d", (long long)n_ranks,
                       ms_group_size(ranks->group));
    MS_TRY(ms_bench_parallel_check(bench));
    MS_TRY(ms_ranks_configure(ranks, bench->config));
    return ms_signals_catch();
}

static int as_int(int64_t count) { return count < INT_MAX ? (int)count : INT_MAX; }

static ms_status time_parallel(const struct parallel_arguments *arguments, const ms_config *config,
                               const ms_ranks *ranks) {
    ms_bench_parallel bench = {.config = config,
                               .n_ranks = arguments->n_ranks >= 0 ? as_int(arguments->n_ranks) : 2,
                               .group = ranks->group,
                               .n_timed = as_int(arguments->n_timed),
                               .n_alone_threads = as_int(arguments->n_alone_threads),
                               .out = stdout};
    MS_TRY(ms_ranks_agree(ranks, check_parallel(&bench, ranks, arguments->n_ranks)));
    if (!ranks->group && strcmp(config->train.device, "cpu") == 0)
        ms_warn_of_threads(bench.n_ranks * config->train.threads);
    return ms_bench_parallel_run(&bench);
}

static int bench_parallel(int argc, char **argv) {
    struct parallel_arguments arguments;
    memset(&arguments, 0, sizeof arguments);
    arguments.n_ranks = -1; /* not given */
    arguments.n_timed = 5;
    ms_config config;
    ms_ranks ranks;
    int exit_status;
    if (!configure(&parallel_command, argc, argv, &arguments.config, &config, &exit_status)) return exit_status;
    ms_status status = ms_ranks_join("auto", MS_OK, &ranks);
    if (status == MS_OK) status = time_parallel(&arguments, &config, &ranks);
    if (!ms_ranks_is_silent(&ranks, status, &exit_status)) exit_status = ms_exit_status(status);
    ms_ranks_abort_if_lost(&ranks, status);
    ms_ranks_leave(&ranks, status);
    return exit_status;
}

/* ---- bench ops, bench tracker ---- */

struct plain_arguments {
    const char *device, *numerics, *storage;
    int64_t n_threads, n_layers, n_repetitions;
};

static const ms_option ops_options[] = {
    {"device", MS_OPTION_STRING, offsetof(struct plain_arguments, device), NULL, "NAME", "Device (default cpu)"},
    {"numerics", MS_OPTION_STRING, offsetof(struct plain_arguments, numerics), NULL, "fast|exact",
     "Which kernels (default fast)"},
    {"storage", MS_OPTION_STRING, offsetof(struct plain_arguments, storage), NULL, "f32|bf16",
     "Of activations and weights; limits likewise (default f32)"},
    {"threads", MS_OPTION_COUNT, offsetof(struct plain_arguments, n_threads), NULL, "N", "0: all processors (default)"},
    {NULL, MS_OPTION_END, 0, NULL, NULL, NULL}};

static const ms_command ops_command = {
    "bench ops", NULL, "Times single ops beside the device's rate of matmuls and its memory bandwidth.",
    ops_options, 0,    0,
    NULL,        NULL};

static const ms_option tracker_options[] = {
    {"threads", MS_OPTION_COUNT, offsetof(struct plain_arguments, n_threads), NULL, "N", "0: all processors (default)"},
    {"layers", MS_OPTION_COUNT, offsetof(struct plain_arguments, n_layers), NULL, "N",
     "Layers of blueberry-88m, 6 matrices each (default 22)"},
    {"repetitions", MS_OPTION_COUNT, offsetof(struct plain_arguments, n_repetitions), NULL, "N",
     "Best of N (default 1)"},
    {NULL, MS_OPTION_END, 0, NULL, NULL, NULL}};

static const ms_command tracker_command = {
    "bench tracker",
    NULL,
    "Times a spectral snapshot of blueberry-88m against the reference project's algorithm.",
    tracker_options,
    0,
    0,
    NULL,
    NULL};

static ms_status parse_numerics(const char *name, ms_numerics *out) {
    *out = MS_NUMERICS_FAST;
    if (strcmp(name, "fast") == 0) return MS_OK;
    *out = MS_NUMERICS_EXACT;
    if (strcmp(name, "exact") == 0) return MS_OK;
    return MS_FAIL(MS_USAGE, "--numerics %s: must be fast or exact", name);
}

static ms_status parse_storage(const char *name, ms_dtype *out) {
    *out = MS_DTYPE_F32;
    if (strcmp(name, "f32") == 0) return MS_OK;
    *out = MS_DTYPE_BF16;
    if (strcmp(name, "bf16") == 0) return MS_OK;
    return MS_FAIL(MS_USAGE, "--storage %s: must be f32 or bf16", name);
}

static int bench_plain(const ms_command *command, int argc, char **argv) {
    struct plain_arguments arguments = {"cpu", "fast", "f32", 0, MS_BENCH_TRACKER_LAYERS, 1};
    ms_positionals positionals;
    ms_numerics numerics = MS_NUMERICS_FAST;
    ms_dtype storage = MS_DTYPE_F32;
    ms_status status = ms_options_parse(command, argc, argv, &arguments, &positionals);
    if (status == MS_OK && positionals.help) return ms_command_help(command);
    if (status == MS_OK) status = parse_numerics(arguments.numerics, &numerics);
    if (status == MS_OK) status = parse_storage(arguments.storage, &storage);
    if (status == MS_OK && arguments.n_threads > 1024)
        status = MS_FAIL(MS_USAGE, "--threads %lld: must be 0 to 1024", (long long)arguments.n_threads);
    int n_threads = arguments.n_threads ? (int)arguments.n_threads : ms_processor_count();
    bool uses_threads = command != &ops_command || strcmp(arguments.device, "cpu") == 0;
    if (status == MS_OK && uses_threads) ms_warn_of_threads(n_threads);
    if (status == MS_OK && command == &ops_command)
        return ms_exit_status(
            ms_bench_ops(&(ms_device_options){.name = arguments.device, .numerics = numerics, .n_threads = n_threads},
                         storage, stdout));
    if (status == MS_OK)
        status = ms_signals_catch(); /* to the end of the process: the temporary folder is removed first */
    if (status == MS_OK)
        status = ms_bench_tracker((int)arguments.n_layers, n_threads, (int)arguments.n_repetitions, stdout);
    return ms_exit_status(status);
}

/* ---- bench generate ---- */

struct generate_arguments {
    ms_config_request config; /* first: the configuration's option handlers expect it there */
    int64_t n_texts;
};

static const ms_option generate_options[] = {
    MS_CONFIG_OPTIONS,
    {"texts", MS_OPTION_COUNT, offsetof(struct generate_arguments, n_texts), NULL, "N", "Texts at a time (default 1)"},
    {NULL, MS_OPTION_END, 0, NULL, NULL, NULL}};

static const ms_command generate_command = {
    "bench generate",
    NULL,
    "Times the logits of the next token at the end of a whole context, with and without the key/value cache.",
    generate_options,
    0,
    0,
    ms_config_request_dotted,
    MS_CONFIG_NOTES};

static int bench_generate(int argc, char **argv) {
    struct generate_arguments arguments;
    memset(&arguments, 0, sizeof arguments);
    arguments.n_texts = 1;
    ms_config config;
    int exit_status;
    if (!configure(&generate_command, argc, argv, &arguments.config, &config, &exit_status)) return exit_status;
    if (arguments.n_texts < 1 || arguments.n_texts > MS_BENCH_GENERATE_TEXTS)
        return ms_exit_status(
            MS_FAIL(MS_USAGE, "--texts %lld: must be 1 to %d", (long long)arguments.n_texts, MS_BENCH_GENERATE_TEXTS));
    return ms_exit_status(ms_bench_generate(&config, (int)arguments.n_texts, stdout));
}

/* ---- bench tokenizer ---- */

struct tokenizer_arguments {
    const char *tokenizer;
    int64_t n_threads, n_repetitions;
};

static const ms_option tokenizer_options[] = {
    {"tokenizer", MS_OPTION_STRING, offsetof(struct tokenizer_arguments, tokenizer), NULL, "FILE",
     "The tokenizer (default tokenizer.json)"},
    {"threads", MS_OPTION_COUNT, offsetof(struct tokenizer_arguments, n_threads), NULL, "N",
     "0: all processors (default)"},
    {"repetitions", MS_OPTION_COUNT, offsetof(struct tokenizer_arguments, n_repetitions), NULL, "N",
     "Best of N (default 3)"},
    {NULL, MS_OPTION_END, 0, NULL, NULL, NULL}};

static const ms_command tokenizer_command = {
    "bench tokenizer",
    "FILE...",
    "Times the tokenizer on the first 64 MiB of text or JSONL, on one thread and on all.",
    tokenizer_options,
    1,
    -1,
    NULL,
    NULL};

static int bench_tokenizer(int argc, char **argv) {
    struct tokenizer_arguments arguments = {"tokenizer.json", 0, 3};
    ms_positionals files;
    ms_status status = ms_options_parse(&tokenizer_command, argc, argv, &arguments, &files);
    if (status == MS_OK && files.help) return ms_command_help(&tokenizer_command);
    if (status == MS_OK && arguments.n_threads > 1024)
        status = MS_FAIL(MS_USAGE, "--threads %lld: must be 0 to 1024", (long long)arguments.n_threads);
    if (status == MS_OK && (arguments.n_repetitions < 1 || arguments.n_repetitions > 1000))
        status = MS_FAIL(MS_USAGE, "--repetitions %lld: must be 1 to 1000", (long long)arguments.n_repetitions);
    int n_threads = arguments.n_threads ? (int)arguments.n_threads : ms_processor_count();
    if (status == MS_OK) ms_warn_of_threads(n_threads);
    if (status == MS_OK) status = ms_signals_catch();
    if (status == MS_OK)
        status = ms_bench_tokenizer(arguments.tokenizer, (const char *const *)files.items, files.n_items, n_threads,
                                    (int)arguments.n_repetitions, stdout);
    return ms_exit_status(status);
}

/* ---- bench model ---- */

struct model_arguments {
    ms_config_request config; /* first: the configuration's option handlers expect it there */
    const char *target;
    double launch_us;
};

static const ms_option model_options[] = {
    MS_CONFIG_OPTIONS,
    {"target", MS_OPTION_STRING, offsetof(struct model_arguments, target), NULL, "NAME",
     "A GPU of cli/bench/targets.def: h100, a100, rtx4090, ... (a wrong name lists them)"},
    {"launch_us", MS_OPTION_FLOAT, offsetof(struct model_arguments, launch_us), NULL, "US",
     "Microseconds between two kernels (default 1.2)"},
    {NULL, MS_OPTION_END, 0, NULL, NULL, NULL}};

static const ms_command model_command = {"bench model",
                                         NULL,
                                         "Bounds the speed of training on a GPU that need not be there, by its "
                                         "maker's peak figures, and beside it tells what to\n"
                                         "expect of the kernels as they are. A model, not a measurement.",
                                         model_options,
                                         0,
                                         0,
                                         ms_config_request_dotted,
                                         MS_CONFIG_NOTES};

static int bench_model(int argc, char **argv) {
    struct model_arguments arguments;
    memset(&arguments, 0, sizeof arguments);
    arguments.launch_us = 1.2;
    ms_config config;
    int exit_status;
    if (!configure(&model_command, argc, argv, &arguments.config, &config, &exit_status)) return exit_status;
    if (config.train.numerics == MS_NUMERICS_EXACT)
        return ms_exit_status(MS_FAIL(MS_USAGE, "--numerics exact: bench model counts the kernels of fast alone"));
    if (strcmp(config.train.device, "cpu") != 0)
        return ms_exit_status(
            MS_FAIL(MS_USAGE, "--device %s: bench model opens none; name a GPU by --target", config.train.device));
    return ms_exit_status(ms_bench_model(&config, arguments.target, arguments.launch_us, stdout));
}

/* ---- bench ---- */

struct all_arguments {
    const char *device, *preset;
};

static const ms_option all_options[] = {{"device", MS_OPTION_STRING, offsetof(struct all_arguments, device), NULL,
                                         "NAME", "This device only (default: every usable one but software)"},
                                        {"preset", MS_OPTION_STRING, offsetof(struct all_arguments, preset), NULL,
                                         "NAME", "Model of the training steps (default nano)"},
                                        {NULL, MS_OPTION_END, 0, NULL, NULL, NULL}};

static const ms_command all_command = {
    "bench",
    NULL,
    "Times single ops and training steps on every usable device but software drivers, beside the limits of each.",
    all_options,
    0,
    0,
    NULL,
    "By themselves, with more options: bench ops, bench train, bench parallel, bench generate, bench tracker, bench "
    "tokenizer; bench "
    "model needs no "
    "device.\n"
    "Each has its own --help."};

enum { MAX_DEVICES = 64 };

static ms_status bench_device(const char *name, const char *preset) {
    ms_config config;
    ms_config_defaults(&config);
    MS_TRY(ms_config_load_preset(&config, preset));
    MS_TRY(ms_config_set(&config, "train.device", name));
    MS_TRY(ms_config_check(&config));
    ms_print_line(stdout, "==== %s: ops", name);
    const ms_device_options device = {.name = name, .numerics = MS_NUMERICS_FAST, .n_threads = ms_processor_count()};
    MS_TRY(ms_bench_ops(&device, MS_DTYPE_F32, stdout));
    ms_print_line(stdout, "==== %s: training steps, preset %s", name, preset);
    return ms_bench_train(&config, 5, false, stdout);
}

/* Goes on with the next device after a failure, and ends with the first one's status. */
static ms_status bench_devices(const char *only, const char *preset) {
    static ms_device_info devices[MAX_DEVICES];
    int n;
    if (only) return bench_device(only, preset);
    MS_TRY(ms_device_list(devices, MAX_DEVICES, &n));
    ms_status first = MS_OK;
    for (int i = 0; i < n && i < MAX_DEVICES; i++) {
        const ms_device_info *device = &devices[i];
        if (!device->usable || device->is_software) {
            ms_print_line(stdout, "==== %s: left out, %s", device->name,
                          device->usable ? "it is software" : device->reason);
            continue;
        }
        ms_status status = bench_device(device->name, preset);
        if (status == MS_OK) continue;
        ms_print_line(stderr, "muonscope: %s: %s", device->name, ms_status_message());
        if (first == MS_OK) first = status;
    }
    return first == MS_OK ? MS_OK : MS_FAIL(first, "bench: not every device could be timed, see above");
}

static int bench_all(int argc, char **argv) {
    struct all_arguments arguments = {NULL, "nano"};
    ms_positionals positionals;
    ms_status status = ms_options_parse(&all_command, argc, argv, &arguments, &positionals);
    if (status == MS_OK && positionals.help) return ms_command_help(&all_command);
    if (status == MS_OK) status = bench_devices(arguments.device, arguments.preset);
    return ms_exit_status(status);
}

const ms_command *const ms_commands_bench[] = {&all_command,       &train_command,    &parallel_command,
                                               &ops_command,       &generate_command, &tracker_command,
                                               &tokenizer_command, &model_command,    NULL};

int ms_cmd_bench(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "--";
    if (strcmp(what, "train") == 0) return bench_train(argc - 1, argv + 1);
    if (strcmp(what, "parallel") == 0) return bench_parallel(argc - 1, argv + 1);
    if (strcmp(what, "ops") == 0) return bench_plain(&ops_command, argc - 1, argv + 1);
    if (strcmp(what, "generate") == 0) return bench_generate(argc - 1, argv + 1);
    if (strcmp(what, "tracker") == 0) return bench_plain(&tracker_command, argc - 1, argv + 1);
    if (strcmp(what, "tokenizer") == 0) return bench_tokenizer(argc - 1, argv + 1);
    if (strcmp(what, "model") == 0) return bench_model(argc - 1, argv + 1);
    if (strncmp(what, "--", 2) == 0) return bench_all(argc, argv);
    return ms_exit_status(MS_FAIL(
        MS_USAGE, "bench '%s': must be train, parallel, ops, generate, tracker, tokenizer or model, or nothing", what));
}
