#include "tracker/plot/page.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DIGITS = 9 };

/* gnuplot's 16 points become 8, as journals have the labels of figures. */
static const double paper_scale = 0.5;
static const double mm_per_inch = 25.4, pixels_per_inch = 96;

ms_status ms_page_read_width(const char *text, double *out_mm) {
    static const struct {
        const char *name;
        double mm;
    } units[] = {{"mm", 1}, {"cm", 10}, {"in", 25.4}};
    char *unit;
    double value = strtod(text, &unit);
    size_t i = 0;
    while (i < sizeof units / sizeof *units && strcmp(unit, units[i].name) != 0) i++;
    if (unit == text || i == sizeof units / sizeof *units)
        return MS_FAIL(MS_USAGE, "--width: '%s' is no length, such as 85mm, 8.5cm or 3.3in", text);
    *out_mm = value * units[i].mm;
    if (!(*out_mm >= MS_PAGE_LEAST_MM && *out_mm <= MS_PAGE_MOST_MM))
        return MS_FAIL(MS_USAGE, "--width %s: must be %dmm to %dmm", text, MS_PAGE_LEAST_MM, MS_PAGE_MOST_MM);
    return MS_OK;
}

double ms_page_scale(ms_page_style style) { return style.width_mm > 0 ? paper_scale : 1; }

ms_page ms_page_make(ms_page_style style, FILE *script, FILE *table) {
    int width = (int)lround(style.width_mm / mm_per_inch * pixels_per_inch / ms_page_scale(style));
    return (ms_page){.out = script, .table = {table, 0}, .given_width = width, .titled = !style.untitled};
}

void ms_page_columns(ms_page *page, const char *names) { fprintf(page->table.stream, "%s\n", names); }

static const char *separator(ms_page *page) { return page->n_values++ > 0 ? " " : ""; }

void ms_row_text(ms_page *page, const char *text) { ms_csv_text(&page->table, text); }

void ms_row_label(ms_page *page, int64_t label) { ms_csv_integer(&page->table, label); }

void ms_row_integer(ms_page *page, int64_t value) {
    fprintf(page->out, "%s%lld", separator(page), (long long)value);
    ms_csv_integer(&page->table, value);
}

void ms_row_drawn(ms_page *page, double value) {
    if (isfinite(value))
        fprintf(page->out, "%s%.*g", separator(page), DIGITS, value);
    else
        fprintf(page->out, "%sNaN", separator(page));
}

void ms_row_value(ms_page *page, double value) {
    ms_row_drawn(page, value);
    ms_csv_real(&page->table, value, DIGITS);
}

void ms_row_end(ms_page *page) {
    if (page->n_values > 0) fprintf(page->out, "\n");
    page->n_values = 0;
    ms_csv_end(&page->table);
}
