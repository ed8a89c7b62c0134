/* Building a training job: variables, graphs, memory plan, storage, programs. */
#include "train/trainer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "backend/ir/build.h"
#include "backend/ir/passes.h"
#include "model/checkpoint/named_tensors.h"
#include "platform/choice.h"
#include "train/trainer_group.h"

static ms_status check_qk_clip(const ms_trainer_options *options) {
    double clip = (double)options->optimizer.interventions.qk_clip;
    if (clip == 0) return MS_OK;
    if (options->model.qk_norm)
        return MS_FAIL(
            MS_INVALID,
            "train: intervention qk_clip %g and QK-norm contradict: the norm of each query and key undoes any "
            "scale of their weights; train without QK-norm, or without qk_clip",
            clip);
    if (options->model.qkv_bias)
        return MS_FAIL(MS_INVALID,
                       "train: intervention qk_clip %g and biases of queries and keys contradict: it scales their "
                       "weights alone; train without qkv_bias, or without qk_clip",
                       clip);
    if (options->control == MS_CONTROL_NOISE)
        return MS_FAIL(
            MS_INVALID,
            "train: intervention qk_clip %g and control noise contradict: without a forward pass there are no "
            "attention logits",
            clip);
    return MS_OK;
}

static ms_status check_options(const ms_trainer_options *options) {
    if (options->batch_sequences < 1 || options->accumulation < 1)
        return MS_FAIL(MS_INVALID, "train: batch of %d sequences, accumulation %d: both must be at least 1",
                       options->batch_sequences, options->accumulation);
    MS_TRY(ms_choice_check("train: control", (int)options->control, ms_control_names));
    MS_TRY(check_qk_clip(options));
    return ms_schedule_check(&options->schedule);
}

static ms_status add_variable(ms_trainer *trainer, const char *name, ms_variable_kind kind, ms_dtype dtype,
                              int64_t count, int32_t *out) {
    int index;
    MS_TRY(ms_variables_add(trainer->variables, name, kind, dtype, ms_shape_1(count), &index));
    *out = index;
    return MS_OK;
}

static ms_head_rows head_rows_of(const char *projection) {
    if (strcmp(projection, "q") == 0) return MS_HEAD_ROWS_QUERY;
    return strcmp(projection, "k") == 0 ? MS_HEAD_ROWS_KEY : MS_HEAD_ROWS_NONE;
}

static void list_parameters(const ms_trainer *trainer, ms_optimizer_parameter parameters[MS_MAX_PARAMETERS]) {
    uint32_t noise = trainer->options.noise_projections;
    memset(parameters, 0, MS_MAX_PARAMETERS * sizeof *parameters);
    for (int i = 0; i < trainer->model.n_parameters; i++) {
        const ms_parameter *from = &trainer->model.parameters[i];
        ms_optimizer_parameter *to = &parameters[i];
        to->variable = from->variable;
        to->gradient = from->gradient;
        to->is_matrix = from->role == MS_ROLE_MATRIX;
        to->n_groups = from->n_groups;
        for (int j = 0; j < from->n_groups; j++) {
            to->group_rows[j] = from->group_rows[j];
            to->head_rows[j] = head_rows_of(from->group_names[j]);
            to->noisy[j] = !noise || (noise >> ms_projection_find(from->group_names[j], -1) & 1u);
            to->per_head[j] = strchr("qkv", from->group_names[j][0]) && from->group_names[j][1] == '\0';
        }
    }
}

static ms_status build_optimizer(ms_trainer *trainer) {
    ms_optimizer_parameter parameters[MS_MAX_PARAMETERS];
    ms_interventions *interventions = &trainer->options.optimizer.interventions;
    interventions->heads = trainer->model.config.heads;
    interventions->kv_heads = trainer->model.config.kv_heads;
    interventions->logit_max = trainer->model.logit_max;
    list_parameters(trainer, parameters);
    if (trainer->shared) MS_TRY(ms_trainer_shared_cut(trainer, parameters));
    return ms_optimizer_init(&trainer->options.optimizer, trainer->variables, parameters, trainer->model.n_parameters,
                             &trainer->optimizer);
}

/* Which graph of a step. */
typedef enum step_graph {
    GRAPH_FIRST,
    GRAPH_NEXT,
    GRAPH_SQUARES,
    GRAPH_UPDATE,
    GRAPH_CAPTURED,
    GRAPH_EVALUATE,
    GRAPH_PROBE
} step_graph;

