/* The transport of MPI, in a module of its own (muonscope-mpi.so), built against the site's MPI and loaded at run time:
   libmuonscope needs no MPI, and one that was built for another MPI is refused before it is called.

   All waits poll, so that each has a deadline of its own: MPI itself waits for a dead rank for ever.  One thread beside
   the caller, on rank 0 alone, gives signs of life while it works alone; calls are made one at a time
   (MPI_THREAD_SERIALIZED). */
#define _GNU_SOURCE /* dladdr, on_exit */
#include "train/parallel/mpi/mpi_module.h"

#include <dlfcn.h>
#include <mpi.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { TAG_DATA = 1, TAG_LIFE = 2 };

/* Bytes of one message of MPI, whose counts are ints. */
static const size_t piece_bytes = (size_t)1 << 30;

typedef struct state {
    MPI_Comm world;
    int rank, n_ranks;
    double timeout_seconds;
    MPI_Request *requests; /* of the present exchange */
    int *peers;            /* whom each is from or to */
    size_t capacity;
    pthread_mutex_t mutex; /* one call of MPI at a time */
    pthread_t life;
    bool has_life, ends;
    bool is_one_host; /* of all ranks */
    bool is_lost;     /* an exchange was given up: MPI cannot be finalized */
} state;

static state only; /* a process has one world */

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static void nap(long nanoseconds) { nanosleep(&(struct timespec){0, nanoseconds}, NULL); }

/* ---- signs of life of rank 0 ---- */

static void *give_signs(void *context) {
    state *s = context;
    MPI_Request *requests = calloc((size_t)s->n_ranks, sizeof *requests);
    static char sign;
    double last = now();
    for (int i = 0; requests && i < s->n_ranks; i++) requests[i] = MPI_REQUEST_NULL;
    for (;;) {
        nap(50000000);
        pthread_mutex_lock(&s->mutex);
        bool ends = s->ends || !requests;
        bool due = !ends && now() - last >= s->timeout_seconds / 5;
        for (int i = 1; due && i < s->n_ranks; i++) {
            int done = 1;
            MPI_Test(&requests[i], &done, MPI_STATUS_IGNORE);
            if (done) MPI_Isend(&sign, 1, MPI_CHAR, i, TAG_LIFE, s->world, &requests[i]);
        }
        if (due) last = now();
        pthread_mutex_unlock(&s->mutex);
        if (ends) break;
    }
    free(requests);
    return NULL;
}

/* Takes the signs that have come.  Returns whether there were any. */
static bool take_signs(state *s) {
    bool found = false;
    if (s->rank == 0) return false;
    for (;;) {
        int there = 0;
        char sign;
        MPI_Iprobe(0, TAG_LIFE, s->world, &there, MPI_STATUS_IGNORE);
        if (!there) return found;
        MPI_Recv(&sign, 1, MPI_CHAR, 0, TAG_LIFE, s->world, MPI_STATUS_IGNORE);
        found = true;
    }
}

/* ---- exchange ---- */

static bool reserve(state *s, size_t n) {
    if (n <= s->capacity) return true;
    MPI_Request *requests = realloc(s->requests, n * sizeof *requests);
    if (requests) s->requests = requests;
    int *peers = realloc(s->peers, n * sizeof *peers);
    if (peers) s->peers = peers;
    if (!requests || !peers) return false;
    s->capacity = n;
    return true;
}

static size_t count_pieces(const ms_message *messages, int n_ranks) {
    size_t n = 0;
    for (int i = 0; i < n_ranks; i++) n += (messages[i].bytes + piece_bytes - 1) / piece_bytes;
    return n;
}

/* Begins all pieces to or from a rank. */
static int begin_pieces(state *s, const ms_message *message, int peer, bool sends, size_t *n) {
    int result = MPI_SUCCESS;
    for (size_t at = 0; result == MPI_SUCCESS && at < message->bytes; at += piece_bytes) {
        size_t rest = message->bytes - at;
        int count = (int)(rest < piece_bytes ? rest : piece_bytes);
        char *data = (char *)message->data + at;
        s->peers[*n] = peer;
        result = sends ? MPI_Isend(data, count, MPI_BYTE, peer, TAG_DATA, s->world, &s->requests[*n])
                       : MPI_Irecv(data, count, MPI_BYTE, peer, TAG_DATA, s->world, &s->requests[*n]);
        if (result == MPI_SUCCESS) ++*n;
    }
    return result;
}

