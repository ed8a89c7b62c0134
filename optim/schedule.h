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
    MS_SCHEDULE_LINEAR, /* straight line from 1 to final_fraction */
    MS_SCHEDULE_WSD /* warm-up, stable at 1, then a straight line to final_fraction over the last decay_fraction of the
                       steps: warmup-stable-decay (Hu et al. 2024), the trapezoid of Haegele et al. 2024 */
} ms_schedule_kind;
/* Names by value; ends with NULL. */
extern const char *const ms_schedule_kind_names[];

/* How steps are counted.  With w warm-up steps of T, and step s from 0: */
typedef enum ms_schedule_convention {
    /* No step is lost: warm-up (s + 1) / w; the first step after it is at 1, the last step at final_fraction; linear is
       one line between them. */
    MS_CONVENTION_MUONSCOPE,
    /* vukrosic/muon-llm-research: at least one step of warm-up, at s / w, so that the first step is at rate 0; then
       with p = (s - w) / (T - w) linear is max(final_fraction, 1 - p), and cosine reaches final_fraction at step T,
       which is no step of the run. */
    MS_CONVENTION_REFERENCE
} ms_schedule_convention;
/* Names by value; ends with NULL. */
extern const char *const ms_schedule_convention_names[];

typedef struct ms_schedule {
    ms_schedule_kind kind;
    int64_t warmup_steps; /* before any decay */
    int64_t total_steps;
    double final_fraction; /* of cosine, linear and wsd */
    ms_schedule_convention convention;
    double decay_fraction; /* wsd: share of total_steps that decays, rounded to whole steps */
} ms_schedule;

/* MS_INVALID: a kind or convention that does not exist, negative steps, a fraction outside [0, 1].  Thread-safe. */
ms_status ms_schedule_check(const ms_schedule *schedule);
/* Of a schedule that passes its check; step counts from 0.  In [0, 1] for final_fraction in [0, 1]; beyond total_steps
   it stays at final_fraction. */
double ms_schedule_factor(const ms_schedule *schedule, int64_t step);
/* Steps of the last, decaying part of wsd. */
int64_t ms_schedule_decay_steps(const ms_schedule *schedule);

#ifdef __cplusplus
}
#endif

#endif
