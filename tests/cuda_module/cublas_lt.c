/* cuBLASLt is loaded from the toolkit that the module was built with, and every function that is used is there.  Its
   objects that describe matmuls need no GPU. */
#include "backend/cuda/cublas_lt.h"

#include <check.h>

#include "tests/support/suite.h"

START_TEST(every_function_is_found) {
    const ms_cublas_lt *lt, *again;
    ms_must(ms_cublas_lt_load(&lt));
#define FUNCTION(name) ck_assert_msg(lt->name != NULL, "cublasLt" #name);
#include "backend/cuda/cublas_lt.def"
#undef FUNCTION
    ms_must(ms_cublas_lt_load(&again));
    ck_assert_ptr_eq(lt, again);
    cublasLtMatrixLayout_t layout;
    ck_assert_int_eq(lt->MatrixLayoutCreate(&layout, CUDA_R_32F, 3, 5, 3), CUBLAS_STATUS_SUCCESS);
    ck_assert_int_eq(lt->MatrixLayoutDestroy(layout), CUBLAS_STATUS_SUCCESS);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("cublas_lt");
    TCase *tests = tcase_create("cublas_lt");
    tcase_set_timeout(tests, 120); /* a library of half a gigabyte */
    tcase_add_test(tests, every_function_is_found);
    suite_add_tcase(suite, tests);
    return ms_suite_run(suite);
}
