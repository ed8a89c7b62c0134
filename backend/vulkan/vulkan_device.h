/* The Vulkan device as its own files see it: instance, device, memory, transfers, pipelines, programs. */
#ifndef MS_BACKEND_VULKAN_VULKAN_DEVICE_H
#define MS_BACKEND_VULKAN_VULKAN_DEVICE_H

#include <volk.h>

#include "backend/backend_impl.h"
#include "backend/vulkan/vulkan_kernel.h"
#include "backend/vulkan/vulkan_spirv.h"

/* ---- instance (vulkan_instance.c): one per process, counted ---- */

enum { MS_VULKAN_MAX_GPUS = 32, MS_VULKAN_SMALLEST_LIMIT = 4 << 20 };

typedef struct ms_vulkan_gpu {
    VkPhysicalDevice handle;
    VkPhysicalDeviceProperties properties;
    VkPhysicalDeviceDriverProperties driver;
    uint8_t uuid[VK_UUID_SIZE];
    uint32_t subgroup_size;
    bool subgroup_exchange; /* shuffles and broadcasts in compute shaders */
    uint32_t queue_family;  /* one with compute */
    uint32_t timestamp_bits;
    bool has_copy_queue; /* a second queue, for downloads: queue copy_queue of family copy_family */
    uint32_t copy_family, copy_queue;
    bool storage16; /* 16-bit storage and 16-bit integers */
    bool memory_budget;
    ms_vulkan_float_modes float_modes; /* what `exact` shaders can ask for */
    VkDeviceSize largest_allocation;   /* of memory and of a buffer */
    int64_t memory_bytes;              /* of the largest device-local heap */
    char reason[200];                  /* why it cannot train; empty: it can */
} ms_vulkan_gpu;

typedef struct ms_vulkan_instance {
    VkInstance handle;
    bool validation; /* MUONSCOPE_VULKAN_VALIDATION is set: the layer is on, and a message is an error */
    VkDebugUtilsMessengerEXT messenger;
    int n_gpus;
    ms_vulkan_gpu gpus[MS_VULKAN_MAX_GPUS];
} ms_vulkan_instance;

/* Loads the loader and creates the instance, or counts one more user.  MS_UNSUPPORTED says why Vulkan is absent.
   Thread-safe. */
ms_status ms_vulkan_instance_acquire(const ms_vulkan_instance **out);
void ms_vulkan_instance_release(void);
/* What the calling thread is about to do, for validation messages: an op and a node.  Borrowed until set again. */
void ms_vulkan_set_activity(const char *activity);
/* MS_INTERNAL with the first validation message since the last call, if there was one. */
ms_status ms_vulkan_check_validation(void);
/* The status of a VkResult, with its name: "vulkan: <what>: VK_ERROR_..."; MS_OK for VK_SUCCESS. */
ms_status ms_vulkan_status(VkResult result, const char *what);
#define MS_VULKAN_TRY(call, what) MS_TRY(ms_vulkan_status((call), (what)))

/* ---- memory (vulkan_memory.c) ---- */

typedef struct ms_vulkan_block ms_vulkan_block;

/* Device memory handed out: a part of a block. */
typedef struct ms_vulkan_range {
    ms_vulkan_block *block;
    VkBuffer buffer;         /* the block's */
    VkDeviceSize offset;     /* in the buffer, a multiple of 256 */
    VkDeviceSize size;       /* a multiple of 256 */
    VkDeviceAddress address; /* of the first byte */
    void *mapped;            /* host address, NULL for device-local memory */
    uint64_t written;        /* work lane's value behind the last write that was submitted; 0: none */
} ms_vulkan_range;

typedef enum ms_vulkan_memory_kind {
    MS_VULKAN_DEVICE_LOCAL,
    MS_VULKAN_HOST_WRITES, /* visible and coherent: uploads */
    MS_VULKAN_HOST_READS   /* the same, cached where there is such memory: downloads */
} ms_vulkan_memory_kind;