int64_t ms_trainer_loss_chunk(const ms_trainer *trainer) {
    if (trainer->options.loss_chunk) return trainer->options.loss_chunk;
    return trainer->numerics == MS_NUMERICS_FAST ? MS_LOSS_CHUNK_FAST : MS_LOSS_CHUNK;
}

ms_dtype ms_trainer_loss_gradient(const ms_trainer *trainer) {
    return trainer->numerics == MS_NUMERICS_FAST ? trainer->options.model.storage : MS_DTYPE_F32;
}

static ms_status fill_graph(const ms_trainer *trainer, step_graph kind, ms_graph *graph) {
    const ms_trainer_options *options = &trainer->options;
    if (kind == GRAPH_SQUARES) return ms_optimizer_squares(&trainer->optimizer, graph);
    if (kind == GRAPH_UPDATE) return ms_optimizer_update(&trainer->optimizer, graph);
    if (kind == GRAPH_CAPTURED) return ms_optimizer_update_captured(&trainer->optimizer, graph);
    if (kind == GRAPH_PROBE) return ms_probe_graph_fill(&trainer->model, &trainer->probe, graph);
    if (kind != GRAPH_EVALUATE && options->control == MS_CONTROL_NOISE) {
        ms_control_add_noise(&trainer->model, options->seed, graph);
        return ms_graph_status(graph);
    }
    int sequence = options->model.sequence_length;
    double targets = (double)options->batch_sequences * (sequence - 1);
    double divisor = kind == GRAPH_EVALUATE ? targets : targets * options->accumulation;
    ms_loss_request request = {.tokens = ms_view_all(graph, trainer->tokens),
                               .targets = ms_view_all(graph, trainer->targets),
                               .batch = options->batch_sequences,
                               .sequence = sequence,
                               .scale = (float)(1 / divisor),
                               .chunk = ms_trainer_loss_chunk(trainer),
                               .gradient = ms_trainer_loss_gradient(trainer)};
    ms_tensor loss, token_losses;
    if (kind == GRAPH_EVALUATE) {
        loss = ms_model_losses(&trainer->model, graph, &request, &token_losses);
        ms_assign(graph, token_losses, ms_view_all(graph, trainer->token_losses));
    } else {
        loss = ms_model_loss_and_gradients(&trainer->model, graph, &request, kind == GRAPH_NEXT);
    }
    ms_assign(graph, loss, ms_view_all(graph, trainer->loss));
    return ms_graph_status(graph);
}

static ms_status build_graph(const ms_trainer *trainer, step_graph kind, ms_graph **out) {
    ms_graph *graph;
    bool noise = kind == GRAPH_FIRST && trainer->options.control == MS_CONTROL_NOISE;
    MS_TRY(ms_graph_create(trainer->variables, noise ? trainer->noise_step : trainer->optimizer.step_scalars, &graph));
    ms_status status = fill_graph(trainer, kind, graph);
    if (status == MS_OK) status = ms_graph_finish(graph, out);
    ms_graph_destroy(graph);
    return status;
}

static void add_variable_bytes(const ms_trainer *trainer, ms_memory_plan *memory) {
    for (int i = 0; i < ms_variables_count(trainer->variables); i++) {
        const ms_variable *variable = ms_variables_get(trainer->variables, i);
        size_t element = ms_device_element_bytes(trainer->device, variable->dtype);
        size_t size = (size_t)ms_shape_count(&variable->shape) * element;
        switch (variable->kind) {
        case MS_VARIABLE_PARAMETER:
            memory->parameters += size;
            break;
        case MS_VARIABLE_GRADIENT:
            memory->gradients += size;
            break;
        case MS_VARIABLE_STATE:
            memory->optimizer_state += size;
            break;
        default:
            memory->other_variables += size;
        }
    }
}

