#include "train/parallel/group.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "platform/signals.h"

/* What a rank says of itself when all agree. */
typedef struct verdict {
    int32_t status, signal; /* 0: none was received */
    char host[MS_TRANSPORT_HOST_SIZE];
    char text[MS_TRANSPORT_TEXT_SIZE];
} verdict;

struct ms_group {
    ms_transport transport;
    int32_t *shares;
    ms_message *out, *in;   /* [n_ranks], of the present exchange */
    verdict *verdicts;      /* [n_ranks] */
    bool is_lost;           /* no exchange is possible any more */
    double timeout_seconds; /* 0: it was never set, the transport's own */
    bool is_settled;        /* all know how it ended */
    char host[MS_TRANSPORT_HOST_SIZE];
};

static void free_group(ms_group *group) {
    free(group->shares);
    free(group->out);
    free(group->in);
    free(group->verdicts);
    free(group);
}

static ms_status fill_group(ms_group *group) {
    size_t n = (size_t)group->transport.n_ranks;
    group->shares = calloc(n, sizeof *group->shares);
    group->out = calloc(n, sizeof *group->out);
    group->in = calloc(n, sizeof *group->in);
    group->verdicts = calloc(n, sizeof *group->verdicts);
    if (!group->shares || !group->out || !group->in || !group->verdicts)
        return MS_FAIL(MS_OUT_OF_MEMORY, "ranks: no memory for %zu", n);
    for (size_t i = 0; i < n; i++) group->shares[i] = 1;
    if (gethostname(group->host, sizeof group->host - 1) != 0) snprintf(group->host, sizeof group->host, "?");
    return MS_OK;
}

ms_status ms_group_create(const ms_transport *transport, ms_group **out) {
    *out = NULL;
    ms_group *group = calloc(1, sizeof *group);
    if (!group) return MS_FAIL(MS_OUT_OF_MEMORY, "ranks: no memory");
    group->transport = *transport;
    ms_status status = fill_group(group);
    if (status != MS_OK) {
        free_group(group);
        return status;
    }
    *out = group;
    return MS_OK;
}

ms_status ms_group_set_shares(ms_group *group, const char *shares) {
    const char *at = shares;
    int n = group->transport.n_ranks;
    for (int i = 0; i < n && *shares; i++) {
        char *end;
        long share = strtol(at, &end, 10);
        bool ends = i + 1 == n ? *end == '\0' : *end == ',';
        if (end == at || *at < '0' || *at > '9' || share < 1 || share > 65536 || !ends)
            return MS_FAIL(MS_INVALID,
                           "parallel.shares '%s': must be %d whole numbers from 1 to 65536 with commas between, one a "
                           "rank; with other ranks than before give others, or --parallel.shares '' for one "
                           "micro-step each",
                           shares, n);
        group->shares[i] = (int32_t)share;
        at = end + 1;
    }
    return MS_OK;
}

void ms_group_set_timeout(ms_group *group, double seconds) {
    group->timeout_seconds = seconds;
    group->transport.set_timeout(group->transport.context, seconds);
}

void ms_group_set_slow(ms_group *group, bool slow) {
    double seconds = group->timeout_seconds * (slow ? MS_GROUP_PATIENCE : 1);
    if (seconds > 0) group->transport.set_timeout(group->transport.context, seconds);
}

void ms_group_close(ms_group *group, ms_status status) {
    if (!group) return;
    if (group->transport.rank == 0 && !group->is_settled && !group->is_lost)
        (void)ms_group_lead(group, MS_GROUP_END, status);
    group->transport.close(group->transport.context);
    free_group(group);
}

int ms_group_rank(const ms_group *group) { return group->transport.rank; }
int ms_group_size(const ms_group *group) { return group->transport.n_ranks; }
int32_t ms_group_share(const ms_group *group, int rank) { return group->shares[rank]; }
const char *ms_group_transport_name(const ms_group *group) { return group->transport.name; }

static ms_status exchange(ms_group *group, const ms_message *out, const ms_message *in, bool patient) {
    char error[MS_TRANSPORT_TEXT_SIZE];
    if (!group->is_lost && group->transport.exchange(group->transport.context, out, in, patient, error)) return MS_OK;
    if (group->is_lost) snprintf(error, sizeof error, "the group has ended");
    group->is_lost = true;
    return MS_FAIL(MS_DEVICE_LOST, "rank %d (%s): %s", group->transport.rank, group->host, error);
}

