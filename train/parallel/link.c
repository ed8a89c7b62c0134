#include "train/parallel/link.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

typedef struct unit {
    const char *name;
    double factor;
} unit;

/* A positive number and a unit, with nothing after it but the tail, which may be missing. */
static bool parse(const char *text, const unit *units, const char *tail, double *out) {
    char *end;
    double number = strtod(text, &end);
    if (*text < '0' || *text > '9' || !isfinite(number) || number <= 0) return false;
    for (; units->name; units++) {
        size_t length = strlen(units->name);
        if (strncmp(end, units->name, length) != 0) continue;
        if (end[length] != '\0' && strcmp(end + length, tail) != 0) continue;
        *out = number * units->factor;
        return isfinite(*out);
    }
    return false;
}

ms_status ms_link_parse(const char *rate, const char *latency, ms_link *out) {
    static const unit rates[] = {{"kb", 1e3}, {"Mb", 1e6}, {"Gb", 1e9}, {"Tb", 1e12}, {NULL, 0}};
    static const unit times[] = {{"us", 1e-6}, {"ms", 1e-3}, {"s", 1}, {NULL, 0}};
    static const double most_bits = 1e14;
    if (!latency) latency = MS_LINK_LATENCY;
    *out = (ms_link){0, 0};
    if (!parse(rate, rates, "/s", &out->bits_per_second) || out->bits_per_second > most_bits)
        return MS_FAIL(MS_USAGE,
                       "--link '%s': must be bits a second of one host's link, as 10Gb, 2.5Gb or 400Mb, at most 100Tb",
                       rate);
    if (!parse(latency, times, "", &out->latency_seconds))
        return MS_FAIL(MS_USAGE, "--link_latency '%s': must be a time, as 50us or 0.2ms", latency);
    return MS_OK;
}

double ms_link_seconds(const ms_link *link, double bytes, double largest) {
    static const double of_payload = 1538.0 / 1448, eager_bytes = 65536;
    if (!(bytes > 0)) return 0;
    return link->latency_seconds * (largest > eager_bytes ? 3 : 1) + 8 * bytes * of_payload / link->bits_per_second;
}