static ms_status estimate(ms_trainer *trainer) {
    ms_trainer_facts *facts = &trainer->facts;
    const ms_trainer_options *options = &trainer->options;
    double passes = options->control == MS_CONTROL_NOISE ? 1 : ms_trainer_shared_passes(trainer);
    const struct {
        const ms_graph *graph;
        double runs;
    } programs[] = {{trainer->first_graph, trainer->next_graph ? 1 : passes},
                    {trainer->next_graph, passes - 1},
                    {trainer->squares_graph, 1},
                    {trainer->update_graph, 1},
                    {trainer->captured_graph, 0},
                    {trainer->evaluate_graph, 0},
                    {trainer->probe_graph, 0}};
    int64_t micro_tokens = (int64_t)options->batch_sequences * options->model.sequence_length;
    facts->parameters = trainer->model.parameter_count;
    facts->tokens_per_step = micro_tokens * options->accumulation;
    facts->model_flops_per_token = 3 * ms_graph_cost(trainer->evaluate_graph).contraction_flops / (double)micro_tokens;
    add_variable_bytes(trainer, &facts->memory);
    for (size_t i = 0; i < sizeof programs / sizeof *programs; i++) {
        if (!programs[i].graph) continue;
        ms_program_report report;
        MS_TRY(ms_program_estimate(trainer->device, programs[i].graph, &report));
        if (report.live_bytes > facts->memory.least) facts->memory.least = report.live_bytes;
        if (report.arena_bytes > facts->memory.arena) facts->memory.arena = report.arena_bytes;
        if (report.workspace_bytes > facts->memory.workspace) facts->memory.workspace = report.workspace_bytes;
        facts->step_flops += programs[i].runs * report.flops;
        facts->contraction_flops += programs[i].runs * report.contraction_flops;
        facts->step_bytes += programs[i].runs * report.bytes;
        facts->nodes_per_step += (int64_t)programs[i].runs * report.n_nodes;
        facts->active_nodes_per_step += (int64_t)programs[i].runs * report.n_active;
    }
    ms_memory_plan *memory = &facts->memory;
    size_t variables = memory->parameters + memory->gradients + memory->optimizer_state + memory->other_variables;
    memory->total = variables + memory->arena + memory->workspace;
    memory->least += variables;
    return MS_OK;
}

static ms_status build(ms_trainer *trainer) {
    const ms_trainer_options *options = &trainer->options;
    MS_TRY(check_options(options));
    MS_TRY(ms_variables_create(&trainer->variables));
    MS_TRY(ms_model_init(&options->model, trainer->variables, &trainer->model));
    int64_t tokens = (int64_t)options->batch_sequences * options->model.sequence_length;
    MS_TRY(add_variable(trainer, "tokens", MS_VARIABLE_INPUT, MS_DTYPE_I32, tokens, &trainer->tokens));
    MS_TRY(add_variable(trainer, "targets", MS_VARIABLE_INPUT, MS_DTYPE_I32, tokens, &trainer->targets));
    MS_TRY(add_variable(trainer, "loss", MS_VARIABLE_OUTPUT, MS_DTYPE_F32, 1, &trainer->loss));
    MS_TRY(add_variable(trainer, "token_losses", MS_VARIABLE_OUTPUT, MS_DTYPE_F32, tokens, &trainer->token_losses));
    MS_TRY(ms_probe_variables_add(&options->model, options->probe_sequences, options->probe_tokens, trainer->variables,
                                  &trainer->probe));
    bool noise = options->control == MS_CONTROL_NOISE;
    if (options->group) MS_TRY(ms_trainer_shared_create(trainer));
    MS_TRY(build_optimizer(trainer));
    if (noise) MS_TRY(add_variable(trainer, "noise_step", MS_VARIABLE_INPUT, MS_DTYPE_F32, 1, &trainer->noise_step));
    MS_TRY(build_graph(trainer, GRAPH_FIRST, &trainer->first_graph));
    if (options->accumulation > 1 && !noise && !(trainer->shared && trainer->numerics == MS_NUMERICS_EXACT))
        MS_TRY(build_graph(trainer, GRAPH_NEXT, &trainer->next_graph));
    if (trainer->shared) MS_TRY(build_graph(trainer, GRAPH_SQUARES, &trainer->squares_graph));
    MS_TRY(build_graph(trainer, GRAPH_UPDATE, &trainer->update_graph));
    bool captures = false;
    for (int i = 0; i < MS_CAPTURE_COUNT; i++) captures |= ms_optimizer_captures(&trainer->optimizer, (ms_capture)i);
    if (captures) MS_TRY(build_graph(trainer, GRAPH_CAPTURED, &trainer->captured_graph));
    MS_TRY(build_graph(trainer, GRAPH_EVALUATE, &trainer->evaluate_graph));
    if (options->probe_sequences > 0) MS_TRY(build_graph(trainer, GRAPH_PROBE, &trainer->probe_graph));
    return estimate(trainer);
}

