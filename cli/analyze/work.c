#include "cli/analyze/work.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/blas.h"
#include "platform/clock.h"
#include "platform/file.h"
#include "platform/progress.h"
#include "platform/signals.h"
#include "platform/thread.h"

typedef struct work {
    ms_analyze_plan *plan;
    const ms_analyze_options *options;
    double begun, total_cost;
    pthread_mutex_t mutex; /* guards what follows, and stderr */
    double done_cost;
    size_t n_done;
    ms_work_line line;
    ms_status status; /* of keeping errors */
} work;

static void show(work *w) {
    char left[24], text[160];
    double now = ms_clock_seconds(), seconds = now - w->begun;
    double share = w->total_cost > 0 ? w->done_cost / w->total_cost : 1;
    if (!ms_work_line_is_due(&w->line, now)) return;
    snprintf(text, sizeof text, "analyze: %zu of %zu matrices, %.0f %%, %s left", w->n_done, w->plan->n_order,
             100 * share, ms_duration_text(share > 0 ? seconds * (1 - share) / share : -1, left, sizeof left));
    ms_work_line_show(&w->line, now, text);
}

/* The matrix of a place, row-major: where it lies, or a copy in *out_copy, which the caller frees. */
static ms_status get_matrix(const ms_analyze_item *item, const ms_analyze_place *place, const void **out,
                            void **out_copy) {
    int64_t first;
    const ms_part *part = &place->part;
    size_t size = ms_element_size(place->type), n = (size_t)part->rows * (size_t)part->cols;
    if (ms_part_is_plain(part, &first)) {
        *out = (const char *)place->tensor->data + (size_t)first * size;
        return MS_OK;
    }
    *out = *out_copy = malloc(n * size);
    if (!*out) return MS_FAIL(MS_OUT_OF_MEMORY, "%s: no memory for a copy of %zu bytes", item->name, n * size);
    ms_part_copy(part, place->tensor->data, size, *out_copy);
    return MS_OK;
}

/* Its pages are not needed again, or can be read again. */
static void release(const ms_analyze_place *place) {
    if (place->tensor) ms_map_release(place->tensor->data, place->tensor->size_bytes);
}

static ms_status analyze(const work *w, ms_analyze_item *item) {
    const void *after, *before = NULL;
    void *copies[2] = {NULL};
    ms_status status = get_matrix(item, &item->here, &after, &copies[0]);
    if (status == MS_OK && item->other.tensor) status = get_matrix(item, &item->other, &before, &copies[1]);
    if (status == MS_OK) {
        const ms_analysis_input input = {.name = item->name,
                                         .after = after,
                                         .after_type = item->here.type,
                                         .before = before,
                                         .before_type = item->other.type,
                                         .rows = (int)item->here.part.rows,
                                         .cols = (int)item->here.part.cols};
        status = ms_analysis_compute(&input, &item->analysis);
        ms_analysis_keep_top(&item->analysis, w->options->n_top);
    }
    free(copies[0]);
    free(copies[1]);
    release(&item->here);
    release(&item->other);
    return status;
}

static void run_task(void *context, int64_t i_task, int i_thread) {
    work *w = context;
    ms_analyze_item *item = &w->plan->items[w->plan->order[i_task]];
    (void)i_thread;
    if (ms_signals_received()) return;
    bool is_bad = analyze(w, item) != MS_OK;
    if (is_bad) item->error = strdup(ms_status_message());
    item->is_done = true;
    pthread_mutex_lock(&w->mutex);
    if (is_bad && !item->error) w->status = MS_OUT_OF_MEMORY;
    w->done_cost += item->cost;
    w->n_done++;
    show(w);
    pthread_mutex_unlock(&w->mutex);
}

ms_status ms_analyze_work(ms_analyze_plan *plan, const ms_analyze_options *options) {
    int n_threads = plan->n_order < (size_t)options->n_threads ? (int)plan->n_order : options->n_threads;
    if (n_threads == 0) return MS_OK;
    ms_pool *pool;
    MS_TRY(ms_blas_prepare());
    MS_TRY(ms_blas_reserve(n_threads));
    MS_TRY(ms_pool_create(n_threads, &pool));
    work w = {.plan = plan, .options = options, .begun = ms_clock_seconds(), .mutex = PTHREAD_MUTEX_INITIALIZER};
    ms_work_line_init(stderr, w.begun, &w.line);
    for (size_t i = 0; i < plan->n_order; i++) w.total_cost += plan->items[plan->order[i]].cost;
    ms_pool_run(pool, (int64_t)plan->n_order, run_task, &w);
    ms_work_line_end(&w.line);
    ms_pool_destroy(pool);
    return w.status == MS_OK ? MS_OK : MS_FAIL(w.status, "analyze: no memory for what is wrong with a matrix");
}
