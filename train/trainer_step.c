/* Running a training job: steps, evaluation, norms. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "optim/noise.h"
#include "platform/signals.h"
#include "train/trainer_group.h"

static ms_status skip_of_dataset(void *context, int64_t n_sequences) {
    return ms_dataset_seek(context, ms_dataset_position(context) + (uint64_t)n_sequences);
}

static ms_status next_of_dataset(void *context, int n_sequences, int32_t *out_tokens, int32_t *out_targets) {
    return ms_dataset_next(context, n_sequences, out_tokens, out_targets);
}

ms_batch_source ms_dataset_source(ms_dataset *dataset) {
    return (ms_batch_source){next_of_dataset, dataset, ms_dataset_sequence_length(dataset), skip_of_dataset};
}

ms_status ms_trainer_next_batch(ms_trainer *trainer, ms_batch_source source) {
    int length = trainer->options.model.sequence_length;
    if (source.sequence_length != 0 && source.sequence_length != length)
        return MS_FAIL(MS_MISMATCH, "sequences of %d tokens for a model of %d", source.sequence_length, length);
    return source.next(source.context, trainer->options.batch_sequences, trainer->token_buffer, trainer->target_buffer);
}

ms_status ms_trainer_run_batch(ms_trainer *trainer, ms_batch_source source, bool another_follows, ms_program *program,
                               const ms_step_hooks *hooks, double *out_loss) {
    int64_t tokens = (int64_t)trainer->options.batch_sequences * trainer->options.model.sequence_length;
    MS_TRY(ms_store_upload(trainer->store, trainer->tokens, 0, tokens, trainer->token_buffer));
    MS_TRY(ms_store_upload(trainer->store, trainer->targets, 0, tokens, trainer->target_buffer));
    if (hooks && hooks->before_work) MS_TRY(hooks->before_work(hooks->context, trainer));
    MS_TRY(ms_program_run(program));
    if (hooks && hooks->while_working) MS_TRY(hooks->while_working(hooks->context, trainer));
    if (another_follows) MS_TRY(ms_trainer_next_batch(trainer, source));
    return ms_store_download_f64(trainer->store, trainer->loss, 0, 1, out_loss);
}

/* A source whose targets are shuffled. */
typedef struct shuffled_source {
    ms_batch_source from;
    ms_control_pass pass; /* the next one */
    int64_t positions;    /* of a sequence */
    int32_t batch;        /* sequences of a pass */
} shuffled_source;

static ms_status skip_shuffled(void *context, int64_t n_sequences) {
    shuffled_source *source = context;
    source->pass.i_pass += (int32_t)(n_sequences / source->batch);
    return source->from.skip(source->from.context, n_sequences);
}

static ms_status next_shuffled(void *context, int n_sequences, int32_t *out_tokens, int32_t *out_targets) {
    shuffled_source *source = context;
    MS_TRY(source->from.next(source->from.context, n_sequences, out_tokens, out_targets));
    ms_control_shuffle(&source->pass, n_sequences * source->positions, out_targets);
    source->pass.i_pass++;
    return MS_OK;
}

/* The gradients of a step by passes over the batches of the source. */
static ms_status learn(ms_trainer *trainer, ms_batch_source source, const ms_step_hooks *hooks, double *out_loss) {
    if (trainer->shared) return ms_trainer_shared_learn(trainer, source, hooks, out_loss);
    MS_TRY(ms_trainer_next_batch(trainer, source));
    for (int i = 0; i < trainer->options.accumulation; i++) {
        double loss = 0;
        bool is_last = i + 1 == trainer->options.accumulation;
        ms_program *program = i == 0 ? trainer->first : trainer->next;
        MS_TRY(ms_trainer_run_batch(trainer, source, !is_last, program, is_last ? hooks : NULL, &loss));
        *out_loss += loss;
    }
    return MS_OK;
}

