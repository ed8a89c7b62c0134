/* The Vulkan device: puts its parts together. */
#ifndef MS_BACKEND_VULKAN_VULKAN_DEVICE_H
#define MS_BACKEND_VULKAN_VULKAN_DEVICE_H

#include "backend/vulkan/vulkan_announce.h"
#include "backend/vulkan/vulkan_arena.h"
#include "backend/vulkan/vulkan_instance.h"
#include "backend/vulkan/vulkan_pipeline.h"
#include "backend/vulkan/vulkan_transfer.h"

struct ms_backend_device {
    ms_vulkan_limits limits;
    ms_vulkan_context context;
    ms_vulkan_memory memory;
    ms_vulkan_report report;
    ms_vulkan_lanes lanes;
    ms_vulkan_transfer transfer;
    ms_vulkan_announcement announcement;
    ms_vulkan_pipelines pipelines;
    ms_vulkan_arena arena;
};

ms_status ms_vulkan_device_open(int index, const ms_device_options *options, ms_backend_device **out);
void ms_vulkan_device_close(ms_backend_device *device);

#endif
