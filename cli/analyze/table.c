#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "cli/analyze/output.h"
#include "platform/escape.h"
#include "platform/median.h"

/* A column of figures: one number of ms_analysis, and how it is printed. */
typedef struct column {
    const char *heading;
    size_t offset;
    int width;
    const char *format; /* of the number alone, with its width */
} column;

#define OF(field) offsetof(ms_analysis, field)

static const column of_weights[] = {
    {"s1", OF(spectrum.sigma_max), 9, "%9.4g"},
    {"random", OF(sigma_max_random), 9, "%9.4g"},
    {"spikes", OF(spikes), 7, "%7.0f"},
    {"stable rank", OF(spectrum.stable_rank), 12, "%12.2f"},
    {"random", OF(stable_rank_random), 8, "%8.2f"},
    {"entropy", OF(spectrum.spectral_entropy), 8, "%8.4f"},
    {"random", OF(spectral_entropy_random), 7, "%7.4f"},
    {"eff. rank", OF(spectrum.effective_rank), 10, "%10.1f"},
    {"random", OF(effective_rank_random), 8, "%8.1f"},
    {"condition", OF(spectrum.condition), 10, "%10.3g"},
};

static const column of_updates[] = {
    {"|dW|/|W0|", OF(spectrum.update_ratio), 10, "%10.3g"},
    {"cosine", OF(spectrum.cosine), 8, "%8.4f"},
    {"s1(dW)", OF(spectrum.update_sigma), 9, "%9.3g"},
    {"random", OF(update_sigma_max_random), 9, "%9.3g"},
    {"spikes", OF(update_spikes), 7, "%7.0f"},
    {"stable rank", OF(update_stable_rank), 12, "%12.2f"},
    {"random", OF(stable_rank_random), 8, "%8.2f"},
    {"entropy", OF(update_spectral_entropy), 8, "%8.4f"},
    {"random", OF(spectral_entropy_random), 7, "%7.4f"},
    {"align. left", OF(spectrum.alignment_left), 12, "%12.3f"},
    {"p95", OF(spectrum.alignment_random_p95), 6, "%6.3f"},
    {"right", OF(spectrum.alignment_right), 6, "%6.3f"},
    {"p95", OF(spectrum.alignment_random_right_p95), 6, "%6.3f"},
    {"kept left", OF(spectrum.persistence_left), 10, "%10.3f"},
    {"right", OF(spectrum.persistence_right), 6, "%6.3f"},
};

/* What is printed of every item. */
typedef struct table {
    const column *columns;
    int n_columns;
    FILE *stream;
} table;

static double value_of(const ms_analysis *analysis, const column *of) {
    return *(const double *)(const void *)((const char *)analysis + of->offset);
}

static void print_value(const column *of, double value, FILE *stream) {
    if (isfinite(value))
        fprintf(stream, of->format, value);
    else
        fprintf(stream, "%*s", of->width, "-");
}

static void print_headings(const table *t, const char *first, const char *last) {
    fputs(first, t->stream);
    for (int i = 0; i < t->n_columns; i++) fprintf(t->stream, "%*s", t->columns[i].width, t->columns[i].heading);
    fprintf(t->stream, "  %s\n", last);
}

static void print_shape(const ms_analyze_item *item, FILE *stream) {
    char shape[48];
    snprintf(shape, sizeof shape, "%lld x %lld", (long long)item->here.part.rows, (long long)item->here.part.cols);
    fprintf(stream, "%-16s", shape);
}

static void print_name(const char *name, FILE *stream) {
    char text[1024];
    fprintf(stream, "  %s", ms_escape(name, text, sizeof text));
}

static void print_item(const table *t, const ms_analyze_item *item) {
    if (!item->here.tensor) { /* a shard that cannot be read */
        print_name(item->name, t->stream);
        print_name(item->error, t->stream);
        fputc('\n', t->stream);
        return;
    }
    print_shape(item, t->stream);
    for (int i = 0; i < t->n_columns && !item->error; i++)
        print_value(&t->columns[i], value_of(&item->analysis, &t->columns[i]), t->stream);
    if (item->error) {
        print_name(item->error, t->stream);
    } else {
        print_name(item->name, t->stream);
        if (*item->note) print_name(item->note, t->stream);
    }
    fputc('\n', t->stream);
}

/* ---- medians ---- */

static const char *projection_of(const ms_analyze_item *item) {
    return item->here.part.projection ? item->here.part.projection : "";
}

static bool is_counted(const ms_analyze_item *item) { return item->here.tensor && item->is_done && !item->error; }

static bool same_group(const ms_analyze_item *a, const ms_analyze_item *b) {
    return strcmp(projection_of(a), projection_of(b)) == 0 && a->here.part.rows == b->here.part.rows &&
           a->here.part.cols == b->here.part.cols;
}

/* A line for the projection and shape that item i is the first of; is_seen: those that had one, and now have. */
static void print_group(const table *t, const ms_analyze_plan *plan, size_t first, bool *is_seen, double *values) {
    char projection[64];
    int n = 0;
    for (int c = 0; c < t->n_columns; c++) {
        int n_values = 0;
        n = 0;
        for (size_t i = first; i < plan->n; i++) {
            const ms_analyze_item *item = &plan->items[i];
            if (!is_counted(item) || !same_group(item, &plan->items[first])) continue;
            is_seen[i] = true;
            n++;
            double value = value_of(&item->analysis, &t->columns[c]);
            if (isfinite(value)) values[n_values++] = value;
        }
        if (c == 0) print_shape(&plan->items[first], t->stream);
        print_value(&t->columns[c], n_values > 0 ? ms_median(values, n_values) : NAN, t->stream);
    }
    const char *name = projection_of(&plan->items[first]);
    fprintf(t->stream, "  %s (%d)\n", *name ? ms_escape(name, projection, sizeof projection) : "no rule", n);
}

static ms_status print_groups(const table *t, const ms_analyze_plan *plan) {
    bool *is_seen = calloc(plan->n + 1, sizeof *is_seen);
    double *values = calloc(plan->n + 1, sizeof *values);
    ms_status status = is_seen && values ? MS_OK : MS_FAIL(MS_OUT_OF_MEMORY, "analyze: no memory for medians");
    if (status == MS_OK) {
        fprintf(t->stream, "\nMedians over the layers, by projection and shape:\n\n");
        print_headings(t, "shape           ", "projection (matrices)");
    }
    for (size_t i = 0; status == MS_OK && i < plan->n; i++)
        if (is_counted(&plan->items[i]) && !is_seen[i]) print_group(t, plan, i, is_seen, values);
    free(is_seen);
    free(values);
    return status;
}

ms_status ms_analyze_print_table(const ms_analyze_plan *plan, FILE *stream) {
    const table t = {plan->has_other ? of_updates : of_weights,
                     plan->has_other ? (int)(sizeof of_updates / sizeof *of_updates)
                                     : (int)(sizeof of_weights / sizeof *of_weights),
                     stream};
    print_headings(&t, "shape           ", "matrix");
    for (size_t i = 0; i < plan->n; i++)
        if (plan->items[i].is_done) print_item(&t, &plan->items[i]);
    return print_groups(&t, plan);
}
