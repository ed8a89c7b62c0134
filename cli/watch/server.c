#include "cli/watch/server.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "cli/watch/microhttpd.h"
#include "cli/watch/rules.h"
#include "platform/clock.h"

enum { CONNECTION_BYTES = 16384, EVENT_BYTES = 64, QUIET_MS = 500 };

/* Data as they were published; freed by the last that holds them. */
typedef struct snapshot {
    char *text;
    size_t size_bytes;
    int64_t number;     /* from 1 */
    int n_holders;      /* the server, and the answers that send them */
    int64_t retired_ns; /* when others took their place; 0: they are the last ones */
} snapshot;

/* A reader of /events. */
typedef struct stream {
    ms_server *server;
    struct MHD_Connection *connection;
    char event[EVENT_BYTES]; /* what is being sent */
    size_t n, sent;
    int64_t number, beat; /* what it was told last */
    bool told_end, suspended;
    struct stream *next;
} stream;

/* An answer with data. */
typedef struct transfer {
    ms_server *server;
    snapshot *data;
    bool is_last; /* begun after the end */
} transfer;

struct ms_server {
    ms_microhttpd http;
    ms_microhttpd_handler handler;
    struct MHD_Daemon *daemon;
    struct MHD_Response *page;
    char *policy;
    int port;
    pthread_mutex_t mutex; /* of all below, and of what snapshots and streams have that changes */
    snapshot *last;        /* NULL: none yet */
    stream *streams;
    int64_t beat;
    bool was_asked; /* for data since the last publication */
    bool ended, closing;
    int n_told, n_fetched; /* readers that know of the end; answers with the last data that began after it */
    int n_transfers;       /* under way */
    int64_t quiet_ns;      /* since when there is neither a reader nor a transfer */
};

/* ---- snapshots ---- */

/* Under the mutex. */
static void release(snapshot *data) {
    if (!data || --data->n_holders > 0) return;
    free(data->text);
    free(data);
}

static ssize_t send_data(void *context, uint64_t position, char *out, size_t most) {
    transfer *of = context;
    ms_server *server = of->server;
    pthread_mutex_lock(&server->mutex);
    int64_t retired_ns = of->data->retired_ns;
    pthread_mutex_unlock(&server->mutex);
    if (retired_ns && ms_clock_ns() - retired_ns > MS_SERVER_OLDEST_S * INT64_C(1000000000))
        return MHD_CONTENT_READER_END_WITH_ERROR;
    size_t left = of->data->size_bytes - (size_t)position, n = left < most ? left : most;
    memcpy(out, of->data->text + position, n);
    return (ssize_t)n;
}

static void end_transfer(void *context) {
    transfer *of = context;
    pthread_mutex_lock(&of->server->mutex);
    of->server->n_fetched += of->is_last;
    of->server->n_transfers--;
    of->server->quiet_ns = ms_clock_ns();
    release(of->data);
    pthread_mutex_unlock(&of->server->mutex);
    free(of);
}

/* ---- events ---- */

/* Under the mutex: the next event of a stream, if there is one. */
static void next_event(stream *to) {
    ms_server *server = to->server;
    int64_t number = server->last ? server->last->number : 0;
    to->n = to->sent = 0;
    if (server->ended && !to->told_end)
        to->n = (size_t)snprintf(to->event, sizeof to->event, "event: end\ndata: %lld\n\n", (long long)number);
    else if (number > to->number && !server->ended)
        to->n = (size_t)snprintf(to->event, sizeof to->event, "data: %lld\n\n", (long long)number);
    else if (server->beat > to->beat)
        to->n = (size_t)snprintf(to->event, sizeof to->event, ":\n\n");
    to->told_end = server->ended;
    to->number = number;
    to->beat = server->beat;
}

/* A stream without news sleeps until wake_streams. */
static ssize_t send_events(void *context, uint64_t position, char *out, size_t most) {
    stream *to = context;
    ms_server *server = to->server;
    ssize_t result = 0;
    (void)position;
    pthread_mutex_lock(&server->mutex);
    bool knew_end = to->told_end;
    if (to->sent == to->n) next_event(to);
    server->n_told += to->told_end && !knew_end;
    size_t left = to->n - to->sent, n = left < most ? left : most;
    memcpy(out, to->event + to->sent, n);
    to->sent += n;
    if (n > 0) {
        result = (ssize_t)n;
    } else if (server->closing || to->told_end) {
        result = MHD_CONTENT_READER_END_OF_STREAM;
    } else {
        to->suspended = true;
        server->http.suspend_connection(to->connection);
    }
    pthread_mutex_unlock(&server->mutex);
    return result;
}

static void end_stream(void *context) {
    stream *of = context;
    pthread_mutex_lock(&of->server->mutex);
    stream **at = &of->server->streams;
    while (*at != of) at = &(*at)->next;
    *at = of->next;
    of->server->quiet_ns = ms_clock_ns();
    pthread_mutex_unlock(&of->server->mutex);
    free(of);
}

