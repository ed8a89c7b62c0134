/* `muonscope verify`, whole training runs: the preset micro under several options on every subject. */
#ifndef MS_CLI_VERIFY_RUNS_H
#define MS_CLI_VERIFY_RUNS_H

#include "cli/verify/report.h"
#include "cli/verify/subject.h"

typedef struct ms_verify_runs_options {
    bool quick; /* 5 steps instead of 50 */
    bool plant; /* change one bit of one weight on each subject before the first step: its rows must fail */
    uint64_t seed;
    int32_t slice, n_slices; /* of the variants, every n_slices-th from number `slice` on; n_slices 0: all */
} ms_verify_runs_options;

/* Adds rows.  `exact`: SHA-256 of weights and optimizer state, and every line of spectra.jsonl, are those of device cpu
   with one thread; also when one half of the steps runs on the cpu and the other on the subject.  `fast`: every step's
   loss lies as near to the `exact` run's as that one's own reaction to noise allows (see runs.c).  Runs live in
   a temporary folder, which is removed.  All runs of a subject use its open device, so that a driver compiles each
   pipeline once.  A subject's errors are rows, and one that is lost is opened again; errors of device cpu are
   returned. */
ms_status ms_verify_runs(const ms_verify_runs_options *options, ms_verify_subject *subjects, int n_subjects,
                         ms_verify_report *report);

#endif