ms_status ms_trainer_open(ms_device *device, const ms_trainer_options *options, ms_trainer **out) {
    *out = NULL;
    ms_trainer *trainer = calloc(1, sizeof *trainer);
    if (!trainer) return MS_FAIL(MS_OUT_OF_MEMORY, "train: no memory");
    trainer->options = *options;
    if (!options->device_name) trainer->options.device_name = ms_device_get_info(device)->name;
    ms_muon_settings *of_heads[] = {&trainer->options.optimizer.muon, &trainer->options.optimizer.normuon.muon};
    for (int i = 0; i < 2; i++)
        if (!of_heads[i]->head_size) of_heads[i]->head_size = options->model.head_size;
    trainer->options.optimizer.interventions.seed = options->seed;
    if (options->optimizer.interventions.qk_clip != 0) trainer->options.model.keep_logit_max = true;
    trainer->device = device;
    trainer->numerics = ms_device_numerics(device);
    ms_status status = build(trainer);
    if (status != MS_OK) {
        ms_trainer_close(trainer);
        return status;
    }
    *out = trainer;
    return MS_OK;
}

/* Some systems give memory that they do not have, and kill the process when it is used. */
ms_status ms_trainer_check_memory(const ms_trainer *trainer) {
    const ms_memory_plan *memory = &trainer->facts.memory;
    int64_t there = ms_device_memory_bytes(trainer->device);
    if (there == 0 || memory->total <= (size_t)there) return MS_OK;
    return MS_FAIL(MS_OUT_OF_MEMORY,
                   "device %s has %.1f MiB of memory, the plan needs %.1f MiB (%.1f MiB of them temporaries): reduce "
                   "train.batch_sequences or the model",
                   trainer->options.device_name, (double)there / 1048576, (double)memory->total / 1048576,
                   (double)(memory->arena + memory->workspace) / 1048576);
}

static ms_status compile(ms_trainer *trainer) {
    MS_TRY(ms_program_compile(trainer->store, trainer->first_graph, &trainer->first));
    if (trainer->next_graph) MS_TRY(ms_program_compile(trainer->store, trainer->next_graph, &trainer->next));
    if (trainer->squares_graph) MS_TRY(ms_program_compile(trainer->store, trainer->squares_graph, &trainer->squares));
    MS_TRY(ms_program_compile(trainer->store, trainer->update_graph, &trainer->update));
    if (trainer->captured_graph)
        MS_TRY(ms_program_compile(trainer->store, trainer->captured_graph, &trainer->captured));
    if (trainer->probe_graph) MS_TRY(ms_program_compile(trainer->store, trainer->probe_graph, &trainer->probe_program));
    return ms_program_compile(trainer->store, trainer->evaluate_graph, &trainer->evaluate);
}

static ms_status allocate(ms_trainer *trainer) {
    double planned = (double)trainer->facts.memory.total / 1048576;
    MS_TRY_NOTE(ms_store_create(trainer->device, trainer->variables, &trainer->store), "planned %.1f MiB in all",
                planned);
    MS_TRY_NOTE(compile(trainer), "planned %.1f MiB in all", planned);
    size_t tokens = (size_t)trainer->options.batch_sequences * (size_t)trainer->options.model.sequence_length;
    trainer->token_buffer = calloc(tokens, sizeof *trainer->token_buffer);
    trainer->target_buffer = calloc(tokens, sizeof *trainer->target_buffer);
    trainer->norm_buffer = calloc(3 * (size_t)trainer->optimizer.n_norms, sizeof *trainer->norm_buffer);
    if (!trainer->token_buffer || !trainer->target_buffer || !trainer->norm_buffer)
        return MS_FAIL(MS_OUT_OF_MEMORY, "train: no memory for a batch of %zu tokens", tokens);
    return trainer->shared ? ms_trainer_shared_allocate(trainer) : MS_OK;
}

ms_status ms_trainer_need_allocated(const ms_trainer *trainer, const char *what) {
    if (trainer->store) return MS_OK;
    return MS_FAIL(MS_INVALID, "train: %s: the trainer is not allocated, call ms_trainer_allocate first", what);
}