/* A connection that sleeps does not end before it is woken: it is there after the mutex is free. */
static void wake_streams(ms_server *server) {
    struct MHD_Connection *sleeping[MS_SERVER_CONNECTIONS];
    int n = 0;
    pthread_mutex_lock(&server->mutex);
    for (stream *of = server->streams; of; of = of->next) {
        if (!of->suspended || n == MS_SERVER_CONNECTIONS) continue;
        of->suspended = false;
        sleeping[n++] = of->connection;
    }
    pthread_mutex_unlock(&server->mutex);
    for (int i = 0; i < n; i++) server->http.resume_connection(sleeping[i]);
}

/* ---- answers ---- */

typedef struct answer {
    unsigned code;
    const char *type; /* of its content */
    struct MHD_Response *response;
} answer;

static bool add_headers(ms_server *server, const answer *of) {
    static const char *const headers[][2] = {{"Cache-Control", "no-store"},
                                             {"X-Content-Type-Options", "nosniff"},
                                             {"X-Frame-Options", "DENY"},
                                             {"Referrer-Policy", "no-referrer"},
                                             {"Cross-Origin-Resource-Policy", "same-origin"},
                                             {"Cross-Origin-Opener-Policy", "same-origin"}};
    const ms_microhttpd *http = &server->http;
    bool is_page = of->response == server->page;
    bool good = http->add_response_header(of->response, "Content-Type", of->type) == MHD_YES;
    for (size_t i = 0; i < sizeof headers / sizeof *headers && good; i++)
        good = http->add_response_header(of->response, headers[i][0], headers[i][1]) == MHD_YES;
    if (of->code == MHD_HTTP_METHOD_NOT_ALLOWED && good)
        good = http->add_response_header(of->response, "Allow", "GET, HEAD") == MHD_YES;
    return good && http->add_response_header(of->response, "Content-Security-Policy",
                                             is_page ? server->policy : "default-src 'none'") == MHD_YES;
}

/* A line of text, static. */
static answer say(ms_server *server, unsigned code, const char *text) {
    return (answer){code, "text/plain; charset=utf-8",
                    server->http.create_response_from_buffer(strlen(text), (void *)text, MHD_RESPMEM_PERSISTENT)};
}

static answer answer_data(ms_server *server) {
    transfer *of = malloc(sizeof *of);
    pthread_mutex_lock(&server->mutex);
    snapshot *data = server->last;
    server->was_asked = true;
    if (of && data) {
        *of = (transfer){server, data, server->ended};
        data->n_holders++;
        server->n_transfers++;
    }
    pthread_mutex_unlock(&server->mutex);
    if (!of || !data) {
        free(of);
        return say(server, MHD_HTTP_SERVICE_UNAVAILABLE, "The run has not begun.\n");
    }
    answer made = {
        MHD_HTTP_OK, "application/json",
        server->http.create_response_from_callback(data->size_bytes, CONNECTION_BYTES, send_data, of, end_transfer)};
    if (!made.response) end_transfer(of);
    return made;
}

static answer answer_events(ms_server *server, struct MHD_Connection *connection) {
    stream *to = calloc(1, sizeof *to);
    if (!to) return (answer){0};
    to->server = server;
    to->connection = connection;
    pthread_mutex_lock(&server->mutex);
    to->beat = server->beat - 1; /* a line at once: the connection is good */
    to->next = server->streams;
    server->streams = to;
    pthread_mutex_unlock(&server->mutex);
    answer made = {
        MHD_HTTP_OK, "text/event-stream",
        server->http.create_response_from_callback(MHD_SIZE_UNKNOWN, EVENT_BYTES, send_events, to, end_stream)};
    if (!made.response) end_stream(to);
    return made;
}

/* The headers "Host" of a request. */
typedef struct hosts {
    const char *host; /* the last */
    int n;
} hosts;

static enum MHD_Result see_header(void *context, enum MHD_ValueKind kind, const char *key, const char *value) {
    hosts *found = context;
    (void)kind;
    if (strcasecmp(key, "Host") == 0) {
        found->host = value;
        found->n++;
    }
    return MHD_YES;
}

static answer choose(ms_server *server, struct MHD_Connection *connection, const char *path, const char *method) {
    hosts found = {NULL, 0};
    server->http.get_connection_values(connection, MHD_HEADER_KIND, see_header, &found);
    if (found.n != 1 || !ms_host_is_ours(found.host, server->port))
        return say(server, MHD_HTTP_FORBIDDEN,
                   "This page answers to 127.0.0.1, localhost and [::1] with its own port alone.\n"
                   "Through ssh, take the same port on both sides: ssh -L PORT:127.0.0.1:PORT HOST\n");
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
        return say(server, MHD_HTTP_METHOD_NOT_ALLOWED, "Only GET and HEAD are answered.\n");
    if (strcmp(path, "/") == 0) return (answer){MHD_HTTP_OK, "text/html; charset=utf-8", server->page};
    if (strcmp(path, "/data.json") == 0) return answer_data(server);
    if (strcmp(path, "/events") == 0) return answer_events(server, connection);
    return say(server, MHD_HTTP_NOT_FOUND, "There is /, /data.json and /events.\n");
}

