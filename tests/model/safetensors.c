/* safetensors: against files of the reference implementation and of the PyTorch goldens, damaged files, bad
   arguments. */
#include "model/checkpoint/safetensors.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "platform/directory.h"
#include "platform/file.h"
#include "tests/support/suite.h"

#define REFERENCE "tests/golden/reference.safetensors"

static char folder[] = "/tmp/muonscope-safetensors-XXXXXX";
static char path[64];

static void setup(void) {
    strcpy(folder + strlen(folder) - 6, "XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/file", folder);
}

static void teardown(void) { ck_assert_int_eq(ms_directory_remove(folder), MS_OK); }

/* Status of opening `path` after the bytes were written there; closes a file that opens. */
static ms_status open_bytes(const void *data, size_t size_bytes) {
    ck_assert_int_eq(ms_file_write(path, data, size_bytes), MS_OK);
    ms_safetensors *file;
    ms_status status = ms_safetensors_open(path, &file);
    ck_assert((status == MS_OK) == (file != NULL));
    ms_safetensors_close(file);
    return status;
}

static ms_status open_text(const char *header, size_t n_data_bytes) {
    unsigned char bytes[2048] = {0};
    uint64_t header_bytes = strlen(header);
    ck_assert_uint_le(8 + header_bytes + n_data_bytes, sizeof bytes);
    memcpy(bytes, &header_bytes, 8);
    memcpy(bytes + 8, header, header_bytes);
    return open_bytes(bytes, 8 + header_bytes + n_data_bytes);
}

START_TEST(reads_the_reference_file) {
    /* As in tests/golden/make_safetensors.py: element i of tensor n is made of bytes (17 n + i + 1) % 251. */
    static const ms_safetensor expected[] = {
        {"bytes", "U8", 1, {3}, NULL, 3},
        {"half", "F16", 2, {2, 2}, NULL, 8},
        {"brain", "BF16", 1, {5}, NULL, 10},
        {"tokens", "U16", 3, {2, 1, 3}, NULL, 12},
        {"single", "F32", 2, {2, 3}, NULL, 24},
        {"index", "I32", 1, {4}, NULL, 16},
        {"double", "F64", 4, {1, 2, 1, 2}, NULL, 32},
        {"count", "I64", 1, {2}, NULL, 16},
        {"scalar", "F32", 0, {0}, NULL, 4},
        {"empty", "F32", 2, {0, 7}, NULL, 0},
        {"a", "F32", 1, {1}, NULL, 4},
        {"truth", "BOOL", 1, {3}, NULL, 3},
        {"small", "I8", 1, {5}, NULL, 5},
        {"short", "I16", 1, {3}, NULL, 6},
        {"unsigned", "U32", 1, {2}, NULL, 8},
        {"long", "U64", 8, {1, 1, 1, 1, 1, 1, 1, 2}, NULL, 16},
        {"complex", "C64", 1, {2}, NULL, 16},
        {"e4m3", "F8_E4M3", 2, {2, 2}, NULL, 4},
        {"e5m2", "F8_E5M2", 2, {2, 2}, NULL, 4},
        {"e8m0", "F8_E8M0", 2, {2, 2}, NULL, 4},
    };
    size_t n = sizeof expected / sizeof expected[0];
    ms_safetensors *file;
    ck_assert_int_eq(ms_safetensors_open(REFERENCE, &file), MS_OK);
    ck_assert_uint_eq(ms_safetensors_count(file), n);
    ck_assert_str_eq(ms_safetensors_get_metadata(file, "format"), "pt");
    ck_assert_ptr_null(ms_safetensors_get_metadata(file, "absent"));
    for (size_t i_tensor = 0; i_tensor < n; i_tensor++) {
        const ms_safetensor *tensor;
        ck_assert_int_eq(ms_safetensors_find(file, expected[i_tensor].name, &tensor), MS_OK);
        ck_assert_str_eq(tensor->dtype, expected[i_tensor].dtype);
        ck_assert_int_eq(tensor->rank, expected[i_tensor].rank);
        for (int i = 0; i < tensor->rank; i++) ck_assert_int_eq(tensor->shape[i], expected[i_tensor].shape[i]);
        ck_assert_uint_eq(tensor->size_bytes, expected[i_tensor].size_bytes);
        size_t width = ms_safetensor_element_bytes(tensor->dtype);
        for (size_t i = 0; i < tensor->size_bytes; i++)
            ck_assert_uint_eq(((const unsigned char *)tensor->data)[i], (17 * i_tensor + i / width + 1) % 251);
    }
    const ms_safetensor *absent;
    ck_assert_int_eq(ms_safetensors_find(file, "absent", &absent), MS_NOT_FOUND);
    ck_assert_str_eq(ms_status_message(), REFERENCE ": no tensor absent");
    ms_safetensors_close(file);
}
END_TEST

