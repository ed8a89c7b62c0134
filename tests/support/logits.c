#include "tests/support/logits.h"

#include <stdlib.h>

#include "backend/ir/build.h"
#include "backend/ir/passes.h"
#include "model/checkpoint/named_tensors.h"
#include "tests/support/suite.h"

float *ms_test_logits(ms_device *device, const ms_model_config *config, const ms_safetensors *weights,
                      const int32_t *tokens, int n) {
    ms_variables *variables;
    ms_model model;
    ms_store *store;
    ms_graph *graph, *finished;
    ms_program *program;
    int input, output;
    int64_t count = (int64_t)n * config->vocabulary;
    ms_must(ms_variables_create(&variables));
    ms_must(ms_model_init(config, variables, &model));
    ms_must(ms_variables_add(variables, "tokens", MS_VARIABLE_INPUT, MS_DTYPE_I32, ms_shape_1(n), &input));
    ms_must(ms_variables_add(variables, "logits", MS_VARIABLE_OUTPUT, MS_DTYPE_F32, ms_shape_2(n, config->vocabulary),
                             &output));
    ms_must(ms_store_create(device, variables, &store));
    ms_must(ms_model_upload_constants(&model, store));
    ms_must(ms_named_tensors_upload(store, variables, MS_VARIABLE_PARAMETER, weights));
    ms_must(ms_store_upload(store, input, 0, n, tokens));
    ms_must(ms_graph_create(variables, -1, &graph));
    ms_tensor hidden = ms_model_hidden(&model, graph, ms_view_all(graph, input), 1, n);
    ms_matmul_attributes attributes = {false, true, 1, 0, MS_DTYPE_F32};
    ms_tensor logits = ms_matmul(graph, hidden, ms_view_all(graph, model.head), MS_NO_TENSOR, &attributes);
    ms_assign(graph, logits, ms_view_all(graph, output));
    ms_must(ms_graph_finish(graph, &finished));
    ms_must(ms_program_compile(store, finished, &program));
    ms_must(ms_program_run(program));
    float *values = malloc((size_t)count * sizeof *values);
    ms_must(ms_store_download(store, output, 0, count, values));
    ms_program_destroy(program);
    ms_graph_destroy(finished);
    ms_graph_destroy(graph);
    ms_store_destroy(store);
    ms_variables_destroy(variables);
    return values;
}
