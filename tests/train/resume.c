/* What a resumed run takes over, compares and says. */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "model/data/shard.h"
#include "platform/file.h"
#include "tests/model/data_files.h"
#include "tests/support/suite.h"
#include "tests/train/runs.h"

/* Tries to go on; the run is left as it is. */
static ms_status try_to_resume(const ms_run_options *options, const char *name) {
    ms_run *run;
    ms_run_folder folder;
    ms_must(ms_run_folder_resume(data_path(name), &folder));
    ms_must(ms_run_open(runs_device, options, &run));
    ms_status status = ms_run_resume(run, &folder);
    char message[1024];
    snprintf(message, sizeof message, "%s", ms_status_message());
    ms_run_close(run);
    return status == MS_OK ? MS_OK : MS_FAIL(status, "%s", message);
}

/* Flips the lowest bit of one token of a shard. */
static void flip_token(const char *path, long i_token) {
    FILE *file = fopen(path, "r+b");
    ck_assert_ptr_nonnull(file);
    long at = MS_SHARD_HEADER_BYTES + 2 * i_token;
    ck_assert_int_eq(fseek(file, at, SEEK_SET), 0);
    int byte = fgetc(file);
    ck_assert_int_eq(fseek(file, at, SEEK_SET), 0);
    fputc(byte ^ 1, file);
    ck_assert_int_eq(fclose(file), 0);
}

START_TEST(a_flipped_token_is_found) {
    runs_prepare_data("data");
    ms_run_options options = runs_on_shards(2), longer = runs_on_shards(4);
    ms_run *run = runs_new(&options, "run");
    ck_assert_int_eq(runs_count(run->folder.log, "SHA-256 as dataset.json has them, checked in"), 1);
    ms_run_close(run);
    const char *shard = data_path("data/data_train_000000.bin");
    flip_token(shard, 700);
    ms_expect(try_to_resume(&longer, "run"), MS_CORRUPT, "data_train_000000.bin: SHA-256");
    ms_must(ms_run_open(runs_device, &options, &run));
    ms_expect(ms_run_create(run, data_path("other")), MS_CORRUPT, "changed since it was prepared");
    ck_assert(!ms_file_exists(data_path("other")));
    ms_run_close(run);
    /* Without a sidecar a new run has nothing to compare its data with, a resumed one has the checkpoint's identity. */
    ck_assert_int_eq(unlink(data_path("data/dataset.json")), 0);
    longer.trainer.model.vocabulary = 257;
    ms_expect(try_to_resume(&longer, "run"), MS_MISMATCH, "others than the run's");
    flip_token(shard, 700);
    run = runs_resume(&longer, "run");
    ck_assert_int_eq(run->trainer->step, 4);
    ms_run_close(run);
}
END_TEST

/* The shards of a split that the run does not read are not checked; the probe reads those of validation. */
START_TEST(validation_is_checked_where_it_is_read) {
    runs_prepare_data("data");
    ms_run_options options = runs_on_shards(2);
    options.validation_every = 0;
    flip_token(data_path("data/data_val_000000.bin"), 100);
    ms_run_close(runs_new(&options, "run"));
    for (int i = 0; i < 2; i++) {
        options.probe = i == 1;
        options.validation_every = options.validation_sequences = i == 0 ? 2 : 0;
        ms_run *run;
        ms_must(ms_run_open(runs_device, &options, &run));
        ms_expect(ms_run_create(run, data_path("other")), MS_CORRUPT, "data_val_000000.bin: SHA-256");
        ms_run_close(run);
    }
}
END_TEST

START_TEST(other_shards_of_the_same_tokenizer_are_found) {
    runs_prepare_data("data");
    ms_run_options options = runs_on_shards(2), longer = runs_on_shards(4);
    ms_run_close(runs_new(&options, "run"));
    runs_prepare_other_data("data2");
    longer.data = data_path("data2");
    ms_expect(try_to_resume(&longer, "run"), MS_MISMATCH, "others than the run's");
}
END_TEST

