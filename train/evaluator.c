#include "train/evaluator.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "backend/ir/build.h"
#include "backend/ir/passes.h"
#include "model/checkpoint/named_tensors.h"
#include "model/data/dataset.h"

struct ms_evaluator {
    ms_variables *variables;
    ms_model model;
    ms_store *store;
    ms_program *program;
    int tokens, targets, losses; /* variables, [B * T] */
    int32_t batch;
};

static int64_t tokens_of(const ms_evaluator *evaluator) {
    return (int64_t)evaluator->batch * evaluator->model.config.sequence_length;
}

static ms_status fill(ms_evaluator *evaluator, ms_graph *graph) {
    ms_loss_request request = {.tokens = ms_view_all(graph, evaluator->tokens),
                               .targets = ms_view_all(graph, evaluator->targets),
                               .batch = evaluator->batch,
                               .sequence = evaluator->model.config.sequence_length,
                               .scale = 1,
                               .chunk = MS_LOSS_CHUNK};
    ms_tensor losses;
    (void)ms_model_losses(&evaluator->model, graph, &request, &losses);
    ms_assign(graph, losses, ms_view_all(graph, evaluator->losses));
    return ms_graph_status(graph);
}

static ms_status compile(ms_evaluator *evaluator) {
    ms_graph *graph, *finished = NULL;
    MS_TRY(ms_graph_create(evaluator->variables, -1, &graph));
    ms_status status = fill(evaluator, graph);
    if (status == MS_OK) status = ms_graph_finish(graph, &finished);
    if (status == MS_OK) status = ms_program_compile(evaluator->store, finished, &evaluator->program);
    ms_graph_destroy(finished);
    ms_graph_destroy(graph);
    return status;
}

static ms_status build(ms_evaluator *evaluator, ms_device *device, const ms_model_config *config) {
    int64_t n = (int64_t)evaluator->batch * config->sequence_length;
    if (evaluator->batch < 1 || n > MS_PASS_TOKENS_MAX)
        return MS_FAIL(MS_INVALID, "evaluate: a pass of %d sequences of %d tokens: 1 to %d tokens are possible",
                       evaluator->batch, config->sequence_length, MS_PASS_TOKENS_MAX);
    MS_TRY(ms_variables_create(&evaluator->variables));
    MS_TRY(ms_model_init(config, evaluator->variables, &evaluator->model));
    MS_TRY(ms_variables_add(evaluator->variables, "tokens", MS_VARIABLE_INPUT, MS_DTYPE_I32, ms_shape_1(n),
                            &evaluator->tokens));
    MS_TRY(ms_variables_add(evaluator->variables, "targets", MS_VARIABLE_INPUT, MS_DTYPE_I32, ms_shape_1(n),
                            &evaluator->targets));
    MS_TRY(ms_variables_add(evaluator->variables, "token_losses", MS_VARIABLE_OUTPUT, MS_DTYPE_F32, ms_shape_1(n),
                            &evaluator->losses));
    MS_TRY(ms_store_create(device, evaluator->variables, &evaluator->store));
    MS_TRY(ms_model_upload_constants(&evaluator->model, evaluator->store));
    return compile(evaluator);
}

ms_status ms_evaluator_open(ms_device *device, const ms_model_config *config, int32_t batch_sequences,
                            ms_evaluator **out) {
    *out = NULL;
    ms_evaluator *evaluator = calloc(1, sizeof *evaluator);
    if (!evaluator) return MS_FAIL(MS_OUT_OF_MEMORY, "evaluate: no memory");
    evaluator->batch = batch_sequences;
    ms_status status = build(evaluator, device, config);
    if (status != MS_OK) {
        ms_evaluator_close(evaluator);
        return status;
    }
    *out = evaluator;
    return MS_OK;
}

void ms_evaluator_close(ms_evaluator *evaluator) {
    if (!evaluator) return;
    ms_program_destroy(evaluator->program);
    ms_store_destroy(evaluator->store);
    ms_variables_destroy(evaluator->variables);
    free(evaluator);
}

