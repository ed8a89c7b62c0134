#include "tests/model/data_files.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/data/bpe_train.h"
#include "platform/directory.h"
#include "platform/file.h"

static char folder[64];

const char *data_folder_create(void) {
    snprintf(folder, sizeof folder, "/tmp/muonscope-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    return folder;
}

void data_folder_remove(void) { ck_assert_int_eq(ms_directory_remove(folder), MS_OK); }

const char *data_path(const char *name) {
    static char paths[64][256];
    static unsigned turn;
    char *path = paths[turn++ % 64];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

const char *data_write(const char *name, const void *data, size_t size_bytes) {
    const char *path = data_path(name);
    ck_assert_int_eq(ms_file_write(path, data, size_bytes), MS_OK);
    return path;
}

const char *data_write_text(const char *name, const char *text) { return data_write(name, text, strlen(text)); }

const char *data_write_tokenizer(void) {
    ms_bpe_trainer *trainer;
    ms_tokenizer *tokenizer;
    const char *path = data_path("small.json");
    ck_assert_int_eq(ms_bpe_trainer_create(true, &trainer), MS_OK);
    ck_assert_int_eq(ms_bpe_trainer_train(trainer, MS_BPE_SMALLEST_VOCAB, &tokenizer), MS_OK);
    ck_assert_int_eq(ms_tokenizer_save(tokenizer, path), MS_OK);
    ms_tokenizer_close(tokenizer);
    ms_bpe_trainer_destroy(trainer);
    return path;
}

const char *data_write_lines(const char *name, int n_lines) {
    const char *path = data_path(name);
    FILE *stream = fopen(path, "w");
    ck_assert_ptr_nonnull(stream);
    for (int i = 0; i < n_lines; i++) fprintf(stream, "line %d says %d\n", i, i * 7919 % 1000);
    ck_assert_int_eq(fclose(stream), 0);
    return path;
}

ms_sidecar data_prepare(const ms_prepare_options *options) {
    ms_sidecar sidecar;
    ms_status status = ms_dataset_prepare(options, &sidecar);
    ck_assert_msg(status == MS_OK, "%s", ms_status_message());
    return sidecar;
}

void data_check_same_file(const char *left, const char *right) {
    char *a, *b;
    size_t size_a, size_b;
    ck_assert_int_eq(ms_file_read(left, &a, &size_a), MS_OK);
    ck_assert_int_eq(ms_file_read(right, &b, &size_b), MS_OK);
    ck_assert_uint_eq(size_a, size_b);
    ck_assert_mem_eq(a, b, size_a);
    free(a);
    free(b);
}

void data_check_same_folder(const char *left, const char *right) {
    ms_listing names, others;
    ck_assert_int_eq(ms_listing_read(left, &names), MS_OK);
    ck_assert_int_eq(ms_listing_read(right, &others), MS_OK);
    ck_assert_uint_eq(names.n, others.n);
    for (size_t i = 0; i < names.n; i++) {
        char *a = ms_path_join(left, names.names[i]), *b = ms_path_join(right, names.names[i]);
        ck_assert_str_eq(names.names[i], others.names[i]);
        data_check_same_file(a, b);
        free(a);
        free(b);
    }
    ms_listing_finish(&names);
    ms_listing_finish(&others);
}

int data_count_names(const char *part) {
    ms_listing names;
    int n = 0;
    ck_assert_int_eq(ms_listing_read(folder, &names), MS_OK);
    for (size_t i = 0; i < names.n; i++) n += strstr(names.names[i], part) != NULL;
    ms_listing_finish(&names);
    return n;
}
