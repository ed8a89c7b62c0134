#include "cli/export/tables.h"

#include <string.h>

#include "tracker/metrics.h"

static const struct {
    const char *name, *file, *text;
} tables[MS_EXPORT_TABLES] = {
#define TABLE(name, file, text) {#name, file, text},
#include "cli/export/tables.def"
};

const char *ms_export_table_name(int i_table) { return tables[i_table].name; }

const char *ms_export_table_file(int i_table) { return tables[i_table].file; }

const char *ms_export_table_text(int i_table) { return tables[i_table].text; }

bool ms_export_table_has_projections(int i_table) {
    return i_table == MS_EXPORT_spectra || i_table == MS_EXPORT_spectra_long || i_table == MS_EXPORT_sigma_max;
}

bool ms_export_table_has_layers(int i_table) {
    return ms_export_table_has_projections(i_table) || i_table == MS_EXPORT_probes || i_table == MS_EXPORT_heads;
}

/* Whether tracker/metrics.h describes the keys of the file. */
static bool is_described(const char *file) {
    size_t n;
    const ms_metric_file *files = ms_metric_files(&n);
    for (size_t i = 0; i < n; i++)
        if (strcmp(files[i].name, file) == 0) return true;
    return false;
}

ms_status ms_export_sheet_init(int i_table, const char *path, ms_export_sheet *out) {
    *out = (ms_export_sheet){.i_table = i_table, .path = path};
    return is_described(tables[i_table].file) ? ms_export_columns_init(tables[i_table].file, &out->columns) : MS_OK;
}

void ms_export_sheet_finish(ms_export_sheet *sheet) {
    ms_writer_abort(&sheet->writer);
    ms_export_columns_finish(&sheet->columns);
    *sheet = (ms_export_sheet){0};
}
