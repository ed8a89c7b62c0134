/* Files for the tests of data: a temporary folder, and a small text in it. */
#ifndef MS_TESTS_MODEL_DATA_FILES_H
#define MS_TESTS_MODEL_DATA_FILES_H

#include <stddef.h>

#include "model/data/dataset_prepare.h"

/* A new folder below /tmp; the path is valid until the next call.  Aborts the test when it cannot be made. */
const char *data_folder_create(void);
/* Removes the folder and all it holds. */
void data_folder_remove(void);
/* The path of a name in the folder; one of 64 buffers, used in turn. */
const char *data_path(const char *name);
/* Writes a file in the folder and gives its path. */
const char *data_write(const char *name, const void *data, size_t size_bytes);
const char *data_write_text(const char *name, const char *text);

/* A tokenizer without merges, small.json, in the folder: <|endoftext|> and the 256 bytes. */
const char *data_write_tokenizer(void);
/* Lines of text, n of them, each different, in a file of the folder. */
const char *data_write_lines(const char *name, int n_lines);

/* ms_dataset_prepare, which must succeed.  The caller finishes what it returns. */
ms_sidecar data_prepare(const ms_prepare_options *options);
/* Two files hold the same bytes. */
void data_check_same_file(const char *left, const char *right);
/* Two folders hold files of the same names with the same bytes. */
void data_check_same_folder(const char *left, const char *right);
/* How many entries of the folder have this in their names. */
int data_count_names(const char *part);

#endif
