/* CSV as RFC 4180 describes it, but lines end with one line feed: what spreadsheets, pandas and R read.  A cell at a
   time; a failure stays with the stream.  Not thread-safe on one object. */
#ifndef MS_PLATFORM_CSV_H
#define MS_PLATFORM_CSV_H

#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

/* {stream} begins one. */
typedef struct ms_csv {
    FILE *stream; /* borrowed */
    int n_cells;  /* of the line so far */
} ms_csv;

/* In quotes where commas, quotes or line breaks need them; NULL and "" give an empty cell. */
void ms_csv_text(ms_csv *csv, const char *text);

void ms_csv_integer(ms_csv *csv, int64_t value);

/* With so many significant digits; 17 read back to the same bits.  What is not finite gives an empty cell. */
void ms_csv_real(ms_csv *csv, double value, int digits);

/* n empty cells. */
void ms_csv_empty(ms_csv *csv, int n);

/* Ends the line. */
void ms_csv_end(ms_csv *csv);

#ifdef __cplusplus
}
#endif

#endif
