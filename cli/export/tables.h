/* The tables of `muonscope export csv`: rows of cli/export/tables.def while they are written.  Not thread-safe on one
   object. */
#ifndef MS_CLI_EXPORT_TABLES_H
#define MS_CLI_EXPORT_TABLES_H

#include <jansson.h>
#include <stdint.h>

#include "cli/config/config.h"
#include "cli/export/columns.h"
#include "platform/csv.h"
#include "platform/file.h"
#include "tracker/plot/selection.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
#define TABLE(name, file, text) MS_EXPORT_##name,
#include "cli/export/tables.def"
    MS_EXPORT_TABLES
};

/* One table while it is written: its file is opened with its first row. */
typedef struct ms_export_sheet {
    int i_table;
    const char *path;          /* where it is to stand, borrowed */
    ms_export_columns columns; /* of its file's keys; those of the other tables are empty */
    ms_writer writer;          /* stream NULL: it has no row yet */
    ms_csv csv;                /* cells of the writer */
    int64_t n_rows;
} ms_export_sheet;

/* The run that rows are of, and what reading its files meets. */
typedef struct ms_export_run {
    const char *path; /* the column `run`, borrowed */
    ms_config config; /* where has_config */
    bool has_config;
    ms_config_given given;   /* keys that config.yaml sets; used where it is partial */
    ms_selection *selection; /* of layers and projections, borrowed */
    /* Of the file that is read: */
    json_t *unknown_keys; /* an object with the keys that no table has a column for */
    int64_t step;         /* of its line */
    char first_odd[160];  /* "loss of step 3", which is no number, or longer than arrays of this key are; "": none */
    char first_lost[160]; /* "a line of step 3", which does not say of which layer or projection it is; "": none */
} ms_export_run;

/* "spectra", and the file of a run that it is made of.  Static. */
const char *ms_export_table_name(int i_table);
const char *ms_export_table_file(int i_table);
const char *ms_export_table_text(int i_table);
/* Whether its rows are of a layer; of a projection. */
bool ms_export_table_has_layers(int i_table);
bool ms_export_table_has_projections(int i_table);

/* path: borrowed.  ms_export_sheet_finish drops what was not committed.  MS_OUT_OF_MEMORY. */
ms_status ms_export_sheet_init(int i_table, const char *path, ms_export_sheet *out);
void ms_export_sheet_finish(ms_export_sheet *sheet); /* a zeroed one is fine */

/* Adds the rows of one line of the table's file.  Errors of ms_writer_open. */
ms_status ms_export_add_line(ms_export_sheet *sheet, ms_export_run *run, const json_t *line);
/* The rows that are made of no line: of runs, its configuration; of warnings, those of a run.log in `text`, which is
   split; of columns, those of all tables. */
ms_status ms_export_add_config(ms_export_sheet *sheet, ms_export_run *run);
ms_status ms_export_add_warnings(ms_export_sheet *sheet, ms_export_run *run, char *text);
ms_status ms_export_add_columns(ms_export_sheet *sheet);

#ifdef __cplusplus
}
#endif

#endif
