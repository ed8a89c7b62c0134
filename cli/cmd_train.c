/* muonscope train */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "backend/ir/passes.h"
#include "cli/commands.h"
#include "cli/config/config_effect.h"
#include "cli/config/config_request.h"
#include "cli/config/init_from.h"
#include "cli/config/run_config.h"
#include "cli/config/trainer_config.h"
#include "cli/rank_plan.h"
#include "cli/ranks.h"
#include "platform/clock.h"
#include "platform/directory.h"
#include "platform/file.h"
#include "platform/output.h"
#include "platform/shell.h"
#include "platform/signals.h"
#include "train/settings.h"

struct arguments {
    ms_config_request config; /* first: the configuration's option handlers expect it there */
    const char *run, *resume, *dump_ir, *parallel;
    int64_t step; /* to resume from; -1: the newest checkpoint's */
    ms_rank_plan_arguments plan;
    bool dry_run;
};

static const ms_option options[] = {
    MS_CONFIG_OPTIONS,
    {"init_from", MS_OPTION_HANDLER, 0, ms_config_request_alias, "PATH",
     "init.from: begin with the weights of a run, a checkpoint or a Hugging Face folder, "
     "whose sizes the model takes"},
    {"run", MS_OPTION_STRING, offsetof(struct arguments, run), NULL, "DIR",
     "Folder of the new run (default runs/<preset>-<time>)"},
    {"resume", MS_OPTION_STRING, offsetof(struct arguments, resume), NULL, "RUN",
     "Go on with a run from its last checkpoint; its configuration is the start, and "
     "what is changed here stays changed.  With --run of the same name: begin it where "
     "there is none yet"},
    {"step", MS_OPTION_COUNT, offsetof(struct arguments, step), NULL, "N",
     "With --resume: from the checkpoint of step N; later ones are removed"},
    {"parallel", MS_OPTION_STRING, offsetof(struct arguments, parallel), NULL, "auto|mpi|none",
     "Share the run with the other processes that mpirun or srun has started: docs/cluster.md (default auto: where "
     "there are any)"},
    {"dry-run", MS_OPTION_FLAG, offsetof(struct arguments, dry_run), NULL, NULL,
     "Print the plan (sizes, memory, costs) and stop"},
    {"ranks", MS_OPTION_COUNT, offsetof(struct arguments, plan.n_ranks), NULL, "N",
     "With --dry-run: measure this device, and predict memory and speed of 1, 2, 4, ... N of its kind: "
     "docs/cluster.md"},
    {"link", MS_OPTION_STRING, offsetof(struct arguments, plan.link), NULL, "RATE",
     "With --ranks: bits a second of each host's link, as 10Gb"},
    {"link_latency", MS_OPTION_STRING, offsetof(struct arguments, plan.latency), NULL, "TIME",
     "With --ranks: time of a small message, one way (default " MS_LINK_LATENCY ")"},
    {"dump-ir", MS_OPTION_STRING, offsetof(struct arguments, dump_ir), NULL, "DIR",
     "Write the graphs of a step as text: gradients.ir, update.ir, evaluate.ir; of a "
     "snapshot update_captured.ir, probe.ir"},
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
    MS_TRY(dump_graph(directory, "update_captured.ir", trainer->captured_graph));
    MS_TRY(dump_graph(directory, "probe.ir", trainer->probe_graph));
    return dump_graph(directory, "evaluate.ir", trainer->evaluate_graph);
}

/* What a command works with. */
struct job {
    const struct arguments *arguments;
    ms_ranks ranks;
    ms_config config;
    char *warnings;       /* of keys without effect, a line each */
    ms_init_from *source; /* that the run begins from; NULL: weights are drawn, or it goes on */
    bool resumes;
    ms_run_folder folder; /* of the run to go on with, until the run takes it over */
    ms_run_config run_config;
    ms_device *device;
    ms_run *run;
};

/* The command line's settings over those of the run to go on with. */
static ms_status resolve_resumed(struct job *job, const char *file, ms_config_given *given) {
    ms_config saved = job->config;
    MS_TRY(ms_config_request_resolve(&job->arguments->config, &job->config, given));
    ms_config_resume_schedule(&saved, &job->config);
    return ms_settings_note_fault(ms_config_check_resume(&saved, &job->config), file);
}

/* out_saved: the configuration of the run to go on with, allocated; NULL: a new run. */
static ms_status resolve(struct job *job, ms_config_given *given, char **out_saved) {
    const struct arguments *arguments = job->arguments;
    if (arguments->step >= 0 && !arguments->resume)
        return MS_FAIL(MS_USAGE, "--step names a checkpoint of the run to --resume");
    if (arguments->run && arguments->resume && strcmp(arguments->run, arguments->resume) != 0)
        return MS_FAIL(MS_USAGE,
                       "--run %s starts a new run and --resume %s goes on with one: give one of them, or the "
                       "same name to both to begin the run or go on with it",
                       ms_shell_quote(arguments->run).text, ms_shell_quote(arguments->resume).text);
    /* Both, of one name: the same command line begins the run and goes on with it, whenever it was killed. */
    bool begins = !arguments->resume || (arguments->run && ms_run_folder_check_new(arguments->run) == MS_OK);
    if (begins && arguments->step >= 0)
        return MS_FAIL(MS_NOT_FOUND, "--step %lld: there is no run %s yet, and so no checkpoint; leave --step out",
                       (long long)arguments->step, ms_shell_quote(arguments->run).text);
    if (begins) return ms_config_request_resolve(&arguments->config, &job->config, given);
    job->resumes = true;
    MS_TRY(ms_run_folder_resume(arguments->resume, &job->folder));
    MS_TRY(ms_settings_note_fault(ms_config_load_file(&job->config, job->folder.config, NULL), job->folder.config));
    if (job->ranks.group) MS_TRY(ms_config_text(&job->config, out_saved));
    return resolve_resumed(job, job->folder.config, given);
}