static enum MHD_Result answer_request(void *context, struct MHD_Connection *connection, const char *path,
                                      const char *method) {
    ms_server *server = context;
    answer made = choose(server, connection, path, method);
    if (!made.response) return MHD_NO;
    bool is_page = made.response == server->page; /* its headers were added once */
    enum MHD_Result result = MHD_NO;
    if (is_page || add_headers(server, &made))
        result = server->http.queue_response(connection, made.code, made.response);
    if (!is_page) server->http.destroy_response(made.response); /* the connection holds it */
    return result;
}

/* ---- the server ---- */

static ms_status make_page(ms_server *server, const char *page) {
    MS_TRY(ms_page_policy(page, &server->policy));
    server->page = server->http.create_response_from_buffer(strlen(page), (void *)page, MHD_RESPMEM_MUST_COPY);
    answer of = {MHD_HTTP_OK, "text/html; charset=utf-8", server->page};
    if (!server->page || !add_headers(server, &of)) return MS_FAIL(MS_OUT_OF_MEMORY, "watch: no memory for the page");
    return MS_OK;
}

static ms_status start(ms_server *server, int descriptor, const char *page) {
    MS_TRY(make_page(server, page));
    server->daemon = server->http.start_daemon(
        MHD_USE_AUTO | MHD_USE_INTERNAL_POLLING_THREAD | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, ms_microhttpd_handle,
        &server->handler, MHD_OPTION_LISTEN_SOCKET, descriptor, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)MS_SERVER_CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)MS_SERVER_TIMEOUT_S,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES, MHD_OPTION_END);
    if (!server->daemon) return MS_FAIL(MS_IO, "watch: libmicrohttpd does not start on port %d", server->port);
    return MS_OK;
}

ms_status ms_server_create(int descriptor, int port, const char *page, ms_server **out) {
    ms_microhttpd http;
    ms_status status = ms_microhttpd_open(&http);
    ms_server *server = status == MS_OK ? calloc(1, sizeof *server) : NULL;
    *out = NULL;
    if (status == MS_OK && !server) status = MS_FAIL(MS_OUT_OF_MEMORY, "watch: no memory for a server");
    if (status == MS_OK) {
        server->http = http;
        server->handler = (ms_microhttpd_handler){answer_request, server};
        server->port = port;
        pthread_mutex_init(&server->mutex, NULL);
        status = start(server, descriptor, page);
    }
    if (status != MS_OK && (!server || !server->daemon)) close(descriptor);
    if (status == MS_OK)
        *out = server;
    else
        ms_server_destroy(server);
    return status;
}

ms_status ms_server_publish(ms_server *server, char *data, size_t size_bytes, bool is_last) {
    snapshot *made = malloc(sizeof *made);
    if (!made) {
        free(data);
        return MS_FAIL(MS_OUT_OF_MEMORY, "watch: no memory for data");
    }
    pthread_mutex_lock(&server->mutex);
    snapshot *before = server->last;
    *made = (snapshot){data, size_bytes, before ? before->number + 1 : 1, 1, 0};
    if (before) before->retired_ns = ms_clock_ns();
    server->last = made;
    server->was_asked = false;
    server->ended = is_last;
    release(before);
    pthread_mutex_unlock(&server->mutex);
    wake_streams(server);
    return MS_OK;
}

bool ms_server_has_readers(ms_server *server) {
    pthread_mutex_lock(&server->mutex);
    bool has = server->streams || server->was_asked;
    pthread_mutex_unlock(&server->mutex);
    return has;
}

void ms_server_beat(ms_server *server) {
    pthread_mutex_lock(&server->mutex);
    server->beat++;
    pthread_mutex_unlock(&server->mutex);
    wake_streams(server);
}

bool ms_server_is_done(ms_server *server) {
    pthread_mutex_lock(&server->mutex);
    bool is_quiet = !server->streams && server->n_transfers == 0;
    bool all_fetched = server->n_fetched >= server->n_told;
    bool is_long = server->n_told == 0 || ms_clock_ns() - server->quiet_ns > QUIET_MS * INT64_C(1000000);
    pthread_mutex_unlock(&server->mutex);
    return is_quiet && all_fetched && is_long;
}

void ms_server_destroy(ms_server *server) {
    if (!server) return;
    pthread_mutex_lock(&server->mutex);
    server->closing = true;
    pthread_mutex_unlock(&server->mutex);
    wake_streams(server);
    if (server->daemon) server->http.stop_daemon(server->daemon); /* frees all answers, closes the socket */
    if (server->page) server->http.destroy_response(server->page);
    release(server->last);
    pthread_mutex_destroy(&server->mutex);
    free(server->policy);
    free(server);
}
