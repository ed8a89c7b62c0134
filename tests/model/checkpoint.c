/* Checkpoints: round trip, damage, replacement, pruning, a full disk, and SIGKILL at any moment. */
#define _GNU_SOURCE /* unshare */
#include "model/checkpoint/checkpoint.h"

#include <check.h>
#include <math.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "platform/directory.h"
#include "platform/file.h"
#include "tests/support/suite.h"

enum { N_VALUES = 1000 };

static char folder[] = "/tmp/muonscope-checkpoint-XXXXXX";
static char path[128];

static void setup(void) {
    strcpy(folder + strlen(folder) - 6, "XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void teardown(void) { ck_assert_int_eq(ms_directory_remove(folder), MS_OK); }

/* Below the folder of the test; valid until the next call. */
static const char *below(const char *name) {
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

/* A checkpoint whose tensors all hold `step`. */
static ms_status write_step(const char *checkpoints, int64_t step) {
    float values[N_VALUES];
    for (int i = 0; i < N_VALUES; i++) values[i] = (float)step;
    const ms_safetensor model = {"w", "F32", 2, {N_VALUES / 10, 10}, values, sizeof values};
    const ms_safetensor optimizer[2] = {{"momentum.w", "F32", 2, {N_VALUES / 10, 10}, values, sizeof values},
                                        {"second.w", "F32", 1, {N_VALUES}, values, sizeof values}};
    const ms_checkpoint_info info = {step, 16 * step, 3 * step, 42, step, "abc", NULL, 0, false, NULL};
    return ms_checkpoint_write(checkpoints, &info, &model, 1, optimizer, 2);
}

static void expect_all(const ms_safetensors *file, int64_t step) {
    for (size_t i_tensor = 0; i_tensor < ms_safetensors_count(file); i_tensor++) {
        const float *values = ms_safetensors_at(file, i_tensor)->data;
        for (int i = 0; i < N_VALUES; i++) ck_assert(values[i] == (float)step);
    }
}

/* The newest checkpoint is good and of this step. */
static void expect_newest(int64_t step) {
    int64_t newest;
    ck_assert_msg(ms_checkpoint_latest(folder, &newest) == MS_OK, "%s", ms_status_message());
    ck_assert_int_eq(newest, step);
    ms_checkpoint *checkpoint;
    ck_assert_msg(ms_checkpoint_open(folder, step, &checkpoint) == MS_OK, "%s", ms_status_message());
    ck_assert_int_eq(ms_checkpoint_get_info(checkpoint)->tokens, 16 * step);
    expect_all(ms_checkpoint_model(checkpoint), step);
    expect_all(ms_checkpoint_optimizer(checkpoint), step);
    ms_checkpoint_close(checkpoint);
}

static size_t count_entries(void) {
    ms_listing listing;
    ck_assert_int_eq(ms_listing_read(folder, &listing), MS_OK);
    size_t n = listing.n;
    ms_listing_finish(&listing);
    return n;
}

START_TEST(round_trip) {
    const ms_checkpoint_entry entries[] = {
        {"note", MS_CHECKPOINT_TEXT, "\"a\" \xc3\xa9\n", 0, 0},
        {"small", MS_CHECKPOINT_INTEGER, NULL, INT64_MIN, 0},
        {"large", MS_CHECKPOINT_INTEGER, NULL, INT64_MAX, 0},
        {"tenth", MS_CHECKPOINT_REAL, NULL, 0, 0.1},
        {"tiny", MS_CHECKPOINT_REAL, NULL, 0, 4.9406564584124654e-324},
        {"minus", MS_CHECKPOINT_REAL, NULL, 0, -0.0},
        {"three", MS_CHECKPOINT_REAL, NULL, 0, 3.0},
    };
    size_t n_entries = sizeof entries / sizeof entries[0];
    const int32_t tokens[4] = {1, -2, 3, -4};
    const double scalar = 0.25;
    const ms_safetensor model[2] = {{"x", "I32", 4, {1, 2, 1, 2}, tokens, sizeof tokens},
                                    {"s", "F64", 0, {0}, &scalar, sizeof scalar}};
    const ms_checkpoint_info info = {7, 8, 9, -10, 11, "hash", entries, n_entries, false, "{\"w\": {}}"};
    ck_assert_msg(ms_checkpoint_write(below("new/er"), &info, model, 2, NULL, 0) == MS_OK, "%s", ms_status_message());
    ms_checkpoint_info into_existing = info;
    into_existing.folder_exists = true;
    ck_assert_int_eq(ms_checkpoint_write(below("gone"), &into_existing, model, 2, NULL, 0), MS_NOT_FOUND);
    ck_assert_int_ne(access(path, F_OK), 0);
    ms_checkpoint *checkpoint;
    ck_assert_msg(ms_checkpoint_open(below("new/er"), 7, &checkpoint) == MS_OK, "%s", ms_status_message());
    const ms_checkpoint_info *read = ms_checkpoint_get_info(checkpoint);
    ck_assert_int_eq(read->step, 7);
    ck_assert_int_eq(read->tokens, 8);
    ck_assert_int_eq(read->data_position, 9);
    ck_assert_int_eq(read->seed, -10);
    ck_assert_int_eq(read->adamw_step, 11);
    ck_assert_str_eq(read->config_hash, "hash");
    ck_assert_uint_eq(read->n_entries, n_entries);
    for (size_t i = 0; i < n_entries; i++) {
        const ms_checkpoint_entry *entry;
        ck_assert_int_eq(ms_checkpoint_find(checkpoint, entries[i].key, entries[i].kind, &entry), MS_OK);
        if (entry->kind == MS_CHECKPOINT_TEXT) ck_assert_str_eq(entry->text, entries[i].text);
        ck_assert_int_eq(entry->integer, entries[i].integer);
        ck_assert_mem_eq(&entry->real, &entries[i].real, sizeof entry->real);
    }
    const ms_checkpoint_entry *entry;
    ck_assert_int_eq(ms_checkpoint_find(checkpoint, "absent", MS_CHECKPOINT_TEXT, &entry), MS_NOT_FOUND);
    ck_assert_int_eq(ms_checkpoint_find(checkpoint, "tenth", MS_CHECKPOINT_INTEGER, &entry), MS_MISMATCH);
    ck_assert_ptr_nonnull(strstr(ms_status_message(), "entry tenth is a real, not an integer"));
    const ms_safetensor *tensor;
    ck_assert_int_eq(ms_safetensors_find(ms_checkpoint_model(checkpoint), "x", &tensor), MS_OK);
    ck_assert_mem_eq(tensor->data, tokens, sizeof tokens);
    ck_assert_uint_eq(ms_safetensors_count(ms_checkpoint_optimizer(checkpoint)), 0);
    ck_assert_str_eq(ms_safetensors_get_metadata(ms_checkpoint_model(checkpoint), "step"), "7");
    ck_assert_str_eq(ms_safetensors_get_metadata(ms_checkpoint_model(checkpoint), "layout"), "{\"w\": {}}");
    ck_assert_str_eq(ms_safetensors_get_metadata(ms_checkpoint_optimizer(checkpoint), "layout"), "{\"w\": {}}");
    ms_checkpoint_close(checkpoint);
    ms_checkpoint_close(NULL);
}
END_TEST

START_TEST(latest_is_the_greatest_finished_step) {
    int64_t step;
    ck_assert_int_eq(ms_checkpoint_latest(below("absent"), &step), MS_NOT_FOUND);
    ck_assert_int_eq(ms_checkpoint_latest(folder, &step), MS_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(ms_status_message(), "no checkpoint there"));
    ck_assert_int_eq(write_step(folder, 20), MS_OK);
    ck_assert_int_eq(write_step(folder, 3), MS_OK);
    expect_newest(20);
    ck_assert_int_eq(write_step(folder, 123456789), MS_OK);
    ck_assert_int_eq(ms_directory_create(below("step_00000099.tmp")), MS_OK);
    ck_assert_int_eq(ms_directory_create(below("step_999999999999")), MS_OK);
    ck_assert_int_eq(ms_checkpoint_latest(folder, &step), MS_CORRUPT);
    ck_assert_ptr_nonnull(strstr(ms_status_message(), "step_999999999999"));
    ck_assert_int_eq(ms_directory_remove(below("step_999999999999")), MS_OK);
    ck_assert_int_eq(ms_directory_create(below("step_099999999999")), MS_OK);
    ck_assert_int_eq(ms_directory_create(below("step_123")), MS_OK);
    ck_assert_int_eq(ms_checkpoint_latest(folder, &step), MS_OK);
    ck_assert_int_eq(step, 123456789);
    ms_checkpoint *checkpoint;
    ck_assert_int_eq(ms_checkpoint_open(folder, 99, &checkpoint), MS_NOT_FOUND);
    ck_assert_ptr_null(checkpoint);
    ck_assert_ptr_nonnull(strstr(ms_status_message(), "no checkpoint of step 99"));
}
END_TEST

/* Opening step 2 must fail and name `word`; step 1 must stay usable. */
static void expect_damage(const char *word) {
    ms_checkpoint *checkpoint;
    ms_status status = ms_checkpoint_open(folder, 2, &checkpoint);
    ck_assert_msg(status == MS_CORRUPT || status == MS_MISMATCH, "status %d", status);
    ck_assert_ptr_null(checkpoint);
    ck_assert_msg(strstr(ms_status_message(), "step_00000002") != NULL, "%s", ms_status_message());
    ck_assert_msg(strstr(ms_status_message(), word) != NULL, "%s", ms_status_message());
    ck_assert_int_eq(ms_checkpoint_open(folder, 1, &checkpoint), MS_OK);
    ms_checkpoint_close(checkpoint);
}

START_TEST(every_damage_is_named) {
    static const char *const files[] = {"state.json", "model.safetensors", "optimizer.safetensors"};
    ck_assert_int_eq(write_step(folder, 1), MS_OK);
    ck_assert_int_eq(write_step(folder, 2), MS_OK);
    char name[128];
    for (int i_file = 0; i_file < 3; i_file++) {
        snprintf(name, sizeof name, "%s/step_00000002/%s", folder, files[i_file]);
        char *data;
        size_t size_bytes;
        int64_t step;
        ck_assert_int_eq(ms_file_read(name, &data, &size_bytes), MS_OK);
        size_t stride = i_file == 0 ? 1 : 97; /* every byte of the state */
        for (size_t i = 0; i < size_bytes; i += stride) {
            data[i] ^= 1;
            FILE *stream = fopen(name, "wb");
            ck_assert_uint_eq(fwrite(data, 1, size_bytes, stream), size_bytes);
            ck_assert_int_eq(fclose(stream), 0);
            expect_damage(files[i_file]);
            data[i] ^= 1;
        }
        ck_assert_int_eq(ms_file_write(name, data, size_bytes - 1), MS_OK);
        expect_damage(files[i_file]);
        ck_assert_int_eq(ms_checkpoint_latest(folder, &step), MS_CORRUPT);
        ck_assert_ptr_nonnull(strstr(ms_status_message(), files[i_file]));
        ck_assert_int_eq(unlink(name), 0);
        expect_damage(files[i_file]);
        ck_assert_int_eq(ms_checkpoint_latest(folder, &step), MS_CORRUPT);
        ck_assert_int_eq(ms_file_write(name, data, size_bytes), MS_OK);
        expect_newest(2);
        free(data);
    }
    /* A whole checkpoint under another step's name. */
    char other[128];
    snprintf(name, sizeof name, "%s/step_00000002", folder);
    snprintf(other, sizeof other, "%s/step_00000005", folder);
    ck_assert_int_eq(ms_rename(name, other), MS_OK);
    ms_checkpoint *checkpoint;
    ck_assert_int_eq(ms_checkpoint_open(folder, 5, &checkpoint), MS_CORRUPT);
    ck_assert_ptr_nonnull(strstr(ms_status_message(), "is of step 2"));
}
END_TEST

START_TEST(replaces_the_same_step) {
    ck_assert_int_eq(write_step(folder, 4), MS_OK);
    const float value = 1;
    const ms_safetensor model = {"other", "F32", 0, {0}, &value, 4};
    const ms_checkpoint_info info = {4, 0, 0, 0, 0, "second", NULL, 0, false, NULL};
    ck_assert_msg(ms_checkpoint_write(folder, &info, &model, 1, NULL, 0) == MS_OK, "%s", ms_status_message());
    ms_checkpoint *checkpoint;
    ck_assert_int_eq(ms_checkpoint_open(folder, 4, &checkpoint), MS_OK);
    ck_assert_str_eq(ms_checkpoint_get_info(checkpoint)->config_hash, "second");
    ck_assert_str_eq(ms_safetensors_at(ms_checkpoint_model(checkpoint), 0)->name, "other");
    ck_assert_ptr_null(ms_safetensors_get_metadata(ms_checkpoint_model(checkpoint), "layout")); /* as older ones */
    ms_checkpoint_close(checkpoint);
    ck_assert_uint_eq(count_entries(), 1);
}
END_TEST

START_TEST(prunes_all_but_the_newest) {
    ck_assert_int_eq(ms_checkpoint_prune(below("absent"), 1), MS_OK);
    ck_assert_int_eq(ms_checkpoint_prune(folder, 0), MS_INVALID);
    for (int step = 1; step <= 5; step++) ck_assert_int_eq(write_step(folder, 3 * step), MS_OK);
    ck_assert_int_eq(ms_directory_create(below("step_00000006.tmp")), MS_OK);
    ck_assert_int_eq(ms_file_write(below("notes.txt"), "kept", 4), MS_OK);
    ck_assert_int_eq(ms_checkpoint_prune(folder, 2), MS_OK);
    ck_assert_uint_eq(count_entries(), 3);
    ck_assert(ms_is_directory(below("step_00000012")) && ms_file_exists(below("notes.txt")));
    expect_newest(15);
    ck_assert_int_eq(ms_checkpoint_prune(folder, 7), MS_OK);
    ck_assert_uint_eq(count_entries(), 3);
}
END_TEST

static bool is_there(const char *name) {
    struct stat information;
    return lstat(below(name), &information) == 0;
}

/* What has the name of a checkpoint and is no folder keeps no run from going on, and is nobody's to remove. */
START_TEST(what_is_no_folder_is_no_checkpoint) {
    int64_t step;
    int n;
    char first[MS_CHECKPOINT_NAME_SIZE];
    ms_checkpoint *checkpoint;
    for (int i = 1; i <= 3; i++) ck_assert_int_eq(write_step(folder, i), MS_OK);
    ck_assert_int_eq(ms_checkpoint_count_others(folder, &n, first), MS_OK);
    ck_assert(n == 0 && first[0] == '\0');
    ck_assert_int_eq(ms_file_write(below("step_00000030"), "x", 1), MS_OK);
    ck_assert_int_eq(mkfifo(below("step_00000031"), 0600), 0);
    ck_assert_int_eq(ms_checkpoint_count_others(folder, &n, first), MS_OK);
    ck_assert_int_eq(n, 2);
    ck_assert_str_eq(first, "step_00000030");
    expect_newest(3);
    ck_assert_int_eq(ms_checkpoint_open(folder, 30, &checkpoint), MS_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(ms_status_message(), "step_00000030 is no folder"));
    ck_assert_int_eq(ms_checkpoint_remove_later(folder, 2, &n), MS_OK);
    ck_assert_int_eq(n, 1);
    ck_assert_int_eq(ms_checkpoint_prune(folder, 1), MS_OK);
    ck_assert(is_there("step_00000030") && is_there("step_00000031") && !is_there("step_00000001"));
    expect_newest(2);
    /* A checkpoint of that step takes its place. */
    ck_assert_int_eq(write_step(folder, 30), MS_OK);
    expect_newest(30);
    ck_assert_int_eq(ms_checkpoint_newest_intact(folder, 30, &step), MS_OK);
    ck_assert_int_eq(step, 2);
    ck_assert_uint_eq(count_entries(), 3);
}
END_TEST

/* Nothing is written, replaced or removed behind a link in the place of the folder. */
START_TEST(no_link_is_taken_for_the_folder) {
    int n;
    for (int i = 1; i <= 3; i++) ck_assert_int_eq(write_step(folder, i), MS_OK);
    char link[128];
    snprintf(link, sizeof link, "%s.link", folder);
    ck_assert_int_eq(symlink(folder, link), 0);
    const ms_status got[] = {write_step(link, 3), ms_checkpoint_prune(link, 1),
                             ms_checkpoint_remove_later(link, 1, &n)};
    ck_assert_ptr_nonnull(strstr(ms_status_message(), "a symbolic link is in the way"));
    ck_assert_int_eq(unlink(link), 0);
    for (int i = 0; i < 3; i++) ck_assert_int_eq(got[i], MS_IO);
    ck_assert_uint_eq(count_entries(), 3);
    expect_newest(3);
}
END_TEST

/* Links among the checkpoints go when they are old enough, and count for nothing. */
START_TEST(a_link_takes_no_checkpoints_place) {
    for (int i = 1; i <= 3; i++) ck_assert_int_eq(write_step(folder, i), MS_OK);
    ck_assert_int_eq(symlink("step_00000003", below("step_00000000")), 0);
    ck_assert_int_eq(symlink("nowhere", below("step_00000099")), 0);
    ck_assert_int_eq(ms_checkpoint_prune(folder, 2), MS_OK);
    ck_assert(!is_there("step_00000000") && !is_there("step_00000001") && is_there("step_00000002"));
    ck_assert(is_there("step_00000099"));
    expect_newest(3);
}
END_TEST

/* Whoever can foresee a temporary name can put something in its place: none is used that could be. */
START_TEST(temporary_names_are_not_foreseeable) {
    ck_assert_int_eq(ms_directory_create(below("step_00000005.tmp")), MS_OK);
    ck_assert_int_eq(ms_file_write(below("step_00000005.tmp/x"), "x", 1), MS_OK);
    ck_assert_int_eq(write_step(folder, 5), MS_OK);
    ck_assert(is_there("step_00000005.tmp/x"));
    expect_newest(5);
    /* What killed processes left, of this version and of older ones, goes; similar names are not ours. */
    static const char *const ours[] = {"step_00000007.tmp", "step_00000007.0123456789abcdef.tmp"};
    static const char *const others[] = {"step_00000007.0123456789abcde.tmp", "step_7.tmp", "x.tmp",
                                         "step_00000007.tmp.tmp"};
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        ck_assert_int_eq(ms_directory_create(below(ours[i])), MS_OK);
    ck_assert_int_eq(mkfifo(below("step_00000008.tmp"), 0600), 0);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        ck_assert_int_eq(ms_directory_create(below(others[i])), MS_OK);
    ck_assert_int_eq(ms_checkpoint_prune(folder, 1), MS_OK);
    ck_assert_uint_eq(count_entries(), 1 + sizeof others / sizeof *others);
    expect_newest(5);
}
END_TEST

/* A pipe, a folder or nothing in the place of a file, and one that is cut: the message goes on with the newest one that
   is whole. */
START_TEST(every_damage_names_the_newest_intact_one) {
    static const char *const files[] = {"state.json", "model.safetensors", "optimizer.safetensors"};
    char name[128];
    for (int i = 0; i < 12; i++) {
        ck_assert_int_eq(write_step(folder, 1), MS_OK);
        ck_assert_int_eq(write_step(folder, 2), MS_OK);
        snprintf(name, sizeof name, "%s/step_00000002/%s", folder, files[i % 3]);
        ck_assert_int_eq(i / 3 == 3 ? truncate(name, 10) : unlink(name), 0);
        if (i / 3 == 0) ck_assert_int_eq(mkfifo(name, 0600), 0);
        if (i / 3 == 1) ck_assert_int_eq(mkdir(name, 0700), 0);
        for (int64_t step = -1; step <= 2; step += 3) { /* the newest, and by its step */
            ms_checkpoint *checkpoint;
            ms_status status = ms_checkpoint_open_or_name(folder, step, "--step", &checkpoint);
            ck_assert(status != MS_OK && status != MS_NOT_FOUND);
            ck_assert_msg(strstr(ms_status_message(), files[i % 3]) != NULL, "%s", ms_status_message());
            ck_assert_msg(strstr(ms_status_message(), "; the newest intact one is of step 1: --step 1") != NULL, "%s",
                          ms_status_message());
        }
    }
}
END_TEST

START_TEST(bad_arguments_change_nothing) {
    ck_assert_int_eq(write_step(folder, 1), MS_OK);
    const float value = 1;
    const ms_safetensor good = {"x", "F32", 0, {0}, &value, 4}, bad = {"x", "F32", 1, {2}, &value, 4};
    const ms_checkpoint_entry twice[2] = {{"a", MS_CHECKPOINT_TEXT, "x", 0, 0}, {"a", MS_CHECKPOINT_REAL, NULL, 0, 1}};
    const ms_checkpoint_entry infinite = {"a", MS_CHECKPOINT_REAL, NULL, 0, INFINITY};
    const ms_checkpoint_entry binary = {"a", MS_CHECKPOINT_TEXT, "\xff", 0, 0};
    const struct {
        ms_checkpoint_info info;
        const ms_safetensor *model;
        const char *message;
    } cases[] = {
        {{2, 0, 0, 0, 0, "h", NULL, 0, false, NULL}, &bad, "tensor x: the shape takes 8 bytes, 4 were given"},
        {{-2, 0, 0, 0, 0, "h", NULL, 0, false, NULL}, &good, "step is -2"},
        {{2, -3, 0, 0, 0, "h", NULL, 0, false, NULL}, &good, "tokens is -3"},
        {{2, 0, -4, 0, 0, "h", NULL, 0, false, NULL}, &good, "data_position is -4"},
        {{2, 0, 0, 0, -5, "h", NULL, 0, false, NULL}, &good, "adamw_step is -5"},
        {{2, 0, 0, 0, 0, NULL, NULL, 0, false, NULL}, &good, "no config_hash"},
        {{2, 0, 0, 0, 0, "\xff", NULL, 0, false, NULL}, &good, "config_hash \"\\xFF\" is not UTF-8"},
        {{2, 0, 0, 0, 0, "h", twice, 2, false, NULL}, &good, "entry a is given twice"},
        {{2, 0, 0, 0, 0, "h", &infinite, 1, false, NULL}, &good, "entry a is inf, not a finite number"},
        {{2, 0, 0, 0, 0, "h", &binary, 1, false, NULL}, &good, "a \"\\xFF\" is not UTF-8"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ck_assert_int_eq(ms_checkpoint_write(folder, &cases[i].info, cases[i].model, 1, NULL, 0), MS_INVALID);
        ck_assert_msg(strstr(ms_status_message(), cases[i].message) != NULL, "%s", ms_status_message());
        ck_assert_uint_eq(count_entries(), 1);
    }
    expect_newest(1);
    ck_assert_int_eq(ms_file_write(below("file"), "x", 1), MS_OK);
    ck_assert_int_eq(write_step(below("file"), 1), MS_IO);
}
END_TEST

START_TEST(a_write_that_hits_a_size_limit_leaves_the_old_one) {
    ck_assert_int_eq(write_step(folder, 1), MS_OK);
    signal(SIGXFSZ, SIG_IGN); /* write(2) then says EFBIG */
    struct rlimit unlimited, limit;
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &unlimited), 0);
    limit = unlimited;
    /* model.safetensors has about 4,100 bytes, optimizer.safetensors 8,200: the limits stop the first, then the
       second. */
    const rlim_t limits[] = {0, 100, 4000, 5000, 8000};
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        for (int64_t step = 1; step <= 2; step++) {
            limit.rlim_cur = limits[i];
            ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
            ms_status status = write_step(folder, step);
            ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &unlimited), 0);
            ck_assert_int_eq(status, MS_NO_SPACE);
            ck_assert_msg(
                strstr(ms_status_message(), limits[i] <= 4000 ? "model.safetensors" : "optimizer.safetensors"), "%s",
                ms_status_message());
            ck_assert_uint_eq(count_entries(), 1);
            expect_newest(1);
        }
    }
}
END_TEST