typedef struct ms_vulkan_memory {
    ms_vulkan_block *blocks; /* list */
    size_t block_bytes;      /* of all blocks together: what the device has really given */
    VkDeviceSize expected;   /* bytes of allocations announced and not yet covered by a block */
} ms_vulkan_memory;

/* Device-local ranges share blocks; host ranges get one of their own.  MS_OUT_OF_MEMORY names the bytes asked for,
   held, and free where the driver says.  Contents are undefined. */
ms_status ms_vulkan_allocate(ms_backend_device *device, ms_vulkan_memory_kind kind, VkDeviceSize size_bytes,
                             ms_vulkan_range *out);
/* Announces device-local ranges to come, so that they share blocks. */
void ms_vulkan_expect(ms_backend_device *device, const size_t *sizes, int n_sizes);
/* Does nothing for a zeroed range; zeroes it.  The device must not be using it. */
void ms_vulkan_release(ms_backend_device *device, ms_vulkan_range *range);
/* Frees every block that is empty. */
void ms_vulkan_memory_finish(ms_backend_device *device);

/* Temporaries, in pieces where one allocation cannot hold all: a plan lays no tensor across two. */
typedef struct ms_vulkan_arena {
    ms_vulkan_range *pieces;
    int n_pieces;
    size_t size_bytes;
} ms_vulkan_arena;

/* Of one piece but the last, and what one variable, one tensor or one op's scratch can have at most: a multiple of 256.
 */
VkDeviceSize ms_vulkan_piece_bytes(const ms_backend_device *device);
VkDeviceAddress ms_vulkan_arena_address(const ms_backend_device *device, int64_t offset_bytes);

/* ---- queues (vulkan_queue.c): lanes of submissions in order ---- */

/* A queue, and a timeline semaphore that counts what was submitted to it. */
typedef struct ms_vulkan_lane {
    VkQueue queue; /* NULL: the device has no such queue */
    uint32_t family;
    VkCommandPool pool; /* of resettable command buffers */
    VkSemaphore timeline;
    uint64_t submitted, completed; /* values of the timeline */
} ms_vulkan_lane;

ms_status ms_vulkan_lane_init(ms_backend_device *device, uint32_t family, uint32_t queue, ms_vulkan_lane *lane);
void ms_vulkan_lane_finish(ms_backend_device *device, ms_vulkan_lane *lane);
/* Submits and returns at once.  after: the work lane's value that another lane's submission waits for on the device.
 *out_value (may be NULL): the lane's value that tells its end. */
ms_status ms_vulkan_submit(ms_backend_device *device, ms_vulkan_lane *lane, VkCommandBuffer commands, uint64_t after,
                           uint64_t *out_value);
/* Waits for a lane's value, then looks for faults that shaders reported (MS_INVALID) and validation messages. */
ms_status ms_vulkan_wait(ms_backend_device *device, ms_vulkan_lane *lane, uint64_t value);
ms_status ms_vulkan_wait_all(ms_backend_device *device);
/* Waits for a value of the work lane before something that it uses is freed, and tells nobody: faults, messages and the
   status of a call that failed stay as they are for whoever waits for results. */
void ms_vulkan_settle(ms_backend_device *device, uint64_t value);

/* A part of a program that was submitted to the work lane, to name ops when the device is lost. */
typedef struct ms_vulkan_submitted_part {
    uint64_t value;                 /* of the work lane */
    uint32_t first_node, last_node; /* with dispatches; numbers of the device */
} ms_vulkan_submitted_part;

/* The part that the next submission to the work lane will be. */
void ms_vulkan_note_part(ms_backend_device *device, uint32_t first_node, uint32_t last_node);
/* A memory barrier between all that is before and all that is after it: compute and transfers, both ways. */
void ms_vulkan_full_barrier(ms_backend_device *device, VkCommandBuffer commands);

/* ---- transfers (vulkan_transfer.c): rings of staging slots ---- */

