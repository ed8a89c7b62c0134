#include "cli/verify/subject.h"

ms_status ms_verify_subject_open(ms_verify_subject *subject) {
    ms_device_options options = {
        .name = subject->device, .numerics = subject->numerics, .n_threads = subject->n_threads};
    MS_TRY(ms_device_open(&options, &subject->handle));
    subject->rounding = ms_device_matmul_rounding(subject->handle);
    return MS_OK;
}

void ms_verify_subject_close(ms_verify_subject *subject) {
    ms_device_close(subject->handle);
    subject->handle = NULL;
}