/* A rank without the run's folder: saved is rank 0's, or NULL. */
static ms_status resolve_following(struct job *job, const char *saved, ms_config_given *given) {
    if (!saved) return ms_config_request_resolve(&job->arguments->config, &job->config, given);
    job->resumes = true;
    MS_TRY(ms_config_load_text(&job->config, "config.yaml of rank 0", saved, strlen(saved)));
    return resolve_resumed(job, "config.yaml of rank 0", given);
}

static ms_status resolve_together(struct job *job, ms_config_given *given) {
    char *saved = NULL;
    bool follows = ms_ranks_follows(&job->ranks);
    ms_config_defaults(&job->config);
    ms_status status = ms_ranks_agree(&job->ranks, follows ? MS_OK : resolve(job, given, &saved));
    if (status == MS_OK) status = ms_ranks_share_text(&job->ranks, &saved);
    if (status == MS_OK && follows) status = resolve_following(job, saved, given);
    free(saved);
    if (status == MS_OK) status = ms_ranks_configure(&job->ranks, &job->config);
    return status;
}

/* Before anything is opened or made: the model takes the sizes of what it begins from, all whose tensors fit. */
static ms_status take_source(struct job *job, const ms_config_given *given) {
    if (job->resumes || !job->config.init.from[0]) return MS_OK;
    MS_TRY(ms_init_from_open(job->config.init.from, "init.from", &job->source));
    MS_TRY(ms_init_from_resolve(job->source, given, &job->config));
    MS_TRY(ms_config_check(&job->config));
    ms_model_config model = ms_model_config_from_config(&job->config, 0);
    if (ms_ranks_follows(&job->ranks)) return ms_init_from_check(job->source, &model);
    return ms_init_from_check_numbers(job->source, &model);
}

static void close_source(struct job *job) {
    ms_init_from_close(job->source);
    job->source = NULL;
}

static void warn_of_source(const struct job *job) {
    char note[600];
    if (!job->source) return;
    ms_init_from_tokenizer_note(job->source, job->run->tokenizer, note, sizeof note);
    if (*note) ms_logger_write(job->run->logger, MS_LOG_WARNING, "%s", note);
    ms_init_from_length_note(job->source, job->config.model.sequence_length, note, sizeof note);
    if (*note) ms_logger_write(job->run->logger, MS_LOG_WARNING, "%s", note);
}

static ms_status open_run(struct job *job) {
    MS_TRY(ms_run_config_init(&job->config, &job->run_config));
    job->run_config.options.trainer.group = job->ranks.group;
    if (job->source) job->run_config.options.initial = (ms_weight_source){ms_init_from_fill, job->source};
    if (ms_ranks_follows(&job->ranks)) job->run_config.options.log_level = MS_LOG_ERROR; /* rank 0 says it */
    ms_device_options device = ms_device_options_from_config(&job->config);
    MS_TRY(ms_device_open(&device, &job->device));
    if (ms_device_threads(job->device) > 0 && !ms_ranks_follows(&job->ranks)) ms_warn_of_threads(device.n_threads);
    ms_status status = ms_run_open(job->device, &job->run_config.options, &job->run);
    if (status == MS_MISMATCH && job->source)
        return MS_FAIL(status, "%s; the model is that of init.from %s: prepare the data with its tokenizer",
                       ms_status_message(), job->config.init.from);
    if (status == MS_NOT_FOUND && strcmp(job->config.data.directory, "data/demo") == 0)
        return MS_FAIL(status, "%s (ci/demo_data.sh makes the demo corpus; --data.directory DIR names another)",
                       ms_status_message());
    return status;
}

static ms_status start(struct job *job) {
    char name[256], time[32];
    const struct arguments *arguments = job->arguments;
    if (job->resumes) return ms_run_resume_at(job->run, &job->folder, arguments->step);
    snprintf(name, sizeof name, "runs/%s-%s", arguments->config.preset ? arguments->config.preset : "run",
             ms_clock_utc(time, sizeof time));
    return ms_run_create(job->run, arguments->run ? arguments->run : name);
}

