/* What a checkpoint says of a run, beside its tensors. */
#ifndef MS_MODEL_CHECKPOINT_CHECKPOINT_INFO_H
#define MS_MODEL_CHECKPOINT_CHECKPOINT_INFO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum ms_checkpoint_kind { MS_CHECKPOINT_TEXT, MS_CHECKPOINT_INTEGER, MS_CHECKPOINT_REAL } ms_checkpoint_kind;
/* Names by value, with their article; ends with NULL. */
extern const char *const ms_checkpoint_kind_names[];

enum { MS_CHECKPOINT_NAME_SIZE = 32 }; /* bytes of a checkpoint's name, step_<digits>, with the NUL */

/* One extra value of the caller's, kept in state.json. */
typedef struct ms_checkpoint_entry {
    const char *key;         /* UTF-8, unique */
    ms_checkpoint_kind kind; /* which of the next three counts */
    const char *text;        /* UTF-8 */
    int64_t integer;         /* any */
    double real;             /* finite; kept to the last bit */
} ms_checkpoint_entry;

/* The state of a run.  When writing, everything is borrowed from the caller; when reading, from the open checkpoint. */
typedef struct ms_checkpoint_info {
    int64_t step;                       /* optimizer steps done, >= 0 */
    int64_t tokens;                     /* tokens trained on, >= 0 */
    int64_t data_position;              /* of the data set's cursor, >= 0 */
    int64_t seed;                       /* of the run */
    int64_t adamw_step;                 /* AdamW's step count (bias correction), >= 0 */
    const char *config_hash;            /* any text: the caller compares it */
    const ms_checkpoint_entry *entries; /* [n_entries] */
    size_t n_entries;                   /* 0: entries may be NULL */
    bool folder_exists;                 /* when writing: a folder of checkpoints that is gone is not made again */
    /* When writing: which rows of merged matrices are what (ms_model_layout), "layout" in the metadata of both tensor
       files; NULL: none.  Nothing reads it back. */
    const char *layout;
} ms_checkpoint_info;

#ifdef __cplusplus
}
#endif

#endif
