#include "platform/clock.h"

#include <math.h>
#include <stdio.h>
#include <time.h>

int64_t ms_clock_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static double spent_by(clockid_t clock) {
    struct timespec spent;
    clock_gettime(clock, &spent);
    return (double)spent.tv_sec + 1e-9 * (double)spent.tv_nsec;
}

double ms_clock_thread_seconds(void) { return spent_by(CLOCK_THREAD_CPUTIME_ID); }

double ms_clock_process_seconds(void) { return spent_by(CLOCK_PROCESS_CPUTIME_ID); }

double ms_clock_seconds(void) { return (double)ms_clock_ns() * 1e-9; }

const char *ms_clock_utc(char *out, size_t size) {
    time_t now = time(NULL);
    struct tm utc;
    if (size > 0) out[0] = '\0';
    if (gmtime_r(&now, &utc)) strftime(out, size, "%Y-%m-%dT%H:%M:%SZ", &utc);
    return out;
}

const char *ms_duration_text(double seconds, char *out, size_t size) {
    if (!isfinite(seconds) || seconds < 0 || seconds > 1e12) {
        snprintf(out, size, "?");
        return out;
    }
    long long whole = llround(seconds);
    if (seconds < 9.95)
        snprintf(out, size, "%.1fs", seconds);
    else if (whole < 60)
        snprintf(out, size, "%llds", whole);
    else if (whole < 3600)
        snprintf(out, size, "%lldm%02llds", whole / 60, whole % 60);
    else if (whole < 86400)
        snprintf(out, size, "%lldh%02lldm", whole / 3600, whole / 60 % 60);
    else
        snprintf(out, size, "%lldd%02lldh", whole / 86400, whole / 3600 % 24);
    return out;
}
