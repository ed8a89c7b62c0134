/* reshape: y = x with another shape.  Nothing to do when y shares x's storage. */
#include "backend/cpu/share.h"

ms_status MS_KERNEL(reshape)(const ms_cpu_call *call) {
    if (ms_is_given(&call->out[0])) ms_copy_all(call, &call->in[0], call->out[0].data);
    return MS_OK;
}

size_t MS_WORKSPACE(reshape)(const ms_cpu_call *call) { return (void)call, (size_t)0; }