START_TEST(writes_what_the_reference_writes) {
    ms_safetensors *file;
    ck_assert_int_eq(ms_safetensors_open(REFERENCE, &file), MS_OK);
    size_t n = ms_safetensors_count(file);
    ms_safetensor backwards[32];
    for (size_t i = 0; i < n; i++) backwards[i] = *ms_safetensors_at(file, n - 1 - i);
    ck_assert_int_eq(ms_safetensors_write(path, backwards, n, NULL, 0), MS_OK);
    ms_safetensors_close(file);
    char *ours, *reference;
    size_t ours_bytes, reference_bytes;
    ck_assert_int_eq(ms_file_read(path, &ours, &ours_bytes), MS_OK);
    ck_assert_int_eq(ms_file_read(REFERENCE, &reference, &reference_bytes), MS_OK);
    ck_assert_uint_eq(ours_bytes, reference_bytes);
    ck_assert_mem_eq(ours, reference, reference_bytes);
    free(ours);
    free(reference);
}
END_TEST

START_TEST(reads_a_pytorch_golden) {
    ms_safetensors *file;
    ck_assert_int_eq(ms_safetensors_open("tests/golden/model/merged_muon.safetensors", &file), MS_OK);
    const ms_safetensor *tensor;
    ck_assert_int_eq(ms_safetensors_find(file, "initial.blocks.attention.qkvo.weight", &tensor), MS_OK);
    ck_assert_int_eq(tensor->rank, 3);
    ck_assert_int_eq(tensor->shape[0], 2);
    ck_assert_int_eq(tensor->shape[1], 96);
    ck_assert_int_eq(tensor->shape[2], 32);
    ck_assert_int_eq(ms_safetensors_find(file, "losses", &tensor), MS_OK);
    ck_assert_str_eq(tensor->dtype, "F64");
    ck_assert_double_eq_tol(((const double *)tensor->data)[0], 4.895092, 1e-6);
    ck_assert_ptr_nonnull(strstr(ms_safetensors_get_metadata(file, "config"), "\"kv_heads\": 2"));
    ms_safetensors_close(file);
}
END_TEST

START_TEST(writes_metadata_and_no_tensors) {
    const ms_safetensors_metadata metadata[] = {{"step", "12"}, {"note", "\"quoted\" \xc3\xa9"}};
    ck_assert_int_eq(ms_safetensors_write(path, NULL, 0, metadata, 2), MS_OK);
    ms_safetensors *file;
    ck_assert_int_eq(ms_safetensors_open(path, &file), MS_OK);
    ck_assert_uint_eq(ms_safetensors_count(file), 0);
    ck_assert_str_eq(ms_safetensors_get_metadata(file, "format"), "pt");
    ck_assert_str_eq(ms_safetensors_get_metadata(file, "step"), "12");
    ck_assert_str_eq(ms_safetensors_get_metadata(file, "note"), "\"quoted\" \xc3\xa9");
    ms_safetensors_close(file);
}
END_TEST

START_TEST(every_truncation_is_refused) {
    char *data;
    size_t size_bytes;
    ck_assert_int_eq(ms_file_read(REFERENCE, &data, &size_bytes), MS_OK);
    for (size_t kept = 0; kept < size_bytes; kept++)
        ck_assert_msg(open_bytes(data, kept) == MS_CORRUPT, "%zu of %zu bytes are accepted", kept, size_bytes);
    /* ms_file_read put a NUL after the last byte: one byte too many. */
    ck_assert_int_eq(open_bytes(data, size_bytes + 1), MS_CORRUPT);
    ck_assert_ptr_nonnull(strstr(ms_status_message(), "the tensors take 195 bytes, the file holds 196"));
    free(data);
}
END_TEST

START_TEST(damaged_headers_never_read_outside) {
    char *data;
    size_t size_bytes;
    ck_assert_int_eq(ms_file_read(REFERENCE, &data, &size_bytes), MS_OK);
    size_t n_refused = 0, header_end = size_bytes - 195;
    for (size_t i = 0; i < header_end; i++) {
        data[i] ^= 1;
        ms_status status = open_bytes(data, size_bytes);
        ck_assert(status == MS_OK || status == MS_CORRUPT || status == MS_UNSUPPORTED);
        n_refused += status != MS_OK;
        data[i] ^= 1;
    }
    /* Only a changed letter inside a name or a metadata text gives a file that is still valid. */
    ck_assert_uint_ge(n_refused, header_end * 9 / 10 - 10);
    free(data);
}
END_TEST

