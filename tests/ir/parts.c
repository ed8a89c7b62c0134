/* The index of parts finds what a look at every part finds. */
#include "backend/ir/parts.h"

#include <check.h>
#include <stdlib.h>

#include "tests/ir/support.h"
#include "tests/support/suite.h"

enum { N_VIEWS = 300, N_VARIABLES = 3 };

static unsigned state = 1;
static int64_t draw(int64_t below) {
    state = state * 1664525u + 1013904223u;
    return (int64_t)(state >> 8) % below;
}

static ms_tensor_info random_view(int64_t longest) {
    ms_tensor_info view = {.producer = -1, .variable = (int32_t)draw(N_VARIABLES), .offset = draw(1000)};
    view.shape = ms_shape_1(1 + draw(longest));
    return view;
}

static bool overlap(const ms_tensor_info *a, const ms_tensor_info *b) {
    return a->variable == b->variable && a->offset < b->offset + ms_shape_count(&b->shape) &&
           b->offset < a->offset + ms_shape_count(&a->shape);
}

START_TEST(finds_what_overlaps) {
    int64_t longest = _i == 0 ? 1 : _i == 1 ? 20 : 1500;
    ms_tensor_info views[N_VIEWS];
    ms_parts parts = {0};
    for (int i = 0; i < N_VIEWS; i++) {
        views[i] = random_view(longest);
        CHECK_OK(ms_parts_add(&parts, &views[i], i));
    }
    ms_tensor_info no_view = {.producer = 0, .variable = -1};
    CHECK_OK(ms_parts_add(&parts, &no_view, N_VIEWS));
    ms_parts_sort(&parts);
    for (int i = 0; i < N_VIEWS; i++) {
        ms_tensor_info wanted = random_view(longest);
        int found[N_VIEWS] = {0}, id;
        for (size_t at = ms_parts_begin(&parts, &wanted); ms_parts_next(&parts, &wanted, &at, &id);) found[id]++;
        for (int j = 0; j < N_VIEWS; j++) ck_assert_int_eq(found[j], overlap(&wanted, &views[j]));
    }
    ms_parts_finish(&parts);
}
END_TEST

START_TEST(an_empty_index_finds_nothing) {
    ms_parts parts = {0};
    ms_parts_sort(&parts);
    ms_tensor_info wanted = random_view(10);
    size_t at = ms_parts_begin(&parts, &wanted);
    int32_t id;
    ck_assert(!ms_parts_next(&parts, &wanted, &at, &id));
    ms_parts_finish(&parts);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("parts");
    TCase *cases = tcase_create("all");
    tcase_add_loop_test(cases, finds_what_overlaps, 0, 3);
    tcase_add_test(cases, an_empty_index_finds_nothing);
    suite_add_tcase(suite, cases);
    return ms_suite_run(suite);
}
