/* What ranks hand each other between steps: weights and optimizer state; and following rank 0. */
#include <stdlib.h>
#include <string.h>

#include "train/trainer_group.h"

/* ---- rows of a stacked variable, part by part ---- */

/* A variable as one rank alone has it, and where its numbers are: the part of this rank in the store, or the whole on
   rank 0's host. */
typedef struct stack {
    int i_parameter;
    int64_t row_elements;
    int32_t variable; /* in the store; -1: this rank has no rows */
    int64_t offset;   /* of this rank's part in it */
    float *whole;     /* of rank 0; NULL elsewhere */
} stack;

static size_t row_bytes(const stack *of) { return (size_t)of->row_elements * sizeof(float); }

/* Rank 0 gets all parts, or gives them. */
static ms_status move_parts(ms_trainer *trainer, const stack *of, bool to_rank_0) {
    ms_trainer_shared *shared = trainer->shared;
    const ms_ownership *ownership = &shared->ownership;
    int64_t rows = ms_ownership_rows(ownership, of->i_parameter, shared->rank), count = rows * of->row_elements;
    ms_message *messages = calloc(2 * (size_t)shared->n_ranks, sizeof *messages);
    float *part = malloc((size_t)count * sizeof *part + 1);
    ms_status status =
        messages && part ? MS_OK : MS_FAIL(MS_OUT_OF_MEMORY, "ranks: no memory for %lld numbers", (long long)count);
    if (status == MS_OK && to_rank_0 && count > 0)
        status = ms_store_download(trainer->store, of->variable, of->offset, count, part);
    status = ms_group_agree(shared->group, status);
    for (int r = 0; status == MS_OK && r < shared->n_ranks; r++) {
        size_t bytes = (size_t)ms_ownership_rows(ownership, of->i_parameter, r) * row_bytes(of);
        size_t begin = (size_t)ms_ownership_first_row(ownership, of->i_parameter, r) * row_bytes(of);
        ms_message at_rank_0 = {shared->rank == 0 ? (char *)of->whole + begin : NULL, shared->rank == 0 ? bytes : 0};
        ms_message own = {part, r == 0 ? (size_t)count * sizeof *part : 0};
        messages[r] = to_rank_0 ? own : at_rank_0;
        messages[shared->n_ranks + r] = to_rank_0 ? at_rank_0 : own;
    }
    if (status == MS_OK) status = ms_group_exchange(shared->group, messages, messages + shared->n_ranks);
    if (status == MS_OK && !to_rank_0 && count > 0)
        status = ms_store_upload(trainer->store, of->variable, of->offset, count, part);
    if (!to_rank_0) status = ms_group_agree(shared->group, status);
    free(messages);
    free(part);
    return status;
}

/* Every state of the optimizer in turn.  list: rank 0's; of shared->variables. */
static ms_status move_states(ms_trainer *trainer, const ms_named_tensors *list, bool to_rank_0) {
    ms_trainer_shared *shared = trainer->shared;
    size_t i_copy = 0;
    for (int i = 0; i < ms_variables_count(shared->variables); i++) {
        const ms_variable *variable = ms_variables_get(shared->variables, i);
        if (variable->kind != MS_VARIABLE_STATE) continue;
        stack of = {.i_parameter = -1,
                    .row_elements = ms_shape_count(&variable->shape) / variable->shape.dim[0],
                    .whole = list ? list->copies[i_copy++] : NULL};
        for (int p = 0; p < shared->optimizer.n_parameters; p++) {
            const ms_optimizer_entry *whole = &shared->optimizer.parameters[p],
                                     *own = &trainer->optimizer.parameters[p];
            for (int k = 0; k < MS_MAX_RULE_STATES; k++)
                if (whole->states[k] == i) of.i_parameter = p, of.variable = own->states[k];
            if (whole->initial_squares == i) of.i_parameter = p, of.variable = own->initial_squares;
            if (whole->top_directions == i) of.i_parameter = p, of.variable = own->top_directions;
        }
        if (of.i_parameter < 0) return MS_FAIL(MS_INTERNAL, "ranks: %s belongs to no parameter", variable->name);
        MS_TRY(move_parts(trainer, &of, to_rank_0));
    }
    return MS_OK;
}

static ms_status collect(ms_trainer *trainer, ms_named_tensors *list) {
    ms_trainer_shared *shared = trainer->shared;
    ms_status status = list ? ms_named_tensors_allocate(shared->variables, MS_VARIABLE_STATE, list) : MS_OK;
    MS_TRY(ms_group_agree(shared->group, status));
    return move_states(trainer, list, true);
}

