/* What a plan of several ranks says to people. */
#include "train/rank_plan.h"

#include <string.h>

static const double mib = 1048576;

double ms_rank_plan_step(const ms_rank_plan_row *row) {
    return row->compute_seconds + row->update_seconds + row->exchange_seconds - row->hidden_seconds;
}

/* The row that speed-ups are of: the fewest ranks that fit. */
static int base_of(const ms_rank_plan *plan) {
    int i = 0;
    while (i + 1 < plan->n_rows && !plan->rows[i].fits) i++;
    return i;
}

static double speed_up(const ms_rank_plan *plan, const ms_rank_plan_row *row) {
    return ms_rank_plan_step(&plan->rows[base_of(plan)]) / ms_rank_plan_step(row);
}

/* What one added machine adds, of the work of one at the base. */
static double gain(const ms_rank_plan *plan, const ms_rank_plan_row *few, const ms_rank_plan_row *many) {
    double of_one = 1.0 / plan->rows[base_of(plan)].n_ranks;
    return (speed_up(plan, many) - speed_up(plan, few)) / (many->n_ranks - few->n_ranks) / of_one;
}

static const char *plural(int n) { return n == 1 ? "" : "s"; }

void ms_rank_plan_advice(const ms_rank_plan *plan, char *out, size_t size) {
    const ms_rank_plan_row *best = &plan->rows[base_of(plan)];
    for (int i = base_of(plan) + 1; i < plan->n_rows; best = &plan->rows[i++]) {
        const ms_rank_plan_row *next = &plan->rows[i];
        double added = gain(plan, best, next), now = ms_rank_plan_step(best), then = ms_rank_plan_step(next);
        if (added >= MS_RANK_PLAN_WORTH) continue;
        const char *further = best->n_ranks < plan->most_ranks ? "" : " There are no more micro-steps to share.";
        if (added <= 0)
            snprintf(out, size,
                     "another machine will not help: %d ranks take %.4g ms a step, %d rank%s %.4g ms; exchanges are "
                     "%.0f %% of it.%s",
                     next->n_ranks, 1e3 * then, best->n_ranks, plural(best->n_ranks), 1e3 * now,
                     100 * (next->exchange_seconds - next->hidden_seconds) / then, further);
        else
            snprintf(out, size,
                     "another machine will not help much: from %d rank%s to %d each one adds %.2f of the speed of "
                     "one, less than %.2f; exchanges are %.0f %% of the step.%s",
                     best->n_ranks, plural(best->n_ranks), next->n_ranks, added, MS_RANK_PLAN_WORTH,
                     100 * (next->exchange_seconds - next->hidden_seconds) / then, further);
        return;
    }
    if (best->n_ranks >= plan->most_ranks)
        snprintf(out, size,
                 "%d ranks help: a step takes %.4g ms. More would have nothing to do: train.accumulation is %d.",
                 best->n_ranks, 1e3 * ms_rank_plan_step(best), plan->most_ranks);
    else
        snprintf(out, size, "%d ranks help: a step takes %.4g ms. More may help too: --ranks %d.", best->n_ranks,
                 1e3 * ms_rank_plan_step(best),
                 2 * best->n_ranks < plan->most_ranks ? 2 * best->n_ranks : plan->most_ranks);
}

void ms_rank_plan_print_memory(const ms_rank_plan *plan, FILE *stream) {
    fprintf(stream, "memory of the rank that has most, MiB; host: its buffers for exchanges\n");
    fprintf(stream, "%5s %10s %10s %10s %10s %10s %10s %10s\n", "ranks", "device", "parameters", "gradients",
            "optimizer", "temporary", "other", "host");
    for (int i = 0; i < plan->n_rows; i++) {
        const ms_rank_plan_row *row = &plan->rows[i];
        const ms_memory_plan *memory = &row->memory;
        fprintf(stream, "%5d %10.1f %10.1f %10.1f %10.1f %10.1f %10.1f %10.1f%s\n", row->n_ranks,
                (double)memory->total / mib, (double)memory->parameters / mib, (double)memory->gradients / mib,
                (double)memory->optimizer_state / mib, (double)(memory->arena + memory->workspace) / mib,
                (double)memory->other_variables / mib, (double)row->host_bytes / mib,
                row->fits ? "" : "  more than the device has");
    }
}

/* Rows are measured one after the other: where other work ran beside one of them, none compares with another. */
static void print_doubt(const ms_rank_plan *plan, FILE *stream) {
    double most = 1;
    for (int i = 0; i < plan->n_rows; i++)
        if (plan->rows[i].fits && plan->rows[i].spread > most) most = plan->rows[i].spread;
    if (most >= MS_RANK_PLAN_STEADY)
        fprintf(stream,
                "these figures are doubtful: the same step took up to %.1f times as long from one time to the next; "
                "measure again when nothing else runs here\n",
                most);
}

void ms_rank_plan_print(const ms_rank_plan *plan, FILE *stream) {
    char advice[400];
    const ms_link *link = &plan->request.link;
    fprintf(stream,
            "a step by ranks like this device, each on a host of its own, in %s; a link of %.4g Gb/s, %.4g us\n",
            ms_numerics_name(plan->numerics), link->bits_per_second / 1e9, 1e6 * link->latency_seconds);
    if (plan->request.shares[0])
        fprintf(stream, "shares of %d ranks: %s\n", plan->request.n_ranks, plan->request.shares);
    fprintf(stream, "%5s %11s %11s %11s %11s %9s %10s %9s %10s %10s\n", "ranks", "compute ms", "update ms",
            "exchange ms", "step ms", "speed-up", "efficiency", "MB a link", "exchanges", "hidden ms");
    for (int i = 0; i < plan->n_rows; i++) {
        const ms_rank_plan_row *row = &plan->rows[i];
        if (!row->fits) continue;
        double faster = speed_up(plan, row), of = (double)row->n_ranks / plan->rows[base_of(plan)].n_ranks;
        fprintf(stream, "%5d %11.2f %11.2f %11.2f %11.2f %9.2f %9.0f%% %9.1f %10d %10.2f\n", row->n_ranks,
                1e3 * row->compute_seconds, 1e3 * row->update_seconds,
                1e3 * (row->exchange_seconds - row->hidden_seconds), 1e3 * ms_rank_plan_step(row), faster,
                100 * faster / of, row->link_bytes / 1e6, row->n_exchanges, 1e3 * row->hidden_seconds);
    }
    print_doubt(plan, stream);
    ms_rank_plan_advice(plan, advice, sizeof advice);
    fprintf(stream, "%s\n", advice);
}
