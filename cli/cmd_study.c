/* muonscope study FILE: the runs that a file declares, and what they show. */
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/report/report.h"
#include "cli/study/comparison.h"
#include "cli/study/results.h"
#include "cli/study/train.h"
#include "library/version.h"
#include "model/checkpoint/checkpoint.h"
#include "platform/clock.h"
#include "platform/directory.h"
#include "platform/file.h"
#include "platform/output.h"
#include "platform/shell.h"
#include "platform/signals.h"

struct study_arguments {
    const char *out; /* NULL: runs/NAME */
    int64_t threads; /* -1: as the study has it */
    bool dry_run, results;
};

static const ms_option options[] = {{"out", MS_OPTION_STRING, offsetof(struct study_arguments, out), NULL, "DIR",
                                     "Folder of the study (default: runs/ and its name)"},
                                    {"threads", MS_OPTION_COUNT, offsetof(struct study_arguments, threads), NULL, "N",
                                     "CPU threads of each run, in place of train.threads"},
                                    {"dry-run", MS_OPTION_FLAG, offsetof(struct study_arguments, dry_run), NULL, NULL,
                                     "Print the plan, what it takes, and the command line of each run; make none"},
                                    {"results", MS_OPTION_FLAG, offsetof(struct study_arguments, results), NULL, NULL,
                                     "Make no run: only the results of those that are finished"},
                                    {NULL, MS_OPTION_END, 0, NULL, NULL, NULL}};

static const ms_command command = {
    "study",
    "FILE",
    "Makes the runs that a study file declares, one after the other, in a folder of their own.  Called again, it goes\n"
    "on where it was; runs that were made elsewhere, by the command lines of --dry-run, are taken as they are.  Then "
    "it\n"
    "tests the file's hypotheses, and writes results.json, results.csv, results.md, comparison.txt and report.html.",
    options,
    1,
    1,
    NULL,
    "docs/studies.md describes the file; studies/ has some."};

/* What the command works with. */
struct job {
    const struct study_arguments *arguments;
    const char *file;
    char *command; /* the command line */
    char *text;    /* of the file */
    char path[MS_STUDY_PATH_SIZE];
    ms_study *study;
    ms_study_folder folder;
    ms_study_plan plan;
    ms_study_declared declared;
};

static int64_t n_threads(const struct job *job) { return job->arguments->threads > 0 ? job->arguments->threads : 0; }

/* --- the plan --- */

static void print_arms(const ms_study *study) {
    printf("arms    ");
    for (int i = 0; i < study->n_arms; i++) {
        const ms_study_arm *arm = &study->arms[i];
        printf("%s%s x %d", i ? ", " : "", arm->name, arm->seeds.n);
        if (arm->i_tuning >= 0) printf(" (%s tuned)", study->tunings[arm->i_tuning].key->full_name);
    }
    printf("\n");
}

static void print_tunings(const ms_study_plan *plan) {
    const ms_study *study = plan->study;
    for (int i = 0; i < study->n_tunings; i++) {
        const ms_study_tuning *tuning = &study->tunings[i];
        printf("tuning  %s: %s of", tuning->arm, tuning->key->full_name);
        for (int k = 0; k < tuning->n; k++) printf(" %s", tuning->values[k]);
        printf(" on seed %lld", (long long)study->tuning_seed);
        if (plan->chosen[i] >= 0) printf("; chosen: %s", tuning->values[plan->chosen[i]]);
        printf("\n");
        if (plan->chosen[i] >= 0 && ms_study_plan_at_edge(plan, i))
            printf("warning: %s %s is at the end of its grid: the best value may lie beyond\n", tuning->key->full_name,
                   tuning->values[plan->chosen[i]]);
    }
}

/* Seeds of both arms: the pairs of a hypothesis. */
static int n_seeds(const ms_study *study, const ms_study_hypothesis *hypothesis) {
    const ms_study_seeds *arm = &study->arms[hypothesis->i_arm].seeds;
    if (hypothesis->i_against < 0) return arm->n;
    const ms_study_seeds *against = &study->arms[hypothesis->i_against].seeds;
    int n = 0;
    for (int i = 0; i < arm->n; i++)
        for (int k = 0; k < against->n; k++) n += arm->items[i] == against->items[k];
    return n;
}

