#include "optim/schedule.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>

#include "platform/choice.h"

const char *const ms_schedule_kind_names[] = {[MS_SCHEDULE_CONSTANT] = "constant",
                                              [MS_SCHEDULE_COSINE] = "cosine",
                                              [MS_SCHEDULE_LINEAR] = "linear",
                                              [MS_SCHEDULE_WSD] = "wsd",
                                              NULL};
const char *const ms_schedule_convention_names[] = {
    [MS_CONVENTION_MUONSCOPE] = "muonscope", [MS_CONVENTION_REFERENCE] = "reference", NULL};

ms_status ms_schedule_check(const ms_schedule *schedule) {
    MS_TRY(ms_choice_check("schedule: kind", (int)schedule->kind, ms_schedule_kind_names));
    MS_TRY(ms_choice_check("schedule: convention", (int)schedule->convention, ms_schedule_convention_names));
    if (schedule->warmup_steps < 0 || schedule->total_steps < 0)
        return MS_FAIL(MS_INVALID, "schedule: %lld warm-up steps of %lld: neither may be negative",
                       (long long)schedule->warmup_steps, (long long)schedule->total_steps);
    if (!(schedule->final_fraction >= 0 && schedule->final_fraction <= 1))
        return MS_FAIL(MS_INVALID, "schedule: final fraction %g, must be in [0, 1]", schedule->final_fraction);
    if (!(schedule->decay_fraction >= 0 && schedule->decay_fraction <= 1))
        return MS_FAIL(MS_INVALID, "schedule: decay fraction %g, must be in [0, 1]", schedule->decay_fraction);
    return MS_OK;
}

int64_t ms_schedule_decay_steps(const ms_schedule *schedule) {
    return (int64_t)llround(schedule->decay_fraction * (double)schedule->total_steps);
}

static int64_t warmup_of(const ms_schedule *schedule) {
    bool at_least_1 = schedule->convention == MS_CONVENTION_REFERENCE && schedule->warmup_steps < 1;
    return at_least_1 ? 1 : schedule->warmup_steps;
}

/* The step before which the factor is 1: the end of the warm-up or, for wsd, of the stable part. */
static int64_t decay_begin(const ms_schedule *schedule) {
    int64_t warmup = warmup_of(schedule), begin = warmup;
    if (schedule->kind == MS_SCHEDULE_WSD) begin = schedule->total_steps - ms_schedule_decay_steps(schedule);
    return begin > warmup ? begin : warmup;
}

/* How much of the decay is behind at a step, from 0 to 1. */
static double progress_at(const ms_schedule *schedule, int64_t step) {
    int64_t begin = decay_begin(schedule), length = schedule->total_steps - begin;
    double done = (double)(step - begin);
    if (done < 0) return 0;
    if (schedule->convention == MS_CONVENTION_REFERENCE) {
        done /= length > 0 ? (double)length : 1;
    } else if (schedule->kind == MS_SCHEDULE_WSD) {
        /* The last stable step is at 1, so that the first of the decay is below it. */
        done = length > 0 ? (done + 1) / (double)length : 1;
    } else {
        done = length > 1 ? done / (double)(length - 1) : 1;
    }
    return done < 1 ? done : 1;
}

double ms_schedule_factor(const ms_schedule *schedule, int64_t step) {
    const double pi = 3.14159265358979323846;
    bool reference = schedule->convention == MS_CONVENTION_REFERENCE;
    int64_t warmup = warmup_of(schedule);
    double last = schedule->final_fraction;
    if (step < warmup) return (double)(step + !reference) / (double)warmup;
    switch (schedule->kind) {
    case MS_SCHEDULE_CONSTANT:
        return 1;
    case MS_SCHEDULE_COSINE:
        return last + (1 - last) * (0.5 * (1 + cos(pi * progress_at(schedule, step))));
    case MS_SCHEDULE_LINEAR:
    case MS_SCHEDULE_WSD: {
        double rest = 1 - progress_at(schedule, step);
        return reference ? fmax(last, rest) : last + (1 - last) * rest;
    }
    }
    return NAN;
}
