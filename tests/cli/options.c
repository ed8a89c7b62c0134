/* Option tables: values of every kind, errors with the nearest name, positional arguments, help. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "cli/options/options.h"
#include "cli/options/suggest.h"
#include "tests/support/suite.h"

struct arguments {
    bool force, shuffle;
    int64_t size, count;
    double rate;
    const char *out;
    ms_option_list inputs;
    int n_handled;
    char handled[64];
};

static ms_status handle(void *target, const char *name, const char *value) {
    struct arguments *arguments = target;
    if (!value) return MS_FAIL(MS_NOT_FOUND, "%s", name);
    arguments->n_handled++;
    snprintf(arguments->handled, sizeof arguments->handled, "%s=%s", name, value);
    if (strcmp(value, "bad") == 0) return MS_FAIL(MS_USAGE, "--%s: bad", name);
    return MS_OK;
}

static const ms_option rows[] = {
    {"force", MS_OPTION_FLAG, offsetof(struct arguments, force), NULL, NULL, "Overwrite"},
    {"shuffle", MS_OPTION_BOOL, offsetof(struct arguments, shuffle), NULL, "BOOL", "Shuffle"},
    {"count", MS_OPTION_COUNT, offsetof(struct arguments, count), NULL, "N", "Count"},
    {"max_size", MS_OPTION_INT, offsetof(struct arguments, size), NULL, "N", "Largest size\nin bytes"},
    {"rate", MS_OPTION_FLOAT, offsetof(struct arguments, rate), NULL, "X", "Rate"},
    {"out", MS_OPTION_STRING, offsetof(struct arguments, out), NULL, "FILE", "Output"},
    {"input", MS_OPTION_REPEATED, offsetof(struct arguments, inputs), NULL, "FILE", "Input, repeatable"},
    {"a-name-that-is-rather-long", MS_OPTION_HANDLER, 0, handle, "X", "Handled"},
    {NULL, MS_OPTION_END, 0, NULL, NULL, NULL}};
static const ms_command command = {"work", "[FILE...]", "Works.", rows, 0, -1, NULL, "A note."};
static const ms_command strict = {"strict", "FILE", "Works.", rows, 1, 1, handle, NULL};

static struct arguments arguments;
static ms_positionals rest;
static char storage[16][64];

static void reset(void) { memset(&arguments, 0, sizeof arguments); }

static ms_status parse(const ms_command *with, int n, const char *const *words) {
    char *argv[17] = {"work"};
    for (int i = 0; i < n; i++) {
        snprintf(storage[i], sizeof storage[i], "%s", words[i]);
        argv[i + 1] = storage[i];
    }
    static char *kept[17];
    memcpy(kept, argv, sizeof argv);
    return ms_options_parse(with, n + 1, kept, &arguments, &rest);
}

#define PARSE(with, ...)                                                                                               \
    parse(with, (int)(sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *)), (const char *[]){__VA_ARGS__})

static void expect_usage(ms_status got, const char *part) {
    ck_assert_msg(got == MS_USAGE, "status %s (%s)", ms_status_text(got), ms_status_message());
    ck_assert_msg(strstr(ms_status_message(), part) != NULL, "message '%s' lacks '%s'", ms_status_message(), part);
}

START_TEST(every_kind_is_stored) {
    ck_assert_int_eq(PARSE(&command, "a", "--force", "--max-size=-3", "b", "--rate", "1e-3", "--out", "x=y",
                           "--shuffle", "on", "--input=1", "--input", "2", "--", "--force"),
                     MS_OK);
    ck_assert(arguments.force && arguments.shuffle);
    ck_assert_int_eq(arguments.size, -3);
    ck_assert_double_eq(arguments.rate, 1e-3);
    ck_assert_str_eq(arguments.out, "x=y");
    ck_assert_int_eq(arguments.inputs.n_items, 2);
    ck_assert_str_eq(arguments.inputs.items[1], "2");
    ck_assert_int_eq(rest.n_items, 3);
    ck_assert_str_eq(rest.items[0], "a");
    ck_assert_str_eq(rest.items[1], "b");
    ck_assert_str_eq(rest.items[2], "--force");
    ck_assert(!rest.help);
}
END_TEST

START_TEST(dashes_and_underscores_are_the_same) {
    ck_assert_int_eq(PARSE(&command, "--max_size", "4", "--a_name-that_is_rather-long=v", "-"), MS_OK);
    ck_assert_int_eq(arguments.size, 4);
    ck_assert_str_eq(arguments.handled, "a_name-that_is_rather-long=v");
    ck_assert_str_eq(rest.items[0], "-");
    ck_assert_int_eq(PARSE(&command, "--count", "0"), MS_OK);
    ck_assert_int_eq(arguments.count, 0);
    ck_assert_int_eq(PARSE(&command, "--max-size=5", "--force=false"), MS_OK);
    ck_assert_int_eq(arguments.size, 5);
    ck_assert(!arguments.force);
}
END_TEST

START_TEST(errors_name_the_option) {
    expect_usage(PARSE(&command, "--max-siez", "3"), "unknown option --max-siez; did you mean --max_size?");
    expect_usage(PARSE(&command, "--completely-different"), "unknown option --completely-different; see");
    expect_usage(PARSE(&command, "-f"), "unknown option -f: options are long");
    expect_usage(PARSE(&command, "--out"), "--out needs a value: FILE");
    expect_usage(PARSE(&command, "--out", "--force"), "--out needs a value");
    expect_usage(PARSE(&command, "--max-size", "3x"), "--max_size: '3x' is not an integer");
    expect_usage(PARSE(&command, "--max-size="), "'' is not an integer");
    expect_usage(PARSE(&command, "--max-size", "9223372036854775808"), "does not fit");
    expect_usage(PARSE(&command, "--count", "-1"), "--count: -1 is negative, must be 0 or more");
    expect_usage(PARSE(&command, "--count", "x"), "--count: 'x' is not an integer");
    expect_usage(PARSE(&command, "--rate", "inf"), "not a finite number");
    expect_usage(PARSE(&command, "--rate", "1e-400"), "--rate: 1e-400 does not fit in a double");
    expect_usage(PARSE(&command, "--rate", "1e-310"), "--rate: 1e-310 does not fit in a double");
    expect_usage(PARSE(&command, "--rate", "-1e400"), "--rate: -1e400 does not fit in a double");
    expect_usage(PARSE(&command, "--count=-9223372036854775808"), "--count: -9223372036854775808 is negative");
    expect_usage(PARSE(&command, "--shuffle", "2"), "'2' is not true or false");
    expect_usage(PARSE(&command, "--force=2"), "--force: '2'");
    expect_usage(PARSE(&command, "--a-name-that-is-rather-long", "bad"), "bad");
    expect_usage(PARSE(&command, "--model.layers", "2"), "unknown option --model.layers");
    expect_usage(PARSE(&strict, "--completely-different"), "unknown option --completely-different; see");
}
END_TEST

/* Which of two values is meant nobody knows; a list and a handler take several. */
START_TEST(options_are_given_once) {
    expect_usage(PARSE(&command, "--max-size=5", "--out", "x", "--max_size", "6"),
                 "work: --max_size is given twice, '5' and '6'; leave one out");
    expect_usage(PARSE(&command, "--out=", "--out", "x"), "--out is given twice, '' and 'x'");
    expect_usage(PARSE(&command, "--shuffle", "on", "--shuffle", "on"), "--shuffle is given twice, 'on' and 'on'");
    expect_usage(PARSE(&command, "--force", "--force"), "work: --force is given twice; leave one out");
    expect_usage(PARSE(&command, "--force", "--force=false"), "--force is given twice, '' and 'false'");
    ck_assert_int_eq(
        PARSE(&command, "--input=1", "--input=1", "--a-name-that-is-rather-long=1", "--a-name-that-is-rather-long=1"),
        MS_OK);
    ck_assert_int_eq(arguments.n_handled, 2);
}
END_TEST

