#include "optim/normuon.h"

#include "backend/ir/build.h"
#include "optim/norms.h"

enum { MOMENTUM_STATE, SECOND_MOMENT, N_STATES };
enum { LR, MOMENTUM, N_SCALARS }; /* ms_muon_rule's */

static const float epsilon = 1e-10f;

static ms_shape one_a_row(const ms_shape *parameter) { return ms_shape_3(parameter->dim[0], parameter->dim[1], 1); }

static double peak_rate(const void *settings) { return ((const ms_normuon_settings *)settings)->muon.lr; }

static double momentum(const void *settings, int64_t step, double rate) {
    (void)step, (void)rate;
    return ((const ms_normuon_settings *)settings)->muon.momentum;
}

static ms_status check(const void *settings, const ms_optimizer_parameter *parameter, const ms_variable *variable) {
    const ms_normuon_settings *normuon = settings;
    if (!(normuon->beta2 >= 0 && normuon->beta2 < 1))
        return MS_FAIL(MS_INVALID, "normuon: beta2 %g, must be in [0, 1)", (double)normuon->beta2);
    return ms_muon_check(&normuon->muon, parameter, variable);
}

/* The second moments of a parameter's rows [L,R,1]: as they were, and with those of the pieces so far replaced. */
typedef struct neurons {
    float beta2;
    ms_tensor before, after;
} neurons;

static ms_tensor normalise(void *context, ms_graph *graph, ms_tensor o, int64_t begin, int64_t n_rows) {
    neurons *all = context;
    if (ms_graph_status(graph) != MS_OK) return MS_NO_TENSOR;
    ms_shape shape = ms_graph_tensor(graph, o)->shape;
    int64_t rows = shape.dim[0] * shape.dim[1], columns = shape.dim[2], one = 1;
    ms_tensor old_norms = ms_squares_of(graph, o);
    ms_tensor by_row = ms_reshape(graph, o, ms_shape_3(rows, 1, columns));
    ms_tensor squares = ms_sum_squares(graph, by_row, 1, &one);
    ms_tensor second = ms_reshape(graph, ms_slice(graph, all->before, begin, n_rows), ms_shape_2(rows, 1));
    second = ms_axpby(graph, ms_constant(all->beta2), second, ms_constant((1 - all->beta2) / (float)columns), squares);
    ms_tensor normalised = ms_scale_by_inverse_norm(graph, by_row, second, 1, epsilon);
    second = ms_reshape(graph, second, ms_shape_3(rows / n_rows, n_rows, 1));
    all->after = ms_insert(graph, all->after, second, begin);
    if (ms_graph_status(graph) != MS_OK) return MS_NO_TENSOR;
    return ms_with_norms(graph, ms_reshape(graph, normalised, shape), old_norms);
}

static double decay_share(const void *settings, double rate) {
    return ms_muon_decay_share(&((const ms_normuon_settings *)settings)->muon, rate);
}

static ms_tensor delta(ms_graph *graph, const ms_rule_inputs *inputs) {
    const ms_normuon_settings *settings = inputs->settings;
    ms_tensor state = inputs->states[SECOND_MOMENT];
    neurons all = {settings->beta2, state, state};
    const ms_muon_piece_change change = {normalise, &all};
    ms_tensor change_of_weights = ms_muon_delta(&settings->muon, graph, inputs, &change);
    ms_assign(graph, all.after, state);
    return change_of_weights;
}

const ms_optimizer_rule ms_normuon_rule = {
    .name = "normuon",
    .n_states = N_STATES,
    .states = {[MOMENTUM_STATE] = {"momentum", NULL}, [SECOND_MOMENT] = {"row_second_moment", one_a_row}},
    .n_scalars = N_SCALARS,
    .scalars = {[LR] = {"lr", NULL}, [MOMENTUM] = {"momentum", momentum}},
    .heeds_interventions = true,
    .orthogonalises = true,
    .peak_rate = peak_rate,
    .check = check,
    .delta = delta,
    .captures = {[MS_CAPTURE_MOMENTUM] = true, [MS_CAPTURE_ORTHOGONAL] = true},
    .decay_share = decay_share,
};