START_TEST(copies_unaligned_tensors) {
    const char *header = "{\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}";
    char bytes[128];
    float values[2] = {1.5f, -2.25f};
    for (size_t padding = 0; padding < 8; padding++) {
        uint64_t header_bytes = strlen(header) + padding;
        memcpy(bytes, &header_bytes, 8);
        memset(bytes + 8, ' ', header_bytes);
        memcpy(bytes + 8, header, strlen(header));
        memcpy(bytes + 8 + header_bytes, values, sizeof values);
        ck_assert_int_eq(ms_file_write(path, bytes, 8 + header_bytes + sizeof values), MS_OK);
        ms_safetensors *file;
        ck_assert_int_eq(ms_safetensors_open(path, &file), MS_OK);
        const float *read = ms_safetensors_all(file)->data;
        ck_assert_uint_eq((uintptr_t)read % sizeof *read, 0);
        ck_assert(read[0] == values[0] && read[1] == values[1]);
        ms_safetensors_close(file);
        ck_assert_int_eq(ms_safetensors_open_unaligned(path, &file), MS_OK);
        ck_assert_mem_eq(ms_safetensors_all(file)->data, values, sizeof values);
        ck_assert_uint_eq((uintptr_t)ms_safetensors_all(file)->data % 8, header_bytes % 8);
        ms_safetensors_close(file);
    }
}
END_TEST

static const struct {
    const char *header;
    size_t n_data_bytes;
    ms_status status;
    const char *message; /* part of it */
} bad_files[] = {
    {"[1]", 0, MS_CORRUPT, "not a JSON object"},
    {"{\"x\":", 0, MS_CORRUPT, "header byte"},
    {"{\"x\":1}", 0, MS_CORRUPT, "x is not an object"},
    {"{\"__metadata__\":[]}", 0, MS_CORRUPT, "__metadata__ is not an object"},
    {"{\"__metadata__\":{\"a\":1}}", 0, MS_CORRUPT, "metadata a is not a string"},
    {"{\"x\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1],\"more\":0}}", 1, MS_CORRUPT,
     "x is not an object of"},
    {"{\"x\":{\"dtype\":\"F4\",\"shape\":[16],\"data_offsets\":[0,8]}}", 8, MS_UNSUPPORTED, "x has dtype F4"},
    {"{\"x\":{\"dtype\":\"U8\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,1]}}", 1, MS_UNSUPPORTED,
     "x has rank 9"},
    {"{\"x\":{\"dtype\":\"U8\",\"shape\":[-1],\"data_offsets\":[0,1]}}", 1, MS_CORRUPT, "dimension 0 is not a count"},
    {"{\"x\":{\"dtype\":\"U8\",\"shape\":[1.0],\"data_offsets\":[0,1]}}", 1, MS_CORRUPT, "dimension 0 is not a count"},
    {"{\"x\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,1]}}", 1, MS_CORRUPT,
     "the 1 bytes of its data_offsets"},
    {"{\"x\":{\"dtype\":\"I64\",\"shape\":[4611686018427387904,4],\"data_offsets\":[0,0]}}", 0, MS_CORRUPT,
     "the 0 bytes"},
    {"{\"x\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,0]}}", 1, MS_CORRUPT, "not a begin and an end"},
    {"{\"x\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0]}}", 1, MS_CORRUPT, "not a begin and an end"},
    {"{\"x\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,2]}}", 2, MS_CORRUPT, "x begins at byte 1"},
    {"{\"x\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},\"y\":{\"dtype\":\"U8\",\"shape\":[2],\"data_"
     "offsets\":"
     "[1,3]}}",
     3, MS_CORRUPT, "y begins at byte 1, the tensors before it end at 2"},
    {"{\"x\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},\"x\":{\"dtype\":\"U8\",\"shape\":[1],\"data_"
     "offsets\":"
     "[1,2]}}",
     2, MS_CORRUPT, "duplicate"},
    {"{\"x\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}", 3, MS_CORRUPT, "x ends at byte 4 of 3"},
};

