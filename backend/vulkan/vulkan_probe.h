/* The device side of the probe. */
#ifndef MS_BACKEND_VULKAN_VULKAN_PROBE_H
#define MS_BACKEND_VULKAN_VULKAN_PROBE_H

#include "backend/backend_impl.h"

/* Runs shaders/probe.comp over the triples of backend/probe.h. */
ms_status ms_vulkan_probe(ms_backend_device *device, const float *triples, float *out_results);

#endif
