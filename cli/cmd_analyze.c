/* muonscope analyze FILE_OR_FOLDER: spectra of any safetensors checkpoint, beside chance and another one. */
#define _POSIX_C_SOURCE 200809L /* open_memstream */
#include <limits.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "cli/analyze/output.h"
#include "cli/analyze/source.h"
#include "cli/analyze/work.h"
#include "cli/commands.h"
#include "platform/file.h"
#include "platform/output.h"
#include "platform/signals.h"
#include "platform/thread.h"

struct analyze_arguments {
    const char *match, *against, *format, *out;
    int64_t top, largest, threads;
};

static const ms_option options[] = {
    {"against", MS_OPTION_STRING, offsetof(struct analyze_arguments, against), NULL, "FILE_OR_FOLDER",
     "What the matrices were before: also analyze the change since, matrix by matrix of one name"},
    {"match", MS_OPTION_STRING, offsetof(struct analyze_arguments, match), NULL, "REGEX",
     "Only matrices whose name has this in it (POSIX extended), e.g. 'layers\\.(0|11)\\..*:q$'"},
    {"largest", MS_OPTION_COUNT, offsetof(struct analyze_arguments, largest), NULL, "N",
     "Only the N matrices with most elements"},
    {"top", MS_OPTION_COUNT, offsetof(struct analyze_arguments, top), NULL, "N",
     "How many of the largest singular values jsonl and csv list of each matrix (default 10)"},
    {"format", MS_OPTION_STRING, offsetof(struct analyze_arguments, format), NULL, "table|jsonl|csv",
     "What is printed (default: table)"},
    {"out", MS_OPTION_STRING, offsetof(struct analyze_arguments, out), NULL, "FILE",
     "Write to this file when all is done, or at Ctrl-C what is done by then"},
    {"threads", MS_OPTION_COUNT, offsetof(struct analyze_arguments, threads), NULL, "N",
     "CPU threads, each with a matrix of its own in memory; 0: all processors (default)"},
    {NULL, MS_OPTION_END, 0, NULL, NULL, NULL}};

static const ms_command command = {
    "analyze",
    "FILE_OR_FOLDER",
    "Computes the spectrum of every weight matrix of a safetensors checkpoint, beside what a random matrix has.",
    options,
    1,
    1,
    NULL,
    "A file, a folder with one or with shards and their index, or a run of muonscope (its newest checkpoint).\n"
    "Fused matrices are split by the rules of Hugging Face's families; config.json beside the file has the sizes.\n"
    "What each column is, and which names are known: docs/analyze.md."};

/* ---- what is printed ---- */

static ms_status print(const struct analyze_arguments *arguments, const ms_analyze_plan *plan, FILE *stream) {
    if (strcmp(arguments->format, "jsonl") == 0) return ms_analyze_print_jsonl(plan, (int)arguments->top, stream);
    if (strcmp(arguments->format, "csv") == 0) return ms_analyze_print_csv(plan, (int)arguments->top, stream);
    return ms_analyze_print_table(plan, stream);
}

/* All of the output, in malloc'ed memory. */
static ms_status print_to_memory(const struct analyze_arguments *arguments, const ms_analyze_plan *plan, char **out,
                                 size_t *out_size) {
    *out = NULL;
    FILE *stream = open_memstream(out, out_size);
    if (!stream) return MS_FAIL(MS_OUT_OF_MEMORY, "analyze: no memory for the output");
    ms_status status = print(arguments, plan, stream);
    if (fclose(stream) != 0 && status == MS_OK) status = MS_FAIL(MS_OUT_OF_MEMORY, "analyze: no memory for the output");
    return status;
}

static size_t count_undone(const ms_analyze_plan *plan) {
    size_t n = 0;
    for (size_t i = 0; i < plan->n_order; i++) n += !plan->items[plan->order[i]].is_done;
    return n;
}

/* The lines of what is done; nothing, also in the place of an older file, where an interruption left nothing done. */
static ms_status deliver(const struct analyze_arguments *arguments, const ms_analyze_plan *plan) {
    char *text;
    size_t size, n_undone = count_undone(plan);
    if (n_undone > 0 && n_undone == plan->n_order) return MS_OK;
    ms_status status = print_to_memory(arguments, plan, &text, &size);
    if (status == MS_OK && arguments->out) {
        status = ms_file_write(arguments->out, text, size);
    } else if (status == MS_OK) {
        ms_print_text(stdout, text, size);
        status = ms_output_flush();
    }
    free(text);
    return status;
}

