/* The run log: appending, resuming, and what is refused. */
#define _XOPEN_SOURCE 700
#include "tracker/run_log.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "platform/directory.h"
#include "platform/file.h"
#include "tests/support/suite.h"

static char folder[32];
static char path[64];

static void make_folder(void) {
    strcpy(folder, "/tmp/ms_run_log_XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/metrics.jsonl", folder);
}

static void remove_folder(void) { ck_assert_int_eq(ms_directory_remove(folder), MS_OK); }

static void put(const char *text) { ck_assert_int_eq(ms_file_write(path, text, strlen(text)), MS_OK); }

static void expect(const char *text) {
    char *actual;
    size_t size;
    ck_assert_int_eq(ms_file_read(path, &actual, &size), MS_OK);
    ck_assert_str_eq(actual, text);
    free(actual);
}

static void append(ms_run_log *log, int step, double loss) {
    json_t *line = json_pack("{s:i}", "step", step);
    json_object_set_new(line, "loss", ms_run_log_real(loss));
    ck_assert_int_eq(ms_run_log_append(log, line), MS_OK);
    json_decref(line);
}

START_TEST(appends_at_once) {
    ms_run_log *log;
    put("an old file that is not even JSON\n");
    ck_assert_int_eq(ms_run_log_open(path, -1, NULL, &log), MS_OK);
    append(log, 1, 0.1);
    expect("{\"step\":1,\"loss\":0.10000000000000001}\n"); /* before any close */
    append(log, 2, NAN);
    ck_assert_int_eq(ms_run_log_close(log), MS_OK);
    expect("{\"step\":1,\"loss\":0.10000000000000001}\n{\"step\":2,\"loss\":null}\n");
}
END_TEST

START_TEST(resumes_after_step) {
    ms_run_log *log;
    put("{\"step\":1,\"x\":0}\n{\"step\":2,\"x\":0}\n{\"step\":2,\"validation_loss\":3.5}\n{\"step\":3,\"x\":0}\n{"
        "\"step\":4,\"lo");
    ck_assert_int_eq(ms_run_log_open(path, 2, NULL, &log), MS_OK);
    append(log, 3, 1.5);
    ck_assert_int_eq(ms_run_log_close(log), MS_OK);
    expect("{\"step\":1,\"x\":0}\n{\"step\":2,\"x\":0}\n{\"step\":2,\"validation_loss\":3.5}\n{\"step\":3,\"loss\":1.5}"
           "\n");
}
END_TEST

/* Where nothing is dropped the file is not written again: a writer of it, of which there can be one at a time, is none
   of the log's business. */
START_TEST(nothing_to_drop_writes_nothing) {
    ms_run_log *log;
    ms_writer other;
    put("{\"step\":1,\"x\":0}\n{\"step\":2,\"x\":0}\n");
    ms_must(ms_writer_open(path, &other));
    ms_must(ms_run_log_open(path, 2, NULL, &log));
    ms_must(ms_run_log_close(log));
    ms_expect(ms_run_log_open(path, 1, NULL, &log), MS_IO, "metrics.jsonl");
    ms_writer_abort(&other);
    expect("{\"step\":1,\"x\":0}\n{\"step\":2,\"x\":0}\n");
}
END_TEST

START_TEST(every_cut_resumes) {
    const char *whole = "{\"step\":1,\"loss\":2.5}\n{\"step\":2,\"loss\":2.25}\n";
    for (size_t cut = 0; cut <= strlen(whole); cut++) { /* a crash after any byte */
        ck_assert_int_eq(ms_file_write(path, whole, cut), MS_OK);
        ms_run_log *log;
        ck_assert_int_eq(ms_run_log_open(path, 1, NULL, &log), MS_OK);
        append(log, 2, 2.25);
        ck_assert_int_eq(ms_run_log_close(log), MS_OK);
        expect(cut > strlen("{\"step\":1,\"loss\":2.5}") ? whole : strchr(whole, '\n') + 1);
    }
}
END_TEST

