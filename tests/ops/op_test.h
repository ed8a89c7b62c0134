/* A case of an op with its scalar reference. */
#ifndef MS_TESTS_OPS_OP_TEST_H
#define MS_TESTS_OPS_OP_TEST_H

#include "backend/cases/case.h"
#include "backend/cpu/cpu_kernel.h"

/* Scalar definition: in[i] holds f32, i32 or bf16 as the case says (NULL: absent), out[k] likewise. */
typedef void (*ms_case_reference)(const ms_op_case *test, const void *const *in, void *const *out);

/* A case with what it is compared with on the CPU. */
typedef struct ms_op_test {
    ms_op_case c;
    ms_case_reference reference; /* of an f32 case; a case in bf16 goes by that of the case that defines it */
    ms_cpu_kernel kernel;        /* instead of the op's `exact` kernel: planted faults */
    bool in_bf16;                /* made by ms_bf16_test */
} ms_op_test;

#endif
