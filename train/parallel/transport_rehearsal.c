#include "train/parallel/transport_rehearsal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/clock.h"

static bool reserve(ms_rehearsal *rehearsal) {
    if (rehearsal->n_exchanges < rehearsal->capacity) return true;
    int capacity = 2 * rehearsal->capacity + 64;
    ms_rehearsed_exchange *exchanges = realloc(rehearsal->exchanges, (size_t)capacity * sizeof *exchanges);
    if (!exchanges) return false;
    rehearsal->exchanges = exchanges;
    rehearsal->capacity = capacity;
    return true;
}

static uint64_t larger(uint64_t a, uint64_t b) { return a > b ? a : b; }

static bool exchange(void *context, const ms_message *out, const ms_message *in, bool patient,
                     char out_error[MS_TRANSPORT_TEXT_SIZE]) {
    ms_rehearsal *rehearsal = context;
    ms_rehearsed_exchange made = {.begin = ms_clock_seconds()};
    (void)patient;
    if (!reserve(rehearsal)) {
        snprintf(out_error, MS_TRANSPORT_TEXT_SIZE, "no memory to write exchange %d down", rehearsal->n_exchanges);
        return false;
    }
    for (int i = 0; i < rehearsal->n_ranks; i++) {
        if (i == rehearsal->rank) continue;
        made.sent_bytes += out[i].bytes;
        made.received_bytes += in[i].bytes;
        made.largest_bytes = larger(made.largest_bytes, larger(out[i].bytes, in[i].bytes));
        if (in[i].bytes > 0) memset(in[i].data, 0, in[i].bytes);
    }
    size_t own = in[rehearsal->rank].bytes;
    if (own > 0) memcpy(in[rehearsal->rank].data, out[rehearsal->rank].data, own);
    made.end = ms_clock_seconds();
    rehearsal->exchanges[rehearsal->n_exchanges++] = made;
    return true;
}

/* Nobody is waited for, and nobody waits. */
static void set_timeout(void *context, double seconds) {
    (void)context;
    (void)seconds;
}

static void end(void *context, const char *line) {
    (void)context;
    (void)line;
}

static void leave(void *context) { (void)context; }

ms_transport ms_rehearsal_transport(ms_rehearsal *rehearsal) {
    return (ms_transport){.name = "rehearsal",
                          .rank = rehearsal->rank,
                          .n_ranks = rehearsal->n_ranks,
                          .context = rehearsal,
                          .exchange = exchange,
                          .set_timeout = set_timeout,
                          .abort = end,
                          .close = leave};
}

void ms_rehearsal_clear(ms_rehearsal *rehearsal) { rehearsal->n_exchanges = 0; }

void ms_rehearsal_finish(ms_rehearsal *rehearsal) {
    free(rehearsal->exchanges);
    rehearsal->exchanges = NULL;
    rehearsal->n_exchanges = rehearsal->capacity = 0;
}
