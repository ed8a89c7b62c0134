#include "cli/ranks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "library/version.h"
#include "platform/signals.h"

/* Until the configuration is known. */
static const double first_timeout_seconds = 60;

/* What each rank says first of all.  No version may change its layout. */
typedef struct greeting {
    char version[64], host[64];
} greeting;

/* Ranks of other versions or protocols would not understand each other's next message: all find the first one here. */
static ms_status compare_greetings(const ms_ranks *ranks, greeting *all) {
    greeting *own = &all[ms_group_rank(ranks->group)];
    snprintf(own->version, sizeof own->version, "%s, protocol %d", ms_version(), (int)MS_GROUP_PROTOCOL);
    if (gethostname(own->host, sizeof own->host - 1) != 0) snprintf(own->host, sizeof own->host, "?");
    MS_TRY(ms_group_all_gather_equal(ranks->group, all, sizeof *all));
    for (int i = 1; i < ms_group_size(ranks->group); i++) {
        if (memcmp(all[i].version, all[0].version, sizeof all[0].version) == 0) continue;
        ms_group_settle(ranks->group);
        return MS_FAIL(MS_MISMATCH, "rank %d (%.63s): this is muonscope %.63s, rank 0 is %.63s", i, all[i].host,
                       all[i].version, all[0].version);
    }
    return MS_OK;
}

static ms_status greet(const ms_ranks *ranks) {
    greeting *all = calloc((size_t)ms_group_size(ranks->group), sizeof *all);
    if (!all) return MS_FAIL(MS_OUT_OF_MEMORY, "ranks: no memory for %d of them", ms_group_size(ranks->group));
    ms_status status = compare_greetings(ranks, all);
    free(all);
    return status;
}

ms_status ms_ranks_join(const char *how, ms_status status, ms_ranks *out) {
    char message[1024];
    *out = (ms_ranks){NULL, false};
    snprintf(message, sizeof message, "%s", status == MS_OK ? "" : ms_status_message());
    ms_status joined =
        ms_launch_join(status == MS_OK ? how : NULL, first_timeout_seconds, &out->group, &out->is_silent);
    if (status != MS_OK) (void)MS_FAIL(status, "%s", message);
    if (!out->group && out->is_silent) ms_launch_let_rank_0_speak();
    if (!out->group) return status != MS_OK ? status : joined;
    MS_TRY(greet(out));
    return ms_group_agree(out->group, status);
}

bool ms_ranks_follows(const ms_ranks *ranks) { return ranks->group && ms_group_rank(ranks->group) > 0; }

ms_status ms_ranks_agree(const ms_ranks *ranks, ms_status status) {
    return ranks->group ? ms_group_agree(ranks->group, status) : status;
}

ms_status ms_ranks_share_text(const ms_ranks *ranks, char **text) {
    bool leads = !ms_ranks_follows(ranks);
    if (!ranks->group) return MS_OK;
    int64_t bytes = leads && *text ? (int64_t)strlen(*text) + 1 : 0;
    MS_TRY(ms_group_broadcast(ranks->group, &bytes, sizeof bytes));
    if (bytes == 0) return MS_OK;
    if (!leads) *text = malloc((size_t)bytes);
    MS_TRY(ms_group_agree(ranks->group, *text ? MS_OK : MS_FAIL(MS_OUT_OF_MEMORY, "train: no memory for a text")));
    return ms_group_broadcast(ranks->group, *text, (size_t)bytes);
}

ms_status ms_ranks_configure(const ms_ranks *ranks, const ms_config *config) {
    if (!ranks->group) return MS_OK;
    ms_group_set_timeout(ranks->group, config->parallel.timeout);
    return ms_group_set_shares(ranks->group, config->parallel.shares);
}

bool ms_ranks_is_silent(const ms_ranks *ranks, ms_status status, int *out_exit_status) {
    int number = ms_signals_received();
    *out_exit_status = status == MS_OK ? 0 : status == MS_USAGE ? 2 : 1;
    if (status == MS_INTERRUPTED && number > 0) *out_exit_status = 128 + number;
    return ranks->group ? ms_group_is_silent(ranks->group) : ranks->is_silent;
}

void ms_ranks_abort_if_lost(const ms_ranks *ranks, ms_status status) {
    if (!ranks->group || status == MS_OK) return;
    bool is_alone_in_it = ms_ranks_follows(ranks) && !ms_group_is_settled(ranks->group);
    if (ms_group_is_lost(ranks->group) || is_alone_in_it) ms_group_abort(ranks->group, "");
}

void ms_ranks_leave(ms_ranks *ranks, ms_status status) {
    if (ranks->group)
        ms_signals_silence(); /* all is saved: mpirun's SIGTERM to those that leave last needs no answer */
    ms_group_close(ranks->group, status);
    ranks->group = NULL;
}
