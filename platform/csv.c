#include "platform/csv.h"

#include <math.h>
#include <string.h>

static void begin_cell(ms_csv *csv) {
    if (csv->n_cells++ > 0) fputc(',', csv->stream);
}

void ms_csv_text(ms_csv *csv, const char *text) {
    begin_cell(csv);
    if (!text) return;
    if (!strpbrk(text, ",\"\r\n")) {
        fputs(text, csv->stream);
        return;
    }
    fputc('"', csv->stream);
    for (; *text; text++) {
        if (*text == '"') fputc('"', csv->stream);
        fputc(*text, csv->stream);
    }
    fputc('"', csv->stream);
}

void ms_csv_integer(ms_csv *csv, int64_t value) {
    begin_cell(csv);
    fprintf(csv->stream, "%lld", (long long)value);
}

void ms_csv_real(ms_csv *csv, double value, int digits) {
    begin_cell(csv);
    if (isfinite(value)) fprintf(csv->stream, "%.*g", digits, value);
}

void ms_csv_empty(ms_csv *csv, int n) {
    for (int i = 0; i < n; i++) begin_cell(csv);
}

void ms_csv_end(ms_csv *csv) {
    fputc('\n', csv->stream);
    csv->n_cells = 0;
}
