/* What messages cost on the way between hosts: a model of one link a host, which carries both directions at once, and
   of a switch that is never the narrow place. */
#ifndef MS_TRAIN_PARALLEL_LINK_H
#define MS_TRAIN_PARALLEL_LINK_H

#include <stdint.h>

#include "platform/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ms_link {
    double bits_per_second; /* of the wire, as links are sold */
    double latency_seconds; /* from one program to another, one way, of a small message */
} ms_link;

/* rate: a number and kb, Mb, Gb or Tb, in powers of ten, as "10Gb" or "2.5Gb/s"; latency: a number and us, ms or s;
   NULL: MS_LINK_LATENCY.  MS_USAGE names the option and what it must be. */
#define MS_LINK_LATENCY "50us"
ms_status ms_link_parse(const char *rate, const char *latency, ms_link *out);

/* Seconds of an exchange: bytes, the most that any host sends or receives in it; largest, of its largest message.  0
   for 0 bytes.  1448 of the 1538 bytes of an Ethernet frame are the message's (MTU 1500, TCP over IPv4 with time
   stamps).  MPI sends a message over 64 KiB in three ways across: request, answer, data. */
double ms_link_seconds(const ms_link *link, double bytes, double largest);

#ifdef __cplusplus
}
#endif

#endif