START_TEST(a_full_disk_leaves_the_old_one) {
    /* A mount of our own goes with this process; where that is not allowed, the size limit above stands for it. */
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("none", folder, "tmpfs", 0, "size=64k") != 0) {
        fprintf(stderr, "checkpoint: no permission to mount a small disk, its test did not run\n");
        return;
    }
    ms_status status = MS_OK;
    int64_t step = 0;
    while (status == MS_OK && step < 100) status = write_step(folder, ++step);
    ck_assert_int_eq(status, MS_NO_SPACE);
    ck_assert_int_gt(step, 1);
    ck_assert_ptr_nonnull(strstr(ms_status_message(), "No space left"));
    ck_assert_uint_eq(count_entries(), (size_t)step - 1);
    expect_newest(step - 1);
    ck_assert_int_eq(ms_checkpoint_prune(folder, 1), MS_OK);
    ck_assert_int_eq(write_step(folder, step), MS_OK);
    expect_newest(step);
    ck_assert_int_eq(umount(folder), 0);
}
END_TEST

START_TEST(sigkill_at_any_moment_leaves_a_good_one) {
    ck_assert_int_eq(write_step(folder, 1), MS_OK);
    int64_t newest = 1;
    /* A loaded machine may need more than the 42 ms of round 24 for a first step: go on until there is one. */
    for (int round = 0; round < 25 || (newest == 1 && round < 400); round++) {
        pid_t child = fork();
        ck_assert_int_ge(child, 0);
        if (child == 0) {
            /* Each step is written, then replaced by itself, and older ones pruned. */
            for (int64_t step = newest + 1;; step++)
                if (write_step(folder, step) != MS_OK || write_step(folder, step) != MS_OK ||
                    ms_checkpoint_prune(folder, 2) != MS_OK)
                    _exit(1);
        }
        struct timespec delay = {0, 1000000L + 1700000L * round};
        nanosleep(&delay, NULL);
        ck_assert_int_eq(kill(child, SIGKILL), 0);
        int status;
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert_msg(WIFSIGNALED(status), "the writer failed");
        int64_t step;
        ck_assert_msg(ms_checkpoint_latest(folder, &step) == MS_OK, "%s", ms_status_message());
        ck_assert_int_ge(step, newest);
        newest = step;
        expect_newest(newest);
    }
    ck_assert_int_gt(newest, 1);
    ck_assert_int_eq(ms_checkpoint_prune(folder, 1), MS_OK);
    ck_assert_uint_eq(count_entries(), 1);
}
END_TEST

