/* The distinct products, attentions and losses of a training step, found in its graphs. */
#ifndef MS_CLI_VERIFY_PRODUCTION_SHAPES_H
#define MS_CLI_VERIFY_PRODUCTION_SHAPES_H

#include "backend/cases/case.h"
#include "train/trainer.h"

/* Zeroed is empty.  A shape is an op with the dtypes and shapes of its inputs and its attributes; seed, fills and
   bounds of the cases are not used.  alpha and beta of a matmul count as equal where both are 0, both 1, or neither: no
   kernel or algorithm is chosen by their values. */
typedef struct ms_production_shapes {
    ms_op_case *list; /* [n], owned */
    int64_t *n_uses;  /* [n]: runs of such nodes in a step, of all trainers added; owned */
    int32_t n, capacity;
} ms_production_shapes;

/* Adds those of every graph of a step that are not in the list yet: matmul, gram, attention, attention_grad and
   cross_entropy, in the order of the graphs.  Composite ops are lowered already.  MS_OUT_OF_MEMORY. */
ms_status ms_production_shapes_add(ms_production_shapes *shapes, const ms_trainer *trainer);
void ms_production_shapes_finish(ms_production_shapes *shapes);

#endif
