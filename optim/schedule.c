#include "optim/schedule.h"

#include <math.h>
#include <stddef.h>

#include "platform/choice.h"

const char *const ms_schedule_kind_names[] = {
    [MS_SCHEDULE_CONSTANT] = "constant", [MS_SCHEDULE_COSINE] = "cosine", [MS_SCHEDULE_LINEAR] = "linear", NULL};

ms_status ms_schedule_check(const ms_schedule *schedule) {
    MS_TRY(ms_choice_check("schedule: kind", (int)schedule->kind, ms_schedule_kind_names));
    if (schedule->warmup_steps < 0 || schedule->total_steps < 0)
        return MS_FAIL(MS_INVALID, "schedule: %lld warm-up steps of %lld: neither may be negative",
                       (long long)schedule->warmup_steps, (long long)schedule->total_steps);
    if (!(schedule->final_fraction >= 0 && schedule->final_fraction <= 1))
        return MS_FAIL(MS_INVALID, "schedule: final fraction %g, must be in [0, 1]", schedule->final_fraction);
    return MS_OK;
}

double ms_schedule_factor(const ms_schedule *schedule, int64_t step) {
    if (step < schedule->warmup_steps) return (double)(step + 1) / (double)schedule->warmup_steps;
    if (schedule->kind == MS_SCHEDULE_CONSTANT) return 1;
    /* The first step after the warm-up is at 1, the last step at final_fraction. */
    double length = (double)(schedule->total_steps - 1 - schedule->warmup_steps);
    double progress = length > 0 ? (double)(step - schedule->warmup_steps) / length : 1;
    if (progress > 1) progress = 1;
    const double pi = 3.14159265358979323846;
    if (schedule->kind != MS_SCHEDULE_COSINE && schedule->kind != MS_SCHEDULE_LINEAR) return NAN;
    double shape = schedule->kind == MS_SCHEDULE_COSINE ? 0.5 * (1 + cos(pi * progress)) : 1 - progress;
    return schedule->final_fraction + (1 - schedule->final_fraction) * shape;
}
