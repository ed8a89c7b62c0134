/* What several trackers that compute parts of the same snapshots hand each other. */
#include <string.h>
#include <time.h>

#include "tracker/tracker_impl.h"

int64_t ms_tracker_n_submitted(const ms_tracker *tracker) { return tracker->n_submitted; }

ms_tracker_slot *ms_tracker_submitted(ms_tracker *tracker, int64_t i_snapshot, int64_t *out_step) {
    ms_tracker_snapshot *shot = &tracker->snapshots[i_snapshot % tracker->n_slots];
    *out_step = shot->step;
    return &shot->slot;
}

ms_status ms_tracker_wait_computed(ms_tracker *tracker, int64_t n, double seconds, int64_t *out_n_computed) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until); /* as pthread_cond_timedwait has it */
    int64_t ns = until.tv_nsec + (int64_t)(seconds * 1e9);
    until.tv_sec += ns / 1000000000;
    until.tv_nsec = ns % 1000000000;
    pthread_mutex_lock(&tracker->mutex);
    while (tracker->n_computed < n && tracker->failed == MS_OK)
        if (pthread_cond_timedwait(&tracker->changed, &tracker->mutex, &until) != 0) break;
    *out_n_computed = tracker->n_computed;
    ms_status status = ms_tracker_background_status(tracker);
    pthread_mutex_unlock(&tracker->mutex);
    return status;
}

/* The complete spectra of matrix i in a snapshot, one after the other; copies there or back. */
static size_t copy_complete(const ms_tracker *tracker, double *values, int i, char *bytes, bool to_bytes) {
    double *places[MS_SPECTRUM_OF_COUNT];
    int rows = tracker->tracked.matrices[i].rows, cols = tracker->tracked.matrices[i].cols;
    size_t size = sizeof(double) * (size_t)(rows < cols ? rows : cols), used = 0;
    if (!tracker->full) return 0;
    ms_full_spectra_places(tracker->full, values, i, places);
    for (int of = 0; of < MS_SPECTRUM_OF_COUNT; of++) {
        if (!places[of]) continue;
        if (bytes && to_bytes) memcpy(bytes + used, places[of], size);
        if (bytes && !to_bytes) memcpy(places[of], bytes + used, size);
        used += size;
    }
    return used;
}

size_t ms_tracker_result_bytes(const ms_tracker *tracker, int i) {
    return sizeof(ms_spectrum) + copy_complete(tracker, tracker->snapshots[0].complete, i, NULL, true);
}

void ms_tracker_get_result(const ms_tracker *tracker, int64_t i_snapshot, int i, void *out) {
    const ms_tracker_snapshot *shot = &tracker->snapshots[i_snapshot % tracker->n_slots];
    memcpy(out, &shot->spectra[i], sizeof(ms_spectrum));
    copy_complete(tracker, shot->complete, i, (char *)out + sizeof(ms_spectrum), true);
}

void ms_tracker_put_result(ms_tracker *tracker, int64_t i_snapshot, int i, const void *bytes) {
    const ms_tracker_snapshot *shot = &tracker->snapshots[i_snapshot % tracker->n_slots];
    memcpy(&shot->spectra[i], bytes, sizeof(ms_spectrum));
    copy_complete(tracker, shot->complete, i, (char *)bytes + sizeof(ms_spectrum), false);
}

void ms_tracker_given(ms_tracker *tracker, int64_t n_snapshots) {
    pthread_mutex_lock(&tracker->mutex);
    if (tracker->n_given < n_snapshots) tracker->n_given = n_snapshots;
    pthread_cond_broadcast(&tracker->changed);
    pthread_mutex_unlock(&tracker->mutex);
}

size_t ms_tracker_last_bytes(const ms_tracker *tracker, int i) {
    const ms_tracked_matrix *matrix = &tracker->tracked.matrices[i];
    return sizeof(int64_t) + ms_last_matrix_packed_bytes(matrix->rows, matrix->cols);
}

void ms_tracker_get_last(const ms_tracker *tracker, int i, void *out) {
    memcpy(out, &tracker->last.step, sizeof(int64_t));
    ms_last_matrix_pack(&tracker->last.matrices[i], (char *)out + sizeof(int64_t));
}

void ms_tracker_put_last(ms_tracker *tracker, int i, const void *bytes) {
    memcpy(&tracker->last.step, bytes, sizeof(int64_t));
    ms_last_matrix_unpack((const char *)bytes + sizeof(int64_t), &tracker->last.matrices[i]);
}
