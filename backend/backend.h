/* Devices, variable storage and programs: what model, optim, train and cli call.  One thread at a time per device.
   Here as in all headers, a pointer that a comment does not call optional must not be NULL. */
#ifndef MS_BACKEND_BACKEND_H
#define MS_BACKEND_BACKEND_H

#include "backend/ir/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum ms_numerics {
    MS_NUMERICS_FAST,  /* what users train with; repeats bit for bit on one device at a given thread count */
    MS_NUMERICS_EXACT, /* the executable specification: the same bits on every device and thread count */
    MS_NUMERICS_ORACLE /* f64 on the CPU, for tests: f32 variables hold doubles */
} ms_numerics;

const char *ms_numerics_name(ms_numerics numerics);
/* "fast", "exact": those to choose from, by ms_numerics; ends with NULL. */
extern const char *const ms_numerics_names[];

typedef struct ms_device_info {
    char name[32];         /* "cpu", "vulkan:0", ... */
    char description[160]; /* processor or driver */
    bool usable;
    bool is_software;  /* a GPU's interface, computed by the processor */
    char reason[200];  /* why it is not usable, or what was chosen */
    int32_t n_threads; /* processors of a CPU, 0 elsewhere */
    char
        kernels[24]; /* of a CPU: the level of the processor that they are compiled for, "x86-64-v3"; empty elsewhere */
    int64_t memory_bytes;
    char uuid[40]; /* of the device, empty where there is none: another way to name it, "<backend>:<uuid>" */
} ms_device_info;

/* All devices of all backends in a fixed order, usable or not.  *out_n may exceed capacity: then only capacity are
   filled.  out may be NULL where capacity is 0. */
ms_status ms_device_list(ms_device_info *out, int capacity, int *out_n);

/* Whether a device can serve `exact` numerics, measured on it: add, sub and mul correctly rounded, nothing contracted
   or reassociated.  text says what was found.  MS_NOT_FOUND, MS_UNSUPPORTED as ms_device_open. */
typedef struct ms_device_verdict {
    bool exact;
    char text[240];
} ms_device_verdict;
ms_status ms_device_probe(const char *name, ms_device_verdict *out);

typedef struct ms_device_options {
    /* As listed ("vulkan:0"), or with the UUID or a part of the description that only one device of the backend has
       after the colon ("vulkan:llvmpipe"). */
    const char *name;
    ms_numerics numerics;
    int32_t n_threads; /* CPU threads, 0: all processors */
} ms_device_options;

typedef struct ms_device ms_device;

/* MS_NOT_FOUND: no such device (message lists them).  MS_UNSUPPORTED: it cannot serve, with the reason.  Never another
   device than the one named.  The caller closes it after its stores and programs. */
ms_status ms_device_open(const ms_device_options *options, ms_device **out);
void ms_device_close(ms_device *device);
ms_numerics ms_device_numerics(const ms_device *device);

/* What tensor cores do to the matmuls of `fast` numerics beyond rounding sums of f32 products, as relative errors:
   what error bounds are derived from.  All zero: nothing, and always so in `exact`. */
typedef struct ms_matmul_rounding {
    double factor;           /* an f32 factor of matmul or gram when it is read; 2^-10: cut off to TF32 */
    double attention_factor; /* an f32 factor or weight of attention or its gradient; 2^-11: rounded to TF32 */
    double attention_weight; /* a weight beside bf16 factors there; 2^-8: rounded to bf16 */
    double sum;              /* an addition that is cut off instead of rounded */
} ms_matmul_rounding;
ms_matmul_rounding ms_device_matmul_rounding(const ms_device *device);

/* What ms_device_list says of it; valid until the device is closed. */
const ms_device_info *ms_device_get_info(const ms_device *device);
int ms_device_threads(const ms_device *device);
/* Whether matmuls on this device are compared with those of a library: OpenBLAS's sgemm on the CPU, at the device's
   threads.  Else the device's own matmul is what there is. */
bool ms_device_has_peak(const ms_device *device);
/* FLOP/s of that library, all threads of the device together, on matmuls of two squares, in f32: the fastest of nine
   rounds after a warm-up.  Takes at most most_bytes of memory meanwhile (0: no limit, 8 MiB and 4 for each thread), or
   what the smallest squares take where that is more (1.1 MiB and 0.6 for each thread), and gives it back.
   *out_flops is 0 after an error.  Not thread-safe.  MS_OUT_OF_MEMORY.  MS_UNSUPPORTED: there is none. */
ms_status ms_device_measure_peak(ms_device *device, size_t most_bytes, double *out_flops);
/* Bytes of an element in a store of this device: those of its type, but 8 for f32 on an oracle device. */
size_t ms_device_element_bytes(const ms_device *device, ms_dtype dtype);
/* Memory of the device in all, in bytes; 0: not known. */
int64_t ms_device_memory_bytes(const ms_device *device);
/* Memory that the device has really given so far, to compare with the plan.  0 where that is not counted (CPU). */
size_t ms_device_allocated_bytes(const ms_device *device);
/* What a device's libraries chose while programs ran, and `fast` results depend on (cuBLASLt's algorithms): tells each
   choice from number `first` on, a line each, in the order of choosing.  Returns how many there are so far. */
