/* muonscope export csv RUN..., export hf RUN */
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/export/export.h"
#include "cli/export/hf.h"
#include "cli/run_model.h"
#include "cli/options/suggest.h"
#include "platform/signals.h"

struct csv_arguments {
    ms_option_list tables;
    const char *out, *layers, *projections; /* NULL: not given */
};

static const ms_option csv_options[] = {
    {"out", MS_OPTION_STRING, offsetof(struct csv_arguments, out), NULL, "FOLDER|FILE.csv",
     "Where to write: a folder, or the file of the one table of --table (default, of one run: RUN/csv)"},
    {"table", MS_OPTION_REPEATED, offsetof(struct csv_arguments, tables), NULL, "NAME",
     "Write only this table; may be given several times"},
    {"layers", MS_OPTION_STRING, offsetof(struct csv_arguments, layers), NULL, "LIST",
     "Write only these layers: numbers and ranges, e.g. 0,5,18-21"},
    {"projections", MS_OPTION_STRING, offsetof(struct csv_arguments, projections), NULL, "LIST",
     "Write only these projections, e.g. q,v"},
    {NULL, MS_OPTION_END, 0, NULL, NULL, NULL}};

static const ms_command csv_command = {
    "export csv",
    "RUN...",
    "Writes the data of runs as CSV tables, for pandas and R.",
    csv_options,
    1,
    -1,
    NULL,
    "Tables: "
#define TABLE(name, file, text) #name ", "
#include "cli/export/tables.def"
    "each NAME.csv; one\n"
    "without a row is not written.  The first two columns are run, the folder as it was named, and seed; null is "
    "empty;\n"
    "numbers have 17 digits, which read back to the same bits.  Columns and recipes: docs/export.md.\n"
    "Exit status 1 if a run cannot be used; the others are exported all the same."};

static ms_status find_table(const char *name, int *out) {
    ms_suggestion suggestion;
    ms_suggestion_init(name, &suggestion);
    for (*out = 0; *out < MS_EXPORT_TABLES; (*out)++) {
        if (strcmp(ms_export_table_name(*out), name) == 0) return MS_OK;
        ms_suggestion_offer(&suggestion, ms_export_table_name(*out));
    }
    const char *best = ms_suggestion_best(&suggestion);
    return MS_FAIL(MS_USAGE, "--table: there is no table '%s'%s%s%s", name, best ? "; did you mean '" : "",
                   best ? best : "; see muonscope export csv --help", best ? "'?" : "");
}

static ms_status choose_tables(const struct csv_arguments *arguments, ms_export_request *request) {
    request->are_named = arguments->tables.n_items > 0;
    for (int i = 0; i < MS_EXPORT_TABLES; i++) request->tables[i] = !request->are_named;
    for (int i = 0; i < arguments->tables.n_items; i++) {
        int table;
        MS_TRY(find_table(arguments->tables.items[i], &table));
        request->tables[table] = true;
    }
    return MS_OK;
}

/* "runs/a/", as a shell completes it */
static void drop_slashes(char *path) {
    for (size_t n = strlen(path); n > 1 && path[n - 1] == '/'; n--) path[n - 1] = '\0';
}

static ms_status check_paths(const ms_positionals *runs) {
    for (int i = 0; i < runs->n_items; i++) {
        drop_slashes(runs->items[i]);
        for (int k = 0; k < i; k++)
            if (strcmp(runs->items[k], runs->items[i]) == 0)
                return MS_FAIL(MS_USAGE, "export csv: run %s is named twice", runs->items[i]);
    }
    return MS_OK;
}

/* Where a file is named, it is of one table. */
static ms_status check_out(const ms_export_request *request) {
    int n_tables = 0;
    for (int i = 0; i < MS_EXPORT_TABLES; i++) n_tables += request->tables[i];
    if (!*request->out)
        return MS_FAIL(MS_USAGE, "--out: the name of a folder, or of a file that ends in .csv, is needed");
    if (ms_name_ends_with(request->out, ".csv") && n_tables != 1)
        return MS_FAIL(MS_USAGE, "--out %s is one file: name its table with --table, or a folder", request->out);
    return MS_OK;
}

