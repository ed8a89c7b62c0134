/* Which architecture of Hugging Face's transformers computes the function that a configuration of ours computes.
   Sources: modeling_llama.py, modeling_qwen2.py and modeling_qwen3.py of transformers 5.24.  Thread-safe. */
#ifndef MS_MODEL_HF_ARCHITECTURE_H
#define MS_MODEL_HF_ARCHITECTURE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "model/model.h"
#include "platform/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ms_hf_architecture {
    const char *name;       /* "Qwen3ForCausalLM"; static, as the next two */
    const char *type;       /* model_type: "qwen3" */
    const char *activation; /* hidden_act: "silu" */
    bool gate_is_up;        /* relu(z)^2 = relu(z) z: the gate's matrix is that of up */
} ms_hf_architecture;

/* MS_UNSUPPORTED: none does; names the key of the configuration that is in the way, and what could stand there. */
ms_status ms_hf_architecture_of(const ms_model_config *config, ms_hf_architecture *out);

/* The object of config.json.  end_of_text: id of the token before each document; -1: none.  weights: their type in the
   files, f32 or bf16.  The caller owns *out, whose reals have at most 9 digits that count.  Errors of
   ms_hf_architecture_of; MS_OUT_OF_MEMORY. */
ms_status ms_hf_config(const ms_model_config *config, int32_t end_of_text, ms_dtype weights, json_t **out);

#ifdef __cplusplus
}
#endif

#endif