/* A hypothesis that no result could support at 0.05 is said before the runs are made: 2/2^n is the least p-value of n
   seeds, and Holm's correction multiplies the least of all by their number. */
static void print_power(const ms_study *study) {
    for (int i = 0; i < study->n_hypotheses; i++) {
        int n = n_seeds(study, &study->hypotheses[i]), needed = n;
        double least = ldexp(2.0 * study->n_hypotheses, -n);
        while (ldexp(2.0 * study->n_hypotheses, -needed) > 0.05) needed++;
        if (needed > n)
            ms_print_line(
                stdout,
                "warning: %s: %d seeds can reach no p-value below %.3g, corrected for %d of them (Holm); %d reach 0.05",
                study->hypotheses[i].name, n, fmin(least, 1), study->n_hypotheses, needed);
    }
}

static void print_plan(const struct job *job) {
    const ms_study *study = job->study;
    ms_print_line(stdout, "study   %s (%s) in %s", study->name, job->file, job->path);
    if (*study->question) ms_print_line(stdout, "asks    %s", study->question);
    print_arms(study);
    print_tunings(&job->plan);
    print_power(study);
}

static ms_status print_commands(const ms_study_plan *plan) {
    for (size_t i = 0; i < plan->n; i++) {
        const ms_study_run *run = &plan->runs[i];
        ms_study_state state = run->record.state;
        if (!ms_study_run_is_known(plan, run)) {
            printf("# %s: when %s is tuned\n", run->name,
                   plan->study->tunings[plan->study->arms[run->i_arm].i_tuning].arm);
        } else if (state == MS_STUDY_FINISHED || state == MS_STUDY_DIVERGED) {
            printf("# %s: %s\n", run->name, ms_study_state_name(state));
        } else {
            MS_TRY(ms_study_run_command(plan, run, stdout));
            printf("\n");
        }
    }
    return MS_OK;
}

static ms_status print_budget(const struct job *job) {
    ms_study_budget budget;
    MS_TRY(ms_study_budget_make(&job->plan, n_threads(job), &budget));
    ms_study_budget_print(&budget, stdout);
    return MS_OK;
}

/* --- the runs --- */

static bool is_left(const ms_study_run *run) {
    return run->record.state == MS_STUDY_MISSING || run->record.state == MS_STUDY_UNFINISHED;
}

/* A run that diverges is a result: the study goes on. */
static ms_status make_run(struct job *job, ms_study_run *run, size_t number) {
    char seed[24], path[MS_STUDY_PATH_SIZE];
    ms_config_request request;
    ms_config config;
    ms_study_outcome outcome;
    MS_TRY(ms_study_run_config(&job->plan, run, seed, &request, &config));
    ms_study_run_path(&job->plan, run, path);
    printf("\n");
    ms_print_line(stdout, "run %zu of %zu: %s%s", number, job->plan.n, run->name,
                  run->record.state == MS_STUDY_UNFINISHED ? ", goes on" : "");
    (void)ms_output_flush(); /* a failure is said at the end */
    ms_status status = ms_study_train(&config, path, n_threads(job), false, &outcome);
    if (status == MS_INTERRUPTED)
        return MS_FAIL(status, "%s was stopped, everything saved; the same command goes on with the study", run->name);
    if (status != MS_OK && status != MS_NUMERIC) return ms_status_note(status, "%s", run->name);
    MS_TRY(ms_study_plan_look_at(&job->plan, run));
    if (status == MS_NUMERIC && run->record.state != MS_STUDY_DIVERGED) return status;
    if (status == MS_NUMERIC) ms_print_line(stderr, "muonscope: warning: %s diverged: %s", run->name, run->record.why);
    return ms_signals_check("study");
}

