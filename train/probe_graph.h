/* The graph of the probe (train/probe.h): a forward pass over a few sequences that hands out what the layers make. */
#ifndef MS_TRAIN_PROBE_GRAPH_H
#define MS_TRAIN_PROBE_GRAPH_H

#include "model/model.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Variables of the probe; N = sequences * length. */
typedef struct ms_probe_variables {
    int32_t sequences, length;    /* 0 sequences: there is no probe, and no variable */
    int32_t tokens;               /* i32 [N] */
    int32_t q, k, stream, hidden; /* f32 [L, N, channels]: what ms_layer_activations has, layer by layer */
} ms_probe_variables;

/* Adds the variables for `sequences` sequences of `length` tokens; 0 sequences: none.
   MS_INVALID: sequences below 0; length not from 2 to the model's sequence length; more than MS_PASS_TOKENS_MAX
   tokens. */
ms_status ms_probe_variables_add(const ms_model_config *model, int32_t sequences, int32_t length,
                                 ms_variables *variables, ms_probe_variables *out);

/* The forward pass, every activation assigned to its variable: f32, which holds every bf16 number.  MS_OUT_OF_MEMORY;
   errors of the graph. */
ms_status ms_probe_graph_fill(const ms_model *model, const ms_probe_variables *probe, ms_graph *graph);

#ifdef __cplusplus
}
#endif

#endif