static ms_status export_csv(int argc, char **argv) {
    struct csv_arguments arguments = {0};
    ms_positionals runs;
    MS_TRY(ms_options_parse(&csv_command, argc, argv, &arguments, &runs));
    if (runs.help) {
        ms_command_help(&csv_command);
        return MS_OK;
    }
    ms_export_request request = {
        .paths = runs.items, .n_paths = runs.n_items, .layers = arguments.layers, .projections = arguments.projections};
    MS_TRY(check_paths(&runs));
    MS_TRY(choose_tables(&arguments, &request));
    if (!arguments.out && runs.n_items > 1) return MS_FAIL(MS_USAGE, "export csv of several runs needs --out FOLDER");
    char *folder = ms_path_join(runs.items[0], "csv");
    request.out = arguments.out ? arguments.out : folder;
    ms_status status = request.out ? check_out(&request) : MS_FAIL(MS_OUT_OF_MEMORY, "export: no memory for a path");
    if (status == MS_OK)
        status = ms_signals_catch(); /* to the end of the process: what is half written is removed first */
    if (status == MS_OK) status = ms_export_csv(&request, stdout, stderr);
    free(folder);
    return status;
}

/* ---- export hf ---- */

struct hf_arguments {
    const char *out, *dtype;
    int64_t step;
};

static const ms_option hf_options[] = {
    {"out", MS_OPTION_STRING, offsetof(struct hf_arguments, out), NULL, "FOLDER", "The new folder; needed"},
    {"step", MS_OPTION_COUNT, offsetof(struct hf_arguments, step), NULL, "N",
     "Checkpoint to export (default: the newest)"},
    {"dtype", MS_OPTION_STRING, offsetof(struct hf_arguments, dtype), NULL, "f32|bf16",
     "Of the weights; bf16: rounded to nearest even (default f32)"},
    {NULL, MS_OPTION_END, 0, NULL, NULL, NULL}};

static const ms_command hf_command = {"export hf",
                                      "RUN",
                                      "Writes a run's model as a folder that Hugging Face's transformers loads.",
                                      hf_options,
                                      1,
                                      1,
                                      NULL,
                                      "With attention.qk_norm as Qwen3ForCausalLM, with attention.qkv_bias as "
                                      "Qwen2ForCausalLM, else as LlamaForCausalLM:\n"
                                      "config.json, the weights in safetensors, tokenizer, generation config "
                                      "and a model card.  It computes what was trained; "
                                      "what no architecture of transformers\n"
                                      "computes is refused.  How it is mapped: docs/export.md."};

static ms_status export_hf(int argc, char **argv) {
    struct hf_arguments arguments = {.step = -1, .dtype = "f32"};
    ms_positionals runs;
    MS_TRY(ms_options_parse(&hf_command, argc, argv, &arguments, &runs));
    if (runs.help) {
        ms_command_help(&hf_command);
        return MS_OK;
    }
    if (!arguments.out) return MS_FAIL(MS_USAGE, "export hf needs --out FOLDER");
    bool is_bf16 = strcmp(arguments.dtype, "bf16") == 0;
    if (!is_bf16 && strcmp(arguments.dtype, "f32") != 0)
        return MS_FAIL(MS_USAGE, "--dtype %s: f32 or bf16 is needed", arguments.dtype);
    char *out = strdup(arguments.out);
    if (!out) return MS_FAIL(MS_OUT_OF_MEMORY, "export: no memory for a path");
    drop_slashes(out);
    drop_slashes(runs.items[0]);
    ms_export_hf_request request = {
        .run = runs.items[0], .out = out, .step = arguments.step, .dtype = is_bf16 ? MS_DTYPE_BF16 : MS_DTYPE_F32};
    ms_status status = ms_signals_catch(); /* to the end of the process, as above */
    if (status == MS_OK) status = ms_refuse_hf_folder(request.run, "export hf");
    if (status == MS_OK) status = ms_export_hf(&request, stdout);
    free(out);
    return status;
}

/* ---- the subcommand ---- */

const ms_command *const ms_commands_export[] = {&csv_command, &hf_command, NULL};

int ms_cmd_export(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "";
    if (ms_option_is_help(what)) {
        ms_command_help(&csv_command);
        putchar('\n');
        return ms_command_help(&hf_command);
    }
    if (strcmp(what, "csv") == 0) return ms_exit_status(export_csv(argc - 1, argv + 1));
    if (strcmp(what, "hf") == 0) return ms_exit_status(export_hf(argc - 1, argv + 1));
    return ms_exit_status(MS_FAIL(MS_USAGE, "export '%s': must be csv or hf; see muonscope export --help", what));
}
