/* One case as a program on one device: its inputs, and every output that it assigns, lie in variables between guard
   elements. */
#ifndef MS_BACKEND_CASES_PROGRAM_H
#define MS_BACKEND_CASES_PROGRAM_H

#include "backend/backend.h"
#include "backend/cases/case.h"

/* How the graph around the op is laid out. */
typedef enum ms_case_layout_kind {
    MS_LAYOUT_PLAIN,      /* inputs are variables; each output is computed in a variable of its own */
    MS_LAYOUT_UNASSIGNED, /* as plain, but one output is not assigned */
    MS_LAYOUT_ARENA,      /* inputs that ops.def lets outputs share storage with are temporaries that die there */
    MS_LAYOUT_OVERWRITE   /* an output with an alias is assigned over its input, as an optimizer's state is */
} ms_case_layout_kind;

typedef struct ms_case_layout {
    ms_case_layout_kind kind;
    int32_t output; /* UNASSIGNED: which; ARENA: only its aliases, -1: all */
    int32_t offset; /* elements of guard before each operand: 33 is an odd address (34 for two-byte
                       elements), 64 an aligned one */
} ms_case_layout;

/* "plain", "output 1 unused", ...; returns out. */
const char *ms_case_layout_text(ms_case_layout layout, char *out, size_t size);
/* Whether the layout says anything about the op of this case that plain does not. */
bool ms_case_layout_applies(const ms_op_case *test, ms_case_layout layout);

typedef struct ms_case_program ms_case_program;

/* Builds, compiles and allocates.  test (after ms_case_infer) and device are borrowed.  Errors of the backend,
   MS_UNSUPPORTED among them; MS_INTERNAL: the plan did not alias where the layout is made for it.  The caller destroys
   it. */
ms_status ms_case_program_create(ms_device *device, const ms_op_case *test, ms_case_layout layout,
                                 ms_case_program **out);
void ms_case_program_destroy(ms_case_program *program);

/* Values of a case on the host.  Inputs: f32, bf16, i32; outputs: f32 (double from an oracle device), bf16, u16,
   i32. */
typedef struct ms_case_values {
    void *in[MS_MAX_INPUTS];   /* NULL: absent */
    void *out[MS_MAX_OUTPUTS]; /* elements beyond an output that is not assigned or absent stay as they were */
} ms_case_values;

/* Fills the inputs from the case's seed, and allocates outputs of 8 bytes an element.  MS_OUT_OF_MEMORY.  The caller
   finishes it. */
ms_status ms_case_values_init(const ms_op_case *test, ms_case_values *out);
void ms_case_values_finish(ms_case_values *values);

/* What a run did to memory. */
typedef enum ms_case_memory {
    MS_CASE_MEMORY_GOOD,
    MS_CASE_MEMORY_GUARD,    /* wrote around an operand */
    MS_CASE_MEMORY_INPUT,    /* changed an input */
    MS_CASE_MEMORY_UNWRITTEN /* left an element of an output as it was */
} ms_case_memory;

typedef struct ms_case_finding {
    ms_case_memory memory;
    bool is_output;           /* else an input */
    int32_t operand;          /* which */
    int64_t index;            /* element, from the start of the operand: negative or beyond its end for a guard */
    uint64_t expected, found; /* bits */
} ms_case_finding;

/* Uploads the inputs and poison, runs once, downloads all, and fills values->out for outputs that are assigned.
 *out_finding: the first wrong thing in memory.  Errors of the backend. */
ms_status ms_case_program_run(ms_case_program *program, ms_case_values *values, ms_case_finding *out_finding);
/* A fault to see found: the next run changes memory on the device after the op has run, at one element: the first guard
   after an output, the middle of an input, or the middle of an output, which becomes as if never written.  Output and
   input are the first that the layout has in a variable and does not overwrite.  *out_finding: what the run must
   report; GOOD, and nothing is planted, when there is no such operand. */
void ms_case_program_plant(ms_case_program *program, ms_case_memory fault, ms_case_finding *out_finding);
/* Whether output k is assigned. */
bool ms_case_program_stores(const ms_case_program *program, int k);

#endif
