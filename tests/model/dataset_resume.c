/* Data that are prepared by processes which are killed: the last one ends with what an unhindered one makes, and goes
   on where the one before it stood. */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include "model/data/dataset_prepare.h"
#include "platform/directory.h"
#include "platform/file.h"
#include "platform/signals.h"
#include "tests/model/data_files.h"
#include "tests/support/suite.h"

/* What a process saw of its work, and when it ends. */
typedef struct watch {
    int n_reports, kill_at; /* 0: never */
    int signal;
    int64_t first_read; /* bytes of the files that were read before */
} watch;

static void report(void *context, const ms_prepare_progress *progress) {
    watch *w = context;
    ck_assert_int_le(progress->n_read, progress->n_to_read);
    if (w->n_reports++ == 0) w->first_read = progress->n_read;
    if (w->n_reports == w->kill_at) raise(w->signal);
}

/* Text in paragraphs, JSONL with dirty records, and the same compressed. */
static const char *const *make_texts(void) {
    static const char *files[5];
    char *text = malloc(1 << 20);
    size_t n = 0;
    for (int i = 0; i < 2500; i++) {
        if (i % 5 == 4) n += (size_t)sprintf(text + n, i % 2 ? "{\"text\":%d}\n" : "{\"text\":\"b\xff%d\"}\n", i);
        n += (size_t)sprintf(text + n, "{\"id\":1,\"text\":\"record %d has a number, which is %d\"}\n", i, i * 7919);
    }
    files[0] = data_write_lines("a.txt", 9000);
    files[1] = data_write("b.jsonl", text, n);
    files[2] = data_write_text("empty.txt", "\n");
    gzFile stream = gzopen(data_path("c.jsonl.gz"), "wb");
    ck_assert_int_eq(gzwrite(stream, text, (unsigned)n), (int)n);
    ck_assert_int_eq(gzclose(stream), Z_OK);
    files[3] = data_path("c.jsonl.gz");
    files[4] = data_write_lines("d.txt", 4000);
    free(text);
    return files;
}

/* Ids: NumPy's, and lists in JSONL, where lines hold several documents and documents end with lines. */
static const char *const *make_ids(void) {
    static const char *files[2];
    static uint16_t ids[60000];
    static char text[300000], npy[128 + sizeof ids];
    for (int i = 0; i < 60000; i++) ids[i] = (uint16_t)(i % 41 == 0 ? 0 : 1 + i * 31 % 255);
    memset(npy, ' ', 128);
    memcpy(npy, "\x93NUMPY\x01\x00\x76\x00", 10);
    size_t n = (size_t)sprintf(npy + 10, "{'descr': '<u2', 'fortran_order': False, 'shape': (60000,), }") + 10;
    npy[n] = ' ';
    npy[127] = '\n';
    memcpy(npy + 128, ids, sizeof ids);
    files[0] = data_write("ids.npy", npy, 128 + sizeof ids);
    n = 0;
    for (int i = 0; i < 600; i++) {
        n += (size_t)sprintf(text + n, "{\"input_ids\":[");
        for (int j = 0; j < 90; j++) n += (size_t)sprintf(text + n, "%s%d", j ? "," : "", ids[(i * 90 + j) % 60000]);
        n += (size_t)sprintf(text + n, "]}\n");
    }
    files[1] = data_write("ids.jsonl", text, n);
    return files;
}

static ms_prepare_options options_for(const char *const *files, int n_files, const char *output) {
    return (ms_prepare_options){.tokenizer_path = data_path("small.json"),
                                .directory = data_path(output),
                                .name = "t",
                                .files = files,
                                .n_files = n_files,
                                .validation_fraction = 0.2,
                                .shard_tokens = 40000,
                                .checkpoint_bytes = 1,
                                .n_threads = 1,
                                .corpus = {.chunk_bytes = 256, .on_error = MS_ON_ERROR_REPLACE}};
}

/* Prepares in a child process, which this signal ends at that report.  True: it came to its end before. */
static bool prepare_and_kill(ms_prepare_options options, int kill_at, int signal) {
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        watch w = {.kill_at = kill_at, .signal = signal};
        ms_sidecar sidecar;
        options.report = report;
        options.report_context = &w;
        if (signal != SIGKILL && ms_signals_catch() != MS_OK) _exit(3);
        ms_status status = ms_dataset_prepare(&options, &sidecar);
        _exit(status == MS_OK ? 0 : status == MS_INTERRUPTED ? 1 : 2);
    }
    int state;
    ck_assert_int_eq(waitpid(child, &state, 0), child);
    if (WIFEXITED(state)) ck_assert_int_le(WEXITSTATUS(state), 1);
    return WIFEXITED(state) && WEXITSTATUS(state) == 0;
}

/* Kills processes at their `stride`th report until one comes to the end; each goes on where the last one was saved. The
   first report is of the beginning, and groups without text are not saved: fewer than 4 may never end. */
