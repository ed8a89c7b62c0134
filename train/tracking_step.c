/* What tracking does around a step. */
#include <math.h>
#include <string.h>

#include "train/tracking_impl.h"

/* n_parts: only the weights, or what is captured too.  buffers: one each. */
static ms_status download(ms_tracking *tracking, int n_parts, float **buffers) {
    if (n_parts == 0) return MS_OK; /* a rank may own no matrix */
    return ms_store_download_parts(tracking->trainer->store, tracking->parts, n_parts, (void *const *)buffers);
}

/* A snapshot was begun, and its update has been made. */
static bool has_new_weights_to_fetch(const ms_tracking *tracking) {
    return tracking->slot && tracking->slot_step >= 0 && !tracking->slot_is_fetched;
}

/* The weights as they are have not been handed over yet. */
static bool has_step_to_fetch(const ms_tracking *tracking) {
    return tracking->steps && ms_step_sigma_step(tracking->steps) != tracking->trainer->step;
}

static ms_status fetch_step(ms_tracking *tracking) {
    const ms_trainer *trainer = tracking->trainer;
    float **places;
    if (!has_step_to_fetch(tracking)) return MS_OK;
    MS_TRY(ms_step_sigma_next(tracking->steps, &places));
    MS_TRY(download(tracking, tracking->n_own, places));
    return ms_step_sigma_submit(
        tracking->steps, &(ms_step_sigma_submission){trainer->step, trainer->tokens_seen, tracking->decay_share});
}

ms_status ms_tracking_report_steps(ms_tracking *tracking, ms_tracker_slot *slot) {
    if (tracking->steps) MS_TRY(ms_step_sigma_take(tracking->steps, tracking->sums));
    for (int i = 0; i < tracking->n_matrices; i++) {
        const ms_step_sigma_sums nothing = {NAN, NAN, NAN, NAN, NAN};
        const ms_step_sigma_sums *sums = tracking->steps ? &tracking->sums[i] : &nothing;
        slot->growth_bound[i] = sums->bound;
        slot->ceiling_measured[i] = sums->total;
        slot->sigma_max_peak[i] = sums->sigma_peak;
        slot->sigma_residual_peak[i] = sums->residual_peak;
        slot->update_sigma_max_peak[i] = sums->update_peak;
    }
    return MS_OK;
}

/* Hands a snapshot that was fetched to the tracker. */
static ms_status submit_snapshot(ms_tracking *tracking) {
    ms_tracker_slot *slot = tracking->slot;
    if (!tracking->slot_is_fetched) return MS_OK;
    tracking->slot = NULL;
    tracking->slot_is_fetched = false;
    if (!tracking->group) MS_TRY(ms_tracking_report_steps(tracking, slot)); /* else when all have handed over */
    return ms_tracker_submit(tracking->tracker, slot, tracking->slot_step, tracking->slot_tokens);
}

/* Fetches the new weights of a snapshot and what was captured of its update.  The slot of a step that failed before its
   update is left: closing the tracker drops it. */
static ms_status fetch_snapshot(ms_tracking *tracking) {
    if (!has_new_weights_to_fetch(tracking)) return MS_OK;
    /* momentum and orthogonal follow it */
    MS_TRY(download(tracking, tracking->n_parts, tracking->slot->weight_after));
    tracking->slot_is_fetched = true;
    return MS_OK;
}

/* A snapshot that was fetched is of the step before the one that is fetched now, whose sums are not its own. */
ms_status ms_tracking_complete(ms_tracking *tracking) {
    MS_TRY(submit_snapshot(tracking));
    MS_TRY(fetch_step(tracking));
    MS_TRY(fetch_snapshot(tracking));
    return submit_snapshot(tracking);
}

static ms_status before_work(void *context, ms_trainer *trainer) {
    ms_tracking *tracking = context;
    bool has_new = has_new_weights_to_fetch(tracking);
    if (!tracking->want_snapshot && !has_new && !has_step_to_fetch(tracking)) return MS_OK;
    return ms_store_announce(trainer->store, tracking->parts, has_new ? tracking->n_parts : tracking->n_own);
}

static ms_status while_working(void *context, ms_trainer *trainer) {
    ms_tracking *tracking = context;
    double others_lr;
    MS_TRY(ms_trainer_next_rates(trainer, &tracking->coming_lr, &others_lr)); /* the same as tracking->trainer */
    MS_TRY(submit_snapshot(tracking));
    MS_TRY(fetch_step(tracking));
    MS_TRY(fetch_snapshot(tracking));
    /* The work on the last step has all of the coming one, unless the next snapshot needs the slot. */
    if (!tracking->steps || tracking->want_snapshot) MS_TRY(submit_snapshot(tracking));
    if (!tracking->want_snapshot) return MS_OK;
    MS_TRY(ms_tracker_acquire(tracking->tracker, &tracking->slot));
    tracking->slot_step = -1;
    trainer->capture_next = tracking->slot != NULL;
    return tracking->slot ? download(tracking, tracking->n_own, tracking->slot->weight_before) : MS_OK;
}

