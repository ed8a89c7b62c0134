/* What shaders tell the host: bad data, and how far the work has come. */
#ifndef MS_BACKEND_VULKAN_VULKAN_REPORT_H
#define MS_BACKEND_VULKAN_VULKAN_REPORT_H

#include "backend/node_table.h"
#include "backend/vulkan/vulkan_memory.h"

enum { MS_VULKAN_REPORT_NODE, MS_VULKAN_REPORT_VALUE, MS_VULKAN_REPORT_PROGRESS, MS_VULKAN_REPORT_WORDS };

typedef struct ms_vulkan_report {
    ms_vulkan_range
        words; /* MS_VULKAN_REPORT_WORDS of host memory: a fault's node + 1, its value; last node at work + 1 */
    ms_node_tables nodes; /* of the device's programs */
} ms_vulkan_report;

/* The words stay until the memory is finished. */
ms_status ms_vulkan_report_init(ms_vulkan_memory *memory, ms_vulkan_report *out);
/* MS_INVALID, once, for a fault that a shader has reported: names op, node, value and limit.  `completed`: value of the
   work lane that has been waited for. */
ms_status ms_vulkan_report_check(ms_vulkan_report *report, uint64_t completed);
/* What the last part that has ended left: the number of its last node, + 1. */
uint32_t ms_vulkan_report_progress(const ms_vulkan_report *report);

#endif
