/* muonscope train */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "backend/ir/passes.h"
#include "cli/config/config_request.h"
#include "train/run.h"
#include "platform/clock.h"
#include "platform/file.h"

struct arguments {
    ms_config_request config; /* first: the configuration's option handlers expect it there */
    const char *run, *resume, *dump_ir;
    bool dry_run;
};

static const ms_option options[] = {MS_CONFIG_OPTIONS,
                                    {"run", MS_OPTION_STRING, offsetof(struct arguments, run), NULL, "DIR",
                                     "Folder of the new run (default runs/<preset>-<time>)"},
                                    {"resume", MS_OPTION_STRING, offsetof(struct arguments, resume), NULL, "RUN",
                                     "Go on with a run from its last checkpoint; its configuration is the start"},
                                    {"dry-run", MS_OPTION_FLAG, offsetof(struct arguments, dry_run), NULL, NULL,
                                     "Print the plan (sizes, memory, costs) and stop"},
                                    {"dump-ir", MS_OPTION_STRING, offsetof(struct arguments, dump_ir), NULL, "DIR",
                                     "Write the graphs of a step as text: gradients.ir, update.ir, evaluate.ir"},
                                    {NULL, MS_OPTION_END, 0, NULL, NULL, NULL}};

static const ms_command command = {"train",
                                   NULL,
                                   "Trains a model and tracks the spectrum of its weights.",
                                   options,
                                   0,
                                   0,
                                   ms_config_request_dotted,
                                   MS_CONFIG_NOTES};

static ms_status dump_graph(const char *directory, const char *name, const ms_graph *graph) {
    if (!graph) return MS_OK;
    char *path = ms_path_join(directory, name);
    if (!path) return MS_FAIL(MS_OUT_OF_MEMORY, "dump-ir: no memory for a path");
    ms_writer writer;
    ms_status status = ms_writer_open(path, &writer);
    if (status == MS_OK) {
        status = ms_graph_print(graph, writer.stream);
        if (status == MS_OK) {
            status = ms_writer_commit(&writer);
        } else {
            ms_writer_abort(&writer);
        }
    }
    free(path);
    return status;
}

static ms_status dump_graphs(const char *directory, const ms_trainer *trainer) {
    MS_TRY(ms_directory_create(directory));
    MS_TRY(dump_graph(directory, "gradients.ir", trainer->first_graph));
    MS_TRY(dump_graph(directory, "gradients_accumulate.ir", trainer->next_graph));
    MS_TRY(dump_graph(directory, "update.ir", trainer->update_graph));
    return dump_graph(directory, "evaluate.ir", trainer->evaluate_graph);
}

static ms_status resolve(const struct arguments *arguments, ms_train_run *run) {
    run->folder.lock = -1;
    ms_config_defaults(&run->config);
    if (arguments->resume) {
        if (arguments->run)
            return MS_FAIL(MS_USAGE, "--run starts a new run and --resume goes on with one: give one of them");
        MS_TRY(ms_run_folder_resume(arguments->resume, &run->folder, &run->config));
        run->has_folder = true;
        ms_config saved = run->config;
        MS_TRY(ms_config_request_resolve(&arguments->config, &run->config));
        return ms_config_check_resume(&saved, &run->config);
    }
    return ms_config_request_resolve(&arguments->config, &run->config);
}

static void print_result(const ms_train_run *run) {
    printf("run                     %s\n", run->folder.path);
    printf("steps                   %lld\n", (long long)run->trainer->step);
    if (!isnan(run->last_loss)) printf("loss                    %.6f\n", run->last_loss);
    if (!isnan(run->last_validation)) printf("validation_loss         %.6f\n", run->last_validation);
    printf("weights_sha256          %s\n", run->weights_sha256);
    printf("optimizer_state_sha256  %s\n", run->state_sha256);
}

static ms_status train(const struct arguments *arguments, ms_train_run *run) {
    char name[256], time[32];
    MS_TRY(ms_logger_create(MS_LOG_INFO, &run->logger));
    MS_TRY(resolve(arguments, run));
    MS_TRY(ms_train_run_plan(run));
    ms_train_run_print(run, stdout);
    if (arguments->dump_ir) MS_TRY(dump_graphs(arguments->dump_ir, run->trainer));
    if (arguments->dry_run) return MS_OK;
    fflush(stdout);
    snprintf(name, sizeof name, "runs/%s-%s", arguments->config.preset ? arguments->config.preset : "run",
             ms_clock_utc(time, sizeof time));
    MS_TRY(ms_train_run_start(run, arguments->run ? arguments->run : name));
    char device[400];
    ms_train_run_device(run, device, sizeof device);
    ms_logger_file_only(run->logger, "device: %s", device);
    ms_status status = ms_train_run_train(run);
    if (status != MS_OK) {
        ms_logger_file_only(run->logger, "ended by an error: %s", ms_status_message());
        return status;
    }
    print_result(run);
    if (run->trainer->step < run->n_steps) return MS_OK;
    MS_TRY(ms_train_run_sample(run, stdout));
    return MS_OK;
}

int ms_cmd_train(int argc, char **argv) {
    struct arguments arguments;
    memset(&arguments, 0, sizeof arguments);
    ms_positionals positionals;
    ms_status status = ms_options_parse(&command, argc, argv, &arguments, &positionals);
    if (status == MS_OK && positionals.help) return ms_command_help(&command);
    if (status == MS_OK && arguments.config.help) {
        ms_config config;
        ms_config_defaults(&config);
        status = ms_config_request_resolve(&arguments.config, &config);
        if (status == MS_OK) ms_config_print_help(&config, stdout);
        return ms_exit_status(status);
    }
    ms_train_run run;
    memset(&run, 0, sizeof run);
    run.folder.lock = -1;
    if (status == MS_OK) status = train(&arguments, &run);
    int exit_status = ms_exit_status(status); /* before closing: that may overwrite the message */
    ms_train_run_close(&run);
    return exit_status;
}
