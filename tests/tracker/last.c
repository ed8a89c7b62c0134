/* What the tracker keeps of the last snapshot, as text: bit for bit there and back, and refused where it is damaged. */
#include "tracker/last.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/suite.h"

enum { N = 3 };
static const int rows[N] = {6, 5, 2}, cols[N] = {5, 7, 3};

static ms_last_snapshot make(void) {
    ms_last_snapshot last;
    ms_tracked_matrix matrices[N];
    for (int i = 0; i < N; i++) matrices[i] = (ms_tracked_matrix){"q", i, rows[i], cols[i], 0};
    ms_must(ms_last_snapshot_init(matrices, N, &last));
    return last;
}

/* The third has no vectors. */
static ms_last_snapshot make_filled(void) {
    ms_last_snapshot last = make();
    last.step = 25;
    for (int i = 0; i < N; i++) {
        ms_last_matrix *of = &last.matrices[i];
        of->sigma_max = 1.0 / (i + 3);
        of->has_vectors = i < 2;
        for (int k = 0; k < MS_LAST_VECTORS * rows[i]; k++) of->left[k] = sin(k + i);
        for (int k = 0; k < MS_LAST_VECTORS * cols[i]; k++) of->right[k] = -0x1p-1074 * k;
    }
    return last;
}

/* With s1 before any update and without, as older checkpoints are. */
START_TEST(there_and_back) {
    ms_last_snapshot last = make_filled(), other = make();
    char *text, *again;
    for (int i = 0; i < N && _i == 1; i++) last.first_sigma[i] = 1.0 / (i + 7);
    other.first_sigma[0] = 5;
    ms_must(ms_last_snapshot_print(&last, &text));
    ms_must(ms_last_snapshot_read(text, 25, &other));
    ck_assert_int_eq(other.step, 25);
    for (int i = 0; i < N; i++) {
        ck_assert(_i == 1 ? other.first_sigma[i] == 1.0 / (i + 7) : isnan(other.first_sigma[i]));
        const ms_last_matrix *a = &last.matrices[i], *b = &other.matrices[i];
        ck_assert_int_eq(b->has_vectors, i < 2);
        ck_assert_int_eq(memcmp(&a->sigma_max, &b->sigma_max, sizeof a->sigma_max), 0);
        ck_assert(i == 2 || memcmp(a->left, b->left, sizeof(double) * MS_LAST_VECTORS * rows[i]) == 0);
        ck_assert(i == 2 || memcmp(a->right, b->right, sizeof(double) * MS_LAST_VECTORS * cols[i]) == 0);
    }
    ms_must(ms_last_snapshot_print(&other, &again));
    ck_assert(strcmp(text, again) == 0);
    free(text);
    free(again);
    ms_last_snapshot_finish(&last);
    ms_last_snapshot_finish(&other);
}
END_TEST

static void refuse(const char *text, const char *message) {
    ms_last_snapshot last = make_filled();
    ck_assert_int_eq(ms_last_snapshot_read(text, 25, &last), MS_CORRUPT);
    ck_assert_msg(strstr(ms_status_message(), message) != NULL, "%s", ms_status_message());
    ck_assert_int_eq(last.step, -1);
    ms_last_snapshot_finish(&last);
}

START_TEST(refused) {
    ms_last_snapshot last = make_filled();
    char *text;
    ms_must(ms_last_snapshot_print(&last, &text));
    ck_assert_int_eq(ms_last_snapshot_read(text, 24, &last), MS_CORRUPT);
    ck_assert_str_eq(ms_status_message(), "checkpoint: the last snapshot is of step 25, must be -1 to 24");
    refuse("", "the last snapshot is of step 0");
    refuse("-2 0", "of step -2");
    refuse("-1 3", "has 3 matrices, must have 0");
    refuse("-1 0 ", "more than 0 matrices");
    refuse("25 2 6 5 ", "has 2 matrices, must have 3");
    for (size_t length = strlen(text); length-- > 4;) { /* cut anywhere behind the head */
        text[length] = '\0';
        refuse(text, "is damaged at matrix");
    }
    free(text);
    last.step = 25;
    ms_must(ms_last_snapshot_print(&last, &text));
    char *number = strstr(text, " 6 5 ") + 5;
    memcpy(number, "7ff0000000000000", 16);
    refuse(text, "is damaged at matrix 0 of 3"); /* infinite */
    memcpy(number, "3FF0000000000000", 16);
    refuse(text, "is damaged at matrix 0 of 3"); /* upper case */
    memcpy(number, "3ff0000000000000", 16);
    memcpy(number + 17, "7ff8000000000000", 16);
    refuse(text, "is damaged at matrix 0 of 3"); /* NaN in a vector */
    memcpy(number + 17, "4000000000000000", 16);
    refuse(text, "is damaged at matrix 0 of 3"); /* 2 in a vector */
    free(text);
    last.step = 25;
    for (int i = 0; i < N; i++) last.first_sigma[i] = i;
    ms_must(ms_last_snapshot_print(&last, &text));
    char *end = text + strlen(text);
    end[-1] = 'x';
    refuse(text, "s1 before any update is damaged at matrix 2 of 3");
    end[-1] = '\0';
    refuse(text, "s1 before any update is damaged at matrix 2 of 3");
    memcpy(end - 32, "7ff8000000000000", 16);
    refuse(text, "s1 before any update is damaged at matrix 1 of 3"); /* NaN */
    free(text);
    ms_last_snapshot_finish(&last);
}
END_TEST

int main(void) {
    TCase *tests = tcase_create("last");
    tcase_add_loop_test(tests, there_and_back, 0, 2);
    tcase_add_test(tests, refused);
    Suite *suite = suite_create("tracker/last");
    suite_add_tcase(suite, tests);
    return ms_suite_run(suite);
}