static void check_chain(ms_prepare_options options, int stride, int signal) {
    int n_kills = 0;
    ms_prepare_options whole = options;
    whole.directory = data_path("whole");
    ms_sidecar sidecar = data_prepare(&whole);
    ck_assert_uint_ge(sidecar.splits[MS_SPLIT_TRAIN].n_shards, 2);
    ms_sidecar_finish(&sidecar);
    while (!prepare_and_kill(options, stride, signal)) {
        ck_assert_msg(++n_kills < 200, "no end after 200 kills");
        ck_assert(!ms_file_exists(options.directory));
    }
    ck_assert_int_ge(n_kills, 2);
    data_check_same_folder(data_path("whole"), options.directory);
    ck_assert_int_eq(data_count_names(".tmp"), 0);
    ms_must(ms_directory_remove(data_path("whole")));
    ms_must(ms_directory_remove(options.directory));
}

START_TEST(killed_anywhere) {
    data_folder_create();
    data_write_tokenizer();
    ms_prepare_options options = options_for(make_texts(), 5, "a");
    check_chain(options, 4, SIGKILL);
    options.checkpoint_bytes = 40000; /* not at every report */
    check_chain(options, 5, SIGKILL);
    options.n_threads = 3;
    check_chain(options, 5, SIGKILL);
    options.validation_file = data_write_lines("val.txt", 3000);
    options.validation_fraction = 0;
    options.corpus.documents = MS_DOCUMENTS_BLANK;
    options.checkpoint_bytes = 1;
    check_chain(options, 4, SIGKILL);
    options = options_for(make_ids(), 2, "a");
    check_chain(options, 3, SIGKILL);
    options.document_end = MS_NO_DOCUMENT_END;
    check_chain(options, 3, SIGKILL);
    data_folder_remove();
}
END_TEST

/* A signal that asks to stop leaves what was saved, too. */
START_TEST(stopped) {
    data_folder_create();
    data_write_tokenizer();
    check_chain(options_for(make_texts(), 5, "a"), 4, SIGTERM);
    data_folder_remove();
}
END_TEST

/* Prepares, and gives how much was read before. */
static int64_t go_on(ms_prepare_options options) {
    watch w = {0};
    options.report = report;
    options.report_context = &w;
    ms_sidecar sidecar = data_prepare(&options);
    ms_sidecar_finish(&sidecar);
    ms_must(ms_directory_remove(options.directory));
    return w.first_read;
}

static void check_changed(ms_prepare_options options, const char *part) {
    ms_sidecar sidecar;
    ms_expect(ms_dataset_prepare(&options, &sidecar), MS_MISMATCH, part);
    ck_assert_int_eq(data_count_names(".tmp"), 1);
}

/* What is another command than the one that was killed is named, and what that one left stays. */
START_TEST(changed) {
    data_folder_create();
    data_write_tokenizer();
    const char *const *files = make_texts();
    ms_prepare_options options = options_for(files, 5, "a"), other = options;
    ck_assert(!prepare_and_kill(options, 5, SIGKILL));
    other.seed = 7;
    check_changed(other, "is what a command that did not end left of");
    check_changed(other, ": seed was 0 and is 7; --anew begins anew, and removes it");
    other = options;
    other.corpus.documents = MS_DOCUMENTS_FILE;
    check_changed(other, "documents was \"chunk\" and is \"file\"");
    other = options;
    other.program_version = "9";
    check_changed(other, "version of muonscope was \"\" and is \"9\"");
    other = options;
    other.n_files = 4;
    check_changed(other, "5 files were given, and 4 are now");
    char *tokenizer;
    size_t tokenizer_bytes;
    ms_must(ms_file_read(data_path("small.json"), &tokenizer, &tokenizer_bytes));
    for (char *at = tokenizer; (at = strstr(at, "endoftext"));) memcpy(at, "beginning", strlen("beginning"));
    other = options;
    other.document_end = "<|beginning|>";
    other.tokenizer_path = data_write("other.json", tokenizer, tokenizer_bytes);
    free(tokenizer);
    check_changed(other, ": tokenizer was \"");
    const char *swapped[] = {files[0], files[1], files[3], files[2], files[4]};
    other = options;
    other.files = swapped;
    check_changed(other, "empty.txt was given where");
    const char *missing[] = {files[0], files[1], files[2], files[3], "no such file"};
    other = options;
    other.files = missing;
    ms_sidecar sidecar;
    ms_expect(ms_dataset_prepare(&other, &sidecar), MS_NOT_FOUND, "no such file");
    ck_assert_int_eq(data_count_names(".tmp"), 1); /* what there is to go on from stays */
    int ends[2];
    char pipe_path[32];
    ck_assert_int_eq(pipe(ends), 0);
    snprintf(pipe_path, sizeof pipe_path, "/dev/fd/%d", ends[0]);
    const char *piped[] = {pipe_path};
    other = options;
    other.files = piped;
    other.n_files = 1;
    check_changed(other, "what it read can be read again, and standard input or a pipe cannot");
    other = options;
    other.n_threads = 2;
    other.checkpoint_bytes = 5;
    ck_assert_int_gt(go_on(other), 0);

    ck_assert(!prepare_and_kill(options, 5, SIGKILL));
    data_write_text("empty.txt", "\n\n\n");
    check_changed(options, "empty.txt has 3 bytes, and had 1");
    options.anew = true;
    ck_assert_int_eq(go_on(options), 0);
    options.anew = false;
    ck_assert(!prepare_and_kill(options, 5, SIGKILL));
    data_write_text("empty.txt", "\n \n");
    check_changed(options, "empty.txt was written to since");
    data_folder_remove();
}
END_TEST

