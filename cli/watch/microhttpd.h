/* libmicrohttpd, opened at run time: training needs neither it nor the libraries that it brings. */
#ifndef MS_CLI_WATCH_MICROHTTPD_H
#define MS_CLI_WATCH_MICROHTTPD_H

#include <microhttpd.h>

#include "platform/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Its functions by their names without MHD_. */
typedef struct ms_microhttpd {
#define X(name) __typeof__(MHD_##name) *name;
#include "cli/watch/microhttpd.def"
} ms_microhttpd;

/* Who answers a request, and the argument for ms_microhttpd_handle. */
typedef struct ms_microhttpd_handler {
    enum MHD_Result (*answer)(void *context, struct MHD_Connection *connection, const char *path, const char *method);
    void *context;
} ms_microhttpd_handler;

/* What libmicrohttpd calls for a request: answers at once; what it sends behind its headers is not read. */
extern const MHD_AccessHandlerCallback ms_microhttpd_handle;

/* Fills `out`.  MS_UNSUPPORTED: it is not installed, which the message names, or lacks a function. */
ms_status ms_microhttpd_open(ms_microhttpd *out);

#ifdef __cplusplus
}
#endif

#endif
