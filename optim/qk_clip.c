#include "optim/qk_clip.h"

#include <math.h>

#include "backend/ir/build.h"

static bool shares_keys(const ms_interventions *interventions) {
    return interventions->heads != interventions->kv_heads;
}

/* Whether rows of a group are scaled. */
static bool is_scaled(const ms_interventions *interventions, ms_head_rows rows) {
    return rows == MS_HEAD_ROWS_QUERY || (rows == MS_HEAD_ROWS_KEY && !shares_keys(interventions));
}

bool ms_qk_clip_touches(const ms_interventions *interventions, const ms_optimizer_parameter *parameter) {
    if (interventions->qk_clip == 0 || !parameter->is_matrix) return false;
    for (int i = 0; i < parameter->n_groups; i++)
        if (is_scaled(interventions, parameter->head_rows[i])) return true;
    return false;
}

static ms_status check_logits(const ms_interventions *interventions, const ms_variables *variables, int64_t layers) {
    int heads = interventions->heads, kv_heads = interventions->kv_heads;
    if (heads < 1 || kv_heads < 1 || heads % kv_heads != 0)
        return MS_FAIL(MS_INVALID, "intervention: qk_clip: %d heads, %d kv heads: heads must be a multiple of kv heads",
                       heads, kv_heads);
    const ms_variable *logits =
        interventions->logit_max >= 0 && interventions->logit_max < ms_variables_count(variables)
            ? ms_variables_get(variables, interventions->logit_max)
            : NULL;
    if (!logits || logits->dtype != MS_DTYPE_F32 || logits->shape.rank != 2 || logits->shape.dim[0] != layers ||
        logits->shape.dim[1] != heads)
        return MS_FAIL(
            MS_INVALID,
            "intervention: qk_clip: variable %d does not hold the largest logits of %lld layers and %d heads",
            interventions->logit_max, (long long)layers, heads);
    return MS_OK;
}

static ms_status check_rows(const ms_interventions *interventions, const ms_variable *variable,
                            const ms_optimizer_parameter *parameter, int i_group) {
    bool is_query = parameter->head_rows[i_group] == MS_HEAD_ROWS_QUERY;
    int heads = is_query ? interventions->heads : interventions->kv_heads;
    if (parameter->group_rows[i_group] % heads == 0) return MS_OK;
    return MS_FAIL(MS_INVALID, "intervention: qk_clip: %s: %lld rows are not those of %d %s heads", variable->name,
                   (long long)parameter->group_rows[i_group], heads, is_query ? "query" : "key");
}

ms_status ms_qk_clip_check(const ms_interventions *interventions, const ms_variables *variables,
                           const ms_optimizer_parameter *parameters, int n_parameters) {
    double tau = (double)interventions->qk_clip;
    bool has[] = {[MS_HEAD_ROWS_QUERY] = false, [MS_HEAD_ROWS_KEY] = false};
    if (tau == 0) return MS_OK;
    if (!(tau > 0) || !isfinite(tau))
        return MS_FAIL(MS_INVALID, "intervention: qk_clip is %g, must be positive, or 0 for none", tau);
    if (interventions->sphere != MS_SPHERE_NONE)
        return MS_FAIL(MS_INVALID, "intervention: qk_clip %g and sphere %s contradict: the sphere undoes the clip", tau,
                       ms_sphere_names[interventions->sphere]);
    for (int i = 0; i < n_parameters; i++)
        for (int j = 0; parameters[i].is_matrix && j < parameters[i].n_groups; j++) {
            if (parameters[i].head_rows[j] == MS_HEAD_ROWS_NONE) continue;
            const ms_variable *variable = ms_variables_get(variables, parameters[i].variable);
            MS_TRY(check_logits(interventions, variables, variable->shape.dim[0]));
            MS_TRY(check_rows(interventions, variable, &parameters[i], j));
            has[parameters[i].head_rows[j]] = true;
        }
    if (has[MS_HEAD_ROWS_QUERY] && has[MS_HEAD_ROWS_KEY]) return MS_OK;
    return MS_FAIL(MS_INVALID, "intervention: qk_clip %g: no layer matrix has rows of %s heads", tau,
                   has[MS_HEAD_ROWS_QUERY] ? "key" : "query");
}

/* max(1, S / tau) = 1 / gamma of each head of n layers from `first` on: [n H]. */
static ms_tensor excess_of(ms_graph *graph, const ms_interventions *interventions, int64_t first, int64_t n) {
    ms_shape all = ms_shape_1(n * interventions->heads);
    ms_tensor logits = ms_view(graph, interventions->logit_max, first * interventions->heads, all);
    ms_tensor ratio =
        ms_axpby(graph, ms_constant((float)(1 / (double)interventions->qk_clip)), logits, ms_constant(0), MS_NO_TENSOR);
    return ms_maximum(graph, ms_fill(graph, 1, MS_DTYPE_F32, all), ratio);
}

ms_tensor ms_qk_clip(ms_graph *graph, const ms_interventions *interventions, const ms_optimizer_parameter *parameter,
                     ms_tensor weight) {
    if (ms_graph_status(graph) != MS_OK) return MS_NO_TENSOR;
    ms_shape shape = ms_graph_tensor(graph, weight)->shape;
    ms_tensor excess = excess_of(graph, interventions, parameter->first_row, shape.dim[0]);
    if (shares_keys(interventions)) excess = ms_mul(graph, excess, excess); /* its root is taken below */
    int64_t layers = shape.dim[0], columns = shape.dim[2], begin = 0;
    for (int i = 0; i < parameter->n_groups; begin += parameter->group_rows[i++]) {
        if (!is_scaled(interventions, parameter->head_rows[i])) continue;
        int64_t rows = parameter->group_rows[i], heads = interventions->heads;
        ms_tensor part = parameter->n_groups > 1 ? ms_slice(graph, weight, begin, rows) : weight;
        part = ms_reshape(graph, part, ms_shape_3(layers * heads, rows / heads, columns));
        part = ms_scale_by_inverse_norm(graph, part, excess, 1, 0);
        part = ms_reshape(graph, part, ms_shape_3(layers, rows, columns));
        weight = parameter->n_groups > 1 ? ms_insert(graph, weight, part, begin) : part;
    }
    return weight;
}