ms_status ms_group_exchange(ms_group *group, const ms_message *out, const ms_message *in) {
    return exchange(group, out, in, false);
}

ms_status ms_group_all_gather(ms_group *group, void *data, const size_t *begin) {
    int rank = group->transport.rank;
    for (int i = 0; i < group->transport.n_ranks; i++) {
        bool is_own = i == rank;
        group->out[i] = (ms_message){(char *)data + begin[rank], is_own ? 0 : begin[rank + 1] - begin[rank]};
        group->in[i] = (ms_message){(char *)data + begin[i], is_own ? 0 : begin[i + 1] - begin[i]};
    }
    return exchange(group, group->out, group->in, false);
}

ms_status ms_group_all_gather_equal(ms_group *group, void *data, size_t bytes) {
    int rank = group->transport.rank;
    for (int i = 0; i < group->transport.n_ranks; i++) {
        size_t size = i == rank ? 0 : bytes;
        group->out[i] = (ms_message){(char *)data + (size_t)rank * bytes, size};
        group->in[i] = (ms_message){(char *)data + (size_t)i * bytes, size};
    }
    return exchange(group, group->out, group->in, false);
}

static ms_status from_rank_0(ms_group *group, void *data, size_t bytes, bool patient) {
    bool leads = group->transport.rank == 0;
    for (int i = 0; i < group->transport.n_ranks; i++) {
        group->out[i] = (ms_message){data, leads && i > 0 ? bytes : 0};
        group->in[i] = (ms_message){data, !leads && i == 0 ? bytes : 0};
    }
    return exchange(group, group->out, group->in, patient);
}

ms_status ms_group_broadcast(ms_group *group, void *data, size_t bytes) {
    return from_rank_0(group, data, bytes, false);
}

ms_status ms_group_agree(ms_group *group, ms_status status) {
    verdict *own = &group->verdicts[group->transport.rank];
    memset(own, 0, sizeof *own);
    own->status = status;
    own->signal = ms_signals_received();
    snprintf(own->host, sizeof own->host, "%s", group->host);
    if (status != MS_OK) snprintf(own->text, sizeof own->text, "%.399s", ms_status_message());
    if (group->is_settled && status != MS_OK) return status; /* all have it already */
    if (group->is_lost) return status != MS_OK ? status : MS_FAIL(MS_DEVICE_LOST, "the group has ended");
    MS_TRY(ms_group_all_gather_equal(group, group->verdicts, sizeof *own));
    for (int i = 0; i < group->transport.n_ranks; i++) ms_signals_adopt(group->verdicts[i].signal);
    for (int i = 0; i < group->transport.n_ranks; i++) {
        const verdict *first = &group->verdicts[i];
        if (first->status == MS_OK) continue;
        group->is_settled = true;
        return MS_FAIL((ms_status)first->status, "rank %d (%s): %s", i, first->host, first->text);
    }
    return MS_OK;
}

size_t ms_group_agreement_bytes(void) { return sizeof(verdict); }

void ms_group_settle(ms_group *group) { group->is_settled = true; }

bool ms_group_is_settled(const ms_group *group) { return group->is_settled; }

bool ms_group_is_lost(const ms_group *group) { return group->is_lost; }

bool ms_group_is_silent(const ms_group *group) { return group->is_settled && group->transport.rank > 0; }

void ms_group_abort(ms_group *group, const char *line) {
    group->is_lost = true;
    group->transport.abort(group->transport.context, line);
}

/* A command, its argument, and the signal that rank 0 has received, or 0. */
typedef int64_t order_numbers[3];

size_t ms_group_command_bytes(void) { return sizeof(order_numbers); }

ms_status ms_group_lead(ms_group *group, ms_group_command command, int64_t argument) {
    order_numbers order = {command, argument, ms_signals_received()};
    return from_rank_0(group, order, sizeof order, false);
}

ms_status ms_group_follow(ms_group *group, ms_group_command *out_command, int64_t *out_argument) {
    order_numbers order = {MS_GROUP_END, MS_INTERNAL, 0};
    *out_command = MS_GROUP_END;
    *out_argument = MS_INTERNAL;
    MS_TRY(from_rank_0(group, order, sizeof order, true));
    *out_command = (ms_group_command)order[0];
    *out_argument = order[1];
    ms_signals_adopt((int)order[2]);
    if (*out_command == MS_GROUP_END) group->is_settled = true;
    return MS_OK;
}
