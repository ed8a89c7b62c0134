/* Ranks that are threads of one process, each with its own device: for tests and sanitizers. */
#ifndef MS_TRAIN_PARALLEL_TRANSPORT_THREADS_H
#define MS_TRAIN_PARALLEL_TRANSPORT_THREADS_H

#include "platform/status.h"
#include "train/parallel/transport.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What the ranks share. */
typedef struct ms_threads_hub ms_threads_hub;

/* timeout_seconds: of each wait.  The caller destroys it after its transports.  MS_INVALID: n_ranks below 1, or no
   timeout.  MS_OUT_OF_MEMORY. */
ms_status ms_threads_hub_create(int n_ranks, double timeout_seconds, ms_threads_hub **out);
void ms_threads_hub_destroy(ms_threads_hub *hub);
/* The transport of one rank, for one thread at a time; once for each rank.  Lives as long as the hub. */
ms_transport ms_threads_hub_transport(ms_threads_hub *hub, int rank);

#ifdef __cplusplus
}
#endif

#endif
