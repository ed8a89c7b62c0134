/* Sockets that only this machine can reach. */
#ifndef MS_PLATFORM_LOOPBACK_H
#define MS_PLATFORM_LOOPBACK_H

#include <stddef.h>

#include "platform/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A non-blocking socket that listens on 127.0.0.1 and on no other address.  port: 0 to 65535, 0 for any that is free;
   *out_port: which it became.  The caller closes the descriptor.  MS_INVALID.  MS_IO: the port is in
   use, or may not be had; the message names it.  Thread-safe. */
ms_status ms_loopback_listen(int port, int *out_descriptor, int *out_port);

/* The name of this machine, "this-machine" where the system has none; returns out.  size >= 1.  Thread-safe. */
const char *ms_machine_name(char *out, size_t size);

#ifdef __cplusplus
}
#endif

#endif
