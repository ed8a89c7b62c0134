/* Time.  Thread-safe. */
#ifndef MS_PLATFORM_CLOCK_H
#define MS_PLATFORM_CLOCK_H

#include <stddef.h>
#include <stdint.h>

/* Nanoseconds of a clock that never steps back; the origin is arbitrary. */
int64_t ms_clock_ns(void);
/* The same clock in seconds. */
double ms_clock_seconds(void);
/* Seconds for which a processor has run the calling thread. */
double ms_clock_thread_seconds(void);
/* Seconds for which processors have run this process, all threads added up. */
double ms_clock_process_seconds(void);

/* The wall clock as "2026-01-31T12:00:00Z" (ISO 8601, UTC); returns out.  size >= 21. */
const char *ms_clock_utc(char *out, size_t size);

/* A duration for people: "0.8s", "59s", "12m05s", "3h07m", "2d04h"; "?" when negative or not finite.  Returns out.
   size >= 24. */
const char *ms_duration_text(double seconds, char *out, size_t size);

#endif