static ms_status learn_shuffled(ms_trainer *trainer, ms_batch_source source, const ms_step_hooks *hooks,
                                double *out_loss) {
    shuffled_source shuffled = {source,
                                {trainer->options.seed, trainer->step, 0},
                                trainer->options.model.sequence_length,
                                trainer->options.batch_sequences};
    const ms_batch_source wrapped = {next_shuffled, &shuffled, source.sequence_length,
                                     source.skip ? skip_shuffled : NULL};
    return learn(trainer, wrapped, hooks, out_loss);
}

/* Gradients that are noise; no loss. */
static ms_status make_noise(ms_trainer *trainer, const ms_step_hooks *hooks, double *out_loss) {
    float step = (float)trainer->step;
    *out_loss = NAN;
    if (trainer->step > MS_NOISE_LAST_STEP)
        return MS_FAIL(MS_INVALID, "train: noise is keyed by steps up to %d", MS_NOISE_LAST_STEP);
    MS_TRY(ms_store_upload(trainer->store, trainer->noise_step, 0, 1, &step));
    if (hooks && hooks->before_work) MS_TRY(hooks->before_work(hooks->context, trainer));
    MS_TRY(ms_program_run(trainer->first));
    return hooks && hooks->while_working ? hooks->while_working(hooks->context, trainer) : MS_OK;
}

static ms_status make_gradients(ms_trainer *trainer, ms_batch_source source, const ms_step_hooks *hooks,
                                double *out_loss) {
    switch (trainer->options.control) {
    case MS_CONTROL_NOISE:
        return ms_trainer_shared_drawn(trainer, make_noise(trainer, hooks, out_loss));
    case MS_CONTROL_SHUFFLED_TARGETS:
        return learn_shuffled(trainer, source, hooks, out_loss);
    case MS_CONTROL_NONE:
        break;
    }
    return learn(trainer, source, hooks, out_loss);
}

static ms_status next_step(const ms_trainer *trainer, ms_optimizer_step *out) {
    double factor = ms_schedule_factor(&trainer->options.schedule, trainer->step);
    return ms_optimizer_step_at(&trainer->optimizer, trainer->step, factor, out);
}

static ms_status upload_scalars(ms_trainer *trainer, ms_step_result *result) {
    const ms_optimizer *optimizer = &trainer->optimizer;
    ms_optimizer_step step;
    MS_TRY(next_step(trainer, &step));
    result->lr = trainer->last_rate = step.matrices_lr;
    result->adamw_lr = step.others_lr;
    return ms_store_upload(trainer->store, optimizer->step_scalars, 0, optimizer->n_step_scalars, step.scalars);
}

/* The norms of the three sections, and the gradient's norm, with one wait for the update. */
static ms_status download_norms(ms_trainer *trainer, double *out_gradient_norm) {
    const ms_optimizer *optimizer = &trainer->optimizer;
    int n = optimizer->n_norms;
    const ms_store_part parts[4] = {{optimizer->gradient_squares, 0, n},
                                    {optimizer->weight_squares, 0, n},
                                    {optimizer->update_squares, 0, n},
                                    {optimizer->clip, 0, 1}};
    double *norms = trainer->norm_buffer;
    void *const out[4] = {norms, norms + n, norms + 2 * n, out_gradient_norm};
    return ms_store_download_parts_f64(trainer->store, parts, 4, out);
}

/* Index of the first value of a variable that is not finite, -1 if there is none or no memory to look. */
static int64_t first_non_finite(ms_trainer *trainer, int variable, double *out_value) {
    ms_shape shape = ms_variables_get(trainer->variables, variable)->shape;
    int64_t count = ms_shape_count(&shape), found = -1;
    double *values = malloc((size_t)count * sizeof *values);
    if (values && ms_store_download_f64(trainer->store, variable, 0, count, values) == MS_OK)
        for (int64_t i = 0; found < 0 && i < count; i++)
            if (!isfinite(values[i])) found = i;
    if (found >= 0) *out_value = values[found];
    free(values);
    return found;
}

