/* Tracking that ranks share: each computes the matrices that it updates, whose captures it has, and rank 0, which has
   the files, gets numbers.  All ranks are in step, so all have the same snapshots and the same steps kept. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/blas.h"
#include "train/tracking_impl.h"
#include "train/trainer_group.h"

/* A rank that waits for its own work says this often that it lives: well below the least parallel.timeout, 0.1 s. */
static const double wait_seconds = 0.02;

bool ms_tracking_is_shared(const ms_trainer *trainer) { return trainer->shared && trainer->shared->n_ranks > 1; }

void ms_tracking_find_owners(const ms_trainer *trainer, const ms_weight_matrix *matrices, int n, int *out) {
    for (int i = 0; i < n; i++) {
        out[i] = 0;
        if (!ms_tracking_is_shared(trainer)) continue;
        const ms_ownership *ownership = &trainer->shared->ownership;
        while (ms_ownership_first_row(ownership, matrices[i].i_parameter, out[i] + 1) <= matrices[i].layer) out[i]++;
    }
}

ms_status ms_tracking_compare_kernels(ms_tracking *tracking) {
    snprintf(tracking->kernels[tracking->rank], MS_TRACKING_KERNELS, "%s", ms_blas_description());
    MS_TRY(ms_group_all_gather_equal(tracking->group, tracking->kernels, MS_TRACKING_KERNELS));
    for (int r = ms_group_size(tracking->group) - 1; r > 0; r--) /* the first of them is named */
        if (strcmp(tracking->kernels[r], tracking->kernels[0]) != 0)
            snprintf(tracking->note, sizeof tracking->note,
                     "rank %d computes its spectra by OpenBLAS for %s, rank 0 for %s: their last digits are not those "
                     "of one process; OPENBLAS_CORETYPE in the environment of all ranks names one for all",
                     r, tracking->kernels[r], tracking->kernels[0]);
    return MS_OK;
}

/* ---- what is handed over: bytes of matrix i ---- */

typedef struct piece {
    size_t (*bytes)(const ms_tracking *tracking, int i);
    void (*get)(const ms_tracking *tracking, int i, char *out);
    void (*put)(ms_tracking *tracking, int i, const char *bytes);
} piece;

static size_t snapshot_bytes(const ms_tracking *tracking, int i) {
    return (size_t)(tracking->n_handed_next - tracking->n_handed) * ms_tracker_result_bytes(tracking->tracker, i);
}

static size_t results_bytes(const ms_tracking *tracking, int i) {
    return snapshot_bytes(tracking, i) + (tracking->steps ? ms_step_sigma_kept_bytes(tracking->steps) : 0);
}

static void get_results(const ms_tracking *tracking, int i, char *out) {
    for (int64_t k = tracking->n_handed; k < tracking->n_handed_next; k++) {
        ms_tracker_get_result(tracking->tracker, k, i, out);
        out += ms_tracker_result_bytes(tracking->tracker, i);
    }
    if (tracking->steps) ms_step_sigma_get_kept(tracking->steps, i, out);
}

static void put_results(ms_tracking *tracking, int i, const char *bytes) {
    for (int64_t k = tracking->n_handed; k < tracking->n_handed_next; k++) {
        ms_tracker_put_result(tracking->tracker, k, i, bytes);
        bytes += ms_tracker_result_bytes(tracking->tracker, i);
    }
    if (tracking->steps) ms_step_sigma_put_kept(tracking->steps, i, bytes);
}

static const piece results = {results_bytes, get_results, put_results};

static size_t state_bytes(const ms_tracking *tracking, int i) {
    return ms_tracker_last_bytes(tracking->tracker, i) +
           (tracking->steps ? ms_step_sigma_directions_bytes(tracking->steps, i) : 0);
}

static void get_state(const ms_tracking *tracking, int i, char *out) {
    ms_tracker_get_last(tracking->tracker, i, out);
    out += ms_tracker_last_bytes(tracking->tracker, i);
    if (tracking->steps) ms_step_sigma_get_directions(tracking->steps, i, out);
}

static void put_state(ms_tracking *tracking, int i, const char *bytes) {
    ms_tracker_put_last(tracking->tracker, i, bytes);
    bytes += ms_tracker_last_bytes(tracking->tracker, i);
    if (tracking->steps) ms_step_sigma_put_directions(tracking->steps, i, bytes);
}

static const piece state = {state_bytes, get_state, put_state};

/* ---- handing over ---- */

static size_t bytes_of_rank(const ms_tracking *tracking, const piece *what, int rank) {
    size_t bytes = 0;
    for (int i = 0; i < tracking->n_matrices; i++)
        if (tracking->owners[i] == rank) bytes += what->bytes(tracking, i);
    return bytes;
}

/* The pieces of a rank's matrices, one after the other. */
static void pack(const ms_tracking *tracking, const piece *what, int rank, char *at) {
    for (int i = 0; i < tracking->n_matrices; i++) {
        if (tracking->owners[i] != rank) continue;
        what->get(tracking, i, at);
        at += what->bytes(tracking, i);
    }
}

static void unpack(ms_tracking *tracking, const piece *what, int rank, const char *at) {
    for (int i = 0; i < tracking->n_matrices; i++) {
        if (tracking->owners[i] != rank) continue;
        what->put(tracking, i, at);
        at += what->bytes(tracking, i);
    }
}