static void print_result(const ms_run *run) {
    ms_print_line(stdout, "run                     %s", run->folder.path);
    printf("steps                   %lld\n", (long long)run->trainer->step);
    if (!isnan(run->last_loss)) printf("loss                    %.6f\n", run->last_loss);
    if (!isnan(run->last_validation)) printf("validation_loss         %.6f\n", run->last_validation);
    printf("weights_sha256          %s\n", run->weights_sha256);
    printf("optimizer_state_sha256  %s\n", run->state_sha256);
}

static void warn_of_keys(const struct job *job) {
    for (char *line = strtok(job->warnings, "\n"); line; line = strtok(NULL, "\n"))
        ms_logger_write(job->run->logger, MS_LOG_WARNING, "%s", line);
}

static void warn_of_shares(const struct job *job) {
    const char *shares = job->config.parallel.shares;
    if (*shares && !job->ranks.group && job->arguments->plan.n_ranks < 0)
        ms_logger_write(job->run->logger, MS_LOG_WARNING, "parallel.shares '%s' has no effect: this is one process",
                        shares);
}

/* All that is done before anything is made. */
static ms_status prepare(struct job *job, ms_config_given *given) {
    MS_TRY(take_source(job, given));
    MS_TRY(ms_config_check_effect(&job->config, given, &job->warnings));
    ms_status opened = open_run(job);
    return job->resumes && !ms_ranks_follows(&job->ranks) ? ms_settings_note_fault(opened, job->folder.config) : opened;
}

static ms_status train(struct job *job) {
    ms_config_given given = {.keys = {false}};
    ms_status status = resolve_together(job, &given);
    if (status == MS_OK) status = prepare(job, &given);
    MS_TRY(ms_ranks_agree(&job->ranks, status));
    if (ms_ranks_follows(&job->ranks)) {
        close_source(job);
        ms_signals_silence();
        MS_TRY(ms_signals_catch()); /* rank 0 is told of them, and decides */
        return ms_run_follow(job->run);
    }
    warn_of_keys(job);
    warn_of_source(job);
    warn_of_shares(job);
    ms_run_print(job->run, stdout);
    if (job->arguments->dump_ir) MS_TRY(dump_graphs(job->arguments->dump_ir, job->run->trainer));
    if (job->arguments->dry_run) {
        ms_run_warn_of_settings(job->run); /* which a start says when it has a run.log */
        return ms_rank_plan_run(&job->arguments->plan, job->config.parallel.shares, job->run, stdout);
    }
    (void)ms_output_flush(); /* a failure is said at the end */
    /* From here on, to the end of the process, a signal ends no phase in the middle: the whole of it, or of a batch,
       comes first, and a reader of the output that is gone ends nothing. */
    MS_TRY(ms_signals_catch());
    MS_TRY(start(job));
    close_source(job);
    status = ms_run_train(job->run);
    if (status == MS_OK || job->run->stopped) print_result(job->run);
    MS_TRY(status);
    return ms_run_sample(job->run, stdout);
}

/* 128 and the signal's number for a run that was stopped, as a shell has it for a process that a signal ended: no
   script takes it for a finished one.  Nor is a finished run, whose text was stopped, taken for one to go on with. */
static int exit_status(const struct job *job, ms_status status) {
    int number = ms_signals_received(), silent;
    if (ms_ranks_is_silent(&job->ranks, status, &silent)) return silent;
    if (status != MS_INTERRUPTED || number == 0) return ms_exit_status(status);
    if (job->run && job->run->finished) {
        ms_print_line(stderr, "%s; the run is finished and saved", ms_status_message());
        return ms_exit_status(MS_OK);
    }
    if (!job->run || !job->run->stopped) ms_exit_status(status); /* else the run has said it */
    return 128 + number;
}

static void close_job(struct job *job) {
    free(job->warnings);
    close_source(job);
    ms_run_close(job->run);
    ms_device_close(job->device);
    ms_run_config_finish(&job->run_config);
    ms_run_folder_close(&job->folder);
}

const ms_command *const ms_commands_train[] = {&command, NULL};

int ms_cmd_train(int argc, char **argv) {
    struct arguments arguments;
    memset(&arguments, 0, sizeof arguments);
    arguments.step = arguments.plan.n_ranks = -1;
    ms_positionals positionals;
    ms_status status = ms_options_parse(&command, argc, argv, &arguments, &positionals);
    if (status == MS_OK && positionals.help) return ms_command_help(&command);
    if (status == MS_OK && arguments.config.help) {
        ms_config config;
        ms_config_defaults(&config);
        status = ms_config_request_resolve(&arguments.config, &config, NULL);
        if (status == MS_OK) ms_config_print_help(&config, stdout);
        return ms_exit_status(status);
    }
    struct job job = {.arguments = &arguments, .folder = MS_RUN_FOLDER_CLOSED};
    status = ms_ranks_join(arguments.parallel, status, &job.ranks);
    if (status == MS_OK)
        status = ms_ranks_agree(&job.ranks, ms_rank_plan_check(&arguments.plan, arguments.dry_run, &job.ranks));
    if (status == MS_OK) status = train(&job);
    int result = exit_status(&job, status); /* before closing: that may overwrite the message */
    ms_ranks_abort_if_lost(&job.ranks, status);
    close_job(&job);
    ms_ranks_leave(&job.ranks, status);
    return result;
}
