/* Ops of the IR: the enumeration and tables made from ops.def, and the typed attributes of each op. */
#ifndef MS_BACKEND_IR_OP_H
#define MS_BACKEND_IR_OP_H

#include "backend/ir/types.h"

typedef enum ms_op {
#define OP(upper, lower, min_in, max_in, n_out, attributes, gradient, aliases, kind, documentation) MS_OP_##upper,
#include "backend/ir/ops.def"
#undef OP
    MS_OP_COUNT
} ms_op;

typedef enum ms_op_kind { MS_OP_KIND_PRIMITIVE, MS_OP_KIND_COMPOSITE, MS_OP_KIND_FREE } ms_op_kind;

/* A factor that is constant, or moves with the step: value = constant * step scalar (scalar == -1: just the constant).
   Step scalars are elements of the graph's step-scalar variable, written by the host before each run. */
typedef struct ms_coefficient {
    float constant;
    int32_t scalar; /* index into the step scalars, or -1 */
} ms_coefficient;

typedef struct ms_fill_attributes {
    float value;
    ms_shape shape;
    ms_dtype dtype;
} ms_fill_attributes;

typedef struct ms_shape_attributes {
    ms_shape shape;
} ms_shape_attributes;

typedef struct ms_slice_attributes {
    int64_t begin, count; /* rows along dimension max(rank - 2, 0) */
} ms_slice_attributes;

typedef struct ms_cast_attributes {
    ms_dtype dtype; /* of the result */
} ms_cast_attributes;

typedef struct ms_embed_attributes {
    float scale;
    int64_t rows; /* V, used by embed_grad */
} ms_embed_attributes;

typedef struct ms_axpby_attributes {
    ms_coefficient a, b;
} ms_axpby_attributes;

typedef struct ms_norm_attributes {
    float epsilon; /* added to the mean square, inside the root */
} ms_norm_attributes;

typedef struct ms_rope_attributes {
    int32_t heads, head_size, sequence; /* position of row n is n % sequence */
    bool interleaved;                   /* pairs (2i, 2i+1); else (i, i + D/2) */
    bool normalise;                     /* RMS norm per head first */
    float epsilon;
} ms_rope_attributes;

typedef struct ms_matmul_attributes {
    bool transpose_a, transpose_b;
    float alpha, beta;
    ms_dtype dtype; /* of the result and of c: f32 or bf16 */
} ms_matmul_attributes;

typedef struct ms_gram_attributes {
    bool transpose; /* x^T x */
    ms_dtype dtype; /* of the result: f32 or bf16 */
} ms_gram_attributes;

typedef struct ms_attention_attributes {
    int32_t batch, sequence, heads, kv_heads, head_size;
    float scale; /* 1/sqrt(D) */
} ms_attention_attributes;

typedef struct ms_cross_entropy_attributes {
    float scale; /* of the gradient: usually 1 / number of targets */
} ms_cross_entropy_attributes;

typedef struct ms_tied_cross_entropy_attributes {
    float scale;
    int64_t chunk; /* tokens whose logits exist at one time */
} ms_tied_cross_entropy_attributes;

typedef struct ms_sum_squares_attributes {
    int32_t n_segments;                    /* 0: the whole tensor, one number */
    int64_t segment_rows[MS_MAX_SEGMENTS]; /* rows of each group; they add up to the rows of a matrix */
} ms_sum_squares_attributes;

typedef struct ms_clip_factor_attributes {
    float max_norm;
} ms_clip_factor_attributes;

typedef struct ms_ema_nesterov_attributes {
    ms_coefficient momentum;
    bool nesterov;
} ms_ema_nesterov_attributes;

typedef struct ms_inverse_norm_attributes {
    float factor, epsilon;
} ms_inverse_norm_attributes;

typedef struct ms_adamw_attributes {
    ms_coefficient lr;
    float beta1, beta2, epsilon, decay;
    ms_coefficient inverse_bias1, inverse_bias2; /* 1 / (1 - beta^t) */
} ms_adamw_attributes;

typedef struct ms_random_normal_attributes {
    ms_coefficient deviation;
    uint64_t seed, stream; /* stream: a hash of the tensor's name */
    int32_t step_scalar;   /* index of the step number among the step scalars (exact below 2^24), or -1 for 0 */
    ms_shape shape;
} ms_random_normal_attributes;

typedef struct ms_none_attributes {
    int32_t unused; /* always 0 */
} ms_none_attributes;

typedef union ms_attributes {
    ms_none_attributes none;
    ms_fill_attributes fill;
    ms_shape_attributes shape;
    ms_slice_attributes slice;
    ms_cast_attributes cast;
    ms_embed_attributes embed;
    ms_axpby_attributes axpby;
    ms_norm_attributes norm;
    ms_rope_attributes rope;
    ms_matmul_attributes matmul;
    ms_gram_attributes gram;
    ms_attention_attributes attention;
    ms_cross_entropy_attributes cross_entropy;
    ms_tied_cross_entropy_attributes tied_cross_entropy;
    ms_sum_squares_attributes sum_squares;
    ms_clip_factor_attributes clip_factor;
    ms_ema_nesterov_attributes ema_nesterov;
    ms_inverse_norm_attributes inverse_norm;
    ms_adamw_attributes adamw;
    ms_random_normal_attributes random_normal;
} ms_attributes;

/* One row of ops.def. */
typedef struct ms_op_info {
    const char *name;
    int32_t min_inputs, max_inputs, n_outputs;
    uint32_t aliases; /* bit output * MS_MAX_INPUTS + input */
    ms_op_kind kind;
    const char *gradient; /* name of the gradient rule, or "none" */
    const char *documentation;
} ms_op_info;

/* Static, never NULL for a valid op. */
const ms_op_info *ms_op_get(ms_op op);
/* MS_OP_COUNT when there is no such op. */
ms_op ms_op_find(const char *name);
/* Whether `output` may be computed in the storage of `input`. */
bool ms_op_may_alias(ms_op op, int output, int input);
bool ms_op_is_differentiable(ms_op op);

#endif
