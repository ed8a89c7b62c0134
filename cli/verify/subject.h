/* What `muonscope verify` verifies: one device in one numerics. */
#ifndef MS_CLI_VERIFY_SUBJECT_H
#define MS_CLI_VERIFY_SUBJECT_H

#include "backend/backend.h"

typedef struct ms_verify_subject {
    char device[32];
    ms_numerics numerics;
    int32_t n_threads;           /* of a CPU */
    bool named;                  /* the user asked for this device: everything must run */
    ms_matmul_rounding rounding; /* of the device */
    ms_device *handle;           /* NULL: not open, or lost and not found again */
    bool ran[MS_OP_COUNT];       /* a case of the op was executed */
    int64_t unsupported;         /* cases of ops that the device lacks */
    bool planted[MS_OP_COUNT];   /* a bit of a result of the op was changed, and its memory around */
    bool lost_nan[MS_OP_COUNT];  /* a NaN among its results was made a number */
} ms_verify_subject;

/* Opens the device.  Errors of ms_device_open.  The caller closes it. */
ms_status ms_verify_subject_open(ms_verify_subject *subject);
void ms_verify_subject_close(ms_verify_subject *subject);

#endif