START_TEST(a_shard_that_is_cut_in_mid_run) {
    runs_prepare_data("data");
    ms_run_options options = runs_on_shards(1000);
    ms_run *run = runs_begin(&options, "run");
    ck_assert_int_eq(truncate(data_path("data/data_train_000000.bin"), 3000), 0);
    ck_assert_int_eq(ms_run_train(run), MS_CORRUPT);
    ck_assert_ptr_nonnull(strstr(ms_status_message(), "the file has 3000"));
    ms_run_close(run);
}
END_TEST

/* ---- folders that were killed early ---- */

START_TEST(a_run_without_a_checkpoint_starts_from_its_configuration) {
    ms_run_options options = runs_small(4);
    ms_run *whole = runs_new(&options, "whole"), *run;
    /* Killed after the folder was made, with a checkpoint half written and a line of the first validation. */
    ms_run_close(runs_begin(&options, "run"));
    ms_must(ms_directory_create(data_path("run/checkpoints/step_00000000.tmp")));
    data_write_text("run/metrics.jsonl", "{\"step\":0,\"validation_loss\":1}\n");
    run = runs_resume(&options, "run");
    ck_assert_str_eq(run->weights_sha256, whole->weights_sha256);
    ck_assert_int_eq(runs_count(run->folder.metrics, "\n"), runs_count(whole->folder.metrics, "\n"));
    ck_assert_int_eq(runs_count(run->folder.log, "no checkpoint yet"), 1);
    ms_run_close(run);
    /* A run that made steps has had one: it is not begun again over its metrics. */
    ms_must(ms_directory_remove(data_path("run/checkpoints")));
    ms_expect(try_to_resume(&options, "run"), MS_NOT_FOUND, "there is no checkpoint");
    ck_assert_int_eq(runs_count(data_path("run/metrics.jsonl"), "\n"), 4);
    ms_run_close(whole);
}
END_TEST

/* ---- what is changed ---- */

static ms_run_options coloured(int64_t n_steps, const char *settings) {
    ms_run_options options = runs_small(n_steps);
    options.config_text = settings; /* in whatever form: here the same */
    options.settings_text = settings;
    return options;
}

static const char *file_text(const char *path) {
    static char *text;
    size_t size;
    free(text);
    ms_must(ms_file_read(path, &text, &size));
    return text;
}

START_TEST(what_is_changed_at_a_resumption_stays) {
    ms_run_options red = coloured(2, "colour=red\nrate=0.1\n"), blue = coloured(4, "colour=blue\nrate=0.1\n");
    ms_run_close(runs_new(&red, "run"));
    const char *config = data_path("run/config.yaml"), *log = data_path("run/run.log");
    ck_assert_ptr_null(strstr(file_text(config), "step"));
    /* Killed before it saved anything: it is the run's all the same. */
    ms_run_close(runs_reopen(&blue, "run"));
    ck_assert_ptr_nonnull(strstr(file_text(config), "colour=blue\n"));
    ck_assert_ptr_nonnull(strstr(file_text(config), "# step 2: colour red -> blue\n"));
    ck_assert_int_eq(runs_count(log, "step 2: colour red -> blue"), 1);
    ms_run_close(runs_resume(&blue, "run"));
    /* The next change comes after it, in the file and in the checkpoint. */
    blue = coloured(6, "colour=blue\nrate=0.5\n");
    ms_run *run = runs_resume(&blue, "run");
    ck_assert_str_eq(run->history, "step 2: colour red -> blue\nstep 4: rate 0.1 -> 0.5\n");
    ck_assert_ptr_nonnull(strstr(file_text(config), "# step 2: colour red -> blue\n# step 4: rate 0.1 -> 0.5\n"));
    ms_run_close(run);
    ms_checkpoint *checkpoint;
    const ms_checkpoint_entry *entry;
    ms_must(ms_checkpoint_open(data_path("run/checkpoints"), 6, &checkpoint));
    ms_must(ms_checkpoint_find(checkpoint, "history", MS_CHECKPOINT_TEXT, &entry));
    ck_assert_ptr_nonnull(strstr(entry->text, "step 4: rate 0.1 -> 0.5"));
    ms_checkpoint_close(checkpoint);
    /* Nothing changed, nothing said, nothing written. */
    char before[512];
    snprintf(before, sizeof before, "%s", file_text(config));
    ms_run_close(runs_resume(&blue, "run"));
    ck_assert_str_eq(file_text(config), before);
    ck_assert_int_eq(runs_count(log, "changed"), 3); /* blue twice: it was killed */
}
END_TEST