static bool fail(char *out_error, int result, const char *what) {
    char text[MPI_MAX_ERROR_STRING + 1] = "";
    int length = 0;
    MPI_Error_string(result, text, &length);
    for (char *c = text; *c; c++)
        if (*c == '\n') *c = ' ';
    snprintf(out_error, MS_TRANSPORT_TEXT_SIZE, "%s (MPI: %.300s)", what, text);
    return false;
}

/* MPI has seen before the deadline that a rank is gone. */
static bool fail_peer(state *s, int result, int peer, char *out_error) {
    char what[64];
    snprintf(what, sizeof what, "no connection any more to rank %d", peer);
    s->is_lost = true;
    return fail(out_error, result, what);
}

static bool fail_missing(state *s, size_t n, char *out_error) {
    size_t size = MS_TRANSPORT_TEXT_SIZE;
    size_t used = (size_t)snprintf(out_error, size, "no answer within %g s from rank", s->timeout_seconds);
    const char *before = " ";
    for (int r = 0; r < s->n_ranks; r++) {
        bool missing = false;
        for (size_t i = 0; i < n; i++) missing |= s->requests[i] != MPI_REQUEST_NULL && s->peers[i] == r;
        if (!missing || used >= size) continue;
        used += (size_t)snprintf(out_error + used, size - used, "%s%d", before, r);
        before = ", ";
    }
    s->is_lost = true;
    return false;
}

static bool wait_for_pieces(state *s, size_t n, bool patient, char *out_error) {
    double deadline = now() + s->timeout_seconds;
    for (long polls = 0;; polls++) {
        int done = 0, result = MPI_SUCCESS;
        pthread_mutex_lock(&s->mutex);
        /* One by one: a request that is done is then known to be. */
        size_t n_done = 0;
        int peer = -1;
        for (size_t i = 0; result == MPI_SUCCESS && i < n; i++) {
            peer = s->peers[i];
            result = MPI_Test(&s->requests[i], &done, MPI_STATUS_IGNORE);
            n_done += done != 0;
        }
        bool lives = polls % 64 == 0 && take_signs(s);
        pthread_mutex_unlock(&s->mutex);
        if (result != MPI_SUCCESS) return fail_peer(s, result, peer, out_error);
        if (n_done == n) return true;
        if (patient && lives) deadline = now() + s->timeout_seconds;
        if (polls % 64 == 63 && now() > deadline) return fail_missing(s, n, out_error);
        if (polls > 20000)
            nap(200000);
        else if (polls > 200)
            nap(20000);
    }
}

static bool exchange(void *context, const ms_message *out, const ms_message *in, bool patient,
                     char out_error[MS_TRANSPORT_TEXT_SIZE]) {
    state *s = context;
    size_t n = 0;
    int result = MPI_SUCCESS;
    out_error[0] = '\0';
    if (!reserve(s, count_pieces(out, s->n_ranks) + count_pieces(in, s->n_ranks))) {
        snprintf(out_error, MS_TRANSPORT_TEXT_SIZE, "no memory for an exchange");
        return false;
    }
    pthread_mutex_lock(&s->mutex);
    take_signs(s);
    for (int i = 0; result == MPI_SUCCESS && i < s->n_ranks; i++)
        if (i != s->rank) result = begin_pieces(s, &in[i], i, false, &n);
    for (int i = 0; result == MPI_SUCCESS && i < s->n_ranks; i++)
        if (i != s->rank) result = begin_pieces(s, &out[i], i, true, &n);
    pthread_mutex_unlock(&s->mutex);
    if (in[s->rank].bytes > 0) memcpy(in[s->rank].data, out[s->rank].data, in[s->rank].bytes);
    if (result == MPI_SUCCESS) return wait_for_pieces(s, n, patient, out_error);
    return fail_peer(s, result, s->peers[n], out_error);
}