ms_status ms_trainer_allocate(ms_trainer *trainer) {
    if (trainer->store) return MS_FAIL(MS_INVALID, "train: the trainer is allocated already");
    MS_TRY(ms_trainer_check_memory(trainer));
    ms_status status = allocate(trainer);
    if (status != MS_OK) ms_trainer_release(trainer);
    return status;
}

void ms_trainer_release(ms_trainer *trainer) {
    ms_program **programs[] = {&trainer->first,    &trainer->next,     &trainer->squares,      &trainer->update,
                               &trainer->captured, &trainer->evaluate, &trainer->probe_program};
    for (size_t i = 0; i < sizeof programs / sizeof *programs; i++) {
        ms_program_destroy(*programs[i]);
        *programs[i] = NULL;
    }
    ms_store_destroy(trainer->store);
    trainer->store = NULL;
    if (trainer->shared) ms_trainer_shared_release(trainer);
    free(trainer->token_buffer);
    free(trainer->target_buffer);
    free(trainer->norm_buffer);
    trainer->token_buffer = trainer->target_buffer = NULL;
    trainer->norm_buffer = NULL;
}

/* The weights as they are stored from the first step on.  It takes less memory than an update. */
static ms_status round_weights(ms_trainer *trainer) {
    ms_graph *graph, *finished = NULL;
    ms_program *program = NULL;
    MS_TRY(ms_graph_create(trainer->variables, -1, &graph));
    ms_status status = ms_optimizer_round(&trainer->optimizer, graph);
    if (status == MS_OK) status = ms_graph_finish(graph, &finished);
    if (status == MS_OK) status = ms_program_compile(trainer->store, finished, &program);
    if (status == MS_OK) status = ms_program_run(program);
    ms_program_destroy(program);
    ms_graph_destroy(finished);
    ms_graph_destroy(graph);
    return status;
}

ms_status ms_trainer_initialise(ms_trainer *trainer) {
    MS_TRY(ms_trainer_need_allocated(trainer, "initialisation"));
    const ms_trainer_options *options = &trainer->options;
    uint64_t seed = options->init_seed ? options->init_seed : options->seed;
    MS_TRY(ms_model_upload_initial(&trainer->model, seed, trainer->store));
    if (options->optimizer.master != MS_DTYPE_F32) MS_TRY(round_weights(trainer));
    return ms_trainer_shared_send(trainer, NULL, 0);
}

static ms_status check_finite(const ms_named_tensors *list) {
    for (size_t i = 0; i < list->n_tensors; i++) {
        const float *values = list->tensors[i].data;
        for (size_t k = 0; k < list->tensors[i].size_bytes / sizeof *values; k++)
            if (!isfinite(values[k]))
                return MS_FAIL(MS_NUMERIC, "initial weights: number %zu of %s is %g", k, list->tensors[i].name,
                               (double)values[k]);
    }
    return MS_OK;
}

ms_status ms_trainer_initialise_from(ms_trainer *trainer, const ms_weight_source *source) {
    ms_named_tensors list;
    MS_TRY(ms_trainer_need_allocated(trainer, "initialisation"));
    ms_status status = ms_named_tensors_allocate(trainer->variables, MS_VARIABLE_PARAMETER, &list);
    if (status == MS_OK) status = source->fill(source->context, &trainer->model.config, list.tensors, list.n_tensors);
    if (status == MS_OK) status = check_finite(&list);
    if (status == MS_OK)
        status = ms_named_tensors_put(trainer->store, trainer->variables, MS_VARIABLE_PARAMETER, &list);
    ms_named_tensors_finish(&list);
    if (status == MS_OK) status = ms_model_upload_constants(&trainer->model, trainer->store);
    if (status == MS_OK && trainer->options.optimizer.master != MS_DTYPE_F32) status = round_weights(trainer);
    return status == MS_OK ? ms_trainer_shared_send(trainer, NULL, 0) : status;
}

void ms_trainer_close(ms_trainer *trainer) {
    if (!trainer) return;
    ms_trainer_release(trainer);
    ms_graph_destroy(trainer->first_graph);
    ms_graph_destroy(trainer->next_graph);
    ms_graph_destroy(trainer->squares_graph);
    ms_graph_destroy(trainer->update_graph);
    ms_graph_destroy(trainer->captured_graph);
    ms_graph_destroy(trainer->evaluate_graph);
    ms_graph_destroy(trainer->probe_graph);
    ms_trainer_shared_destroy(trainer);
    ms_variables_destroy(trainer->variables);
    free(trainer);
}
