#include "cli/ranks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "library/version.h"
#include "platform/signals.h"

/* Until the configuration is known. */
static const double first_timeout_seconds = 60;

static ms_status compare_versions(const ms_ranks *ranks) {
    char version[64] = "", own[64] = "";
    snprintf(own, sizeof own, "%s", ms_version());
    if (!ms_ranks_follows(ranks)) memcpy(version, own, sizeof version);
    MS_TRY(ms_group_broadcast(ranks->group, version, sizeof version));
    ms_status status =
        strcmp(version, own) == 0 ? MS_OK : MS_FAIL(MS_MISMATCH, "this is muonscope %s, rank 0 is %.63s", own, version);
    return ms_group_agree(ranks->group, status);
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
    MS_TRY(ms_group_agree(out->group, status));
    return compare_versions(out);
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