ms_status ms_trainer_shared_collect(ms_trainer *trainer, ms_named_tensors *out) {
    *out = (ms_named_tensors){0};
    MS_TRY(ms_group_lead(trainer->shared->group, MS_GROUP_STATE, 0));
    return collect(trainer, out);
}

/* ---- weights ---- */

/* What goes with the weights. */
typedef struct standing {
    int64_t step, tokens, position;
} standing;

ms_status ms_trainer_move_weights(const ms_trainer *trainer, bool download, float *at) {
    for (int i = 0; i < trainer->model.n_parameters; i++) {
        int32_t variable = trainer->model.parameters[i].variable;
        ms_shape shape = ms_variables_get(trainer->variables, variable)->shape;
        int64_t count = ms_shape_count(&shape);
        MS_TRY(download ? ms_store_download(trainer->store, variable, 0, count, at)
                        : ms_store_upload(trainer->store, variable, 0, count, at));
        at += count;
    }
    return MS_OK;
}

/* All ranks: the weights of rank 0, and where it stands. */
static ms_status share_weights(ms_trainer *trainer, standing *at) {
    ms_trainer_shared *shared = trainer->shared;
    bool leads = shared->rank == 0;
    MS_TRY(ms_group_agree(shared->group, leads ? ms_trainer_move_weights(trainer, true, shared->flat) : MS_OK));
    MS_TRY(ms_group_broadcast(shared->group, at, sizeof *at));
    MS_TRY(ms_group_broadcast(shared->group, shared->flat, (size_t)shared->n_elements * sizeof *shared->flat));
    ms_status status = leads ? MS_OK : ms_trainer_move_weights(trainer, false, shared->flat);
    if (status == MS_OK && !leads) status = ms_model_upload_constants(&trainer->model, trainer->store);
    MS_TRY(ms_group_agree(shared->group, status));
    return ms_trainer_shared_prove(trainer);
}

ms_status ms_trainer_shared_send(ms_trainer *trainer, const ms_safetensors *state, int64_t position) {
    ms_trainer_shared *shared = trainer->shared;
    if (!shared || shared->rank > 0) return MS_OK;
    standing at = {trainer->step, trainer->tokens_seen, position};
    ms_named_tensors list = {0};
    ms_status status = state ? ms_named_tensors_read(shared->variables, MS_VARIABLE_STATE, state, &list) : MS_OK;
    if (status == MS_OK) status = ms_group_lead(shared->group, MS_GROUP_WEIGHTS, state != NULL);
    if (status == MS_OK) status = share_weights(trainer, &at);
    if (status == MS_OK && state) status = move_states(trainer, &list, false);
    ms_named_tensors_finish(&list);
    return status;
}

/* ---- following ---- */

static ms_status take_weights(ms_trainer *trainer, ms_batch_source source, bool with_state) {
    standing at = {0};
    MS_TRY(share_weights(trainer, &at));
    trainer->step = at.step;
    trainer->tokens_seen = at.tokens;
    if (with_state) MS_TRY(move_states(trainer, NULL, false));
    if (at.position > 0 && !source.skip) return MS_FAIL(MS_INVALID, "ranks: a source that cannot skip to a position");
    return at.position > 0 ? source.skip(source.context, at.position) : MS_OK;
}

static ms_status take_step(ms_trainer *trainer, ms_batch_source source, const ms_follower *follower, bool snapshot) {
    ms_step_hooks hooks = {0};
    ms_step_result result;
    if (follower) hooks = follower->before_step(follower->context, snapshot);
    MS_TRY(ms_trainer_step(trainer, source, &hooks, &result));
    if (follower) follower->after_step(follower->context);
    return MS_OK;
}

ms_status ms_trainer_follow(ms_trainer *trainer, ms_batch_source source, const ms_follower *follower) {
    for (;;) {
        ms_group_command command;
        int64_t argument;
        MS_TRY(ms_group_follow(trainer->shared->group, &command, &argument));
        switch (command) {
        case MS_GROUP_END:
            return argument == MS_OK ? MS_OK : MS_FAIL((ms_status)argument, "ranks: rank 0 has ended with an error");
        case MS_GROUP_WEIGHTS:
            MS_TRY(take_weights(trainer, source, argument != 0));
            break;
        case MS_GROUP_STEP:
            MS_TRY(take_step(trainer, source, follower, argument != 0));
            break;
        case MS_GROUP_STATE:
            MS_TRY(collect(trainer, NULL));
            break;
        default:
            if (!follower) return MS_FAIL(MS_INTERNAL, "ranks: command %d is not for a trainer", (int)command);
            MS_TRY(follower->obey(follower->context, command, argument));
        }
    }
}