/* ---- the end ---- */

static volatile sig_atomic_t alarm_status = 1;

static void alarmed(int number) {
    (void)number;
    _exit(alarm_status);
}

/* What MPI does at the end can wait for ranks that are gone: the process then exits with this status. */
static void set_alarm(double seconds, int status) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = alarmed;
    alarm_status = status;
    sigaction(SIGALRM, &action, NULL);
    alarm(seconds < 1 ? 1 : (unsigned)(seconds + 0.5));
}

static void stop_signs(state *s) {
    if (!s->has_life) return;
    pthread_mutex_lock(&s->mutex);
    s->ends = true;
    pthread_mutex_unlock(&s->mutex);
    pthread_join(s->life, NULL);
    s->has_life = false;
}

/* The line is what the caller has said: processes do not hear each other any more. */
static void end(void *context, const char *line) {
    state *s = context;
    (void)line;
    set_alarm(5, 1);
    MPI_Abort(s->world, 1);
    _exit(1);
}

static void set_timeout(void *context, double seconds) {
    state *s = context;
    pthread_mutex_lock(&s->mutex);
    s->timeout_seconds = seconds;
    pthread_mutex_unlock(&s->mutex);
}

/* MPICH before 4.2 can wait in MPI_Finalize for ever where ranks meet over TCP: a rank that waits for the launcher
   there answers no other (https://github.com/pmodels/mpich/pull/6596).  On one host ranks meet in memory. */
static bool can_finalize(const state *s) {
#if defined MPICH_NUMVERSION && MPICH_NUMVERSION < 40200000
    return s->is_one_host;
#else
    (void)s;
    return true;
#endif
}

/* Of MPI_Finalize only what the launcher needs, which else takes an exit for a failure and ends the other ranks: a line
   to Hydra by the descriptor that it gave (PMI-1, as MPICH's src/pmi speaks it).  Another launcher, or no answer within
   5 s: only its status can be wrong. */
static void tell_launcher(void) {
    static const char command[] = "cmd=finalize\n";
    const char *number = getenv("PMI_FD"); /* not ours */
    char answer[64];
    struct pollfd from = {.fd = number ? atoi(number) : -1, .events = POLLIN};
    if (from.fd < 0 || write(from.fd, command, sizeof command - 1) != (ssize_t)(sizeof command - 1)) return;
    if (poll(&from, 1, 5000) > 0) (void)!read(from.fd, answer, sizeof answer);
}

/* At the exit of the process, whose status stands then. */
static void finalize(int status, void *context) {
    const state *s = context;
    fflush(NULL);
    set_alarm(s->timeout_seconds, status);
    if (can_finalize(s))
        MPI_Finalize();
    else
        tell_launcher();
    alarm(0);
}

/* Waits until all ranks are here.  There is nobody left to return an error to. */
static void meet(state *s) {
    char error[MS_TRANSPORT_TEXT_SIZE], sign = 0;
    char *signs = calloc((size_t)s->n_ranks, 1);
    ms_message *messages = calloc(2 * (size_t)s->n_ranks, sizeof *messages);
    for (int i = 0; signs && messages && i < s->n_ranks; i++) {
        messages[i] = (ms_message){&sign, 1};
        messages[s->n_ranks + i] = (ms_message){&signs[i], 1};
    }
    bool met = signs && messages && exchange(s, messages, messages + s->n_ranks, true, error);
    free(messages);
    free(signs);
    if (met) return;
    fprintf(stderr, "muonscope: rank %d, at the end of all work: %s\n", s->rank,
            signs && messages ? error : "no memory for an exchange");
    end(s, "");
}

static void leave(void *context) {
    state *s = context;
    if (s->is_lost) end(s, "");
    meet(s);
    stop_signs(s);
    free(s->requests);
    free(s->peers);
    s->requests = NULL;
    s->peers = NULL;
    s->capacity = 0;
    if (on_exit(finalize, s) != 0) finalize(1, s);
}

