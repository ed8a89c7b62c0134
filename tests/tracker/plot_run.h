/* A run of known numbers, and what its plots are written as. */
#ifndef MS_TESTS_TRACKER_PLOT_RUN_H
#define MS_TESTS_TRACKER_PLOT_RUN_H

#include "tracker/plot/page.h"
#include "tracker/plot/plot_data.h"

enum { N_LAYERS = 3, N_SNAPSHOTS = 4, N_STEPS = 200, N_PROJECTIONS = 3 };

extern const char *const projections[N_PROJECTIONS];
extern const int steps[N_SNAPSHOTS];

/* Of the run that make_run makes and remove_run removes: a fixture. */
extern ms_plot_data data;
void make_run(void);
void remove_run(void);

/* In the run's folder; valid for two calls. */
const char *in_folder(const char *name);

/* Entropies, tenths of sigma_max, doubles of alignment_left: values that tell where they are from. */
double value_of(int snapshot, int layer, int p);

/* The script of a plot on a page of this style, and its table; the caller frees both.  out_table, out_page: NULL or
   what gets them. */
char *styled_script(const char *name, ms_page_style style, char **out_table, ms_page *out_page);
char *script_of(const char *name);

/* How often `part` is in the text, and that it is. */
int count(const char *text, const char *part);
void has(const char *text, const char *part);

#endif
