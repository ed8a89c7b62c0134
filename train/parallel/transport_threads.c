#include "train/parallel/transport_threads.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* One rank as the others see it.  Exchanges are counted: a rank that has come to exchange k shows its messages until
   all have taken theirs. */
typedef struct place {
    ms_threads_hub *hub;
    int rank;
    const ms_message *out; /* of exchange number n_come */
    int64_t n_come, n_done;
    bool has_left;
} place;

struct ms_threads_hub {
    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t changed;
    int n_ranks;
    double timeout_seconds;
    place *places;
    bool has_ended;
    char line[MS_TRANSPORT_TEXT_SIZE]; /* why */
};

static ms_status init_waits(ms_threads_hub *hub) {
    pthread_condattr_t attributes;
    if (pthread_condattr_init(&attributes) != 0) return MS_FAIL(MS_OUT_OF_MEMORY, "ranks: no memory for their locks");
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    bool made = pthread_cond_init(&hub->changed, &attributes) == 0;
    pthread_condattr_destroy(&attributes);
    if (made && pthread_mutex_init(&hub->mutex, NULL) == 0) return MS_OK;
    if (made) pthread_cond_destroy(&hub->changed);
    return MS_FAIL(MS_OUT_OF_MEMORY, "ranks: no memory for their locks");
}

ms_status ms_threads_hub_create(int n_ranks, double timeout_seconds, ms_threads_hub **out) {
    *out = NULL;
    if (n_ranks < 1 || !(timeout_seconds > 0))
        return MS_FAIL(MS_INVALID, "ranks: %d of them, timeout %g s: both must be positive", n_ranks, timeout_seconds);
    ms_threads_hub *hub = calloc(1, sizeof *hub);
    place *places = calloc((size_t)n_ranks, sizeof *places);
    ms_status status = hub && places ? init_waits(hub) : MS_FAIL(MS_OUT_OF_MEMORY, "ranks: no memory for %d", n_ranks);
    if (status != MS_OK) {
        free(places);
        free(hub);
        return status;
    }
    hub->n_ranks = n_ranks;
    hub->timeout_seconds = timeout_seconds;
    hub->places = places;
    for (int i = 0; i < n_ranks; i++) places[i] = (place){.hub = hub, .rank = i};
    *out = hub;
    return MS_OK;
}

void ms_threads_hub_destroy(ms_threads_hub *hub) {
    if (!hub) return;
    pthread_cond_destroy(&hub->changed);
    pthread_mutex_destroy(&hub->mutex);
    free(hub->places);
    free(hub);
}

/* The first line stays. */
static void end_group(ms_threads_hub *hub, const char *line) {
    if (!hub->has_ended) snprintf(hub->line, sizeof hub->line, "%s", line);
    hub->has_ended = true;
    pthread_cond_broadcast(&hub->changed);
}

static bool has_reached(const place *other, int64_t number, bool done) {
    return (done ? other->n_done : other->n_come) >= number;
}

static void name_missing(const ms_threads_hub *hub, int64_t number, char *out, size_t size) {
    size_t used = (size_t)snprintf(out, size, "no answer within %g s from rank", hub->timeout_seconds);
    const char *before = " ";
    for (int i = 0; i < hub->n_ranks; i++)
        if (!has_reached(&hub->places[i], number, false) && used < size) {
            used += (size_t)snprintf(out + used, size - used, "%s%d", before, i);
            before = ", ";
        }
}

/* Ends the group when a rank that is waited for will not come. */
static void look_for_who_left(ms_threads_hub *hub, int64_t number) {
    char line[MS_TRANSPORT_TEXT_SIZE];
    for (int i = 0; i < hub->n_ranks; i++) {
        if (!hub->places[i].has_left || has_reached(&hub->places[i], number, false)) continue;
        snprintf(line, sizeof line, "rank %d has left", i);
        end_group(hub, line);
    }
}

static bool all_have_reached(const ms_threads_hub *hub, int64_t number, bool done) {
    for (int i = 0; i < hub->n_ranks; i++)
        if (!has_reached(&hub->places[i], number, done)) return false;
    return true;
}

/* With the mutex held: until every rank has come to exchange `number`.  When all have, all go on, whatever else ends
   the group: nobody leaves while another reads its messages. */
static bool wait_for_all(ms_threads_hub *hub, int64_t number, bool patient) {
    struct timespec deadline;
    clock_gettime(CLOCK_MONOTONIC, &deadline);
    double end = (double)deadline.tv_sec + (double)deadline.tv_nsec * 1e-9 + hub->timeout_seconds;
    deadline.tv_sec = (time_t)end;
    deadline.tv_nsec = (long)((end - (double)deadline.tv_sec) * 1e9);
    while (!all_have_reached(hub, number, false)) {
        look_for_who_left(hub, number);
        if (hub->has_ended) return false;
        /* Rank 0 lives as long as the process does. */
        int result = patient ? pthread_cond_wait(&hub->changed, &hub->mutex)
                             : pthread_cond_timedwait(&hub->changed, &hub->mutex, &deadline);
        if (result != ETIMEDOUT || all_have_reached(hub, number, false)) continue;
        char line[MS_TRANSPORT_TEXT_SIZE];
        name_missing(hub, number, line, sizeof line);
        end_group(hub, line);
    }
    return true;
}

static bool exchange(void *context, const ms_message *out, const ms_message *in, bool patient,
                     char out_error[MS_TRANSPORT_TEXT_SIZE]) {
    place *own = context;
    ms_threads_hub *hub = own->hub;
    pthread_mutex_lock(&hub->mutex);
    own->out = out;
    int64_t number = ++own->n_come;
    pthread_cond_broadcast(&hub->changed);
    bool ok = wait_for_all(hub, number, patient);
    if (!ok) snprintf(out_error, MS_TRANSPORT_TEXT_SIZE, "%s", hub->line);
    pthread_mutex_unlock(&hub->mutex);
    for (int i = 0; ok && i < hub->n_ranks; i++)
        if (in[i].bytes > 0) memcpy(in[i].data, hub->places[i].out[own->rank].data, in[i].bytes);
    pthread_mutex_lock(&hub->mutex);
    own->n_done = number;
    pthread_cond_broadcast(&hub->changed);
    while (ok && !all_have_reached(hub, number, true)) pthread_cond_wait(&hub->changed, &hub->mutex);
    pthread_mutex_unlock(&hub->mutex);
    return ok;
}

static void end(void *context, const char *line) {
    place *own = context;
    pthread_mutex_lock(&own->hub->mutex);
    end_group(own->hub, line);
    pthread_mutex_unlock(&own->hub->mutex);
}

static void set_timeout(void *context, double seconds) {
    place *own = context;
    pthread_mutex_lock(&own->hub->mutex);
    own->hub->timeout_seconds = seconds;
    pthread_mutex_unlock(&own->hub->mutex);
}

static void close_place(void *context) {
    place *own = context;
    pthread_mutex_lock(&own->hub->mutex);
    own->has_left = true;
    pthread_cond_broadcast(&own->hub->changed);
    pthread_mutex_unlock(&own->hub->mutex);
}

ms_transport ms_threads_hub_transport(ms_threads_hub *hub, int rank) {
    return (ms_transport){.name = "threads",
                          .rank = rank,
                          .n_ranks = hub->n_ranks,
                          .context = &hub->places[rank],
                          .exchange = exchange,
                          .set_timeout = set_timeout,
                          .abort = end,
                          .close = close_place};
}