/* ---- the beginning ---- */

/* Open MPI's components look for its symbols among those of the whole process, and the module was opened for itself. */
static void show_symbols(void) {
    Dl_info info;
    void *function;
    int (*const of)(int *, char ***, int, int *) = MPI_Init_thread;
    memcpy(&function, &of, sizeof function);
    if (dladdr(function, &info) && info.dli_fname) (void)dlopen(info.dli_fname, RTLD_NOW | RTLD_GLOBAL | RTLD_NOLOAD);
}

/* Over TCP Open MPI 4.1 asks for a large message on the connection on which it is sending one, and the request waits
   for the end of that: two hosts that send to each other, as ranks do, take turns.  With its protocol of fragments both
   send at once.  What the user sets goes before this (mpirun --mca btl_tcp_flags); other MPIs do not know it. */
static void ask_for_both_directions(void) { (void)setenv("OMPI_MCA_btl_tcp_flags", "send", 0); }

static bool join(state *s, char *out_error) {
    int provided = MPI_THREAD_SINGLE, result;
    if (pthread_mutex_init(&s->mutex, NULL) != 0) {
        snprintf(out_error, MS_TRANSPORT_TEXT_SIZE, "no memory for a lock");
        return false;
    }
    show_symbols();
    ask_for_both_directions();
    result = MPI_Init_thread(NULL, NULL, MPI_THREAD_SERIALIZED, &provided);
    if (result != MPI_SUCCESS) return fail(out_error, result, "MPI_Init_thread");
    if (provided < MPI_THREAD_SERIALIZED) {
        snprintf(out_error, MS_TRANSPORT_TEXT_SIZE, "MPI: built without threads (MPI_THREAD_SERIALIZED)");
        return false;
    }
    result = MPI_Comm_dup(MPI_COMM_WORLD, &s->world);
    if (result == MPI_SUCCESS) result = MPI_Comm_set_errhandler(s->world, MPI_ERRORS_RETURN);
    if (result == MPI_SUCCESS) result = MPI_Comm_rank(s->world, &s->rank);
    if (result == MPI_SUCCESS) result = MPI_Comm_size(s->world, &s->n_ranks);
    MPI_Comm host = MPI_COMM_NULL;
    int n_here = 0;
    if (result == MPI_SUCCESS) result = MPI_Comm_split_type(s->world, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &host);
    if (result == MPI_SUCCESS) result = MPI_Comm_size(host, &n_here);
    if (result == MPI_SUCCESS) result = MPI_Comm_free(&host);
    s->is_one_host = n_here == s->n_ranks;
    if (result != MPI_SUCCESS) return fail(out_error, result, "the communicator");
    if (s->rank > 0 || s->n_ranks == 1) return true;
    s->has_life = pthread_create(&s->life, NULL, give_signs, s) == 0;
    if (!s->has_life) snprintf(out_error, MS_TRANSPORT_TEXT_SIZE, "no memory for a thread");
    return s->has_life;
}

bool ms_mpi_module_open(const char *version, double timeout_seconds, ms_transport *out,
                        char out_error[MS_TRANSPORT_TEXT_SIZE]);

bool ms_mpi_module_open(const char *version, double timeout_seconds, ms_transport *out,
                        char out_error[MS_TRANSPORT_TEXT_SIZE]) {
    memset(out, 0, sizeof *out);
    if (strcmp(version, MS_MPI_MODULE_VERSION) != 0) {
        snprintf(out_error, MS_TRANSPORT_TEXT_SIZE, "it belongs to another version of muonscope");
        return false;
    }
    only.timeout_seconds = timeout_seconds;
    if (!join(&only, out_error)) return false;
    *out = (ms_transport){.name = "mpi",
                          .rank = only.rank,
                          .n_ranks = only.n_ranks,
                          .context = &only,
                          .exchange = exchange,
                          .set_timeout = set_timeout,
                          .abort = end,
                          .close = leave};
    return true;
}