/* What has no line. */
static void print_skipped(const ms_analyze_skipped *skipped) {
    const struct {
        int64_t n;
        const char *what;
    } rows[] = {{skipped->others, "tensors that are no floating-point numbers of 16 to 64 bits"},
                {skipped->vectors, "tensors of fewer than two dimensions"},
                {skipped->empty, "tensors without elements"},
                {skipped->masks, "masks of attention"},
                {skipped->unmatched, "matrices that --match leaves out"},
                {skipped->smaller, "matrices that --largest leaves out"},
                {skipped->only_here, "matrices that the other file has not"},
                {skipped->only_there, "matrices that the other file has alone"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].n > 0)
            ms_print_line(stderr, "analyze: left out: %lld %s%s%s", (long long)rows[i].n, rows[i].what,
                          i == 0 ? ", e.g. " : "", i == 0 ? skipped->other_type : "");
}

/* MS_INTERRUPTED, or MS_CORRUPT where lines have errors: what could be analyzed was printed. */
static ms_status sum_up(const struct analyze_arguments *arguments, const ms_analyze_plan *plan) {
    size_t n_errors = 0, n_undone = count_undone(plan);
    const char *file = arguments->out && n_undone < plan->n_order ? arguments->out : NULL;
    if (n_undone > 0)
        MS_TRY_NOTE(ms_signals_check("the analysis"), "%zu of %zu matrices are not done%s%s%s", n_undone, plan->n_order,
                    file ? " (" : "", file ? file : "", file ? " has the others)" : "");
    const ms_analyze_item *first = NULL;
    for (size_t i = 0; i < plan->n; i++) {
        const ms_analyze_item *item = &plan->items[i];
        if (!item->error) continue;
        if (n_errors++ == 0) first = item;
    }
    if (n_errors == 0) return MS_OK;
    return MS_FAIL(MS_CORRUPT, "%zu of %zu could not be analyzed, the first of them %s: %s", n_errors, plan->n,
                   first->name, first->error);
}

/* ---- the command ---- */

enum { MOST_THREADS = 1024 }; /* of ms_pool_create, and of train.threads */

static ms_status check(const struct analyze_arguments *arguments) {
    static const char *const formats[] = {"table", "jsonl", "csv"};
    if (arguments->threads > MOST_THREADS)
        return MS_FAIL(MS_USAGE, "--threads: %lld, must be at most %d", (long long)arguments->threads, MOST_THREADS);
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (strcmp(arguments->format, formats[i]) == 0)
            return arguments->top <= INT_MAX ? MS_OK : MS_FAIL(MS_USAGE, "--top: more than %d", INT_MAX);
    return MS_FAIL(MS_USAGE, "--format: '%s' is none of table, jsonl, csv", arguments->format);
}

static ms_status compile(const char *pattern, regex_t *out) {
    char message[256];
    int error = regcomp(out, pattern, REG_EXTENDED | REG_NOSUB);
    if (error == 0) return MS_OK;
    regerror(error, out, message, sizeof message);
    return MS_FAIL(MS_USAGE, "--match: '%s' is no regular expression: %s", pattern, message);
}

static ms_status analyze(const struct analyze_arguments *arguments, const ms_foreign *here, const ms_foreign *other) {
    regex_t match;
    if (arguments->match) MS_TRY(compile(arguments->match, &match));
    const ms_analyze_choice choice = {arguments->match ? &match : NULL, arguments->largest};
    int n_threads = arguments->threads ? (int)arguments->threads : ms_processor_count();
    const ms_analyze_options how = {.n_threads = n_threads, .n_top = (int)arguments->top};
    ms_analyze_plan plan;
    ms_status status = ms_analyze_plan_init(here, other, &choice, &plan);
    if (status == MS_OK) status = ms_analyze_work(&plan, &how);
    if (status == MS_OK) status = deliver(arguments, &plan);
    if (status == MS_OK) {
        print_skipped(&plan.skipped);
        status = sum_up(arguments, &plan);
    }
    ms_analyze_plan_finish(&plan);
    if (arguments->match) regfree(&match);
    return status;
}

static ms_status work(const struct analyze_arguments *arguments, const char *path) {
    ms_foreign *here = NULL, *other = NULL;
    MS_TRY(check(arguments));
    ms_warn_of_threads(arguments->threads);
    ms_status status = ms_analyze_open(path, &here);
    if (status == MS_OK && arguments->against) status = ms_analyze_open(arguments->against, &other);
    if (status == MS_OK) status = analyze(arguments, here, other);
    ms_foreign_close(here);
    ms_foreign_close(other);
    return status;
}

const ms_command *const ms_commands_analyze[] = {&command, NULL};

int ms_cmd_analyze(int argc, char **argv) {
    struct analyze_arguments arguments = {.top = 10, .format = "table"};
    ms_positionals path;
    ms_status status = ms_options_parse(&command, argc, argv, &arguments, &path);
    if (status == MS_OK && path.help) return ms_command_help(&command);
    if (status == MS_OK) status = ms_signals_catch();
    if (status == MS_OK) status = work(&arguments, path.items[0]);
    return ms_exit_status(status);
}