START_TEST(missing_file_is_created) {
    ms_run_log *log;
    ck_assert_int_eq(ms_run_log_open(path, 7, NULL, &log), MS_OK);
    append(log, 8, 1);
    ck_assert_int_eq(ms_run_log_close(log), MS_OK);
    expect("{\"step\":8,\"loss\":1.0}\n");
}
END_TEST

START_TEST(corrupt_lines_are_dropped_and_counted) {
    ms_run_log *log;
    const char *bad[] = {"{\"step\":1,\"x\":0}\nnonsense\n{\"step\":3,\"x\":0}\n",
                         "{\"step\":1,\"x\":0}\n{\"loss\":1}\n",
                         "{\"step\":1,\"x\":0}\n\n",
                         "{\"step\":1,\"x\":0}\n{\"step\":1.5,\"x\":0}\n",
                         "{\"step\":1,\"x\":0}\n[1]\n",
                         "{\"step\":1,\"x\":0}\n{\"step\":-5,\"x\":0}\n",
                         "{\"step\":1,\"x\":0}\n{\"step\":2}\n"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        put(bad[i]);
        ck_assert_int_eq(ms_run_log_open(path, 5, NULL, &log), MS_OK);
        const ms_run_log_mending *mending = ms_run_log_get_mending(log);
        ck_assert_int_eq(mending->n_bad, 1);
        ck_assert_int_eq(mending->first_bad_line, 2);
        ck_assert_int_eq(mending->n_missing, i == 0 ? 3 : 4);
        ck_assert_int_eq(mending->first_missing_step, 2);
        ck_assert_int_eq(ms_run_log_close(log), MS_OK);
        expect(i == 0 ? "{\"step\":1,\"x\":0}\n{\"step\":3,\"x\":0}\n" : "{\"step\":1,\"x\":0}\n");
    }
}
END_TEST

START_TEST(missing_steps_are_counted) {
    static const struct {
        const char *text;
        int64_t n_missing, first;
    } cases[] = {{"", 4, 1},
                 {"{\"step\":0,\"x\":0}\n{\"step\":1,\"x\":0}\n{\"step\":2,\"x\":0}\n{\"step\":3,\"x\":0}\n{\"step\":3,"
                  "\"x\":0}\n{\"step\":4,\"x\":0}\n",
                  0, 0},
                 {"{\"step\":2,\"x\":0}\n{\"step\":4,\"x\":0}\n{\"step\":5,\"x\":0}\n", 2, 1},
                 {"{\"step\":1,\"x\":0}\n{\"step\":2,\"x\":0}\n", 2, 3}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ms_run_log *log;
        put(cases[i].text);
        ck_assert_int_eq(ms_run_log_open(path, 4, NULL, &log), MS_OK);
        ck_assert_int_eq(ms_run_log_get_mending(log)->n_missing, cases[i].n_missing);
        ck_assert_int_eq(ms_run_log_get_mending(log)->first_missing_step, cases[i].first);
        ck_assert_int_eq(ms_run_log_get_mending(log)->n_bad, 0);
        ck_assert_int_eq(ms_run_log_close(log), MS_OK);
    }
}
END_TEST

/* Another run's lines behind a run's own: of one subject the first line counts; a validation, another layer or another
   kind of line is another subject. */
