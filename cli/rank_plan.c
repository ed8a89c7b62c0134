#include "cli/rank_plan.h"

#include "platform/output.h"
#include "train/rank_plan.h"

ms_status ms_rank_plan_check(const ms_rank_plan_arguments *arguments, bool dry_run, const ms_ranks *ranks) {
    ms_link link;
    bool asks = arguments->n_ranks >= 0;
    const char *given = asks ? "--ranks" : arguments->link ? "--link" : arguments->latency ? "--link_latency" : NULL;
    if (!given) return MS_OK;
    if (!dry_run)
        return MS_FAIL(MS_USAGE,
                       "%s plans, and starts no ranks: give it with --dry-run; to train with several, start them with "
                       "mpirun or srun",
                       given);
    if (!asks) return MS_FAIL(MS_USAGE, "%s needs --ranks N: how many to plan for", given);
    if (!arguments->link)
        return MS_FAIL(MS_USAGE, "--ranks needs --link, the bits a second between machines, as --link 10Gb");
    if (ranks->group) return MS_FAIL(MS_USAGE, "--ranks is asked of one process: leave mpirun or srun out");
    if (arguments->n_ranks < 2 || arguments->n_ranks > MS_RANK_PLAN_MOST)
        return MS_FAIL(MS_USAGE, "--ranks %lld: must be 2 to %d", (long long)arguments->n_ranks, MS_RANK_PLAN_MOST);
    return ms_link_parse(arguments->link, arguments->latency, &link);
}

ms_status ms_rank_plan_run(const ms_rank_plan_arguments *arguments, const char *shares, const ms_run *run,
                           FILE *stream) {
    if (arguments->n_ranks < 0) return MS_OK;
    ms_rank_plan plan;
    ms_rank_plan_request request = {.n_ranks = (int)arguments->n_ranks, .shares = shares};
    MS_TRY(ms_link_parse(arguments->link, arguments->latency, &request.link));
    MS_TRY(ms_rank_plan_open(run->device, &run->options.trainer, &request, &plan));
    ms_rank_plan_print_memory(&plan, stream);
    (void)ms_output_flush(); /* measuring takes a while */
    MS_TRY(ms_rank_plan_measure(run->device, &run->options.trainer, &plan));
    ms_rank_plan_print(&plan, stream);
    return MS_OK;
}
