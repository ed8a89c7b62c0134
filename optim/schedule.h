/* Learning-rate schedules: the factor on the peak rate at a step. */
#ifndef MS_OPTIM_SCHEDULE_H
#define MS_OPTIM_SCHEDULE_H

#include <stdint.h>

#include "platform/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum ms_schedule_kind {
    MS_SCHEDULE_CONSTANT,
    MS_SCHEDULE_COSINE, /* half a cosine from 1 to final_fraction (Loshchilov & Hutter 2017) */
    MS_SCHEDULE_LINEAR  /* straight line from 1 to final_fraction */
} ms_schedule_kind;
/* Names by value; ends with NULL. */
extern const char *const ms_schedule_kind_names[];

typedef struct ms_schedule {
    ms_schedule_kind kind;
    int64_t warmup_steps; /* the factor rises as (step + 1) / warmup_steps before any decay */
    int64_t total_steps;
    double final_fraction; /* factor at the last step of cosine and linear */
} ms_schedule;

/* MS_INVALID: a kind that does not exist, negative steps, a final fraction outside [0, 1].  Thread-safe. */
ms_status ms_schedule_check(const ms_schedule *schedule);
/* Of a schedule that passes its check; step counts from 0.  In [0, 1] for final_fraction in [0, 1]; beyond total_steps
   it stays at final_fraction. */
double ms_schedule_factor(const ms_schedule *schedule, int64_t step);

#ifdef __cplusplus
}
#endif

#endif