START_TEST(a_configuration_changed_by_hand_is_said) {
    ms_run_options red = coloured(2, "colour=red\n"), blue = coloured(2, "colour=blue\n");
    ms_run_close(runs_new(&red, "run"));
    const char *config = data_path("run/config.yaml"), *log = data_path("run/run.log");
    char *text = strdup(file_text(config));
    memcpy(strstr(text, "red"), "blu", 3);
    ms_must(ms_file_write(config, text, strlen(text)));
    free(text);
    ms_run_close(runs_resume(&blue, "run"));
    ck_assert_int_eq(runs_count(log, "config.yaml was changed since muonscope wrote it"), 1);
    ck_assert_int_eq(runs_count(log, "step 2: colour red -> blue"), 1);
    ms_run_close(runs_resume(&blue, "run"));
    ck_assert_int_eq(runs_count(log, "was changed since"), 1); /* it has a new hash */
    /* What may not change is named, as it differs from the checkpoint. */
    blue.fixed_text = blue.settings_text = "colour=green\n";
    ms_expect(try_to_resume(&blue, "run"), MS_MISMATCH, "another configuration: step 2: colour red -> green");
}
END_TEST

/* Cut, emptied, or without its last line: said, and told as the reason where settings then differ. */
START_TEST(a_damaged_configuration_is_said) {
    ms_run_options red = coloured(2, "colour=red\n");
    red.fixed_text = red.settings_text;
    ms_run_close(runs_new(&red, "run"));
    const char *config = data_path("run/config.yaml"), *log = data_path("run/run.log");
    char *whole = strdup(file_text(config));
    size_t cuts[] = {0, 5, (size_t)(strchr(whole, '\n') + 1 - whole)};
    for (int i = 0; i < 3; i++) {
        ms_must(ms_file_write(config, whole, cuts[i]));
        ms_run_close(runs_resume(&red, "run"));
        ck_assert_int_eq(runs_count(log, "config.yaml was changed since muonscope wrote it: its last line, the hash of "
                                         "the others, is missing"),
                         i + 1);
        ck_assert_str_eq(file_text(config), whole);
    }
    ms_run_options blue = coloured(2, "colour=blue\n");
    blue.fixed_text = blue.settings_text;
    ms_expect(try_to_resume(&blue, "run"), MS_MISMATCH, "another configuration: step 2: colour red -> blue");
    ck_assert_ptr_null(strstr(ms_status_message(), "damaged"));
    ms_must(ms_file_write(config, "", 0));
    ms_expect(try_to_resume(&blue, "run"), MS_MISMATCH,
              "run/config.yaml is damaged or was changed: its last line, the hash of the others, is missing; the "
              "run's settings are in state.json of its checkpoints");
    ms_must(ms_file_write(config, whole + 1, strlen(whole + 1)));
    ms_expect(try_to_resume(&blue, "run"), MS_MISMATCH, "its last line is not the hash of the lines above");
    free(whole);
}
END_TEST