/* Names the first tensor with a value that is not finite: weights before gradients, since they are the cause.  Ranks
   that share the step find loss and norm alike, and rank 0 names the tensor: it has all weights, but the sum of the
   gradients in its own part alone; elsewhere are those of its last micro-step, so that a gradient that another rank
   made may stay unnamed. */
static ms_status fail_non_finite(ms_trainer *trainer, double loss, double norm) {
    long long step = (long long)trainer->step + 1;
    ms_trainer_shared_settle(trainer);
    for (int pass = 0; pass < 2; pass++) {
        for (int i = 0; i < trainer->model.n_parameters; i++) {
            const ms_parameter *parameter = &trainer->model.parameters[i];
            const ms_variable *variable = ms_variables_get(trainer->variables, parameter->variable);
            double value = 0;
            int64_t at = first_non_finite(trainer, pass ? parameter->gradient : parameter->variable, &value);
            if (at < 0) continue;
            bool stacked =
                variable->shape.rank > 1 && parameter->role != MS_ROLE_EMBEDDING && parameter->role != MS_ROLE_HEAD;
            int64_t per_layer = ms_shape_count(&variable->shape) / (stacked ? variable->shape.dim[0] : 1);
            char layer[32] = "";
            if (stacked) snprintf(layer, sizeof layer, ", layer %lld", (long long)(at / per_layer));
            return MS_FAIL(MS_NUMERIC, "step %lld: loss %g, gradient norm %g: %s%s%s has %g at element %lld", step,
                           loss, norm, pass ? "gradient of " : "", variable->name, layer, value,
                           (long long)(at % per_layer));
        }
    }
    return MS_FAIL(MS_NUMERIC, "step %lld: loss %g, gradient norm %g: not finite", step, loss, norm);
}

static ms_status update(ms_trainer *trainer, ms_step_result *out) {
    ms_program *program = trainer->capture_next && trainer->captured ? trainer->captured : trainer->update;
    trainer->capture_next = false;
    ms_status status = upload_scalars(trainer, out);
    if (trainer->shared) {
        status = ms_trainer_shared_update(trainer, program, status);
        if (status == MS_OK) status = download_norms(trainer, &out->gradient_norm);
        return ms_trainer_shared_norms(trainer, status);
    }
    MS_TRY(status);
    MS_TRY(ms_program_run(program));
    return download_norms(trainer, &out->gradient_norm);
}

ms_status ms_trainer_step(ms_trainer *trainer, ms_batch_source source, const ms_step_hooks *hooks,
                          ms_step_result *out) {
    *out = (ms_step_result){0};
    MS_TRY(ms_trainer_need_allocated(trainer, "a step"));
    MS_TRY_NOTE(ms_trainer_shared_begin(trainer), "step %lld", (long long)trainer->step + 1);
    MS_TRY_NOTE(make_gradients(trainer, source, hooks, &out->loss), "step %lld", (long long)trainer->step + 1);
    if (!isfinite(out->loss) && trainer->options.control != MS_CONTROL_NOISE)
        return fail_non_finite(trainer, out->loss, NAN);
    MS_TRY_NOTE(update(trainer, out), "step %lld", (long long)trainer->step + 1);
    if (!isfinite(out->gradient_norm)) return fail_non_finite(trainer, out->loss, out->gradient_norm);
    trainer->step++;
    trainer->tokens_seen += trainer->facts.tokens_per_step;
    return MS_OK;
}

ms_status ms_trainer_next_rates(const ms_trainer *trainer, double *out_lr, double *out_adamw_lr) {
    ms_optimizer_step step;
    MS_TRY(next_step(trainer, &step));
    *out_lr = step.matrices_lr;
    *out_adamw_lr = step.others_lr;
    return MS_OK;
}