ms_status ms_evaluator_load(ms_evaluator *evaluator, const ms_safetensors *file) {
    return ms_named_tensors_upload(evaluator->store, evaluator->variables, MS_VARIABLE_PARAMETER, file);
}

ms_status ms_evaluator_load_from(ms_evaluator *evaluator, const ms_weight_source *source) {
    ms_named_tensors list;
    ms_status status = ms_named_tensors_allocate(evaluator->variables, MS_VARIABLE_PARAMETER, &list);
    if (status == MS_OK) status = source->fill(source->context, &evaluator->model.config, list.tensors, list.n_tensors);
    if (status == MS_OK)
        status = ms_named_tensors_put(evaluator->store, evaluator->variables, MS_VARIABLE_PARAMETER, &list);
    ms_named_tensors_finish(&list);
    return status;
}

ms_status ms_evaluator_losses(ms_evaluator *evaluator, const int32_t *tokens, const int32_t *targets,
                              float *out_losses) {
    int64_t n = tokens_of(evaluator);
    int32_t vocabulary = evaluator->model.config.vocabulary;
    for (int64_t i = 0; i < n; i++)
        if (tokens[i] < 0 || tokens[i] >= vocabulary || targets[i] < MS_NO_TARGET || targets[i] >= vocabulary)
            return MS_FAIL(MS_INVALID, "evaluate: token %d with target %d: the vocabulary of the model is %d",
                           tokens[i], targets[i], vocabulary);
    MS_TRY(ms_store_upload(evaluator->store, evaluator->tokens, 0, n, tokens));
    MS_TRY(ms_store_upload(evaluator->store, evaluator->targets, 0, n, targets));
    MS_TRY(ms_program_run(evaluator->program));
    MS_TRY(ms_store_download(evaluator->store, evaluator->losses, 0, n, out_losses));
    for (int64_t i = 0; i < n; i++)
        if (!isfinite(out_losses[i]))
            return MS_FAIL(MS_NUMERIC, "evaluate: the loss of token %d is %g", targets[i], (double)out_losses[i]);
    return MS_OK;
}

/* ---- documents ---- */

/* A document that has windows in the batch. */
typedef struct pending {
    int64_t n_scored;
    double log_likelihood;
} pending;

struct ms_scorer {
    ms_evaluator *evaluator;
    int64_t stride;
    ms_document_scored scored;
    void *context;
    int32_t n_windows; /* in the batch */
    int32_t *tokens, *targets;
    float *losses;      /* all [B, T] */
    int64_t *i_pending; /* [B]: whose window it is */
    pending *pending;   /* [n_pending] of [B]: the documents of the batch, the first is number i_first */
    int64_t n_pending, i_first;
};

ms_status ms_scorer_create(ms_evaluator *evaluator, int64_t stride, ms_document_scored scored, void *context,
                           ms_scorer **out) {
    *out = NULL;
    int32_t length = evaluator->model.config.sequence_length;
    if (stride < 1 || stride > length)
        return MS_FAIL(MS_INVALID, "evaluate: windows %lld tokens apart: 1 to %d are possible, a sequence",
                       (long long)stride, length);
    ms_scorer *scorer = calloc(1, sizeof *scorer);
    if (!scorer) return MS_FAIL(MS_OUT_OF_MEMORY, "evaluate: no memory");
    size_t n = (size_t)tokens_of(evaluator), batch = (size_t)evaluator->batch;
    *scorer = (ms_scorer){.evaluator = evaluator,
                          .stride = stride,
                          .scored = scored,
                          .context = context,
                          .tokens = calloc(n, sizeof *scorer->tokens),
                          .targets = calloc(n, sizeof *scorer->targets),
                          .losses = calloc(n, sizeof *scorer->losses),
                          .i_pending = calloc(batch, sizeof *scorer->i_pending),
                          .pending = calloc(batch, sizeof *scorer->pending)};
    if (!scorer->tokens || !scorer->targets || !scorer->losses || !scorer->i_pending || !scorer->pending) {
        ms_scorer_destroy(scorer);
        return MS_FAIL(MS_OUT_OF_MEMORY, "evaluate: no memory for a batch of %zu tokens", n);
    }
    *out = scorer;
    return MS_OK;
}