/* After "--" nothing is an option, whatever it looks like. */
START_TEST(two_dashes_end_the_options) {
    ck_assert_int_eq(PARSE(&strict, "--", "-dash"), MS_OK);
    ck_assert_int_eq(rest.n_items, 1);
    ck_assert_str_eq(rest.items[0], "-dash");
    ck_assert_int_eq(PARSE(&command, "--count", "3", "--", "-dash", "--help", "--", "--count=4"), MS_OK);
    ck_assert(!rest.help);
    ck_assert_int_eq(rest.n_items, 4);
    ck_assert_str_eq(rest.items[0], "-dash");
    ck_assert_str_eq(rest.items[1], "--help");
    ck_assert_str_eq(rest.items[2], "--");
    ck_assert_str_eq(rest.items[3], "--count=4");
    ck_assert_int_eq(arguments.count, 3);
}
END_TEST

START_TEST(positionals_are_counted) {
    expect_usage(PARSE(&strict, "--force"), "0 arguments given, at least 1 expected: FILE");
    expect_usage(PARSE(&strict, "a", "b"), "unexpected argument 'b': at most 1 expected");
    ck_assert_int_eq(PARSE(&strict, "--model.layers=2", "a"), MS_OK);
    ck_assert_str_eq(arguments.handled, "model.layers=2");
    ck_assert_str_eq(rest.items[0], "a");
}
END_TEST

