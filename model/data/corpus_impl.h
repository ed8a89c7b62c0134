/* What the corpus's files share: the object behind ms_corpus.  Not for users of model/data/corpus.h. */
#ifndef MS_MODEL_DATA_CORPUS_IMPL_H
#define MS_MODEL_DATA_CORPUS_IMPL_H

#include <jansson.h>

#include "model/data/corpus.h"
#include "model/data/corpus_input.h"
#include "model/data/text_normalize.h"

/* Size of a record that is longer than MS_CORPUS_DOCUMENT_MAX. */
#define MS_CORPUS_TOO_LONG SIZE_MAX

struct ms_corpus {
    ms_input *input;
    ms_corpus_options options;
    bool has_begun; /* the format is known */
    bool is_jsonl;
    bool at_end;  /* of the input */
    char *buffer; /* [capacity]; bytes [begin, end) are read and not used yet */
    size_t capacity;
    size_t begin, end;
    uint64_t offset_bytes; /* of buffer[begin] in the text */
    uint64_t i_line;       /* of buffer[begin], from 1 */
    ms_text mended;        /* the record that was lent, where something in it was replaced */
    ms_text mended_json;
    json_t *line; /* the JSONL line whose text was lent, or whose ids are being read; or NULL */
    bool is_ids;
    int32_t *ids; /* [ids_capacity] those that were lent */
    size_t ids_capacity;
    int id_bytes;         /* of a binary file */
    int64_t n_ids_left;   /* that its header promises; -1: it has none */
    uint64_t i_id;        /* of the next id, from 0 */
    size_t i_in_line;     /* of the next id of `line` */
    uint64_t i_line_lent; /* number of `line` */
    uint64_t offset_lent; /* of its first byte */
    ms_record_counts counts;
};

/* Reads on until `wanted` unused bytes are there, or the input ends. */
ms_status ms_corpus_fill(ms_corpus *corpus, size_t wanted);

/* Size of the next line with its end, 0 at the end of the input, or MS_CORPUS_TOO_LONG.  Looks on from `from` unused
   bytes, which hold whole lines. */
ms_status ms_corpus_find_line(ms_corpus *corpus, size_t from, size_t *out_size);

/* Size of the next record, as ms_corpus_find_line. */
ms_status ms_corpus_size_record(ms_corpus *corpus, size_t *out_size);

/* Goes past `size` unused bytes, and counts their lines. */
void ms_corpus_consume(ms_corpus *corpus, size_t size);

/* Goes past the next record, however long it is, without holding it. */
ms_status ms_corpus_discard_record(ms_corpus *corpus);

/* The value of the options' field in a JSONL line; NULL: it has none, or is NULL itself.  Borrowed. */
const json_t *ms_corpus_field(const ms_corpus *corpus, const json_t *line);

/* How messages about a record end. */
#define MS_CORPUS_WAY_ON "; --on_error skip leaves such records out, replace mends them where it can"

/* A record that is wrong and cannot be mended, or may not be: MS_OK when it is left out, and counted. */
ms_status ms_corpus_leave_out(ms_corpus *corpus, ms_record_fault fault);

/* Leaves the next record out, which is too long.  MS_INVALID: on_error says stop. */
ms_status ms_corpus_pass_too_long(ms_corpus *corpus);

/* At the start: finds out whether the file holds token ids, and reads their header. */
ms_status ms_corpus_begin_ids(ms_corpus *corpus, bool *out_is_ids);

/* Makes the next ids those from `position` on, which is what is unused. */
ms_status ms_corpus_go_to_id(ms_corpus *corpus, const ms_corpus_position *position);

/* ms_corpus_next of a file of token ids. */
ms_status ms_corpus_next_ids(ms_corpus *corpus, ms_document *out);

/* True when the text is only ASCII white space. */
bool ms_corpus_is_blank(const char *text, size_t size_bytes);

/* At the start: goes past a byte-order mark, refuses what is no text, and finds out whether it is JSONL. */
ms_status ms_corpus_begin(ms_corpus *corpus);

#endif
