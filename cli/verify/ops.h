/* `muonscope verify`, op by op: every case on every subject, against device cpu in `exact` and the f64 oracle. */
#ifndef MS_CLI_VERIFY_OPS_H
#define MS_CLI_VERIFY_OPS_H

#include "cli/verify/report.h"
#include "cli/verify/subject.h"

typedef struct ms_verify_ops_options {
    bool selected[MS_OP_COUNT]; /* which ops */
    bool quick;                 /* only small cases */
    int32_t slice, n_slices;    /* of each op, its first case and those of slice 0 .. n_slices - 1; n_slices 0: all */
    bool plant;                 /* faults in each op and subject, whose rows must fail there: one bit of a result; a
                                   guard word, an input, an output left unwritten; a NaN that became a number */
    uint64_t seed;
} ms_verify_ops_options;

/* Adds one row per case and subject, and marks what ran in the subjects.  `exact` must have the bits of device cpu with
   one thread, and lie within the case's bound of the oracle; `fast` within the bound of `fast`.  Each case runs as
   plain program, with each output unused, in place in every way that ops.def allows, assigned over its inputs, twice,
   and with NaN and infinities in each input.  A subject's errors are rows; those of the reference, and of memory, are
   returned. */
ms_status ms_verify_ops(const ms_verify_ops_options *options, ms_verify_subject *subjects, int n_subjects,
                        ms_verify_report *report);

#endif
