/* Texts as people read them: each prompt with what follows it, as it is drawn, and a line break. */
#ifndef MS_TRAIN_TEXT_PRINT_H
#define MS_TRAIN_TEXT_PRINT_H

#include <stdio.h>

#include "train/text.h"

/* Not thread-safe on one object. */
typedef struct ms_text_printer {
    FILE *stream;      /* flushed with each token */
    FILE *copy;        /* the same without the line break at the end; NULL: nowhere */
    bool has_headings; /* before each text "-- prompt 2, sample 1", from 1 on, and an empty line between two */
    bool is_within;    /* a text has begun and not ended */
    int64_t n_begun;
} ms_text_printer;

/* A sink that prints with `printer`.  MS_IO, MS_NO_SPACE: the stream took no more. */
ms_text_sink ms_text_printer_sink(ms_text_printer *printer);

/* After work that ended early: ends the line. */
void ms_text_printer_finish(ms_text_printer *printer);

#endif