START_TEST(a_rate_that_jumps_is_said) {
    ms_run_options options = runs_small(4);
    options.trainer.schedule.kind = MS_SCHEDULE_COSINE;
    ms_run_close(runs_new(&options, "run"));
    options.n_steps = 8; /* the rate was to be 0 from here on */
    ms_run *run = runs_resume(&options, "run");
    ck_assert_int_eq(runs_count(run->folder.log, "the learning rate jumps: step 5 takes 0.0"), 1);
    ms_run_close(run);
    run = runs_resume(&options, "run");
    ck_assert_int_eq(runs_count(run->folder.log, "jumps"), 1);
    ms_run_close(run);
}
END_TEST

/* ---- damage ---- */

START_TEST(logs_are_mended_with_a_warning) {
    ms_run_options options = runs_small(6), longer = runs_small(8);
    ms_run_close(runs_new(&options, "run"));
    char *text = strdup(file_text(data_path("run/metrics.jsonl")));
    char *third = strstr(text, "{\"step\":3,"), *fourth = strstr(text, "{\"step\":4,");
    third[0] = '?';
    size_t kept = (size_t)(fourth - text);
    char *fifth = strstr(text, "{\"step\":5,");
    memmove(text + kept, fifth, strlen(fifth) + 1); /* step 4 is gone, step 3 is rubbish */
    ms_must(ms_file_write(data_path("run/metrics.jsonl"), text, strlen(text)));
    free(text);
    ms_run *run = runs_resume(&longer, "run");
    const char *log = run->folder.log;
    ck_assert_int_eq(
        runs_count(
            log, "metrics.jsonl: dropped 1 lines that are no JSON object with a step and a value (the first: line 3)"),
        1);
    ck_assert_int_eq(
        runs_count(log, "metrics.jsonl: 2 of the 6 steps up to the checkpoint have no line (the first: step 3)"), 1);
    ck_assert_int_eq(runs_count(log, "spectra.jsonl"), 0);
    ck_assert_int_eq(runs_count(run->folder.metrics, "\"loss\""), 6);
    ms_run_close(run);
}
END_TEST

/* The file's text without the lines that hold `part`; with `extra` at its end. */
static void edit_lines(const char *path, const char *part, const char *extra) {
    char *text = strdup(file_text(path)), *to = text;
    for (char *line = text, *end; *line; line = end) {
        end = strchr(line, '\n') + 1;
        char kept = *end;
        *end = '\0';
        bool drop = strstr(line, part) != NULL;
        *end = kept;
        size_t n = (size_t)(end - line);
        if (!drop) to = (char *)memmove(to, line, n) + n;
    }
    ms_writer writer;
    ms_must(ms_writer_open(path, &writer));
    ms_must(ms_writer_write(&writer, text, (size_t)(to - text)));
    ms_must(ms_writer_write(&writer, extra, strlen(extra)));
    ms_must(ms_writer_commit(&writer));
    free(text);
}

/* The index of complete spectra too, and files that are no longer written. */
START_TEST(every_log_says_what_it_drops) {
    ms_run_options full = coloured(2, "tracker.every=1\n"), plain = full;
    full.spectra = MS_SPECTRA_FULL;
    full.hash_every = 1;
    plain.hash_every = 0;
    ms_run_close(runs_new(&full, "run"));
    const char *log = data_path("run/run.log");
    for (int i = 1; i <= 2; i++) {
        edit_lines(data_path("run/spectra/index.jsonl"), "\"step\":9,", "rubbish\n");
        edit_lines(data_path("run/hashes.jsonl"), "\"step\":9,", "rubbish\n");
        ms_run_options *options = i == 1 ? &full : &plain;
        options->n_steps = 2 + i;
        ms_run_close(runs_resume(options, "run"));
        ck_assert_int_eq(runs_count(log, "index.jsonl: dropped 1 lines"), i);
        ck_assert_int_eq(runs_count(log, "hashes.jsonl: dropped 1 lines"), i);
    }
}
END_TEST

