/* What a tensor is, by its name: the rules of Hugging Face's families, and of some others (names.def). */
#ifndef MS_MODEL_FOREIGN_NAMES_H
#define MS_MODEL_FOREIGN_NAMES_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* How matrices [outputs, inputs] lie in a tensor; H query heads of D channels, G key and value heads. */
typedef enum ms_layout {
    MS_LAYOUT_WHOLE,     /* as it is */
    MS_LAYOUT_CONV1D,    /* [inputs, outputs] in a checkpoint of GPT-2's kind, else as it is */
    MS_LAYOUT_QKV,       /* rows of q (H D), k (G D), v (G D); columns in a checkpoint of GPT-2's kind */
    MS_LAYOUT_QKV_HEADS, /* of each head in turn D rows of q, of k, of v */
    MS_LAYOUT_GATE_UP,   /* rows of gate, then as many of up */
    MS_LAYOUT_KV_A,      /* rows that lead to the latent vector, then those of the rotated part of k */
    MS_LAYOUT_KV_B,      /* of each head in turn rows of the part of k that is not rotated, and of v */
    MS_LAYOUT_MASK,      /* no weights, where it has more than two dimensions: a mask of attention */
    MS_LAYOUT_QKVO       /* rows of q (C), k, v, o (C), k and v as many; C columns: muonscope's merged matrix */
} ms_layout;

typedef struct ms_tensor_role {
    int64_t layer, expert;  /* -1: the name has none */
    ms_layout layout;       /* MS_LAYOUT_WHOLE where no rule knows the name */
    const char *projection; /* static; NULL: no rule knows the name */
} ms_tensor_role;

/* Thread-safe. */
ms_tensor_role ms_tensor_role_of(const char *name);

#ifdef __cplusplus
}
#endif

#endif
