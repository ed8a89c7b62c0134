/* What `muonscope verify` found, row by row: a table on a stream and, when asked, JSON lines in a file.

   A JSON line is one of
     {"type":"row", "kind":"op"|"run", "name", "case", "device", "numerics", "verdict", "output", "index", "expected",
      "found", "worst", "seconds", "message"}
         output to found: null without a difference; bits in hexadecimal
         worst: largest error over its bound, null where none was measured
     {"type":"coverage", "device", "numerics", "ran", "of", "percent", "missing":[op, ...], "unsupported"}
         ran to missing count ops; unsupported: cases of any op that the device lacks
     {"type":"total", "rows", "passed", "failed", "unsupported", "not_run", "planted", "found"}
   Not thread-safe on one report. */
#ifndef MS_CLI_VERIFY_REPORT_H
#define MS_CLI_VERIFY_REPORT_H

#include <stdio.h>

#include "backend/backend.h"

/* X(CONSTANT, text, is a failure) */
#define MS_VERDICTS(X)                                                                                                 \
    X(PASS, "pass", false)                                                                                             \
    X(DIFFERS, "differs", true)          /* bits, where they must be equal */                                          \
    X(BOUND, "out of bound", true)       /* error larger than its bound */                                             \
    X(REPEAT, "not repeated", true)      /* a second run gave other bits */                                            \
    X(MEMORY, "memory", true)            /* wrote around an operand, changed an input, left an output unwritten */     \
    X(ERROR, "error", true)              /* a call failed: see the message */                                          \
    X(UNSUPPORTED, "unsupported", false) /* the device lacks it and says so */                                         \
    X(NOT_RUN, "not run", true)          /* the device was lost before */

typedef enum ms_verdict {
#define X(constant, text, failure) MS_VERDICT_##constant,
    MS_VERDICTS(X)
#undef X
} ms_verdict;

bool ms_verdict_is_failure(ms_verdict verdict);
/* Whether it says that numbers differ: what a planted fault in numbers must be found by.  A call that failed finds
   nothing. */
bool ms_verdict_is_difference(ms_verdict verdict);

typedef struct ms_verify_row {
    bool is_run;      /* a training run, else a case of an op */
    const char *name; /* of the op or run; borrowed */
    char test[128];   /* which case */
    const char *device;
    ms_numerics numerics;
    ms_verdict verdict;
    bool has_difference;
    int32_t output;           /* where the first difference is */
    int64_t index;            /* element of that output */
    uint32_t expected, found; /* bits */
    double worst;             /* error over bound; NAN: not measured */
    double seconds;
    char message[512]; /* what was done when it failed, or the error; "" */
} ms_verify_row;

typedef struct ms_verify_report ms_verify_report;

/* stream: borrowed.  json: path, or NULL.  MS_IO, MS_OUT_OF_MEMORY.  The caller destroys it. */
ms_status ms_verify_report_create(FILE *stream, const char *json, ms_verify_report **out);
ms_status ms_verify_report_add(ms_verify_report *report, const ms_verify_row *row);

/* Which ops a device ran. */
typedef struct ms_verify_coverage {
    const char *device;
    ms_numerics numerics;
    const bool *selected; /* [MS_OP_COUNT] */
    const bool *ran;      /* [MS_OP_COUNT] a case was executed */
    int64_t unsupported;  /* cases that were not, of any op */
} ms_verify_coverage;

/* Composites are told beside; they are not part of the whole.  out_percent: ops that ran, of all selected primitive and
   free ones; 100 when there are none. */
ms_status ms_verify_report_coverage(ms_verify_report *report, const ms_verify_coverage *coverage, double *out_percent);
/* A planted fault: whether its row named it. */
void ms_verify_report_planted(ms_verify_report *report, bool found);

typedef struct ms_verify_totals {
    int64_t rows, passed, failed, unsupported, not_run; /* not_run is part of failed */
    int64_t planted, found;
} ms_verify_totals;

/* Prints totals and completes the JSON file: before this call there is none.  MS_IO, MS_NO_SPACE. */
ms_status ms_verify_report_finish(ms_verify_report *report, ms_verify_totals *out);
/* Drops an unfinished JSON file.  NULL is fine. */
void ms_verify_report_destroy(ms_verify_report *report);

#endif
