/* Text from elsewhere in messages and on terminals, closed standard descriptors, output that does not arrive. */
#define _XOPEN_SOURCE 700 /* pseudo-terminals */
#include "platform/output.h"

#include <check.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "platform/escape.h"
#include "platform/shell.h"
#include "tests/support/suite.h"

static const struct {
    const char *text, *escaped;
} cases[] = {
    {"", ""},
    {"plain text, \\ and \"quotes\"", "plain text, \\ and \"quotes\""},
    {"two\nlines\r\ttab", "two\\nlines\\r\\ttab"},
    {"\033[31mred\a\x7f", "\\x1B[31mred\\x07\\x7F"},
    {"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"}, /* e acute, euro, a face */
    {"\xc2\x9b"
     "31m\xc2\x85",
     "\\xC2\\x9B31m\\xC2\\x85"}, /* C1: CSI, NEL */
    {"a\xe2\x80\xae"
     "b\xe2\x80\xa8\xe2\x81\xa6",
     "a\\xE2\\x80\\xAEb\\xE2\\x80\\xA8\\xE2\\x81\\xA6"},
    {"\x9b\xff\xc3(\xed\xa0\x80", "\\x9B\\xFF\\xC3(\\xED\\xA0\\x80"}, /* no UTF-8; a surrogate */
    {"cut \xe2\x82", "cut \\xE2\\x82"}};

START_TEST(escapes) {
    char out[128];
    ck_assert_str_eq(ms_escape(cases[_i].text, out, sizeof out), cases[_i].escaped);
    char again[128];
    ck_assert_str_eq(ms_escape(out, again, sizeof again), cases[_i].escaped);
}
END_TEST

START_TEST(nothing_is_cut_in_two) {
    char out[8];
    ck_assert_str_eq(ms_escape("abcde\033", out, sizeof out), "abcde");
    ck_assert_str_eq(ms_escape("abcdef\xe2\x82\xac", out, sizeof out), "abcdef");
    ck_assert_str_eq(ms_escape("abcdefgh", out, sizeof out), "abcdefg");
    ck_assert_str_eq(ms_escape("abc", out, 1), "");
}
END_TEST

static const char *format_line(char *out, size_t size, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    ms_escape_format(out, size, format, arguments);
    va_end(arguments);
    return out;
}

/* Of a long value the middle goes: what it is about and the way out stay. */
START_TEST(long_messages_keep_both_ends) {
    enum { LONG = 10000000, SIZE = 512 };
    char *value = malloc(LONG + 1), out[SIZE];
    ck_assert_ptr_nonnull(value);
    static const char *const fills[] = {"x", "\xe2\x82\xac", "\n", "\xff"};
    for (size_t f = 0; f < sizeof fills / sizeof *fills; f++) {
        size_t n = strlen(fills[f]);
        for (size_t i = 0; i < LONG; i++) value[i] = fills[f][i % n];
        value[LONG / n * n] = '\0';
        format_line(out, sizeof out, "key: '%s' is no number; give one", value);
        ck_assert_msg(strncmp(out, "key: '", 6) == 0 && strstr(out, "' is no number; give one"), "%s", out);
        ck_assert_str_eq(out + strlen(out) - 8, "give one");
        ck_assert_uint_gt(strlen(out), 3 * SIZE / 4 - 60);
        char again[SIZE];
        ck_assert_str_eq(ms_escape(out, again, sizeof again), out); /* no character is cut */
    }
    memset(value, 'x', LONG);
    value[LONG] = '\0';
    format_line(out, sizeof out, "key: '%s' is no number; give one", value);
    size_t n_dots = strcspn(out, ".");
    int n_left_out, used = 0;
    ck_assert_int_eq(sscanf(out + n_dots, "... (%d bytes) ...%n", &n_left_out, &used), 1);
    ck_assert_uint_eq(n_dots + (size_t)n_left_out + strlen(out + n_dots + used),
                      strlen("key: '' is no number; give one") + LONG);
    value[SIZE - 8] = '\0';
    ck_assert_uint_eq(strlen(format_line(out, sizeof out, "key: %s", value)), SIZE - 3);
    ck_assert_ptr_null(strstr(out, "bytes"));
    (void)MS_FAIL(MS_INVALID, "'%s' is wrong", value);
    ck_assert_uint_eq(strlen(ms_status_message()), SIZE - 8 + strlen("'' is wrong"));
    memset(value, 'y', 5000);
    value[5000] = '\0';
    (void)MS_FAIL(MS_INVALID, "'%s' is wrong", value);
    (void)ms_status_note(MS_INVALID, "run.yaml:%d", 7);
    char *mark = strstr(ms_status_message(), " bytes) ...");
    ck_assert_msg(mark && !strstr(mark + 1, " bytes) ..."), "%s", ms_status_message()); /* not cut again */
    ck_assert_int_eq(strncmp(ms_status_message(), "run.yaml:7: 'yyy", 16), 0);
    (void)ms_status_note(MS_INVALID, "%s", value);
    ck_assert_msg(strstr(ms_status_message(), "' is wrong") && strlen(ms_status_message()) < 1024, "%s",
                  ms_status_message());
    free(value);
}
END_TEST