START_TEST(hash_of_tensors) {
    const float b[6] = {0, 0.5f, 1, 1.5f, 2, 2.5f}, scalar = 3.25f;
    const int32_t a[2] = {7, -8};
    ms_safetensor tensors[4] = {{"b.weight", "F32", 2, {2, 3}, b, sizeof b},
                                {"a", "I32", 1, {2}, a, sizeof a},
                                {"scalar", "F32", 0, {0}, &scalar, sizeof scalar},
                                {"empty", "U8", 2, {0, 4}, NULL, 0}};
    char hash[65], other[65];
    /* Computed by Python's hashlib from the description in the header. */
    ck_assert_int_eq(ms_tensors_sha256(tensors, 4, hash), MS_OK);
    ck_assert_str_eq(hash, "d48b0d1cc78518f51c0150640f87da528ed872e9586521b07f4e1c41db86911e");
    ck_assert_int_eq(ms_tensors_sha256(NULL, 0, other), MS_OK);
    ck_assert_str_eq(other, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    ms_safetensor swapped[4] = {tensors[3], tensors[1], tensors[0], tensors[2]};
    ck_assert_int_eq(ms_tensors_sha256(swapped, 4, other), MS_OK);
    ck_assert_str_eq(hash, other);
    tensors[0].shape[0] = 3;
    tensors[0].shape[1] = 2;
    ck_assert_int_eq(ms_tensors_sha256(tensors, 4, other), MS_OK);
    ck_assert_str_ne(hash, other);
    tensors[1].name = "b.weight";
    ck_assert_int_eq(ms_tensors_sha256(tensors, 4, other), MS_INVALID);
    ck_assert_str_eq(other, "");
}
END_TEST

int main(void) {
    Suite *suite = suite_create("checkpoint");
    TCase *tests = tcase_create("checkpoint");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, round_trip);
    tcase_add_test(tests, latest_is_the_greatest_finished_step);
    tcase_add_test(tests, every_damage_is_named);
    tcase_add_test(tests, replaces_the_same_step);
    tcase_add_test(tests, prunes_all_but_the_newest);
    tcase_add_test(tests, what_is_no_folder_is_no_checkpoint);
    tcase_add_test(tests, no_link_is_taken_for_the_folder);
    tcase_add_test(tests, a_link_takes_no_checkpoints_place);
    tcase_add_test(tests, temporary_names_are_not_foreseeable);
    tcase_add_test(tests, every_damage_names_the_newest_intact_one);
    tcase_add_test(tests, bad_arguments_change_nothing);
    tcase_add_test(tests, a_write_that_hits_a_size_limit_leaves_the_old_one);
    tcase_add_test(tests, a_full_disk_leaves_the_old_one);
    tcase_add_test(tests, sigkill_at_any_moment_leaves_a_good_one);
    tcase_add_test(tests, hash_of_tensors);
    tcase_set_timeout(tests, 60);
    suite_add_tcase(suite, tests);
    return ms_suite_run(suite);
}