enum { MS_VULKAN_SLOTS = 8, MS_VULKAN_SLOT_BYTES = 2 << 20 };

typedef struct ms_vulkan_slot {
    VkCommandBuffer commands;
    uint64_t busy_until; /* its lane's value after which the slot is free */
    ms_vulkan_range staging;
} ms_vulkan_slot;

typedef struct ms_vulkan_transfer {
    ms_vulkan_slot uploads[MS_VULKAN_SLOTS];   /* on the work lane, in order with programs */
    ms_vulkan_slot downloads[MS_VULKAN_SLOTS]; /* on the lane of copies where there is one */
    int next_upload, next_download;
} ms_vulkan_transfer;

ms_status ms_vulkan_transfer_init(ms_backend_device *device);
void ms_vulkan_transfer_finish(ms_backend_device *device);
/* Queued behind everything submitted before; does not wait unless every slot is in use. */
ms_status ms_vulkan_upload(ms_backend_device *device, ms_vulkan_range *range, size_t offset_bytes, const void *data,
                           size_t size_bytes);
/* The buffers of the parts are ms_vulkan_range.  With a lane for copies, or for parts that were announced and not
   written since: waits for the last write to them, and what was submitted since goes on meanwhile.  Else waits for
   everything submitted before. */
ms_status ms_vulkan_download(ms_backend_device *device, const ms_backend_part *parts, int n_parts,
                             void *const *out_data);
ms_status ms_vulkan_zero(ms_backend_device *device, ms_vulkan_range *range);

/* ---- announced downloads (vulkan_announce.c), for devices with one queue ---- */

/* Bytes that were announced, and where the device copies them. */
typedef struct ms_vulkan_announced {
    const ms_vulkan_range *range; /* compared, never followed */
    size_t offset, size;          /* bytes of the range */
    const char *copy;             /* host address */
} ms_vulkan_announced;

typedef struct ms_vulkan_announcement {
    VkCommandBuffer commands;
    uint64_t value; /* work lane's value after which the copies are there */
    ms_vulkan_announced *pieces;
    int n_pieces, piece_capacity;
    ms_vulkan_range *chunks; /* host memory: what one allocation may have, and a last smaller one */
    int n_chunks;
} ms_vulkan_announcement;

/* Whether this device has one queue only, so that announcing makes copies. */
bool ms_vulkan_copies_announced(const ms_backend_device *device);
/* Copies the parts on the device, behind everything submitted before, and returns at once.  Replaces what was announced
   before.  Does nothing on a device with a lane for copies. */
ms_status ms_vulkan_announce(ms_backend_device *device, const ms_backend_part *parts, int n_parts);
/* Gives parts out of their copies when all of them were announced and none was written since; *out_served tells. */
ms_status ms_vulkan_take_announced(ms_backend_device *device, const ms_backend_part *parts, int n_parts,
                                   void *const *out_data, bool *out_served);
/* Nothing counts as announced any more; the memory is kept. */
void ms_vulkan_forget_announced(ms_backend_device *device);
void ms_vulkan_announce_finish(ms_backend_device *device);

/* ---- pipelines (vulkan_pipeline.c) ---- */

typedef struct ms_vulkan_pipeline {
    int shader; /* row of the shader table */
    int n_constants;
    uint32_t constants[MS_VULKAN_MAX_CONSTANTS];
    VkPipeline handle;
} ms_vulkan_pipeline;

typedef struct ms_vulkan_pipelines {
    VkPipelineCache cache;
    size_t cache_bytes_at_start;
    VkPipelineLayout layout; /* 128 bytes of push constants, nothing else */
    VkShaderModule *modules; /* one per shader of the table, made when first used */
    ms_vulkan_pipeline *items;
    int n_items, capacity;
} ms_vulkan_pipelines;

/* Reads the cache of this device and driver from $XDG_CACHE_HOME/muonscope (or ~/.cache/muonscope); one that is
   missing, foreign or damaged is ignored. */