int ms_device_choices(const ms_device *device, int first, void (*tell)(void *context, const char *line), void *context);

/* Storage of all variables of a table on one device, zero at first.  variables is borrowed and must not grow
   afterwards. MS_OUT_OF_MEMORY names the bytes. */
typedef struct ms_store ms_store;
ms_status ms_store_create(ms_device *device, const ms_variables *variables, ms_store **out);
void ms_store_destroy(ms_store *store);
size_t ms_store_bytes(const ms_store *store);
/* Copies `count` elements from/to element `offset` of a variable.  On the host an element has the variable's type on
   every device: floats of an f32 variable, which an oracle device widens and rounds.
   MS_INVALID: out of range.  Waits for what writes the variable, on some devices for everything that runs. */
ms_status ms_store_upload(ms_store *store, int variable, int64_t offset, int64_t count, const void *data);
ms_status ms_store_download(ms_store *store, int variable, int64_t offset, int64_t count, void *out_data);
/* The same for an f32 variable and doubles on the host: an oracle device keeps them, others have them rounded to
   nearest even.  MS_INVALID: also a variable of another type. */
ms_status ms_store_upload_f64(ms_store *store, int variable, int64_t offset, int64_t count, const double *data);
ms_status ms_store_download_f64(ms_store *store, int variable, int64_t offset, int64_t count, double *out_data);

/* `count` elements of a variable, from element `offset` on. */
typedef struct ms_store_part {
    int variable;
    int64_t offset, count;
} ms_store_part;

/* ms_store_download of each part into out_data[i], with one wait for all instead of one each.  parts and out_data may
   be NULL where n_parts is 0.  MS_INVALID: a part out of range, n_parts below 0. */
ms_status ms_store_download_parts(ms_store *store, const ms_store_part *parts, int n_parts, void *const *out_data);
/* The same with ms_store_download_f64: out_data[i] is room for doubles. */
ms_status ms_store_download_parts_f64(ms_store *store, const ms_store_part *parts, int n_parts, void *const *out_data);
/* Says which parts will be downloaded while a program runs that does not write them; to be called before that program
   is run.  A device that cannot copy beside its work copies them to the host's side now, behind what it was given, and
   the download of such a part then waits for that copy and not for the program.  Other devices do nothing.  Changes
   nothing but the time: a part that was written after the announcement is downloaded as it is then.  An announcement
   replaces the one before.  parts may be NULL where n_parts is 0.  MS_INVALID: a part out of range, n_parts below 0.
   MS_OUT_OF_MEMORY. */
ms_status ms_store_announce(ms_store *store, const ms_store_part *parts, int n_parts);
/* Whether this device makes copies of what is announced: host memory of the same size, kept until it is closed. */
bool ms_device_copies_announced(const ms_device *device);

/* A compiled graph.  The graph must be finished (ms_graph_finish) and may be destroyed afterwards. */
typedef struct ms_program ms_program;
/* MS_UNSUPPORTED names an op that the device lacks. */
ms_status ms_program_compile(ms_store *store, const ms_graph *graph, ms_program **out);
void ms_program_destroy(ms_program *program);
/* Executes once; may return while the device still works (ms_store_download waits, and then reports what went wrong).
   A failing op's name and shapes are in the message.  MS_DEVICE_LOST, MS_OUT_OF_MEMORY, MS_INTERNAL. */
ms_status ms_program_run(ms_program *program);

/* Waits until the device has done everything it was given, and reports what went wrong meanwhile. */
ms_status ms_device_wait(ms_device *device);

typedef struct ms_program_report {
    size_t arena_bytes;     /* temporaries */
    size_t live_bytes;      /* most of them in use at one node: the least that arena_bytes could be */
    size_t workspace_bytes; /* scratch of the hungriest op */
    int32_t n_nodes;
    int32_t n_aliased, n_placed;
    int32_t n_active;                       /* nodes that must compute or move something */
    double flops, contraction_flops, bytes; /* of one run, from the cost model */
} ms_program_report;
/* What a program would need on a device, without storage for its variables and without allocating anything. */
ms_status ms_program_estimate(ms_device *device, const ms_graph *graph, ms_program_report *out);
void ms_program_get_report(const ms_program *program, ms_program_report *out);

/* What one run hands to the device.  Complete after the first run. */
typedef struct ms_program_counts {
    int32_t n_dispatches; /* kernels launched: nodes on the CPU */
    int32_t n_barriers;   /* waits between them on the device */
    int32_t n_submissions;
    double operand_bytes; /* of all dispatches: each operand counted once a dispatch; 0 where that is not known (CPU) */
} ms_program_counts;
void ms_program_get_counts(const ms_program *program, ms_program_counts *out);

/* Time spent per op since compilation or the last reset, when timing is on (it costs a clock read per node). */
typedef struct ms_op_time {
    const char *op;
    int64_t n_calls;
    double seconds;
} ms_op_time;
void ms_program_set_timing(ms_program *program, bool on);
/* out: MS_OP_COUNT entries, indexed by op. */
void ms_program_get_times(const ms_program *program, ms_op_time *out);

#ifdef __cplusplus
}
#endif

#endif