START_TEST(repeated_options_are_bounded) {
    char *argv[MS_OPTION_LIST_MAX + 2] = {"work"};
    char word[] = "--input=x";
    for (int i = 1; i < MS_OPTION_LIST_MAX + 2; i++) argv[i] = word;
    expect_usage(ms_options_parse(&command, MS_OPTION_LIST_MAX + 2, argv, &arguments, &rest), "more than 64 times");
}
END_TEST

START_TEST(help_shows_the_table) {
    ck_assert_int_eq(PARSE(&strict, "--help", "--nonsense"), MS_OK);
    ck_assert(rest.help);
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    ms_command_print(&command, stream);
    fclose(stream);
    ck_assert_str_eq(text, "Usage: muonscope work [options] [FILE...]\n\nWorks.\n\nOptions:\n"
                           "  --force                     Overwrite\n"
                           "  --shuffle BOOL              Shuffle\n"
                           "  --count N                   Count\n"
                           "  --max_size N                Largest size\n"
                           "                              in bytes\n"
                           "  --rate X                    Rate\n"
                           "  --out FILE                  Output\n"
                           "  --input FILE                Input, repeatable\n"
                           "  --a-name-that-is-rather-long X\n"
                           "                              Handled\n"
                           "  --help, -h                  Print this text\n\nA note.\n");
    free(text);
}
END_TEST

START_TEST(distances) {
    ck_assert_int_eq(ms_edit_distance("", ""), 0);
    ck_assert_int_eq(ms_edit_distance("abc", ""), 3);
    ck_assert_int_eq(ms_edit_distance("kitten", "sitting"), 3);
    ck_assert_int_eq(ms_edit_distance("ab", "ba"), 1);
    ck_assert_int_eq(ms_edit_distance("ca", "abc"), 3); /* optimal string alignment, not the unrestricted distance 2 */
    ck_assert_int_eq(ms_edit_distance("Max-Size", "max_size"), 0);
    char a[200], b[200];
    memset(a, 'a', sizeof a);
    memset(b, 'a', sizeof b);
    a[199] = b[100] = '\0';
    ck_assert_int_eq(ms_edit_distance(a, b), 0);
    ms_suggestion suggestion;
    ms_suggestion_init("train", &suggestion);
    ck_assert_ptr_null(ms_suggestion_best(&suggestion));
    ms_suggestion_offer(&suggestion, "zzzzzzzz");
    ck_assert_ptr_null(ms_suggestion_best(&suggestion));
    ms_suggestion_offer(&suggestion, "trian");
    ck_assert_str_eq(ms_suggestion_best(&suggestion), "trian");
    /* A third of the longer name may differ, no more; nothing is made of one or two letters. */
    const struct {
        const char *word, *name;
        bool near;
    } cases[] = {{"abcdef", "abcdxy", true}, {"abcdef", "abcxyz", false}, {"json", "jsn", true},
                 {"step", "seed", false},    {"exit", "text", false},     {"x", "y", false},
                 {"lr", "op", false},        {"lrr", "lr", true}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ms_suggestion_init(cases[i].word, &suggestion);
        ms_suggestion_offer(&suggestion, cases[i].name);
        ck_assert_msg((ms_suggestion_best(&suggestion) != NULL) == cases[i].near, "%s, %s", cases[i].word,
                      cases[i].name);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("options");
    TCase *tests = tcase_create("options");
    tcase_add_checked_fixture(tests, reset, NULL);
    tcase_add_test(tests, every_kind_is_stored);
    tcase_add_test(tests, dashes_and_underscores_are_the_same);
    tcase_add_test(tests, errors_name_the_option);
    tcase_add_test(tests, options_are_given_once);
    tcase_add_test(tests, two_dashes_end_the_options);
    tcase_add_test(tests, positionals_are_counted);
    tcase_add_test(tests, repeated_options_are_bounded);
    tcase_add_test(tests, help_shows_the_table);
    tcase_add_test(tests, distances);
    suite_add_tcase(suite, tests);
    return ms_suite_run(suite);
}
