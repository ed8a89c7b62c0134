#include "cli/compare/print.h"
#include "platform/csv.h"

enum { DIGITS = 17 };

static void print_numbers(const double *values, size_t n, ms_csv *csv) {
    for (size_t i = 0; i < n; i++) ms_csv_real(csv, values[i], DIGITS);
}

static void print_row(const ms_compare_result *result, const ms_comparison *comparison, const ms_comparison_row *row,
                      int i_group, ms_csv *csv) {
    const ms_compare_set *set = result->set;
    const ms_comparison_cell *cell = &row->cells[i_group];
    const ms_paired *values = &cell->values, *difference = &cell->difference;
    ms_csv_text(csv, ms_comparison_at_name(comparison->at));
    ms_csv_real(csv, comparison->place, DIGITS);
    ms_csv_text(csv, row->name);
    ms_csv_real(csv, row->place, DIGITS);
    ms_csv_text(csv, set->labels[i_group]);
    ms_csv_integer(csv, values->n);
    print_numbers((double[]){values->mean, values->deviation, values->low, values->high}, 4, csv);
    if (i_group != set->i_baseline) {
        ms_csv_text(csv, set->labels[set->i_baseline]);
        ms_csv_integer(csv, difference->n);
        print_numbers((double[]){difference->mean, difference->deviation, difference->low, difference->high,
                                 difference->p, difference->p_least, cell->p_holm},
                      7, csv);
    } else {
        ms_csv_empty(csv, 9);
    }
    ms_csv_end(csv);
}

ms_status ms_compare_print_csv(const ms_compare_result *result, FILE *stream) {
    ms_csv csv = {stream, 0};
    fprintf(stream, "at,place,metric,metric_place,group,n,mean,deviation,low,high,baseline,pairs,difference,"
                    "difference_deviation,difference_low,difference_high,p,p_least,p_holm\n");
    for (size_t i = 0; i < result->n; i++)
        for (size_t k = 0; k < result->comparisons[i].n_rows; k++)
            for (int g = 0; g < result->set->n_groups; g++)
                print_row(result, &result->comparisons[i], &result->comparisons[i].rows[k], g, &csv);
    return MS_OK;
}
