/* One op at a production size, in `fast` and in `exact` on one device: results are compared slab by slab, so that the
   host holds little. */
#ifndef MS_CLI_VERIFY_PRODUCTION_CASE_H
#define MS_CLI_VERIFY_PRODUCTION_CASE_H

#include "cli/verify/production_inputs.h"
#include "cli/verify/report.h"

/* The same device, opened twice. */
typedef struct ms_production_devices {
    ms_device *fast, *exact; /* borrowed */
    ms_matmul_rounding rounding;
} ms_production_devices;

/* The op with its operands on one of them. */
typedef struct ms_production_side {
    ms_store *store;
    ms_program *program;
} ms_production_side;

typedef struct ms_production_case {
    const ms_production_devices *devices;
    const ms_op_case *shape;
    ms_variables *variables;
    ms_graph *graph;
    int in[MS_MAX_INPUTS], out[MS_MAX_OUTPUTS]; /* variables; in -1: absent */
    ms_production_side fast, exact, magnitude;  /* magnitude: of attention alone, every term positive, `exact` */
    ms_production_inputs inputs;
    ms_production_bounds bounds;
    unsigned char *slabs[4]; /* room for a slab each: fast, exact, magnitude, c */
} ms_production_case;

/* Compiles, but takes no memory of the device.  Errors of the backend.  The caller closes it, in any state. */
ms_status ms_production_case_open(const ms_production_devices *devices, const ms_op_case *shape,
                                  ms_production_case *out);
void ms_production_case_close(ms_production_case *c);

/* Bytes that ms_production_case_check takes on the device at most. */
ms_status ms_production_case_bytes(const ms_production_case *c, double *out_bytes);
/* Operations of `exact` in ms_production_case_check, and elements that the host makes or compares. */
void ms_production_case_work(const ms_production_case *c, double *out_flops, double *out_elements);

/* Runs it with whole and with normal numbers and judges: verdict, first difference and worst error over bound into row.
   faults: not NULL: instead, with each kind of fault in turn in the result of `fast`, each a row of its own that must
   fail, added there.  Errors of the backend, of the host's memory; MS_INTERRUPTED. */
ms_status ms_production_case_check(ms_production_case *c, ms_verify_row *row, ms_verify_report *faults);

/* ---- faults to be found: production_fault.c ---- */

typedef enum ms_production_fault {
    MS_PRODUCTION_FAULT_TILES, /* two neighbouring tiles of output 0, at most 16 x 16, exchanged */
    MS_PRODUCTION_FAULT_TERM,  /* one sum lacks one of its terms: one of K products, one key, one logit */
    MS_PRODUCTION_FAULT_COUNT
} ms_production_fault;

const char *ms_production_fault_text(ms_production_fault fault);
/* Changes the result of `fast`, after it has run on the inputs of WHOLE (cross_entropy: NORMAL). */
ms_status ms_production_fault_make(const ms_production_case *c, ms_production_fault fault);

#endif