/* Each log knows the keys of its lines, and the matrices and layers of the run: the step of these lines is in order. */
START_TEST(foreign_lines_are_dropped) {
    static const struct {
        const char *file, *line;
    } cases[] = {
        {"metrics.jsonl", "{\"step\":2,\"loss\":7}\n"},
        {"hashes.jsonl", "{\"step\":2,\"tokens\":8}\n"},
        {"spectra.jsonl", "{\"step\":2,\"tokens\":8,\"layer\":9,\"projection\":\"q\",\"sigma_top\":[1]}\n"},
        {"spectra/index.jsonl", "{\"step\":2,\"layer\":0,\"projection\":\"x\",\"of\":\"weight\",\"file\":\"x\","
                                "\"row\":0,\"values\":1}\n"},
        {"probes.jsonl", "{\"step\":2,\"tokens\":8,\"layer\":9,\"attention_entropy\":[1]}\n"},
    };
    ms_run_options options = coloured(2, "tracker.every=1\n");
    options.spectra = MS_SPECTRA_FULL;
    options.hash_every = 1;
    options.probe = true;
    ms_run_close(runs_new(&options, "run"));
    char path[64], expected[128];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(path, sizeof path, "run/%s", cases[i].file);
        edit_lines(data_path(path), "\"step\":9,", cases[i].line);
    }
    options.n_steps = 3;
    ms_run_close(runs_resume(&options, "run"));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(expected, sizeof expected, "run/%s: dropped 1 lines that lack what every line of it has",
                 cases[i].file);
        ck_assert_int_eq(runs_count(data_path("run/run.log"), expected), 1);
    }
    ck_assert_int_eq(runs_count(data_path("run/run.log"), "dropped"), 5);
}
END_TEST

START_TEST(lost_and_repeated_lines_are_said) {
    ms_run_options options = coloured(6, "tracker.every=2\n"), longer = coloured(8, "tracker.every=2\n");
    options.probe = longer.probe = true;
    ms_run_close(runs_new(&options, "run"));
    const char *metrics = data_path("run/metrics.jsonl"), *spectra = data_path("run/spectra.jsonl");
    const char *log = data_path("run/run.log");
    int n_lines = runs_count(spectra, "\n"), n_a_snapshot = runs_count(spectra, "{\"step\":4,");
    ck_assert_int_eq(n_lines, 5 * n_a_snapshot); /* steps 0, 1, 2, 4, 6 */
    char *other = strdup(file_text(metrics));
    edit_lines(metrics, "\"step\":9,", other);
    free(other);
    edit_lines(spectra, "{\"step\":4,", "");
    edit_lines(spectra, "\"layer\":1,\"projection\":\"q\"", "");
    edit_lines(data_path("run/probes.jsonl"), "{\"step\":4,", "");
    ms_run_close(runs_resume(&longer, "run"));
    char expected[128];
    ck_assert_int_eq(
        runs_count(log, "metrics.jsonl: dropped 6 lines that say again what an earlier one says (the first: line 7)"),
        1);
    snprintf(expected, sizeof expected,
             "spectra.jsonl: %d lines of snapshots up to the checkpoint are missing (the "
             "first: step 1)",
             n_a_snapshot + 3);
    ck_assert_int_eq(runs_count(log, expected), 1);
    ck_assert_int_eq(
        runs_count(log, "probes.jsonl: 2 lines of snapshots up to the checkpoint are missing (the first: step 4)"), 1);
    ck_assert_int_eq(runs_count(metrics, "\"loss\""), 8);
    /* Other steps for snapshots from here on: which the run has made so far cannot be told any more. */
    options = coloured(10, "tracker.every=3\n");
    ms_run_close(runs_resume(&options, "run"));
    ck_assert_int_eq(runs_count(log, "spectra.jsonl: 3 lines of snapshots up to the checkpoint are missing"), 1);
}
END_TEST

static void damage(const char *path, long at) {
    FILE *file = fopen(path, "r+b");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fseek(file, at, SEEK_SET), 0);
    fputc('x', file);
    ck_assert_int_eq(fclose(file), 0);
}