/* What a shell makes of the word is the name; and a message does not change the word. */
START_TEST(names_in_suggested_commands_are_quoted) {
    static const struct {
        const char *name, *word;
    } names[] = {{"runs/a-1.b", "runs/a-1.b"},
                 {"q r;s", "'q r;s'"},
                 {"it's $HOME \\", "'it'\\''s $HOME \\'"},
                 {"", "''"},
                 {"-rf", "./-rf"},
                 {"-r f", "'./-r f'"},
                 {"~", "'~'"},
                 {"\xc3\xa9", "'\xc3\xa9'"},
                 {"a\nb'c\\d\033", "$'a\\nb\\'c\\\\d\\x1B'"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        ms_shell_word word = ms_shell_quote(names[i].name);
        ck_assert_str_eq(word.text, names[i].word);
        MS_FAIL(MS_IO, "go on with --resume %s", word.text);
        ck_assert_str_eq(ms_status_message() + strlen("go on with --resume "), names[i].word);
    }
    char longest[2 * MS_SHELL_WORD_SIZE];
    memset(longest, ' ', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    ck_assert_str_eq(ms_shell_quote(longest).text, "...");
    memset(longest, 'a', sizeof longest - 1);
    ck_assert_str_eq(ms_shell_quote(longest).text, "...");
}
END_TEST

START_TEST(a_message_is_one_line) {
    ms_status_set(MS_IO, "cannot open %s", "a\nmuonscope: all is well\033[2J");
    ck_assert_str_eq(ms_status_message(), "cannot open a\\nmuonscope: all is well\\x1B[2J");
    ms_status_note(MS_IO, "key %s", "b\r");
    ck_assert_str_eq(ms_status_message(), "key b\\r: cannot open a\\nmuonscope: all is well\\x1B[2J");
    ms_status_set(MS_IO, "%s (%d)", ms_status_message(), 1);
    ck_assert_str_eq(ms_status_message(), "key b\\r: cannot open a\\nmuonscope: all is well\\x1B[2J (1)");
}
END_TEST

/* What `print` writes to a stream that is no terminal. */
static const char *captured(void (*print)(FILE *stream)) {
    static char text[64];
    FILE *stream = tmpfile();
    ck_assert_ptr_nonnull(stream);
    print(stream);
    rewind(stream);
    text[fread(text, 1, sizeof text - 1, stream)] = '\0';
    fclose(stream);
    return text;
}

static void print_a_line(FILE *stream) { ms_print_line(stream, "source %s: %d", "x\nok\033c", 7); }
static void print_a_text(FILE *stream) { ms_print_text(stream, "x\n\033c\t\xc2\x9b", 7); }

START_TEST(lines_are_escaped_everywhere_and_text_on_terminals) {
    ck_assert_str_eq(captured(print_a_line), "source x\\nok\\x1Bc: 7\n");
    ck_assert_str_eq(captured(print_a_text), "x\n\033c\t\xc2\x9b");
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    ck_assert_int_ge(master, 0);
    ck_assert_int_eq(grantpt(master), 0);
    ck_assert_int_eq(unlockpt(master), 0);
    FILE *stream = fopen(ptsname(master), "r+");
    ck_assert_ptr_nonnull(stream);
    ms_print_text(stream, "\xc3\xa9\033c\xc2", 5);
    ms_print_text(stream, "\x9b!", 2); /* the rest of a character */
    fflush(stream);
    char text[64];
    ssize_t length = read(master, text, sizeof text - 1);
    ck_assert_int_gt(length, 0);
    text[length] = '\0';
    ck_assert_str_eq(text, "\xc3\xa9\\x1Bc\xc2\\x9B!");
    fclose(stream);
    close(master);
}
END_TEST

/* In a child: which of 0, 1 and 2 are closed is in the bits of `closed`. */
static bool descriptors_are_safe(int closed) {
    for (int i = 0; i <= 2; i++)
        if (closed >> i & 1) close(i);
    if (ms_output_begin() != MS_OK) return false;
    for (int i = 0; i <= 2; i++)
        if (fcntl(i, F_GETFD) < 0) return false;
    int next = open("/dev/null", O_RDONLY);
    return next > 2;
}

START_TEST(closed_descriptors_are_taken) {
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) _exit(descriptors_are_safe(_i) ? 0 : 1);
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}
END_TEST

/* In a child: 0 where all that is printed arrives and is said so, else what was said. */
static int print_to(const char *path) {
    int file = open(path, O_WRONLY);
    if (file < 0 || dup2(file, STDOUT_FILENO) < 0) return 9;
    setvbuf(stdout, NULL, _IOFBF, 64);
    for (int i = 0; i < 20; i++) printf("a line of output\n");
    ms_status status = ms_output_end();
    if (status == MS_OK) return 0;
    return status == MS_NO_SPACE && strstr(ms_status_message(), "standard output: No space left") ? 1 : 2;
}

START_TEST(output_that_does_not_arrive_is_an_error) {
    static const char *const paths[] = {"/dev/null", "/dev/full"};
    if (access(paths[_i], W_OK) != 0) return; /* absent in some containers */
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) _exit(print_to(paths[_i]));
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), _i);
}
END_TEST

int main(void) {
    TCase *tests = tcase_create("output");
    tcase_add_loop_test(tests, escapes, 0, sizeof cases / sizeof *cases);
    tcase_add_test(tests, nothing_is_cut_in_two);
    tcase_add_test(tests, long_messages_keep_both_ends);
    tcase_add_test(tests, names_in_suggested_commands_are_quoted);
    tcase_add_test(tests, a_message_is_one_line);
    tcase_add_test(tests, lines_are_escaped_everywhere_and_text_on_terminals);
    tcase_add_loop_test(tests, closed_descriptors_are_taken, 0, 8);
    tcase_add_loop_test(tests, output_that_does_not_arrive_is_an_error, 0, 2);
    Suite *suite = suite_create("platform/output");
    suite_add_tcase(suite, tests);
    return ms_suite_run(suite);
}
