/* The HTTP server of `muonscope watch`: one page, the data that it shows, and events that say when these are new.

   GET /           the page
   GET /data.json  the data that were published last; 503 while there are none
   GET /events     server-sent events: "message" for each publication, "end" after the last

   Requests of another method get 405, with another Host 403, of another path 404.  A thread of libmicrohttpd answers
   all of them without blocking for any; at most MS_SERVER_CONNECTIONS at a time, each with a bounded buffer.  A reader
   that takes nothing for MS_SERVER_TIMEOUT_S, or whose data are older than MS_SERVER_OLDEST_S, is dropped: so the
   copies of the data that readers hold are few.  The functions are called by one thread. */
#ifndef MS_CLI_WATCH_SERVER_H
#define MS_CLI_WATCH_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/status.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { MS_SERVER_CONNECTIONS = 512, MS_SERVER_TIMEOUT_S = 30, MS_SERVER_OLDEST_S = 60 };

typedef struct ms_server ms_server;

/* Starts answering on a socket that listens (platform/loopback.h), which belongs to the server from here on, also on
   failure.  page: HTML, copied.  MS_UNSUPPORTED: no libmicrohttpd.  MS_IO, MS_OUT_OF_MEMORY. */
ms_status ms_server_create(int descriptor, int port, const char *page, ms_server **out);

/* Hands over new data, malloc'ed JSON that the server frees, and tells every reader; is_last: that nothing new will
   come, too.  MS_OUT_OF_MEMORY: they are freed, and the ones before stay. */
ms_status ms_server_publish(ms_server *server, char *data, size_t size_bytes, bool is_last);

/* Whether somebody listens to events, or has asked for data since the last publication. */
bool ms_server_has_readers(ms_server *server);

/* Sends a sign of life to those that listen, by which a connection that is gone is noticed. */
void ms_server_beat(ms_server *server);

/* After the last data: whether all who were told have fetched them, or are gone, and nobody has asked for a moment. */
bool ms_server_is_done(ms_server *server);

/* Drops all connections and frees the server.  NULL is fine. */
void ms_server_destroy(ms_server *server);

#ifdef __cplusplus
}
#endif

#endif
