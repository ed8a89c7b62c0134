/* One typed function per op that adds its node to a graph (see ops.def for what each computes, and graph.h for how
   errors are kept: a failed call returns MS_NO_TENSOR and the graph remembers the first failure).  Optional inputs may
   be MS_NO_TENSOR where said.  Outputs live as long as the graph.  Not thread-safe on one graph. */
#ifndef MS_BACKEND_IR_BUILD_H
#define MS_BACKEND_IR_BUILD_H

#include "backend/ir/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

ms_coefficient ms_constant(float value);
/* constant * step scalar */
ms_coefficient ms_step_scalar(float constant, int scalar);

ms_tensor ms_fill(ms_graph *graph, float value, ms_dtype dtype, ms_shape shape);
/* Writes x into the variable view: the only op with an effect. */
void ms_assign(ms_graph *graph, ms_tensor x, ms_tensor view);
ms_tensor ms_reshape(ms_graph *graph, ms_tensor x, ms_shape shape);
ms_tensor ms_slice(ms_graph *graph, ms_tensor x, int64_t begin, int64_t count);
ms_tensor ms_insert(ms_graph *graph, ms_tensor base, ms_tensor x, int64_t begin);
/* index: i32. */
ms_tensor ms_insert_rows(ms_graph *graph, ms_tensor base, ms_tensor x, ms_tensor index);
ms_tensor ms_cast(ms_graph *graph, ms_tensor x, ms_dtype dtype);
ms_tensor ms_embed(ms_graph *graph, ms_tensor table, ms_tensor index, float scale);
/* accumulate [rows,C] optional. */
ms_tensor ms_embed_grad(ms_graph *graph, ms_tensor index, ms_tensor dy, ms_tensor accumulate, int64_t rows,
                        float scale);

/* y optional: then the result is a * x. */
ms_tensor ms_axpby(ms_graph *graph, ms_coefficient a, ms_tensor x, ms_coefficient b, ms_tensor y);
ms_tensor ms_add(ms_graph *graph, ms_tensor x, ms_tensor y);
ms_tensor ms_mul(ms_graph *graph, ms_tensor x, ms_tensor y);

/* The ops of kind ELEMENTWISE: ms_relu2(graph, x), ms_swiglu(graph, gate, up) and so on, with the inputs of ops.def
   and, of two outputs, where to put both. */
#define MS_BUILD_1_1(lower) ms_tensor ms_##lower(ms_graph *graph, ms_tensor x);
#define MS_BUILD_2_1(lower) ms_tensor ms_##lower(ms_graph *graph, ms_tensor x0, ms_tensor x1);
#define MS_BUILD_3_2(lower)                                                                                            \
    void ms_##lower(ms_graph *graph, ms_tensor x0, ms_tensor x1, ms_tensor x2, ms_tensor *out_y0, ms_tensor *out_y1);
#define MS_BUILD_PRIMITIVE(lower, n_in, n_out)
#define MS_BUILD_FREE(lower, n_in, n_out)
#define MS_BUILD_COMPOSITE(lower, n_in, n_out)
#define MS_BUILD_ELEMENTWISE(lower, n_in, n_out) MS_BUILD_##n_in##_##n_out(lower)
#define OP(upper, lower, kind, min_in, max_in, n_out, ...) MS_BUILD_##kind(lower, max_in, n_out)
#include "backend/ir/ops.def"
#undef OP

void ms_rms_norm(ms_graph *graph, ms_tensor x, ms_tensor gain, float epsilon, ms_tensor *out_y, ms_tensor *out_rstd);
/* inputs: x, gain, rstd, dy, accumulate (optional: added to dx). */
void ms_rms_norm_grad(ms_graph *graph, const ms_tensor inputs[5], float epsilon, ms_tensor *out_dx,
                      ms_tensor *out_dgain);
/* inputs: x0, x1, gain. */
void ms_add_rms_norm(ms_graph *graph, const ms_tensor inputs[3], float epsilon, ms_tensor *out_sum, ms_tensor *out_y,
                     ms_tensor *out_rstd);
/* inputs: x, table, gain, which is MS_NO_TENSOR exactly when attributes->normalise is false. */
void ms_qk_norm_rope(ms_graph *graph, const ms_tensor inputs[3], const ms_rope_attributes *attributes, ms_tensor *out_y,
                     ms_tensor *out_rstd);
/* inputs: x, table, rstd, dy, gain. */
void ms_qk_norm_rope_grad(ms_graph *graph, const ms_tensor inputs[5], const ms_rope_attributes *attributes,
                          ms_tensor *out_dx, ms_tensor *out_dgain);

/* y = alpha * op(a) op(b) + beta * c with a result in attributes->dtype; c optional, then beta counts as 0. */
ms_tensor ms_matmul(ms_graph *graph, ms_tensor a, ms_tensor b, ms_tensor c, const ms_matmul_attributes *attributes);
/* The result is f32. */
ms_tensor ms_gram(ms_graph *graph, ms_tensor x, bool transpose);
/* inputs: q, k, v. */
void ms_attention(ms_graph *graph, const ms_tensor inputs[3], const ms_attention_attributes *attributes,
                  ms_tensor *out_o, ms_tensor *out_lse);
/* [H], f32. */
ms_tensor ms_attention_logit_max(ms_graph *graph, ms_tensor q, ms_tensor k, const ms_attention_attributes *attributes);
/* inputs: q, k, v, rows; attributes->batch caches of attributes->sequence rows each.  It has no gradient. */
ms_tensor ms_cached_attention(ms_graph *graph, const ms_tensor inputs[4], const ms_attention_attributes *attributes);
/* inputs: q, k, v, o, lse, do; outputs: dq, dk, dv. */
void ms_attention_grad(ms_graph *graph, const ms_tensor inputs[6], const ms_attention_attributes *attributes,
                       ms_tensor out_gradients[3]);

/* logits f32; dlogits in attributes->dtype. */
void ms_cross_entropy(ms_graph *graph, ms_tensor logits, ms_tensor targets,
                      const ms_cross_entropy_attributes *attributes, ms_tensor *out_losses, ms_tensor *out_dlogits);
/* inputs: h, e, targets; out: the loss [1], its gradients by h and e, the loss of each token [N] (unscaled); unused
   ones are not computed after lowering. */
void ms_tied_cross_entropy(ms_graph *graph, const ms_tensor inputs[3],
                           const ms_tied_cross_entropy_attributes *attributes, ms_tensor out[4]);

ms_tensor ms_sum(ms_graph *graph, ms_tensor x);
/* n_groups == 0: the whole tensor, [1]; else [batch, n_groups]. */
ms_tensor ms_sum_squares(ms_graph *graph, ms_tensor x, int n_groups, const int64_t *group_rows);

ms_tensor ms_clip_factor(ms_graph *graph, ms_tensor sums_of_squares, float max_norm);
/* inputs: momentum, gradient, clip (optional). */
void ms_ema_nesterov(ms_graph *graph, const ms_tensor inputs[3], const ms_ema_nesterov_attributes *attributes,
                     ms_tensor *out_momentum, ms_tensor *out_update);
ms_tensor ms_scale_by_inverse_norm(ms_graph *graph, ms_tensor x, ms_tensor sum_squares, float factor, float epsilon);
/* inputs: m, v, g, w, clip (optional); outputs: m', v', delta. */
void ms_adamw(ms_graph *graph, const ms_tensor inputs[5], const ms_adamw_attributes *attributes,
              ms_tensor out_outputs[3]);
ms_tensor ms_random_normal(ms_graph *graph, const ms_random_normal_attributes *attributes);

#ifdef __cplusplus
}
#endif

#endif