START_TEST(bad_file) {
    ck_assert_int_eq(open_text(bad_files[_i].header, bad_files[_i].n_data_bytes), bad_files[_i].status);
    ck_assert_msg(strstr(ms_status_message(), bad_files[_i].message) != NULL, "%s", ms_status_message());
    ck_assert_msg(strncmp(ms_status_message(), path, strlen(path)) == 0, "%s", ms_status_message());
}
END_TEST

START_TEST(foreign_files) {
    ck_assert_int_eq(open_bytes("GGUF\3\0\0\0\0\0\0\0", 12), MS_CORRUPT);
    ck_assert_ptr_nonnull(strstr(ms_status_message(), "truncated or not safetensors: a header of 14064895815"));
    ms_safetensors *file;
    ck_assert_int_eq(ms_safetensors_open("/tmp/muonscope-safetensors-absent", &file), MS_NOT_FOUND);
    ck_assert_ptr_null(file);
    ms_safetensors_close(NULL);
}
END_TEST

/* A header of more than 100 MB is refused before it is read, in a file that has as many bytes (of holes). */
START_TEST(header_above_the_limit) {
    uint64_t header_bytes = 100000001;
    ck_assert_int_eq(ms_file_write(path, &header_bytes, sizeof header_bytes), MS_OK);
    ck_assert_int_eq(truncate(path, 200000000), 0);
    ms_safetensors *file;
    ms_expect(ms_safetensors_open(path, &file), MS_CORRUPT,
              "a header of 100000001 bytes is above the format's 100000000");
}
END_TEST

START_TEST(bad_arguments_write_nothing) {
    static const float value[2] = {1, 2};
    static const struct {
        ms_safetensor tensor;
        const char *message;
    } cases[] = {
        {{NULL, "F32", 1, {2}, value, 8}, "without a name"},
        {{"", "F32", 1, {2}, value, 8}, "without a name"},
        {{"__metadata__", "F32", 1, {2}, value, 8}, "reserved"},
        {{"\xff", "F32", 1, {2}, value, 8}, "not UTF-8"},
        {{"x", "F33", 1, {2}, value, 8}, "unknown dtype F33"},
        {{"x", "F32", 9, {2}, value, 8}, "rank 9 is not in 0..8"},
        {{"x", "F32", 1, {-2}, value, 8}, "dimension 0 is -2"},
        {{"x", "F32", 1, {3}, value, 8}, "takes 12 bytes, 8 were given"},
        {{"x", "F32", 2, {INT64_MAX, 3}, value, 8}, "more than 2^63"},
        {{"x", "F32", 1, {2}, NULL, 8}, "no data for 8 bytes"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ck_assert_int_eq(ms_safetensors_write(path, &cases[i].tensor, 1, NULL, 0), MS_INVALID);
        ck_assert_msg(strstr(ms_status_message(), cases[i].message) != NULL, "%s", ms_status_message());
    }
    const ms_safetensor twice[2] = {{"x", "F32", 1, {2}, value, 8}, {"x", "U8", 1, {8}, value, 8}};
    ck_assert_int_eq(ms_safetensors_write(path, twice, 2, NULL, 0), MS_INVALID);
    ck_assert_ptr_nonnull(strstr(ms_status_message(), "x is given twice"));
    const ms_safetensors_metadata reserved = {"format", "pt"}, binary = {"a", "\xff"};
    ck_assert_int_eq(ms_safetensors_write(path, twice, 1, &reserved, 1), MS_INVALID);
    ck_assert_int_eq(ms_safetensors_write(path, twice, 1, &binary, 1), MS_INVALID);
    ck_assert(!ms_file_exists(path));
    ck_assert_int_eq(ms_safetensors_write("/tmp/muonscope-safetensors-absent/x", twice, 1, NULL, 0), MS_NOT_FOUND);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("safetensors");
    TCase *tests = tcase_create("safetensors");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, reads_the_reference_file);
    tcase_add_test(tests, writes_what_the_reference_writes);
    tcase_add_test(tests, reads_a_pytorch_golden);
    tcase_add_test(tests, writes_metadata_and_no_tensors);
    tcase_add_test(tests, every_truncation_is_refused);
    tcase_add_test(tests, damaged_headers_never_read_outside);
    tcase_add_test(tests, copies_unaligned_tensors);
    tcase_add_loop_test(tests, bad_file, 0, sizeof bad_files / sizeof bad_files[0]);
    tcase_add_test(tests, foreign_files);
    tcase_add_test(tests, header_above_the_limit);
    tcase_add_test(tests, bad_arguments_write_nothing);
    tcase_set_timeout(tests, 240);
    suite_add_tcase(suite, tests);
    return ms_suite_run(suite);
}