/* All ranks: rank 0 gets the pieces of all others, or gives them theirs. */
static ms_status move(ms_tracking *tracking, const piece *what, bool to_rank_0) {
    int n_ranks = ms_group_size(tracking->group), rank = tracking->rank;
    size_t total = 1;
    for (int r = 1; r < n_ranks; r++) total += rank == 0 || rank == r ? bytes_of_rank(tracking, what, r) : 0;
    ms_message *messages = calloc(2 * (size_t)n_ranks, sizeof *messages);
    char *memory = malloc(total), *at = memory;
    ms_status status =
        messages && memory ? MS_OK : MS_FAIL(MS_OUT_OF_MEMORY, "tracker: no memory for %zu bytes of results", total);
    status = ms_group_agree(tracking->group, status);
    for (int r = 1; status == MS_OK && r < n_ranks; r++) {
        if (rank != 0 && rank != r) continue;
        const ms_message of_rank = {at, bytes_of_rank(tracking, what, r)};
        bool sends = to_rank_0 == (rank > 0);
        if (sends) pack(tracking, what, r, at);
        messages[(sends ? 0 : n_ranks) + (rank == 0 ? r : 0)] = of_rank;
        at += of_rank.bytes;
    }
    if (status == MS_OK) status = ms_group_exchange(tracking->group, messages, messages + n_ranks);
    at = memory;
    for (int r = 1; status == MS_OK && r < n_ranks; r++) {
        if (to_rank_0 ? rank > 0 : rank != r) continue;
        unpack(tracking, what, r, at);
        at += bytes_of_rank(tracking, what, r);
    }
    free(messages);
    free(memory);
    return status;
}

/* Until all ranks have computed n snapshots; how many all have.  A rank that computes for long says so again and again,
   so that the timeout of the group is that of a rank which is lost. */
static ms_status wait_for_all(ms_tracking *tracking, ms_status status, int64_t n, int64_t *out_n_computed) {
    int n_ranks = ms_group_size(tracking->group);
    do {
        int64_t *own = &tracking->n_computed[tracking->rank];
        if (status == MS_OK) status = ms_tracker_wait_computed(tracking->tracker, n, wait_seconds, own);
        MS_TRY(ms_group_agree(tracking->group, status));
        MS_TRY(ms_group_all_gather_equal(tracking->group, tracking->n_computed, sizeof *own));
        *out_n_computed = *own;
        for (int r = 0; r < n_ranks; r++)
            if (tracking->n_computed[r] < *out_n_computed) *out_n_computed = tracking->n_computed[r];
    } while (*out_n_computed < n);
    return MS_OK;
}

/* Rank 0: the numbers of the snapshots that wait, step by step, then the lines of the steps after them. */
static ms_status write_results(ms_tracking *tracking) {
    for (; tracking->n_reported < ms_tracker_n_submitted(tracking->tracker); tracking->n_reported++) {
        int64_t step;
        ms_tracker_slot *slot = ms_tracker_submitted(tracking->tracker, tracking->n_reported, &step);
        if (!slot->has_update) continue; /* it has none */
        if (tracking->steps) MS_TRY(ms_step_sigma_write_kept(tracking->steps, step));
        MS_TRY(ms_tracking_report_steps(tracking, slot));
    }
    if (tracking->steps) MS_TRY(ms_step_sigma_write_kept(tracking->steps, INT64_MAX));
    ms_tracker_given(tracking->tracker, tracking->n_handed);
    return MS_OK;
}

/* All ranks.  n: as ms_tracking_hand_over. */
static ms_status hand_over(ms_tracking *tracking, int64_t n) {
    bool lacks_one = n > ms_tracker_n_submitted(tracking->tracker);
    ms_status status = n < 0 || lacks_one ? ms_tracking_complete(tracking) : MS_OK;
    if (status == MS_OK && tracking->steps) status = ms_step_sigma_drain(tracking->steps);
    if (n < 0) n = ms_tracker_n_submitted(tracking->tracker);
    MS_TRY(wait_for_all(tracking, status, n, &tracking->n_handed_next));
    MS_TRY(move(tracking, &results, true));
    tracking->n_handed = tracking->n_handed_next;
    tracking->n_steps_kept = 0;
    if (tracking->rank == 0) MS_TRY(write_results(tracking));
    if (tracking->steps) ms_step_sigma_forget_kept(tracking->steps);
    return MS_OK;
}

ms_status ms_tracking_hand_over(ms_tracking *tracking, int64_t n_snapshots) {
    MS_TRY(ms_group_lead(tracking->group, MS_GROUP_TRACK_LINES, n_snapshots));
    return hand_over(tracking, n_snapshots);
}

ms_status ms_tracking_collect_state(ms_tracking *tracking) {
    MS_TRY(ms_group_lead(tracking->group, MS_GROUP_TRACK_STATE, 0));
    return move(tracking, &state, true);
}

ms_status ms_tracking_give_state(ms_tracking *tracking) {
    MS_TRY(ms_group_lead(tracking->group, MS_GROUP_TRACK_RESTORE, 0));
    return move(tracking, &state, false);
}

ms_status ms_tracking_follow(ms_tracking *tracking, ms_group_command command, int64_t argument) {
    switch (command) {
    case MS_GROUP_TRACK_FIRST:
        return ms_group_agree(tracking->group, ms_tracking_take_own_first(tracking));
    case MS_GROUP_TRACK_LINES:
        return hand_over(tracking, argument);
    case MS_GROUP_TRACK_STATE:
        return move(tracking, &state, true);
    case MS_GROUP_TRACK_RESTORE:
        return move(tracking, &state, false);
    default:
        return MS_FAIL(MS_INTERNAL, "ranks: command %d is not for a tracker", (int)command);
    }
}