/* What an evaluation keeps of the batch in work: the next one is fetched meanwhile. */
typedef struct evaluated_tokens {
    ms_frequency_losses *by_frequency; /* NULL: nothing is kept */
    int32_t *targets;                  /* [batch, T] */
    float *losses;
} evaluated_tokens;

static ms_status evaluate(ms_trainer *trainer, ms_batch_source source, int64_t n_batches, evaluated_tokens *kept,
                          double *out_loss) {
    size_t tokens = (size_t)trainer->options.batch_sequences * (size_t)trainer->options.model.sequence_length;
    double sum = 0;
    MS_TRY_NOTE(ms_trainer_next_batch(trainer, source), "validation");
    for (int64_t i = 0; i < n_batches; i++) {
        double loss = 0;
        MS_TRY(ms_signals_check("validation"));
        if (kept->by_frequency) memcpy(kept->targets, trainer->target_buffer, tokens * sizeof *kept->targets);
        MS_TRY_NOTE(ms_trainer_run_batch(trainer, source, i + 1 < n_batches, trainer->evaluate, NULL, &loss),
                    "validation");
        sum += loss;
        if (!kept->by_frequency) continue;
        MS_TRY_NOTE(ms_store_download(trainer->store, trainer->token_losses, 0, (int64_t)tokens, kept->losses),
                    "validation");
        ms_frequency_losses_add(kept->by_frequency, kept->targets, kept->losses, (int64_t)tokens);
    }
    *out_loss = sum / (double)n_batches;
    return MS_OK;
}

ms_status ms_trainer_evaluate_by_frequency(ms_trainer *trainer, ms_batch_source source, int64_t n_sequences,
                                           ms_frequency_losses *by_frequency, double *out_loss) {
    int32_t batch = trainer->options.batch_sequences;
    int64_t n_batches = (n_sequences + batch - 1) / batch;
    *out_loss = 0;
    MS_TRY(ms_trainer_need_allocated(trainer, "evaluation"));
    if (n_batches < 1) return MS_FAIL(MS_INVALID, "validation: %lld sequences", (long long)n_sequences);
    size_t tokens = by_frequency ? (size_t)batch * (size_t)trainer->options.model.sequence_length : 0;
    evaluated_tokens kept = {by_frequency, calloc(tokens + 1, sizeof *kept.targets),
                             calloc(tokens + 1, sizeof *kept.losses)};
    ms_status status = kept.targets && kept.losses
                           ? MS_OK
                           : MS_FAIL(MS_OUT_OF_MEMORY, "validation: no memory for the losses of %zu tokens", tokens);
    if (status == MS_OK) status = evaluate(trainer, source, n_batches, &kept, out_loss);
    free(kept.targets);
    free(kept.losses);
    return status;
}

ms_status ms_trainer_evaluate(ms_trainer *trainer, ms_batch_source source, int64_t n_sequences, double *out_loss) {
    return ms_trainer_evaluate_by_frequency(trainer, source, n_sequences, NULL, out_loss);
}

ms_status ms_trainer_run_probe(ms_trainer *trainer, const int32_t *tokens) {
    const ms_probe_variables *probe = &trainer->probe;
    if (!trainer->probe_graph) return MS_FAIL(MS_INVALID, "train: the trainer was opened without a probe");
    MS_TRY(ms_trainer_need_allocated(trainer, "a probe"));
    MS_TRY(ms_store_upload(trainer->store, probe->tokens, 0, (int64_t)probe->sequences * probe->length, tokens));
    return ms_program_run(trainer->probe_program);
}

ms_norms ms_trainer_norms(const ms_trainer *trainer, int i_parameter, int layer, int group) {
    int i = ms_optimizer_norm_index(&trainer->optimizer, i_parameter, layer, group);
    int n = trainer->optimizer.n_norms;
    const double *squares = trainer->norm_buffer;
    return (ms_norms){sqrt(squares[i]), sqrt(squares[n + i]), sqrt(squares[2 * n + i])};
}
