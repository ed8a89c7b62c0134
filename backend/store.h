/* A store as the front of all backends sees it.  Internal to backend/. */
#ifndef MS_BACKEND_STORE_H
#define MS_BACKEND_STORE_H

#include "backend/device.h"

struct ms_store {
    ms_device *device;             /* borrowed */
    const ms_variables *variables; /* borrowed */
    int n_variables;
    ms_backend_buffer *buffers; /* one per variable */
    size_t bytes;
    ms_backend_part *parts; /* of the present call */
    int part_capacity;
};

#endif
