/* What tracking puts into a checkpoint. */
#include <stdio.h>
#include <stdlib.h>

#include "train/tracking_impl.h"

/* "n g w u g w u ... null ...", numbers as hexadecimal floats: exact and independent of the locale's rounding. */
static ms_status print_norms(const ms_tracking *tracking, char **out_text) {
    size_t size = 32 + (size_t)tracking->n_matrices * 3 * 32 + MS_NOISE_NULL_TEXT, used = 0;
    char *text = malloc(size);
    *out_text = text;
    if (!text) return MS_FAIL(MS_OUT_OF_MEMORY, "tracker: no memory for its state");
    used += (size_t)snprintf(text, size, "%d", tracking->n_matrices);
    for (int i = 0; i < tracking->n_matrices; i++)
        used += (size_t)snprintf(text + used, size - used, " %a %a %a", tracking->maxima[i].gradient,
                                 tracking->maxima[i].weight, tracking->maxima[i].update);
    text[used++] = ' ';
    ms_noise_null_print(&tracking->noise_null, text + used);
    return MS_OK;
}

const char *const ms_tracking_text_keys[MS_TRACKING_N_TEXTS] = {[MS_TRACKING_NORMS] = "tracker_norms",
                                                                [MS_TRACKING_GROWTH] = "tracker_growth",
                                                                [MS_TRACKING_LAST] = "tracker_last",
                                                                [MS_TRACKING_STEPS] = "tracker_steps"};

ms_status ms_tracking_state(ms_tracking *tracking, char *out_texts[MS_TRACKING_N_TEXTS]) {
    for (int i = 0; i < MS_TRACKING_N_TEXTS; i++) out_texts[i] = NULL;
    if (tracking->group) MS_TRY(ms_tracking_collect_state(tracking));
    MS_TRY(print_norms(tracking, &out_texts[MS_TRACKING_NORMS]));
    MS_TRY(ms_growth_print(&tracking->growth, &out_texts[MS_TRACKING_GROWTH]));
    MS_TRY(ms_tracker_state(tracking->tracker, &out_texts[MS_TRACKING_LAST]));
    return tracking->steps ? ms_step_sigma_state(tracking->steps, &out_texts[MS_TRACKING_STEPS]) : MS_OK;
}

static ms_status restore_norms(ms_tracking *tracking, const char *text) {
    char *cursor;
    long n = strtol(text, &cursor, 10);
    if (cursor == text || n != tracking->n_matrices)
        return MS_FAIL(MS_CORRUPT, "checkpoint: norms of %ld matrices, this model tracks %d", n, tracking->n_matrices);
    for (int i = 0; i < tracking->n_matrices; i++) {
        double *fields[] = {&tracking->maxima[i].gradient, &tracking->maxima[i].weight, &tracking->maxima[i].update};
        for (int j = 0; j < 3; j++) {
            char *end;
            *fields[j] = strtod(cursor, &end);
            if (end == cursor)
                return MS_FAIL(MS_CORRUPT, "checkpoint: the tracker's state ends at matrix %d of %ld", i, n);
            cursor = end;
        }
    }
    /* A checkpoint of an older version ends here: the null is then not known. */
    return *cursor == ' ' ? ms_noise_null_read(&tracking->noise_null, tracking->trainer, cursor + 1) : MS_OK;
}

ms_status ms_tracking_restore(ms_tracking *tracking, const char *const texts[MS_TRACKING_N_TEXTS]) {
    const char *growth = texts[MS_TRACKING_GROWTH], *last = texts[MS_TRACKING_LAST], *steps = texts[MS_TRACKING_STEPS];
    if (*texts[MS_TRACKING_NORMS]) MS_TRY(restore_norms(tracking, texts[MS_TRACKING_NORMS]));
    if (*growth) MS_TRY(ms_growth_read(&tracking->growth, growth));
    if (*steps && tracking->steps) MS_TRY(ms_step_sigma_restore(tracking->steps, steps));
    if (*last) MS_TRY(ms_tracker_restore(tracking->tracker, last, tracking->trainer->step));
    return tracking->group ? ms_tracking_give_state(tracking) : MS_OK;
}