void ms_scorer_destroy(ms_scorer *scorer) {
    if (!scorer) return;
    free(scorer->tokens);
    free(scorer->targets);
    free(scorer->losses);
    free(scorer->i_pending);
    free(scorer->pending);
    free(scorer);
}

/* Hands out documents from the first on, all or all but the last, whose windows may go on in the next batch. */
static ms_status hand_out(ms_scorer *scorer, bool is_last_whole) {
    int64_t n = scorer->n_pending - !is_last_whole;
    for (int64_t i = 0; i < n; i++)
        MS_TRY(scorer->scored(scorer->context, scorer->i_first + i, scorer->pending[i].n_scored,
                              scorer->pending[i].log_likelihood));
    if (n > 0 && !is_last_whole) scorer->pending[0] = scorer->pending[n];
    scorer->n_pending -= n;
    scorer->i_first += n;
    return MS_OK;
}

/* Runs the batch, whose unused rows have no targets. */
static ms_status run_batch(ms_scorer *scorer) {
    int64_t length = scorer->evaluator->model.config.sequence_length;
    int64_t used = scorer->n_windows * length, all = tokens_of(scorer->evaluator);
    if (used == 0) return MS_OK;
    for (int64_t i = used; i < all; i++) {
        scorer->tokens[i] = 0;
        scorer->targets[i] = MS_NO_TARGET;
    }
    MS_TRY(ms_evaluator_losses(scorer->evaluator, scorer->tokens, scorer->targets, scorer->losses));
    for (int64_t i = 0; i < used; i++) {
        if (scorer->targets[i] == MS_NO_TARGET) continue;
        pending *document = &scorer->pending[scorer->i_pending[i / length]];
        document->n_scored++;
        document->log_likelihood -= (double)scorer->losses[i];
    }
    scorer->n_windows = 0;
    return MS_OK;
}

/* A window of the newest document: the targets from `first` on are scored. */
static void add_window(ms_scorer *scorer, const int32_t *ids, int64_t n, int64_t first) {
    int64_t length = scorer->evaluator->model.config.sequence_length, at = scorer->n_windows * length;
    for (int64_t i = 0; i < length; i++) {
        scorer->tokens[at + i] = i < n ? ids[i] : 0;
        scorer->targets[at + i] = i >= first && i + 1 < n ? ids[i + 1] : MS_NO_TARGET;
    }
    scorer->i_pending[scorer->n_windows++] = scorer->n_pending - 1;
}

ms_status ms_scorer_add(ms_scorer *scorer, const int32_t *ids, int64_t n) {
    int64_t length = scorer->evaluator->model.config.sequence_length;
    if (n < 1) return MS_FAIL(MS_INVALID, "evaluate: a document without a token");
    if (scorer->n_pending == scorer->evaluator->batch) {
        MS_TRY(run_batch(scorer));
        MS_TRY(hand_out(scorer, true));
    }
    scorer->pending[scorer->n_pending++] = (pending){0};
    /* Position p of a window predicts the token after it: windows of `length` positions see length + 1 tokens. */
    for (int64_t begin = 0, scored = 0; scored < n - 1; begin += scorer->stride) {
        if (scorer->n_windows == scorer->evaluator->batch) {
            MS_TRY(run_batch(scorer));
            MS_TRY(hand_out(scorer, false));
        }
        add_window(scorer, ids + begin, n - begin, scored - begin);
        scored = begin + length < n - 1 ? begin + length : n - 1;
    }
    return MS_OK;
}

ms_status ms_scorer_finish(ms_scorer *scorer) {
    MS_TRY(run_batch(scorer));
    return hand_out(scorer, true);
}
