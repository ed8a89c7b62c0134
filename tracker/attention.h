/* Statistics of attention: what each head looks at in a few sequences, and the products of its matrices.

   Plain f32 arrays in, f64 statistics out; all arithmetic is f64 and runs on the calling thread, so that a result
   depends on the numbers alone.  An undefined statistic is NaN here and null in JSON.

   Letters: S sequences, T tokens of each, N = S T, C width, H query heads, G key/value heads, D head size.  Query i of
   a sequence sees the keys 0 .. i.

   Sources: attention entropy, Zhai et al. 2023 (arXiv 2303.06296); largest logit, the quantity that QK-clip bounds
   (Kimi K2, arXiv 2507.20534); first token, Xiao et al. 2023 (attention sinks, arXiv 2309.17453); QK and OV products,
   Elhage et al. 2021 (transformer circuits). */
#ifndef MS_TRACKER_ATTENTION_H
#define MS_TRACKER_ATTENTION_H

#include <stddef.h>

#include "platform/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Sizes of the attention of one layer. */
typedef struct ms_attention_shape {
    int sequences, tokens;          /* S >= 1; T >= 2, since a query that sees one key has no entropy */
    int width;                      /* C >= 1 */
    int heads, kv_heads, head_size; /* H >= 1; G divides H; D >= 1 */
} ms_attention_shape;

/* MS_INVALID names what is out of range. */
ms_status ms_attention_shape_check(const ms_attention_shape *shape);

/* Scratch memory of one thread. */
typedef struct ms_attention_scratch ms_attention_scratch;

/* Bytes of it, for a shape that the check accepts. */
size_t ms_attention_scratch_bytes(const ms_attention_shape *shape);
/* The caller destroys it.  Errors of the check and of ms_blas_prepare; MS_OUT_OF_MEMORY. */
ms_status ms_attention_scratch_create(const ms_attention_shape *shape, ms_attention_scratch **out);
void ms_attention_scratch_destroy(ms_attention_scratch *scratch);

/* What one head does, over all queries that see at least two keys (i >= 1). */
typedef struct ms_attention_statistics {
    double entropy;     /* mean of -sum_j p_ij log p_ij / log(i + 1): 0 one key, 1 all visible keys alike */
    double logit_max;   /* largest scale q_i k_j of all visible pairs, that of query 0 too */
    double first_token; /* mean of p_i0 */
} ms_attention_statistics;

/* q [N, H D] and k [N, G D], as they enter the softmax (after norm and rotation); p = softmax(scale q k).  Head h reads
   key head h / (H / G).  out [H].  `name` ("layer 3") is for messages.
   MS_NUMERIC: a value is NaN or infinite.  Thread-safe with one scratch per thread. */
ms_status ms_attention_compute(ms_attention_scratch *scratch, const char *name, const float *q, const float *k,
                               double scale, ms_attention_statistics *out);

enum { MS_PRODUCT_TOP = 10 }; /* singular values that are reported */

/* The spectrum of one product of rank at most r = min(C, D). */
typedef struct ms_product_spectrum {
    int n_top;                        /* min(r, MS_PRODUCT_TOP) */
    double sigma_top[MS_PRODUCT_TOP]; /* largest first */
    double effective_rank;            /* exp(-sum p log p), p = s / sum s over all r; NaN where the product is 0 */
} ms_product_spectrum;

/* Matrices of one layer, row-major as the model stores them. */
typedef struct ms_attention_weights {
    const char *name; /* for messages */
    const float *q;   /* [H D, C] */
    const float *k;   /* [G D, C] */
    const float *v;   /* [G D, C] */
    const float *o;   /* [C, H D] */
} ms_attention_weights;

/* Per head, the spectra of W_q^T W_k [C, C], whose form gives the logits of tokens at equal positions, and of W_o W_v
   [C, C], which is what the head writes for what it reads.  Through the small side: QR of each factor [C, D], and the
   singular values of R_1 R_2^T [D, D], which are those of the product.  out_qk, out_ov [H].
   Where a norm follows W_q and W_k (QK-norm), their size is without effect and their gains are not in the product: what
   is left is its shape (effective rank, ratios of the values), and of that only what the norm, which works per token,
   leaves.  MS_NUMERIC: a weight is NaN or infinite; MS_INTERNAL: LAPACK did not converge.
   Thread-safe with one scratch per thread. */
ms_status ms_attention_products(ms_attention_scratch *scratch, const ms_attention_weights *weights,
                                ms_product_spectrum *out_qk, ms_product_spectrum *out_ov);

#ifdef __cplusplus
}
#endif

#endif
