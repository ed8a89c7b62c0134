/* How the ranks of a group reach each other: one call that moves bytes, one that ends all, one that ends politely.  A
   transport knows no tensors.  train/parallel/group.h is what others call.  The module of MPI is built against this
   header alone, so nothing here needs a library. */
#ifndef MS_TRAIN_PARALLEL_TRANSPORT_H
#define MS_TRAIN_PARALLEL_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes for, or from, one rank.  Borrowed for the call. */
typedef struct ms_message {
    void *data;
    size_t bytes; /* 0: nothing is sent */
} ms_message;

enum { MS_TRANSPORT_TEXT_SIZE = 400, MS_TRANSPORT_HOST_SIZE = 64 };

typedef struct ms_transport {
    const char *name; /* "threads", "mpi"; static */
    int rank, n_ranks;
    void *context;
    /* Sends out[r] to rank r and receives in[r] from it, for every r, this rank included; sizes of both sides agree.
       Every rank calls it, in the same order.  patient: the wait may be as long as rank 0 works alone, and lasts while
       it gives signs of life.  Returns false, with one line in out_error, when ranks did not come within the timeout,
       by their numbers, or the group was ended by one. */
    bool (*exchange)(void *context, const ms_message *out, const ms_message *in, bool patient,
                     char out_error[MS_TRANSPORT_TEXT_SIZE]);
    /* Of each wait from here on. */
    void (*set_timeout)(void *context, double seconds);
    /* Ends the group for all ranks: waits of others fail with this line, or their processes end with status 1.  May not
       return. */
    void (*abort)(void *context, const char *line);
    /* Frees the transport, after the last exchange. */
    void (*close)(void *context);
} ms_transport;

#ifdef __cplusplus
}
#endif

#endif