START_TEST(the_newest_intact_checkpoint_is_named_and_taken) {
    ms_run_options options = runs_small(8);
    options.checkpoint_every = 2;
    ms_run *whole = runs_new(&options, "run"), *run;
    char weights[65], expected[256];
    snprintf(weights, sizeof weights, "%s", whole->weights_sha256);
    ms_run_close(whole);
    damage(data_path("run/checkpoints/step_00000008/model.safetensors"), 3000); /* its hash tells */
    damage(data_path("run/checkpoints/step_00000006/state.json"), 30);
    ck_assert_int_eq(truncate(data_path("run/checkpoints/step_00000004/optimizer.safetensors"), 100), 0);
    snprintf(expected, sizeof expected, "the newest intact one is of step 2: --resume %s --step 2", data_path("run"));
    ms_expect(try_to_resume(&options, "run"), MS_CORRUPT, expected);
    ms_checkpoint *checkpoint; /* as text is made from it */
    ms_expect(ms_checkpoint_open_or_name(data_path("run/checkpoints"), -1, "--step", &checkpoint), MS_CORRUPT,
              "the newest intact one is of step 2: --step 2");
    ck_assert_ptr_null(checkpoint);
    ck_assert_int_eq(unlink(data_path("run/checkpoints/step_00000008/state.json")), 0);
    ck_assert_int_eq(mkfifo(data_path("run/checkpoints/step_00000008/state.json"), 0600), 0);
    ms_expect(try_to_resume(&options, "run"), MS_CORRUPT, "it is a pipe");
    ms_expect(try_to_resume(&options, "run"), MS_CORRUPT, expected);
    ms_must(ms_directory_remove(data_path("run/checkpoints/step_00000008")));
    ms_expect(try_to_resume(&options, "run"), MS_CORRUPT, expected); /* found by its state alone */
    ms_run_folder folder;
    ms_must(ms_run_folder_resume(data_path("run"), &folder));
    ms_must(ms_run_open(runs_device, &options, &run));
    ms_must(ms_run_resume_at(run, &folder, 2));
    ck_assert(!ms_file_exists(data_path("run/checkpoints/step_00000004")));
    ck_assert(!ms_file_exists(data_path("run/checkpoints/step_00000006")));
    ck_assert_int_eq(runs_count(run->folder.log, "removed 2 checkpoints of steps after 2"), 1);
    ms_must(ms_run_train(run));
    ck_assert_str_eq(run->weights_sha256, weights);
    ck_assert_int_eq(runs_count(run->folder.metrics, "\"loss\""), 8);
    ms_run_close(run);
    damage(data_path("run/checkpoints/step_00000008/model.safetensors"), 3000);
    for (int step = 0; step < 8; step += 2) {
        char path[64];
        snprintf(path, sizeof path, "run/checkpoints/step_%08d", step);
        ms_must(ms_directory_remove(data_path(path)));
    }
    ms_expect(try_to_resume(&options, "run"), MS_CORRUPT, "no older checkpoint is intact");
}
END_TEST

/* Goes on from the checkpoint of a step; the caller closes the run. */
static ms_run *resumed_at(const ms_run_options *options, const char *name, int64_t step) {
    ms_run *run;
    ms_run_folder folder;
    ms_must(ms_run_folder_resume(data_path(name), &folder));
    ms_must(ms_run_open(runs_device, options, &run));
    ms_must(ms_run_resume_at(run, &folder, step));
    return run;
}

/* Files with the names of checkpoints end no run: one line is said, and they stay until a checkpoint takes their
   place. */