START_TEST(repeated_lines_are_dropped_and_counted) {
    ms_run_log *log;
    put("{\"step\":1,\"tokens\":8,\"loss\":1.5}\n{\"step\":2,\"tokens\":16,\"loss\":2.5}\n{\"step\":2,\"validation_"
        "loss\":3.5}\n"
        "{\"step\":1,\"tokens\":9,\"loss\":9.5}\n{\"step\":2,\"tokens\":9,\"loss\":9.5}\n{\"step\":2,\"validation_"
        "loss\":9.5}\n");
    ck_assert_int_eq(ms_run_log_open(path, 2, NULL, &log), MS_OK);
    ck_assert_int_eq(ms_run_log_get_mending(log)->n_repeated, 3);
    ck_assert_int_eq(ms_run_log_get_mending(log)->first_repeated_line, 4);
    ck_assert_int_eq(ms_run_log_get_mending(log)->n_missing, 0);
    ck_assert_int_eq(ms_run_log_close(log), MS_OK);
    expect("{\"step\":1,\"tokens\":8,\"loss\":1.5}\n{\"step\":2,\"tokens\":16,\"loss\":2.5}\n{\"step\":2,\"validation_"
           "loss\":3.5}\n");
    static const char all[] =
        "{\"step\":1,\"layer\":0,\"sigma\":1.5}\n{\"step\":1,\"layer\":1,\"sigma\":1.5}\n"
        "{\"step\":1,\"layer\":0,\"head\":0,\"sigma\":1.5}\n{\"step\":1,\"layer\":0,\"head\":1,\"sigma\":1.5}\n"
        "{\"step\":1,\"layer\":0,\"kind\":\"a\"}\n{\"step\":1,\"layer\":0,\"kind\":\"b\"}\n";
    put(all);
    ck_assert_int_eq(ms_run_log_open(path, 1, NULL, &log), MS_OK);
    ck_assert_int_eq(ms_run_log_get_mending(log)->n_repeated, 0);
    ck_assert_int_eq(ms_run_log_close(log), MS_OK);
    expect(all);
    char text[4096 * 32];
    size_t n = 0;
    for (int i = 0; i < 4096; i++) n += (size_t)sprintf(text + n, "{\"step\":%d,\"layer\":%d}\n", i / 4 + 1, i % 2);
    put(text);
    ck_assert_int_eq(ms_run_log_open(path, 1024, NULL, &log), MS_OK);
    ck_assert_int_eq(ms_run_log_get_mending(log)->n_repeated, 2048);
    ck_assert_int_eq(ms_run_log_get_mending(log)->first_repeated_line, 3);
    ck_assert_int_eq(ms_run_log_close(log), MS_OK);
    put("{\"step\":1,\"validation_loss\":3.5}\n{\"step\":2,\"x\":0}\n"); /* no line of the step itself */
    ck_assert_int_eq(ms_run_log_open(path, 2, NULL, &log), MS_OK);
    ck_assert_int_eq(ms_run_log_get_mending(log)->n_missing, 1);
    ck_assert_int_eq(ms_run_log_close(log), MS_OK);
}
END_TEST