/* A run that was killed when it had made its last step, while it removed an older checkpoint, is finished: nobody goes
   on with it, and so nobody else removes what it left. */
static ms_status remove_leftovers(const ms_study_plan *plan) {
    for (size_t i = 0; i < plan->n; i++) {
        char path[MS_STUDY_PATH_SIZE];
        ms_study_run_path(plan, &plan->runs[i], path);
        if (plan->runs[i].record.state != MS_STUDY_FINISHED || ms_directory_is_locked(path)) continue;
        char *checkpoints = ms_path_join(path, "checkpoints");
        ms_status status = checkpoints ? ms_checkpoint_prune(checkpoints, INT_MAX)
                                       : MS_FAIL(MS_OUT_OF_MEMORY, "study: no memory for a path");
        free(checkpoints);
        MS_TRY(status);
    }
    return MS_OK;
}

/* The runs of tunings come first; when they are made, the others are known, and looked at before any is made. */
static ms_status make_runs(struct job *job) {
    ms_study_plan *plan = &job->plan;
    size_t made = 0;
    MS_TRY(remove_leftovers(plan));
    for (size_t i = 0; i < plan->n; i++) {
        if (plan->runs[i].i_tuning < 0 || !is_left(&plan->runs[i])) continue;
        MS_TRY(make_run(job, &plan->runs[i], i + 1));
        made++;
    }
    if (made > 0) MS_TRY(ms_study_plan_look(plan));
    if (made > 0) printf("\n");
    if (made > 0) print_tunings(plan);
    for (size_t i = 0; i < plan->n; i++)
        if (is_left(&plan->runs[i])) MS_TRY(make_run(job, &plan->runs[i], i + 1));
    return MS_OK;
}

/* --- the results --- */

static ms_status write_file(const struct job *job, const ms_study_results *results, const char *name,
                            ms_status (*write)(const ms_study_results *results, const char *path)) {
    char *path = ms_path_join(job->path, name);
    if (!path) return MS_FAIL(MS_OUT_OF_MEMORY, "study: no memory for a path");
    ms_status status = write(results, path);
    free(path);
    return status;
}

static ms_status write_results(const struct job *job, const ms_study_results *results) {
    MS_TRY(write_file(job, results, "results.json", ms_study_results_write_json));
    MS_TRY(write_file(job, results, "results.csv", ms_study_results_write_csv));
    MS_TRY(write_file(job, results, "results.md", ms_study_results_write_markdown));
    MS_TRY(ms_study_compare(&job->plan));
    ms_study_results_print(results, stdout);
    printf("\n");
    ms_print_line(stdout, "results in %s/results.md, .csv and .json; all arms beside each other in comparison.txt",
                  job->path);
    return MS_OK;
}

/* The page of the study, which reads results.json.  A program that was built without Chart.js makes none. */
static ms_status write_report(const struct job *job) {
    size_t size_bytes;
    char *path = ms_path_join(job->path, "report.html");
    ms_status status =
        path ? ms_report_write(job->path, path, &size_bytes) : MS_FAIL(MS_OUT_OF_MEMORY, "study: no memory for a path");
    if (status == MS_OK) ms_print_line(stdout, "report in %s", path);
    if (status == MS_UNSUPPORTED) ms_print_line(stdout, "no report: %s", ms_status_message());
    free(path);
    return status == MS_UNSUPPORTED ? MS_OK : status;
}

static bool has_results(const ms_study_plan *plan) {
    for (size_t i = 0; i < plan->n; i++)
        if (plan->runs[i].i_tuning < 0 && plan->runs[i].record.state == MS_STUDY_FINISHED) return true;
    return false;
}

static ms_status make_results(struct job *job) {
    ms_study_budget budget;
    ms_study_results results;
    if (!has_results(&job->plan)) {
        printf("results none yet: no run of an arm is finished\n");
        return MS_OK;
    }
    MS_TRY(ms_study_budget_make(&job->plan, -1, &budget));
    ms_study_results_request request = {&job->plan, &budget, &job->declared, job->file, job->command, ms_version()};
    MS_TRY(ms_study_results_init(&request, &results));
    ms_status status = write_results(job, &results);
    ms_study_results_finish(&results);
    return status == MS_OK ? write_report(job) : status;
}

