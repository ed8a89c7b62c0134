/* The largest attention logits of a step that ranks share.  A largest number is the same in every order, so that
   QK-clip has the bits of one rank. */
#include <math.h>
#include <stdlib.h>

#include "train/trainer_group.h"

int64_t ms_trainer_maxima_count(const ms_trainer *trainer) {
    const ms_model_config *model = &trainer->model.config;
    return trainer->model.logit_max < 0 ? 0 : (int64_t)model->layers * model->heads;
}

static float *maxima_of(const ms_trainer *trainer, int rank) {
    return trainer->shared->maxima + rank * ms_trainer_maxima_count(trainer);
}

/* NaN where one is NaN, as the graph has it (maximum, backend/ir/ops.def).  The sign of 0 counts for nothing here. */
static void keep_larger(int64_t n, const float *x, float *kept) {
    for (int64_t i = 0; i < n; i++)
        if (x[i] > kept[i] || isnan(x[i])) kept[i] = x[i];
}

ms_status ms_trainer_maxima_allocate(ms_trainer *trainer) {
    int64_t n = ms_trainer_maxima_count(trainer);
    if (n == 0) return MS_OK;
    trainer->shared->maxima = calloc(((size_t)trainer->shared->n_ranks + 1) * (size_t)n, sizeof(float));
    if (trainer->shared->maxima) return MS_OK;
    return MS_FAIL(MS_OUT_OF_MEMORY, "ranks: no memory for the largest logits of %lld heads", (long long)n);
}

void ms_trainer_maxima_begin(ms_trainer *trainer) {
    int64_t n = ms_trainer_maxima_count(trainer);
    for (int64_t i = 0; i < n; i++) maxima_of(trainer, trainer->shared->rank)[i] = -INFINITY;
}

ms_status ms_trainer_maxima_note(ms_trainer *trainer) {
    int64_t n = ms_trainer_maxima_count(trainer);
    if (n == 0) return MS_OK;
    float *made = maxima_of(trainer, trainer->shared->n_ranks);
    MS_TRY(ms_store_download(trainer->store, trainer->model.logit_max, 0, n, made));
    keep_larger(n, made, maxima_of(trainer, trainer->shared->rank));
    return MS_OK;
}

ms_status ms_trainer_maxima_exchange(ms_trainer *trainer) {
    ms_trainer_shared *shared = trainer->shared;
    int64_t n = ms_trainer_maxima_count(trainer);
    if (n == 0) return MS_OK;
    MS_TRY(ms_group_all_gather_equal(shared->group, shared->maxima, (size_t)n * sizeof(float)));
    for (int r = 0; r < shared->n_ranks; r++) keep_larger(n, maxima_of(trainer, r), maxima_of(trainer, shared->rank));
    return MS_OK;
}

ms_status ms_trainer_maxima_upload(ms_trainer *trainer) {
    int64_t n = ms_trainer_maxima_count(trainer);
    if (n == 0) return MS_OK;
    const float *own = maxima_of(trainer, trainer->shared->rank);
    return ms_store_upload(trainer->store, trainer->model.logit_max, 0, n, own);
}
