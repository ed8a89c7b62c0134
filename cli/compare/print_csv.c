#include <math.h>

#include "cli/compare/print.h"

static void print_quoted(const char *text, FILE *stream) {
    fputc('"', stream);
    for (const char *c = text; *c; c++) {
        if (*c == '"') fputc('"', stream);
        fputc(*c, stream);
    }
    fputc('"', stream);
}

static void print_number(double value, FILE *stream) {
    if (isfinite(value))
        fprintf(stream, ",%.17g", value);
    else
        fputc(',', stream);
}

static void print_numbers(const double *values, size_t n, FILE *stream) {
    for (size_t i = 0; i < n; i++) print_number(values[i], stream);
}

static void print_cell(const ms_compare_result *result, const ms_comparison *comparison, const ms_comparison_row *row,
                       int i_group, FILE *stream) {
    const ms_compare_set *set = result->set;
    const ms_comparison_cell *cell = &row->cells[i_group];
    const ms_paired *values = &cell->values, *difference = &cell->difference;
    fprintf(stream, "%s", ms_comparison_at_name(comparison->at));
    print_number(comparison->place, stream);
    fputc(',', stream);
    print_quoted(row->name, stream);
    print_number(row->place, stream);
    fputc(',', stream);
    print_quoted(set->labels[i_group], stream);
    fprintf(stream, ",%d", values->n);
    print_numbers((double[]){values->mean, values->deviation, values->low, values->high}, 4, stream);
    fputc(',', stream);
    if (i_group != set->i_baseline) {
        print_quoted(set->labels[set->i_baseline], stream);
        fprintf(stream, ",%d", difference->n);
        print_numbers((double[]){difference->mean, difference->deviation, difference->low, difference->high,
                                 difference->p, difference->p_least, cell->p_holm},
                      7, stream);
    } else {
        fputs(",,,,,,,,", stream);
    }
    fputc('\n', stream);
}

ms_status ms_compare_print_csv(const ms_compare_result *result, FILE *stream) {
    fprintf(stream, "at,place,metric,metric_place,group,n,mean,deviation,low,high,baseline,pairs,difference,"
                    "difference_deviation,difference_low,difference_high,p,p_least,p_holm\n");
    for (size_t i = 0; i < result->n; i++)
        for (size_t k = 0; k < result->comparisons[i].n_rows; k++)
            for (int g = 0; g < result->set->n_groups; g++)
                print_cell(result, &result->comparisons[i], &result->comparisons[i].rows[k], g, stream);
    return MS_OK;
}
