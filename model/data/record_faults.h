/* What can be wrong with one record of a corpus, what becomes of it, and how often that was so. */
#ifndef MS_MODEL_DATA_RECORD_FAULTS_H
#define MS_MODEL_DATA_RECORD_FAULTS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum ms_record_fault {
    MS_RECORD_NOT_UTF8,
    MS_RECORD_LONE_SURROGATE, /* half of a pair of \u escapes */
    MS_RECORD_NOT_JSON,       /* of JSONL: the line is no JSON value */
    MS_RECORD_NO_TEXT,        /* of JSONL: no string, or no list of ids, under the key */
    MS_RECORD_TOO_LONG,       /* more than MS_CORPUS_DOCUMENT_MAX bytes */
    MS_RECORD_NO_TOKEN,       /* a byte that the tokenizer has no token for */
    MS_RECORD_NO_ID,          /* an id outside the tokenizer's vocabulary */
    MS_N_RECORD_FAULTS
} ms_record_fault;

/* What becomes of such a record. */
typedef enum ms_on_error {
    MS_ON_ERROR_STOP,   /* the work ends with an error that names file and line */
    MS_ON_ERROR_SKIP,   /* the record is left out */
    MS_ON_ERROR_REPLACE /* U+FFFD takes the place of what is wrong; a record where nothing can is left out */
} ms_on_error;

/* Zeroed is none. */
typedef struct ms_record_counts {
    int64_t skipped[MS_N_RECORD_FAULTS];  /* records left out, by reason */
    int64_t replaced[MS_N_RECORD_FAULTS]; /* records in which something was replaced, by reason */
} ms_record_counts;

/* Names in files and output: "not_utf8", ...; "stop", "skip", "replace".  Borrowed, static. */
const char *ms_record_fault_name(ms_record_fault fault);
const char *ms_on_error_name(ms_on_error on_error);
extern const char *const ms_on_error_names[]; /* by value; ends with NULL */

/* False: no such name. */
bool ms_on_error_from_name(const char *name, ms_on_error *out);

/* Adds the counts of `from` to *to. */
void ms_record_counts_add(ms_record_counts *to, const ms_record_counts *from);

/* Records left out, whatever the reason. */
int64_t ms_record_counts_skipped(const ms_record_counts *counts);

/* A line for what was left out, and one for what was replaced; nothing when there is nothing. */
void ms_record_counts_print(const ms_record_counts *counts, FILE *stream);

#ifdef __cplusplus
}
#endif

#endif