/* A foreign line costs itself, wherever its step would belong, and no line of the run. */
START_TEST(lines_that_go_back_are_dropped_and_counted) {
#define AT(step) "{\"step\":" #step ",\"x\":0.5}\n"
#define FOREIGN(step) "{\"step\":" #step ",\"y\":0.5}\n"
    static const struct {
        const char *text, *kept;
        int64_t n, first;
    } cases[] = {
        {AT(1) AT(2) AT(3) FOREIGN(1) AT(4), AT(1) AT(2) AT(3) AT(4), 1, 4},
        {AT(1) FOREIGN(9) AT(2) AT(3) AT(4), AT(1) AT(2) AT(3) AT(4), 1, 2},
        {FOREIGN(8) FOREIGN(9) AT(1) AT(2) AT(3), AT(1) AT(2) AT(3), 2, 1},
        {AT(1) FOREIGN(1) AT(2) FOREIGN(2), AT(1) FOREIGN(1) AT(2) FOREIGN(2), 0, 0},
        {AT(1) FOREIGN(70) AT(2) "x\n" FOREIGN(1) AT(3), AT(1) AT(2) AT(3), 1, 5}, /* 70 is after the checkpoint */
        {AT(3) AT(2) AT(1), AT(3), 2, 2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ms_run_log *log;
        put(cases[i].text);
        ck_assert_int_eq(ms_run_log_open(path, 10, NULL, &log), MS_OK);
        ck_assert_int_eq(ms_run_log_get_mending(log)->n_back, cases[i].n);
        ck_assert_int_eq(ms_run_log_get_mending(log)->first_back_line, cases[i].first);
        ck_assert_int_eq(ms_run_log_close(log), MS_OK);
        expect(cases[i].kept);
    }
#undef AT
#undef FOREIGN
}
END_TEST

/* A line whose step is in order, but which is none that the run can have written. */
START_TEST(foreign_lines_are_dropped_and_counted) {
    static const struct {
        const ms_run_log_key *keys;
        const char *own, *foreign;
    } cases[] = {
#define OWN "{\"step\":2,\"tokens\":8,\"loss\":1.5}\n{\"step\":2,\"tokens\":8,\"validation_loss\":null}\n"
        {ms_run_log_metrics_keys, OWN, "{\"step\":2,\"loss\":null}\n"},
        {ms_run_log_metrics_keys, OWN, "{\"step\":2,\"tokens\":8,\"loss\":\"x\"}\n"},
        {ms_run_log_metrics_keys, OWN, "{\"step\":2,\"tokens\":8,\"x\":1}\n"},
        {ms_run_log_metrics_keys, OWN, "{\"step\":2,\"tokens\":-8,\"loss\":1}\n"},
#undef OWN
        {ms_run_log_hashes_keys, "{\"step\":2,\"tokens\":8,\"sha256\":{}}\n", "{\"step\":2,\"loss\":null}\n"},
#define OWN "{\"step\":2,\"tokens\":8,\"layer\":0,\"projection\":\"q\",\"sigma_top\":[2.5,null],\"gap\":null}\n"
        {ms_run_log_spectra_keys, OWN, "{\"step\":3,\"loss\":7}\n"},
        {ms_run_log_spectra_keys, OWN, "{\"step\":2,\"tokens\":8,\"layer\":0,\"projection\":\"q\"}\n"},
        {ms_run_log_spectra_keys, OWN,
         "{\"step\":2,\"tokens\":8,\"layer\":0,\"projection\":\"a b\",\"sigma_top\":[1]}\n"},
        {ms_run_log_spectra_keys, OWN, "{\"step\":2,\"tokens\":8,\"layer\":0,\"projection\":\"q\",\"sigma_top\":[]}\n"},
        {ms_run_log_spectra_keys, OWN,
         "{\"step\":2,\"tokens\":8,\"layer\":1,\"projection\":\"q\",\"sigma_top\":[1],\"gap\":\"x\"}\n"},
#undef OWN
        {ms_run_log_index_keys,
         "{\"step\":2,\"layer\":0,\"projection\":\"q\",\"of\":\"weight\",\"file\":\"f.npy\",\"row\":0,\"values\":3}\n",
         "{\"step\":2,\"layer\":0,\"projection\":\"q\",\"of\":\"weight\",\"file\":1,\"row\":0,\"values\":3}\n"},
        {ms_run_log_probes_keys, "{\"step\":2,\"tokens\":8,\"layer\":0,\"attention_entropy\":[0.5]}\n",
         "{\"step\":2,\"tokens\":8,\"layer\":0,\"attention_entropy\":[\"x\"]}\n"},
        {ms_run_log_sigma_max_keys, "{\"step\":2,\"tokens\":8,\"sigma_max\":{\"q\":[1]}}\n",
         "{\"step\":2,\"tokens\":8,\"sigma_max\":[1]}\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const ms_run_log_plan plan = {.lines_per_step = 1, .keys = cases[i].keys};
        ms_run_log *log;
        char text[512];
        snprintf(text, sizeof text, "%s%s", cases[i].own, cases[i].foreign);
        put(text);
        ck_assert_int_eq(ms_run_log_open(path, 5, &plan, &log), MS_OK);
        const ms_run_log_mending *mending = ms_run_log_get_mending(log);
        ck_assert_msg(mending->n_foreign == 1 && mending->n_bad + mending->n_repeated + mending->n_back == 0,
                      "case %zu: %lld lines are foreign", i, (long long)mending->n_foreign);
        ck_assert_int_eq(mending->first_foreign_line, i < 4 ? 3 : 2);
        json_t *line = json_loads(cases[i].foreign, 0, NULL);
        ck_assert_int_eq(ms_run_log_append(log, line), MS_INVALID);
        json_decref(line);
        ck_assert_int_eq(ms_run_log_close(log), MS_OK);
        expect(cases[i].own);
    }
}
END_TEST

static bool is_of_layer_0(const void *context, const json_t *line) {
    return json_integer_value(json_object_get(line, "layer")) == *(const int *)context;
}

/* Also a line with all keys can be no line of the run: of a layer that it has not, or of a matrix that has its line,
   whatever else the two say. */
START_TEST(lines_of_what_the_run_has_not_are_dropped) {
#define LINE(layer, rest)                                                                                              \
    "{\"step\":2,\"tokens\":8,\"layer\":" #layer ",\"projection\":\"q\",\"sigma_top\":[1]" rest "}\n"
    const int layer = 0;
    const ms_run_log_plan plan = {
        .lines_per_step = 1, .keys = ms_run_log_spectra_keys, .is_own = is_of_layer_0, .context = &layer};
    ms_run_log *log;
    put(LINE(0, ",\"rows\":3") LINE(9, "") LINE(0, ",\"x\":1"));
    ck_assert_int_eq(ms_run_log_open(path, 5, &plan, &log), MS_OK);
    ck_assert_int_eq(ms_run_log_get_mending(log)->n_foreign, 1);
    ck_assert_int_eq(ms_run_log_get_mending(log)->first_foreign_line, 2);
    ck_assert_int_eq(ms_run_log_get_mending(log)->n_repeated, 1);
    ck_assert_int_eq(ms_run_log_close(log), MS_OK);
    expect(LINE(0, ",\"rows\":3"));
#undef LINE
}
END_TEST

/* Spectra: several lines at some steps. */
START_TEST(missing_lines_of_a_plan_are_counted) {
#define LINE(step, layer, projection) "{\"step\":" #step ",\"layer\":" #layer ",\"projection\":\"" projection "\"}\n"
#define STEP(step) LINE(step, 0, "q") LINE(step, 0, "k") LINE(step, 1, "q")
    static const struct {
        const char *text;
        int64_t every, last, n_missing, first;
    } cases[] = {{STEP(1) STEP(5) STEP(10), 5, 12, 0, 0},
                 {STEP(1) STEP(5) STEP(7) STEP(10), 5, 10, 0, 0}, /* 7: the last step of a shorter run */
                 {STEP(1) STEP(10), 5, 10, 3, 5},
                 {STEP(1) STEP(5) LINE(10, 0, "q") LINE(10, 1, "q"), 5, 10, 1, 10},
                 {STEP(5) STEP(20), 5, 20, 9, 1},
                 {STEP(1) LINE(7, 1, "q"), 5, 20, 2 + 4 * 3, 5},
                 {STEP(1) LINE(7, 1, "q"), 0, 20, 2, 7}, /* the steps are not known */
                 {"", 5, 1000000000000, 200000000001 * 3, 1},
                 {"", 0, 20, 0, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ms_run_log *log;
        put(cases[i].text);
        ms_run_log_plan plan = {.every = cases[i].every, .lines_per_step = 3};
        ck_assert_int_eq(ms_run_log_open(path, cases[i].last, &plan, &log), MS_OK);
        const ms_run_log_mending *mending = ms_run_log_get_mending(log);
        ck_assert_msg(mending->n_missing == cases[i].n_missing && mending->first_missing_step == cases[i].first,
                      "case %zu: %lld are missing, the first at step %lld", i, (long long)mending->n_missing,
                      (long long)mending->first_missing_step);
        ck_assert_int_eq(mending->n_repeated, 0);
        ck_assert_int_eq(ms_run_log_close(log), MS_OK);
        expect(cases[i].text);
    }
}
END_TEST

START_TEST(lines_are_found) {
    put("{\"step\":1,\"x\":0}\nrubbish\n{\"step\":2,\"validation_loss\":3.5}\n{\"step\":3,\"x\":0}\n{\"step\":9");
    bool found;
    int64_t last;
    ck_assert_int_eq(ms_run_log_find(path, 2, "validation_loss", &found), MS_OK);
    ck_assert(found);
    ck_assert_int_eq(ms_run_log_find(path, 3, "validation_loss", &found), MS_OK);
    ck_assert(!found);
    ck_assert_int_eq(ms_run_log_last_step(path, &last), MS_OK);
    ck_assert_int_eq(last, 3);
    ck_assert_int_eq(ms_run_log_last_step("/nonexistent/x.jsonl", &last), MS_OK);
    ck_assert_int_eq(last, -1);
}
END_TEST

START_TEST(a_log_that_is_removed_is_named) {
    ms_run_log *log;
    ck_assert_int_eq(ms_run_log_open(path, -1, NULL, &log), MS_OK);
    ck_assert_int_eq(ms_run_log_check(log), MS_OK);
    ck_assert_int_eq(remove(path), 0);
    ck_assert_int_eq(ms_run_log_check(log), MS_IO);
    ck_assert_ptr_nonnull(strstr(ms_status_message(), "metrics.jsonl was removed"));
    put("another\n");
    ck_assert_int_eq(ms_run_log_check(log), MS_IO);
    ck_assert_int_eq(ms_run_log_close(log), MS_OK);
}
END_TEST

START_TEST(refusals) {
    ms_run_log *log;
    ck_assert_int_eq(ms_run_log_open(path, -2, NULL, &log), MS_INVALID);
    ck_assert_int_eq(ms_run_log_open(path, 1, &(ms_run_log_plan){.every = -1, .lines_per_step = 1}, &log), MS_INVALID);
    ck_assert_int_eq(ms_run_log_open(path, 1, &(ms_run_log_plan){.every = 1}, &log), MS_INVALID);
    ck_assert_int_eq(ms_run_log_open("/nonexistent/folder/x.jsonl", -1, NULL, &log), MS_NOT_FOUND);
    ck_assert_ptr_null(log);
    ck_assert_int_eq(ms_run_log_open(path, -1, NULL, &log), MS_OK);
    static const char *const refused[] = {"{\"step\":\"one\",\"x\":0}", "{\"step\":-1,\"x\":0}", "{\"step\":1}"};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        json_t *line = json_loads(refused[i], 0, NULL);
        ck_assert_int_eq(ms_run_log_append(log, line), MS_INVALID);
        json_decref(line);
    }
    ck_assert_int_eq(ms_run_log_close(log), MS_OK);
    expect("");
    ck_assert_int_eq(ms_run_log_close(NULL), MS_OK);
}
END_TEST

START_TEST(full_disk) {
    ms_run_log *log;
    ck_assert_int_eq(ms_run_log_open(path, -1, NULL, &log), MS_OK);
    json_t *line = json_pack("{s:i, s:i}", "step", 1, "x", 0);
    for (int i = 0; i < 2; i++) { /* the second time there is room again: the first failure stays */
        ms_disk_is_full(i == 0);
        ms_status status = ms_run_log_append(log, line);
        ms_disk_is_full(false);
        ck_assert_int_eq(status, MS_NO_SPACE);
        ck_assert_ptr_nonnull(strstr(ms_status_message(), path));
    }
    json_decref(line);
    ms_run_log_close(log);
}
END_TEST

int main(void) {
    TCase *tests = tcase_create("run_log");
    tcase_add_checked_fixture(tests, make_folder, remove_folder);
    tcase_add_test(tests, appends_at_once);
    tcase_add_test(tests, resumes_after_step);
    tcase_add_test(tests, every_cut_resumes);
    tcase_add_test(tests, nothing_to_drop_writes_nothing);
    tcase_add_test(tests, missing_file_is_created);
    tcase_add_test(tests, corrupt_lines_are_dropped_and_counted);
    tcase_add_test(tests, missing_steps_are_counted);
    tcase_add_test(tests, repeated_lines_are_dropped_and_counted);
    tcase_add_test(tests, lines_that_go_back_are_dropped_and_counted);
    tcase_add_test(tests, foreign_lines_are_dropped_and_counted);
    tcase_add_test(tests, lines_of_what_the_run_has_not_are_dropped);
    tcase_add_test(tests, missing_lines_of_a_plan_are_counted);
    tcase_add_test(tests, lines_are_found);
    tcase_add_test(tests, a_log_that_is_removed_is_named);
    tcase_add_test(tests, refusals);
    tcase_add_test(tests, full_disk);
    Suite *suite = suite_create("tracker/run_log");
    suite_add_tcase(suite, tests);
    return ms_suite_run(suite);
}
