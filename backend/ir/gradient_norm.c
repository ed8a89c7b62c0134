/* Gradient rules of the norms, rotary embedding and attention.  Zhang & Sennrich 2019 (RMS norm), Su et al. 2021
   (rotary embedding), Dao et al. 2022 (attention from its output and log-sum-exp). */
#include "backend/ir/gradient_pass.h"

/* The shared part: x, gain, rstd of a norm with gradient dy of its result; adds to the gradients of x and gain. */
static void add_norm(ms_gradient_pass *pass, const ms_node *node, ms_tensor x, ms_tensor gain, ms_tensor rstd,
                     ms_tensor dy) {
    ms_tensor dx, dgain, accumulate = pass->needed[x] ? ms_gradient_arrived(pass, x) : MS_NO_TENSOR;
    ms_rms_norm_grad(pass->graph,
                     (const ms_tensor[]){ms_gradient_value(pass, x), ms_gradient_value(pass, gain),
                                         ms_gradient_value(pass, rstd), dy, accumulate},
                     node->attributes.norm.epsilon, &dx, &dgain);
    if (pass->needed[x]) ms_gradient_replace(pass, x, dx);
    ms_gradient_add(pass, gain, dgain);
}

ms_status ms_gradient_rms_norm(ms_gradient_pass *pass, const ms_node *node) {
    MS_TRY(ms_gradient_refuse_output(pass, node, 1));
    ms_tensor dy = ms_gradient_arrived(pass, node->outputs[0]);
    add_norm(pass, node, node->inputs[0], node->inputs[1], node->outputs[1], dy);
    return MS_OK;
}

/* The sum is differentiated like the input of a norm, then its gradient goes to both terms. */
ms_status ms_gradient_add_rms_norm(ms_gradient_pass *pass, const ms_node *node) {
    MS_TRY(ms_gradient_refuse_output(pass, node, 2));
    ms_tensor sum = node->outputs[0], dy = ms_gradient_arrived(pass, node->outputs[1]);
    if (dy != MS_NO_TENSOR) add_norm(pass, node, sum, node->inputs[2], node->outputs[2], dy);
    ms_tensor dsum = ms_gradient_arrived(pass, sum);
    ms_gradient_add(pass, node->inputs[0], dsum);
    ms_gradient_add(pass, node->inputs[1], dsum);
    return MS_OK;
}

ms_status ms_gradient_qk_norm_rope(ms_gradient_pass *pass, const ms_node *node) {
    MS_TRY(ms_gradient_refuse_output(pass, node, 1));
    if (ms_gradient_wants(pass, node, 1))
        return MS_FAIL(MS_UNSUPPORTED, "gradient of qk_norm_rope: not with respect to the rotary table");
    ms_tensor x = ms_gradient_value(pass, node->inputs[0]), table = ms_gradient_value(pass, node->inputs[1]);
    ms_tensor rstd = ms_gradient_value(pass, node->outputs[1]), dy = ms_gradient_arrived(pass, node->outputs[0]);
    bool has_gain = node->attributes.rope.normalise;
    ms_tensor gain = has_gain ? ms_gradient_value(pass, node->inputs[2]) : MS_NO_TENSOR, dx, dgain;
    ms_qk_norm_rope_grad(pass->graph, (const ms_tensor[]){x, table, rstd, dy, gain}, &node->attributes.rope, &dx,
                         &dgain);
    ms_gradient_add(pass, node->inputs[0], dx);
    if (has_gain) ms_gradient_add(pass, node->inputs[2], dgain);
    return MS_OK;
}

ms_status ms_gradient_attention(ms_gradient_pass *pass, const ms_node *node) {
    MS_TRY(ms_gradient_refuse_output(pass, node, 1));
    ms_tensor inputs[6], gradients[3];
    for (int i = 0; i < 3; i++) inputs[i] = ms_gradient_value(pass, node->inputs[i]);
    for (int i = 0; i < 2; i++) inputs[3 + i] = ms_gradient_value(pass, node->outputs[i]);
    inputs[5] = ms_gradient_arrived(pass, node->outputs[0]);
    ms_attention_grad(pass->graph, inputs, &node->attributes.attention, gradients);
    for (int i = 0; i < 3; i++) ms_gradient_add(pass, node->inputs[i], gradients[i]);
    return MS_OK;
}
