/* The variables of a store as named tensors on the host, for hashes and checkpoints.

   Stacked variables appear a layer at a time under the names PyTorch users expect: "blocks.attention.qkvo.weight"
   [L,R,C] becomes "blocks.0.attention.qkvo.weight" [R,C] and so on, "momentum.blocks.x" becomes "momentum.blocks.0.x".
   f32 stores only.  Not thread-safe on one object. */
#ifndef MS_MODEL_CHECKPOINT_NAMED_TENSORS_H
#define MS_MODEL_CHECKPOINT_NAMED_TENSORS_H

#include "backend/backend.h"
#include "model/checkpoint/safetensors.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Host copies of all variables of one kind; zero is an empty list. */
typedef struct ms_named_tensors {
    ms_safetensor *tensors; /* names and data are owned by the list */
    size_t n_tensors, capacity;
    void **copies; /* one malloc'ed copy a variable, which the tensors point into */
    size_t n_copies;
} ms_named_tensors;

/* Copies all variables of a kind to the host.  The caller finishes the list, also after an error.  MS_OUT_OF_MEMORY. */
ms_status ms_named_tensors_download(ms_store *store, const ms_variables *variables, ms_variable_kind kind,
                                    ms_named_tensors *out);
void ms_named_tensors_finish(ms_named_tensors *list);

/* Names and shapes alone: data is NULL.  The caller finishes the list, also after an error.  MS_OUT_OF_MEMORY. */
ms_status ms_named_tensors_list(const ms_variables *variables, ms_variable_kind kind, ms_named_tensors *out);
/* The same with memory for the numbers, which are 0: to be filled, and uploaded by ms_named_tensors_put. */
ms_status ms_named_tensors_allocate(const ms_variables *variables, ms_variable_kind kind, ms_named_tensors *out);
/* Uploads such a list, of the same variables.  Errors of ms_store_upload. */
ms_status ms_named_tensors_put(ms_store *store, const ms_variables *variables, ms_variable_kind kind,
                               const ms_named_tensors *list);

/* ms_named_tensors_allocate, with the numbers of a file that must hold exactly these tensors.  MS_MISMATCH,
   MS_NOT_FOUND name the first that differs. */
ms_status ms_named_tensors_read(const ms_variables *variables, ms_variable_kind kind, const ms_safetensors *file,
                                ms_named_tensors *out);

/* Uploads all variables of a kind from a file that must hold exactly these tensors.  MS_MISMATCH, MS_NOT_FOUND name the
   first that differs. */
ms_status ms_named_tensors_upload(ms_store *store, const ms_variables *variables, ms_variable_kind kind,
                                  const ms_safetensors *file);

#ifdef __cplusplus
}
#endif

#endif