/* Of the tokenizer its hash counts: neither its path nor the time of its file. */
START_TEST(tokenizer_elsewhere) {
    data_folder_create();
    data_write_tokenizer();
    ms_prepare_options options = options_for(make_texts(), 5, "a");
    ck_assert(!prepare_and_kill(options, 5, SIGKILL));
    char *text;
    size_t n;
    ms_must(ms_file_read(data_path("small.json"), &text, &n));
    options.tokenizer_path = data_write("copy.json", text, n);
    free(text);
    ck_assert_int_gt(go_on(options), 0);
    data_folder_remove();
}
END_TEST

/* A limit on the size of files stands for a full disk: what was saved stays, and the same command goes on from it. */
START_TEST(disk_full) {
    data_folder_create();
    data_write_tokenizer();
    const char *const *files = make_texts();
    ms_prepare_options options = options_for(files, 5, "a"), whole = options;
    whole.shard_tokens = options.shard_tokens = 400000;
    whole.directory = data_path("whole");
    ms_sidecar sidecar = data_prepare(&whole);
    ms_sidecar_finish(&sidecar);
    struct rlimit limit, all;
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &all), 0);
    limit = all;
    limit.rlim_cur = 400000;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    for (int i = 0; i < 2; i++) /* the second time it stays, too */
        ms_expect(ms_dataset_prepare(&options, &sidecar), MS_NO_SPACE, "; the same command goes on after 0.");
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &all), 0);
    ck_assert_int_eq(data_count_names(".tmp"), 1);
    watch w = {0};
    options.report = report;
    options.report_context = &w;
    sidecar = data_prepare(&options);
    ms_sidecar_finish(&sidecar);
    ck_assert_int_gt(w.first_read, 0);
    data_check_same_folder(whole.directory, options.directory);
    data_folder_remove();
}
END_TEST

/* The folder that a killed process left; its path is valid until the next call. */
static const char *left_folder(void) {
    static char path[256];
    ms_listing names;
    ms_must(ms_listing_read(data_path("."), &names));
    for (size_t i = 0; i < names.n; i++)
        if (strstr(names.names[i], ".tmp")) snprintf(path, sizeof path, "%s", data_path(names.names[i]));
    ms_listing_finish(&names);
    return path;
}

static const char *left_file(const char *name) {
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", left_folder(), name);
    return path;
}

/* What is damaged in the folder is named; a pipe cannot be gone on with; a record that is wrong leaves nothing. */
START_TEST(damaged) {
    data_folder_create();
    data_write_tokenizer();
    ms_prepare_options options = options_for(make_texts(), 5, "a");
    ms_sidecar sidecar;
    ck_assert(!prepare_and_kill(options, 6, SIGKILL));
    ck_assert_int_eq(truncate(left_file("t_train_000000.bin"), 2000), 0);
    ms_expect(ms_dataset_prepare(&options, &sidecar), MS_CORRUPT, "t_train_000000.bin: the header says");
    ms_must(ms_file_write(left_file("progress.json"), "{}", 2));
    ms_expect(ms_dataset_prepare(&options, &sidecar), MS_CORRUPT, "its format is not \"muonscope data prepare");
    ms_must(ms_file_write(left_file("progress.json"), "{\"a", 3));
    ms_expect(ms_dataset_prepare(&options, &sidecar), MS_CORRUPT, "progress.json, line 1:");
    options.anew = true;
    ck_assert_int_eq(go_on(options), 0);
    options.anew = false;

    options.corpus.on_error = MS_ON_ERROR_STOP;
    ms_expect(ms_dataset_prepare(&options, &sidecar), MS_INVALID, "b.jsonl, line ");
    ck_assert_int_eq(data_count_names(".tmp"), 0);
    data_folder_remove();
}
END_TEST

int main(void) {
    Suite *suite = suite_create("dataset_resume");
    TCase *all = tcase_create("all");
    tcase_set_timeout(all, 120);
    tcase_add_test(all, killed_anywhere);
    tcase_add_test(all, stopped);
    tcase_add_test(all, changed);
    tcase_add_test(all, damaged);
    tcase_add_test(all, tokenizer_elsewhere);
    tcase_add_test(all, disk_full);
    suite_add_tcase(suite, all);
    return ms_suite_run(suite);
}
