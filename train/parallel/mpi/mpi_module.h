/* What muonscope-mpi.so offers to libmuonscope, and the way it is found.  Nothing here needs MPI. */
#ifndef MS_TRAIN_PARALLEL_MPI_MPI_MODULE_H
#define MS_TRAIN_PARALLEL_MPI_MPI_MODULE_H

#include "train/parallel/transport.h"

/* Changes with this header and with transport.h. */
#define MS_MPI_MODULE_VERSION "muonscope-mpi 1"
#define MS_MPI_MODULE_ENTRY "ms_mpi_module_open"

/* Joins the other processes.  version: the caller's.  timeout_seconds: of each wait from here on.  Once in a process.
   Returns false with one line. */
typedef bool (*ms_mpi_module_open_function)(const char *version, double timeout_seconds, ms_transport *out,
                                            char out_error[MS_TRANSPORT_TEXT_SIZE]);

#endif
