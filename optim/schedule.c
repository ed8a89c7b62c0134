#include "optim/schedule.h"

#include <math.h>
#include <stddef.h>

const char *const ms_schedule_kind_names[] = {
    [MS_SCHEDULE_CONSTANT] = "constant", [MS_SCHEDULE_COSINE] = "cosine", [MS_SCHEDULE_LINEAR] = "linear", NULL};

double ms_schedule_factor(const ms_schedule *schedule, int64_t step) {
    if (step < schedule->warmup_steps) return (double)(step + 1) / (double)schedule->warmup_steps;
    if (schedule->kind == MS_SCHEDULE_CONSTANT) return 1;
    /* The first step after the warm-up is at 1, the last step at final_fraction. */
    double length = (double)(schedule->total_steps - 1 - schedule->warmup_steps);
    double progress = length > 0 ? (double)(step - schedule->warmup_steps) / length : 1;
    if (progress > 1) progress = 1;
    const double pi = 3.14159265358979323846;
    double shape = schedule->kind == MS_SCHEDULE_COSINE ? 0.5 * (1 + cos(pi * progress)) : 1 - progress;
    return schedule->final_fraction + (1 - schedule->final_fraction) * shape;
}
