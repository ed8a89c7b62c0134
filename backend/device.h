/* A device as the front of all backends sees it.  Internal to backend/. */
#ifndef MS_BACKEND_DEVICE_H
#define MS_BACKEND_DEVICE_H

#include "backend/backend_impl.h"

struct ms_device {
    const ms_backend_impl *impl;
    ms_backend_device *device;
    ms_numerics numerics;
    ms_device_info info;
};

#endif
