/* A graph and its plan as a list of op calls with everything resolved that no backend needs to find for itself: what
   each operand is and where it lives, the sizes of matmuls, step scalars, what a run writes, how a call is named in
   messages, and the time that was spent in it.  Made once, when a program is compiled; a backend adds addresses and
   launches. */
#ifndef MS_BACKEND_CALL_LIST_H
#define MS_BACKEND_CALL_LIST_H

#include "backend/ir/passes.h"
#include "backend/ir/gemm.h"
#include "backend/plan.h"

/* The memory that an operand lies in. */
typedef enum ms_region {
    MS_REGION_NONE,     /* no storage: an absent optional input, or an output that nobody wants */
    MS_REGION_VARIABLE, /* a variable's */
    MS_REGION_ARENA,    /* a temporary's */
    /* Those that only a backend gives to operands of its own: */
    MS_REGION_WORKSPACE,    /* scratch of the op at hand */
    MS_REGION_STEP_SCALARS, /* the f32 vector that the host writes before a run */
    MS_REGION_FAULT         /* where a kernel reports bad data */
} ms_region;

/* An operand of a call.  Absent optional inputs have no shape and a count of 0; outputs that nobody wants have both. */
typedef struct ms_operand {
    void *data;           /* address, where a backend has resolved it; NULL without storage */
    ms_region region;     /* where it lies */
    int32_t variable;     /* index, when in a variable; else -1 */
    int64_t offset_bytes; /* from the start of the variable or region */
    ms_dtype dtype;
    ms_shape shape;
    int64_t count; /* elements */
} ms_operand;

/* One node of the graph. */
typedef struct ms_op_call {
    ms_op op;
    int32_t node;  /* number in the graph */
    int32_t layer; /* of the transformer, -1: none */
    ms_attributes attributes;
    ms_operand in[MS_MAX_INPUTS];
    ms_operand out[MS_MAX_OUTPUTS]; /* may be the place of an input where ops.def says ALIAS */
    ms_gemm gemm;                   /* of matmul and gram; all zero otherwise */
    ms_cost cost;
    int64_t fault_limit; /* set by a backend: values that the call reports are outside of [0, fault_limit); 0: none */
} ms_op_call;

/* Time spent per op since compilation or the last reset. */
typedef struct ms_op_times {
    bool on; /* set by the front, read by backends at every run */
    int64_t n_calls[MS_OP_COUNT];
    double seconds[MS_OP_COUNT];
} ms_op_times;

typedef struct ms_call_list {
    ms_op_call *calls; /* [n_calls] in execution order: as many as the graph has nodes */
    int32_t n_calls;
    int32_t n_variables;  /* of the graph's table */
    int32_t step_scalars; /* the variable that coefficients refer to, -1: none */
    int32_t *written;     /* [n_written] variables that a run writes, ascending */
    int32_t n_written;
    size_t arena_bytes; /* all temporaries together */
    ms_op_times times;
} ms_call_list;

/* Copies what it needs: graph and plan may be destroyed afterwards.  The caller destroys the list.
   MS_OUT_OF_MEMORY. */
ms_status ms_call_list_create(const ms_graph *graph, const ms_plan *plan, ms_call_list **out);
void ms_call_list_destroy(ms_call_list *list);

/* Sets the address of every operand: variables [n_variables] and arena are base addresses.  Allocates nothing. */
void ms_call_list_resolve(ms_call_list *list, void *const *variables, void *arena);

/* Switches timing on or off and forgets the times so far. */
void ms_op_times_set(ms_op_times *times, bool on);
static inline void ms_op_times_add(ms_op_times *times, ms_op op, double seconds) {
    times->seconds[op] += seconds;
    times->n_calls[op]++;
}

/* Bytes of an operand by its dtype; an f32 number of the oracle counts 4 as well. */
static inline int64_t ms_operand_bytes(const ms_operand *operand) {
    return operand->count * (int64_t)ms_dtype_size(operand->dtype);
}

/* "matmul (node 12, layer 3)" into out, and returns out; 96 bytes hold any. */
const char *ms_op_call_text(const ms_op_call *call, char *out, size_t size);
/* Puts that text before the calling thread's message and returns `status`. */
ms_status ms_op_call_note(ms_status status, const ms_op_call *call);
/* " f32[2,3] i32[4] -> f32[5]" into out, and returns out: dtypes and shapes of the operands that there are.  in:
   [MS_MAX_INPUTS], out_operands: [MS_MAX_OUTPUTS]; size: 16 or more, longer text loses operands. */
const char *ms_operands_text(const ms_operand *in, const ms_operand *out_operands, char *out, size_t size);

#endif
