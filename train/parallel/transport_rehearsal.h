/* One rank without the others: exchanges move nothing, and are written down, with what this rank would send and
   receive. What a rank receives is zeros, which all ranks mean by "well" and no loss.  For planning: what a rank does
   between exchanges takes its time, and which bytes it would exchange is said by the code that exchanges them. */
#ifndef MS_TRAIN_PARALLEL_TRANSPORT_REHEARSAL_H
#define MS_TRAIN_PARALLEL_TRANSPORT_REHEARSAL_H

#include <stdint.h>

#include "platform/status.h"
#include "train/parallel/transport.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ms_rehearsed_exchange {
    double begin, end;                   /* ms_clock_seconds when it began, and when the rank went on */
    uint64_t sent_bytes, received_bytes; /* to and from others */
    uint64_t largest_bytes;              /* of a message to or from another */
} ms_rehearsed_exchange;

typedef struct ms_rehearsal {
    int rank, n_ranks;
    ms_rehearsed_exchange *exchanges; /* in the order of the calls */
    int n_exchanges, capacity;
} ms_rehearsal;

/* The transport of that rank, which borrows the rehearsal.  One thread at a time. */
ms_transport ms_rehearsal_transport(ms_rehearsal *rehearsal);
/* What was written down is forgotten. */
void ms_rehearsal_clear(ms_rehearsal *rehearsal);
void ms_rehearsal_finish(ms_rehearsal *rehearsal);

#ifdef __cplusplus
}
#endif

#endif
