/* Queues: lanes of submissions in order. */
#ifndef MS_BACKEND_VULKAN_VULKAN_QUEUE_H
#define MS_BACKEND_VULKAN_VULKAN_QUEUE_H

#include "backend/vulkan/vulkan_report.h"

/* A queue, and a timeline semaphore that counts what was submitted to it. */
typedef struct ms_vulkan_lane {
    VkQueue queue; /* NULL: the device has no such queue */
    uint32_t family;
    VkCommandPool pool; /* of resettable command buffers */
    VkSemaphore timeline;
    uint64_t submitted, completed; /* values of the timeline */
} ms_vulkan_lane;

/* A part of a program that was submitted to the work lane, to name ops when the device is lost. */
typedef struct ms_vulkan_submitted_part {
    uint64_t value;                 /* of the work lane */
    uint32_t first_node, last_node; /* with dispatches; numbers of the device */
} ms_vulkan_submitted_part;

enum { MS_VULKAN_RECENT = 64 };

typedef struct ms_vulkan_lanes {
    const ms_vulkan_context *context; /* borrowed */
    ms_vulkan_report *report;         /* borrowed */
    ms_vulkan_lane work;              /* programs, uploads, and everything else but downloads */
    ms_vulkan_lane copies;            /* downloads, where the device has a second queue */
    bool lost;
    char lost_message[400];                                  /* of the call that found out */
    ms_vulkan_submitted_part recent_parts[MS_VULKAN_RECENT]; /* ring */
    uint64_t n_parts;                                        /* noted so far */
} ms_vulkan_lanes;

/* The report is used from the first wait on, and may be initialised later.  After an error: finish. */
ms_status ms_vulkan_lanes_init(const ms_vulkan_context *context, ms_vulkan_report *report, ms_vulkan_lanes *out);
/* Destroys what there is; nothing is at work any more. */
void ms_vulkan_lanes_finish(ms_vulkan_lanes *lanes);
/* Submits to one of the lanes and returns at once.  after: the work lane's value that another lane's submission waits
   for on the device.  *out_value (may be NULL): the lane's value that tells its end. */
ms_status ms_vulkan_submit(ms_vulkan_lanes *lanes, ms_vulkan_lane *lane, VkCommandBuffer commands, uint64_t after,
                           uint64_t *out_value);
/* Waits for a lane's value, then looks for faults that shaders reported (MS_INVALID) and validation messages. */
ms_status ms_vulkan_wait(ms_vulkan_lanes *lanes, ms_vulkan_lane *lane, uint64_t value);
ms_status ms_vulkan_wait_all(ms_vulkan_lanes *lanes);
/* Waits for a value of the work lane before something that it uses is freed, and tells nobody: faults, messages and the
   status of a call that failed stay as they are for whoever waits for results. */
void ms_vulkan_settle(ms_vulkan_lanes *lanes, uint64_t value);
/* The part that the next submission to the work lane will be. */
void ms_vulkan_note_part(ms_vulkan_lanes *lanes, uint32_t first_node, uint32_t last_node);
/* A memory barrier between all that is before and all that is after it: compute and transfers, both ways. */
void ms_vulkan_full_barrier(const ms_vulkan_context *context, VkCommandBuffer commands);

#endif
