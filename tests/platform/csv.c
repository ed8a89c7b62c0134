/* Cells that need quotes, numbers that read back to the same bits, and what is not known. */
#define _XOPEN_SOURCE 700
#include "platform/csv.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>

#include "tests/support/suite.h"

START_TEST(cells) {
    char *text;
    size_t size_bytes;
    ms_csv csv = {open_memstream(&text, &size_bytes), 0};
    ms_csv_text(&csv, "plain text");
    ms_csv_text(&csv, "a,b");
    ms_csv_text(&csv, "say \"a\"");
    ms_csv_text(&csv, "two\nlines");
    ms_csv_end(&csv);
    ms_csv_text(&csv, "");
    ms_csv_text(&csv, NULL);
    ms_csv_empty(&csv, 2);
    ms_csv_integer(&csv, -9007199254740993);
    ms_csv_end(&csv);
    ms_csv_real(&csv, 0.1, 17);
    ms_csv_real(&csv, 0.1, 9);
    ms_csv_real(&csv, (double)NAN, 17);
    ms_csv_real(&csv, (double)-INFINITY, 17);
    ms_csv_end(&csv);
    ck_assert_int_eq(fclose(csv.stream), 0);
    ck_assert_str_eq(text, "plain text,\"a,b\",\"say \"\"a\"\"\",\"two\nlines\"\n"
                           ",,,,-9007199254740993\n"
                           "0.10000000000000001,0.1,,\n");
    free(text);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("csv");
    TCase *tests = tcase_create("cells");
    tcase_add_test(tests, cells);
    suite_add_tcase(suite, tests);
    return ms_suite_run(suite);
}