/* --- the command --- */

static ms_status load(struct job *job) {
    size_t size;
    MS_TRY(ms_file_read(job->file, &job->text, &size));
    MS_TRY(ms_study_load_text(job->file, job->text, size, &job->study));
    const char *out = job->arguments->out;
    int length = out ? snprintf(job->path, sizeof job->path, "%s", out)
                     : snprintf(job->path, sizeof job->path, "runs/%s", job->study->name);
    for (; length > 1 && job->path[length - 1] == '/'; length--) job->path[length - 1] = '\0';
    if (length + MS_STUDY_RUN_SIZE > MS_STUDY_PATH_SIZE)
        return MS_FAIL(MS_INVALID, "--out: the path is longer than %d bytes", MS_STUDY_PATH_SIZE - MS_STUDY_RUN_SIZE);
    return ms_study_plan_init(job->study, job->path, &job->plan);
}

static ms_status dry_run(struct job *job) {
    MS_TRY(ms_study_plan_look(&job->plan));
    print_plan(job);
    MS_TRY(print_budget(job));
    printf("\n");
    return print_commands(&job->plan);
}

static ms_status work(struct job *job) {
    bool changed;
    MS_TRY(load(job));
    MS_TRY(ms_signals_catch()); /* to the end of the process */
    if (job->arguments->dry_run) return dry_run(job);
    MS_TRY(ms_study_folder_open(job->path, &job->folder));
    MS_TRY(ms_study_plan_look(&job->plan));
    MS_TRY(ms_study_folder_keep_file(&job->folder, job->study, job->text, &changed));
    print_plan(job);
    if (changed) printf("note    the study file has changed since the last call; runs that fit it are kept\n");
    MS_TRY(ms_study_declare(&job->folder, &job->plan, &job->declared));
    if (!job->arguments->results) {
        MS_TRY(print_budget(job));
        MS_TRY(make_runs(job));
    }
    return make_results(job);
}

/* The command line as it was given, before the parser reorders it.  NULL: no memory. */
static char *join_words(int argc, char **argv) {
    char *text = NULL;
    size_t size;
    FILE *stream = open_memstream(&text, &size);
    if (!stream) return NULL;
    fprintf(stream, "muonscope %s", argv[0]);
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i], *equals = strchr(word, '=');
        size_t n_option = word[0] != '-' ? 0
                          : equals       ? (size_t)(equals - word) + 1
                                         : strlen(word); /* an option's name */
        const char *value = word + n_option;
        fprintf(stream, " %.*s%s", (int)n_option, word, *value ? ms_shell_quote(value).text : "");
    }
    if (fclose(stream) == 0) return text;
    free(text);
    return NULL;
}

const ms_command *const ms_commands_study[] = {&command, NULL};

int ms_cmd_study(int argc, char **argv) {
    struct study_arguments arguments = {.threads = -1};
    ms_positionals files;
    char *words = join_words(argc, argv);
    ms_status status = ms_options_parse(&command, argc, argv, &arguments, &files);
    if (status == MS_OK && files.help) {
        free(words);
        return ms_command_help(&command);
    }
    if (status == MS_OK && !words) status = MS_FAIL(MS_OUT_OF_MEMORY, "study: no memory for the command line");
    struct job job = {.arguments = &arguments, .command = words, .folder = MS_STUDY_FOLDER_CLOSED};
    if (status == MS_OK) {
        job.file = files.items[0];
        status = work(&job);
    }
    int result = ms_exit_status(status); /* before closing: that may overwrite the message */
    ms_study_declared_finish(&job.declared);
    ms_study_plan_finish(&job.plan);
    ms_study_folder_close(&job.folder);
    ms_study_destroy(job.study);
    free(job.text);
    free(job.command);
    return result;
}