START_TEST(a_file_that_is_named_as_a_checkpoint) {
    ms_run_options options = runs_small(4), longer = runs_small(6);
    options.checkpoint_every = longer.checkpoint_every = 2;
    ms_run_close(runs_new(&options, "run"));
    data_write_text("run/checkpoints/step_00000006", "x");
    ck_assert_int_eq(mkfifo(data_path("run/checkpoints/step_00000009"), 0600), 0);
    ms_run *run = resumed_at(&longer, "run", 2);
    ck_assert_int_eq(run->trainer->step, 2);
    ck_assert(!ms_file_exists(data_path("run/checkpoints/step_00000004")));
    ck_assert(!ms_is_directory(data_path("run/checkpoints/step_00000006")));
    ms_run_close(run);
    run = runs_resume(&longer, "run");
    ck_assert_int_eq(run->resumed_step, 2);
    ck_assert(ms_is_directory(data_path("run/checkpoints/step_00000006")));
    ck_assert(ms_file_exists(data_path("run/checkpoints/step_00000009")));
    ck_assert_int_eq(runs_count(run->folder.log, "checkpoints/step_00000006 (and 1 more) is no folder"), 2);
    ms_run_close(run);
}
END_TEST

/* What a message suggests can be given to a shell, whatever the run is called. */
START_TEST(a_suggested_command_is_quoted) {
    ms_run_options options = runs_small(2);
    ms_run_close(runs_new(&options, "it's a; run"));
    damage(data_path("it's a; run/checkpoints/step_00000002/model.safetensors"), 3000);
    ms_expect(try_to_resume(&options, "it's a; run"), MS_CORRUPT, "it'\\''s a; run' --step 0");
    ms_run *run;
    ms_must(ms_run_open(runs_device, &options, &run));
    ms_expect(ms_run_create(run, data_path("it's a; run")), MS_INVALID, "it'\\''s a; run' or name another");
    ms_run_close(run);
}
END_TEST

START_TEST(a_run_with_nothing_to_do_says_so) {
    ms_run_options options = runs_small(4), fewer = runs_small(2);
    ms_run_close(runs_new(&options, "run"));
    ms_run *run = runs_resume(&fewer, "run");
    ck_assert_int_eq(run->trainer->step, 4);
    ck_assert_int_eq(runs_count(run->folder.log, "nothing to do"), 1);
    ck_assert_int_eq(runs_count(run->folder.log, "has made 4 steps, and 2 are asked for"), 1);
    ms_run_close(run);
    run = runs_resume(&options, "run");
    ck_assert_int_eq(runs_count(run->folder.log, "has made 4 steps, and 4 are asked for"), 1);
    ms_run_close(run);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("resume");
    TCase *tests = tcase_create("resume");
    tcase_add_checked_fixture(tests, runs_open, runs_close);
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, a_flipped_token_is_found);
    tcase_add_test(tests, validation_is_checked_where_it_is_read);
    tcase_add_test(tests, other_shards_of_the_same_tokenizer_are_found);
    tcase_add_test(tests, a_shard_that_is_cut_in_mid_run);
    tcase_add_test(tests, a_run_without_a_checkpoint_starts_from_its_configuration);
    tcase_add_test(tests, what_is_changed_at_a_resumption_stays);
    tcase_add_test(tests, a_configuration_changed_by_hand_is_said);
    tcase_add_test(tests, a_damaged_configuration_is_said);
    tcase_add_test(tests, a_rate_that_jumps_is_said);
    tcase_add_test(tests, logs_are_mended_with_a_warning);
    tcase_add_test(tests, every_log_says_what_it_drops);
    tcase_add_test(tests, foreign_lines_are_dropped);
    tcase_add_test(tests, lost_and_repeated_lines_are_said);
    tcase_add_test(tests, the_newest_intact_checkpoint_is_named_and_taken);
    tcase_add_test(tests, a_file_that_is_named_as_a_checkpoint);
    tcase_add_test(tests, a_suggested_command_is_quoted);
    tcase_add_test(tests, a_run_with_nothing_to_do_says_so);
    suite_add_tcase(suite, tests);
    return ms_suite_run(suite);
}
