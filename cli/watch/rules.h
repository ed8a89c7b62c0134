/* What the server answers and with which headers: what no request can change.  Thread-safe. */
#ifndef MS_CLI_WATCH_RULES_H
#define MS_CLI_WATCH_RULES_H

#include <stdbool.h>
#include <stddef.h>

#include "platform/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Whether a Host header names this server by an address of this machine: 127.0.0.1, localhost or [::1] with the port,
   which may be left out where it is 80.  Any other name may be one that somebody's page has bound to 127.0.0.1.  NULL
   is none. */
bool ms_host_is_ours(const char *host, int port);

/* The header Content-Security-Policy of a page of HTML: its own inline scripts and styles, each by its hash, data: as
   pictures, and requests to the server; nothing else, and no frame around it.  The caller frees *out.
   MS_OUT_OF_MEMORY. */
ms_status ms_page_policy(const char *page, char **out);

#ifdef __cplusplus
}
#endif

#endif
