/* Gradient rules of the losses, whose forward ops deliver the gradient themselves. */
#include "backend/ir/gradient_pass.h"

/* dlogits already holds scale * (softmax - onehot), so the gradient that arrives at the losses must be one constant for
   all rows: what a sum of the losses, times a constant, sends back. */
ms_status ms_gradient_cross_entropy(ms_gradient_pass *pass, const ms_node *node) {
    MS_TRY(ms_gradient_refuse_output(pass, node, 1));
    float upstream, scale = node->attributes.cross_entropy.scale;
    if (!ms_gradient_is_fill(pass, ms_gradient_arrived(pass, node->outputs[0]), &upstream))
        return MS_FAIL(MS_UNSUPPORTED,
                       "gradient of cross_entropy: the losses must reach the loss as constant * sum(losses)");
    if (upstream != scale && scale == 0)
        return MS_FAIL(MS_UNSUPPORTED, "gradient of cross_entropy: its scale is 0, the loss wants %g",
                       (double)upstream);
    ms_tensor dlogits = ms_gradient_value(pass, node->outputs[1]);
    if (ms_gradient_dtype(pass, dlogits) != MS_DTYPE_F32) dlogits = ms_cast(pass->graph, dlogits, MS_DTYPE_F32);
    ms_gradient_add_scaled(pass, node->inputs[0], ms_constant(upstream == scale ? 1 : upstream / scale), dlogits);
    return MS_OK;
}

/* dh and dE come with the loss; each times the gradient of the loss, which is 1 unless losses are combined.  dE is f32
   also where E is bf16: the weight behind E gets it unrounded. */
ms_status ms_gradient_tied_cross_entropy(ms_gradient_pass *pass, const ms_node *node) {
    ms_tensor dloss = ms_gradient_arrived(pass, node->outputs[0]);
    MS_TRY(ms_gradient_refuse_output(pass, node, 3));
    for (int i = 0; i < 2; i++) {
        MS_TRY(ms_gradient_refuse_output(pass, node, 1 + i));
        if (!ms_gradient_wants(pass, node, i)) continue;
        ms_tensor gradient = ms_gradient_value(pass, node->outputs[1 + i]);
        float value;
        bool is_constant = ms_gradient_is_fill(pass, dloss, &value);
        bool same_dtype = ms_gradient_dtype(pass, gradient) == ms_gradient_dtype(pass, node->inputs[i]);
        if (is_constant && same_dtype)
            ms_gradient_add_scaled(pass, node->inputs[i], ms_constant(value), gradient);
        else if (is_constant && value == 1)
            ms_gradient_add_f32(pass, node->inputs[i], gradient);
        else
            ms_gradient_add_f32(pass, node->inputs[i], ms_mul(pass->graph, gradient, dloss));
    }
    return MS_OK;
}