ms_status ms_vulkan_pipelines_init(ms_backend_device *device);
/* Writes the cache back when it has grown. */
void ms_vulkan_pipelines_finish(ms_backend_device *device);
/* The row of a shader for this device's numerics and storage.  MS_UNSUPPORTED: there is none of that name. */
ms_status ms_vulkan_shader_find(const ms_vulkan_limits *limits, const char *name, int *out);
/* Makes a pipeline or finds the one made before.  Valid until the device is closed. */
ms_status ms_vulkan_pipeline_get(ms_backend_device *device, int shader, const uint32_t *constants, int n_constants,
                                 VkPipeline *out);

/* ---- the device (vulkan_device.c) ---- */

enum { MS_VULKAN_RECENT = 64 };

struct ms_backend_device {
    const ms_vulkan_instance *instance;
    ms_vulkan_gpu gpu;
    int index;
    ms_vulkan_limits limits;
    VkDevice handle;
    struct VolkDeviceTable call;
    ms_vulkan_lane work;   /* programs, uploads, and everything else but downloads */
    ms_vulkan_lane copies; /* downloads, where the device has a second queue */
    bool lost;
    char lost_message[400];                                  /* of the call that found out */
    ms_vulkan_submitted_part recent_parts[MS_VULKAN_RECENT]; /* ring */
    uint64_t n_parts;                                        /* noted so far */
    VkPhysicalDeviceMemoryProperties memory_types;
    ms_vulkan_memory memory;
    ms_vulkan_transfer transfer;
    ms_vulkan_announcement announcement;
    ms_vulkan_pipelines pipelines;
    ms_vulkan_arena arena;        /* arena and workspace are shared by all programs: one runs at a time */
    ms_vulkan_range workspace;    /* */
    uint64_t generation;          /* counts moves of arena or workspace: recorded programs are stale then */
    ms_vulkan_range report;       /* host memory: words 0, 1: fault; 2: progress, see MS_VULKAN_REPORT_* */
    ms_backend_program *programs; /* list, to name the op of a fault */
    uint32_t next_node;           /* of the next program: node numbers are unique on a device */
};

enum { MS_VULKAN_REPORT_NODE, MS_VULKAN_REPORT_VALUE, MS_VULKAN_REPORT_PROGRESS, MS_VULKAN_REPORT_WORDS };

ms_status ms_vulkan_device_open(int index, const ms_device_options *options, ms_backend_device **out);
void ms_vulkan_device_close(ms_backend_device *device);
/* Makes arena and workspace at least this large; waits for running programs when it must move them. */
ms_status ms_vulkan_device_reserve(ms_backend_device *device, size_t arena_bytes, size_t workspace_bytes);

/* Runs shaders/probe.comp over the triples of backend/probe.h. */
ms_status ms_vulkan_probe(ms_backend_device *device, const float *triples, float *out_results);

/* ---- programs (vulkan_program.c, vulkan_record.c) ---- */

ms_status ms_vulkan_program_create(ms_backend_device *device, const ms_compile_request *request,
                                   ms_backend_program **out);
void ms_vulkan_program_destroy(ms_backend_program *program);
ms_status ms_vulkan_program_run(ms_backend_program *program);
size_t ms_vulkan_program_workspace_bytes(const ms_backend_program *program);
void ms_vulkan_program_counts(const ms_backend_program *program, ms_program_counts *out);
void ms_vulkan_program_set_timing(ms_backend_program *program, bool on);
void ms_vulkan_program_get_times(const ms_backend_program *program, ms_op_time *out);
/* Describes a node number of this device: "embed (node 3, block 0)". */
void ms_vulkan_describe_node(const ms_backend_device *device, uint32_t node, char *out, size_t size);
/* Whether the program of a node may be running, as far as has been waited for. */
bool ms_vulkan_node_is_at_work(const ms_backend_device *device, uint32_t node);
/* The limit that a fault at a node was held against, 0: unknown. */
int64_t ms_vulkan_fault_limit(const ms_backend_device *device, uint32_t node);

#endif