ms_status ms_tracking_take_own_first(ms_tracking *tracking) {
    ms_tracker_slot *slot;
    MS_TRY(ms_tracker_acquire(tracking->tracker, &slot)); /* all slots are free */
    slot->has_update = false;
#define ABOUT(key, ...)
#define LIST(key, ...)
#define SCALAR(key, ...)
#define SLOT(key, ...)                                                                                                 \
    for (int i = 0; i < tracking->n_matrices; i++) slot->key[i] = NAN;
#include "tracker/metrics.def"
    MS_TRY(download(tracking, tracking->n_own, slot->weight_after));
    MS_TRY(fetch_step(tracking));
    return ms_tracker_submit(tracking->tracker, slot, tracking->trainer->step, tracking->trainer->tokens_seen);
}

ms_status ms_tracking_take_first(ms_tracking *tracking) {
    if (!tracking->group) return ms_tracking_take_own_first(tracking);
    MS_TRY(ms_group_lead(tracking->group, MS_GROUP_TRACK_FIRST, 0));
    return ms_group_agree(tracking->group, ms_tracking_take_own_first(tracking));
}

ms_step_hooks ms_tracking_follow_step(ms_tracking *tracking, bool want_snapshot) {
    tracking->want_snapshot = want_snapshot;
    tracking->n_steps_kept++;
    return (ms_step_hooks){before_work, while_working, tracking};
}

/* What was computed goes to rank 0 before each snapshot, and before too many steps are kept.  A snapshot needs a slot
   on all ranks: rank 0's is free when all have computed what was in it. */
static ms_status prepare_ranks(ms_tracking *tracking, bool *want_snapshot) {
    int64_t n_begun = ms_tracker_n_submitted(tracking->tracker) + (tracking->slot != NULL);
    bool is_full = tracking->steps && tracking->n_steps_kept >= MS_STEP_SIGMA_KEPT / 2;
    if (!*want_snapshot && !is_full) return MS_OK;
    int64_t n_needed = n_begun - (tracking->n_slots - 1);
    MS_TRY(ms_tracking_hand_over(tracking, *want_snapshot && !tracking->skips && n_needed > 0 ? n_needed : 0));
    if (*want_snapshot && tracking->skips && tracking->n_handed < n_needed) {
        tracking->n_skipped++;
        *want_snapshot = false;
    }
    return MS_OK;
}

ms_status ms_tracking_hooks(ms_tracking *tracking, bool want_snapshot, ms_step_hooks *out) {
    if (tracking->group) MS_TRY(prepare_ranks(tracking, &want_snapshot));
    tracking->trainer->wants_snapshot = want_snapshot;
    *out = ms_tracking_follow_step(tracking, want_snapshot);
    return MS_OK;
}

static double larger(double a, double b) { return a > b ? a : b; }

/* c of the step that was just made; NaN: decay is of another form. */
static double last_decay_share(const ms_trainer *trainer) {
    const ms_optimizer_rule_in_use *in_use = &trainer->optimizer.rules[0];
    const ms_interventions *interventions = &trainer->optimizer.config.interventions;
    bool is_plain = !interventions->cautious_decay && !ms_interventions_on_weights(interventions);
    return is_plain && in_use->use.rule->decay_share
               ? in_use->use.rule->decay_share(in_use->use.settings, trainer->last_rate)
               : NAN;
}

void ms_tracking_after_update(ms_tracking *tracking) {
    ms_tracker_slot *slot = tracking->slot_is_fetched ? NULL : tracking->slot;
    ms_noise_null_advance(&tracking->noise_null, tracking->trainer, tracking->coming_lr);
    ms_growth_advance(&tracking->growth, tracking->trainer, tracking->coming_lr);
    tracking->decay_share = last_decay_share(tracking->trainer);
    for (int i = 0; i < tracking->n_matrices; i++) {
        const ms_weight_matrix *matrix = &tracking->matrices[i];
        ms_norms now = ms_trainer_norms(tracking->trainer, matrix->i_parameter, matrix->layer, matrix->group);
        ms_norms *most = &tracking->maxima[i];
        *most = (ms_norms){larger(most->gradient, now.gradient), larger(most->weight, now.weight),
                           larger(most->update, now.update)};
        if (!slot) continue;
        slot->grad_norm[i] = now.gradient;
        slot->update_norm[i] = now.update;
        slot->grad_norm_max[i] = most->gradient;
        slot->weight_norm_max[i] = most->weight;
        slot->update_norm_max[i] = most->update;
        slot->noise_null[i] = ms_noise_null_sigma(&tracking->noise_null, i);
    }
    if (!slot) return;
    ms_growth_report(&tracking->growth, slot);
    slot->decay_share = tracking->decay_share;
    tracking->slot_step = tracking->trainer->step;
    tracking->slot_tokens = tracking->trainer->tokens_seen;
    memset(tracking->maxima, 0, (size_t)tracking->n_matrices * sizeof *tracking->maxima);
}

ms_status ms_tracking_drain(ms_tracking *tracking) {
    MS_TRY(tracking->group ? ms_tracking_hand_over(tracking, -1) : ms_tracking_complete(tracking));
    if (tracking->steps) MS_TRY(ms_step_sigma_drain(tracking->steps));
    return ms_tracker_drain(tracking->tracker);
}
