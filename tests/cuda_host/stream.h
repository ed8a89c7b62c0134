/* Streams, events and the work in them.  Nothing here is thread-safe: the runtime's lock is held. */
#ifndef MS_TESTS_CUDA_HOST_STREAM_H
#define MS_TESTS_CUDA_HOST_STREAM_H

#include <cstdint>
#include <cuda_runtime_api.h>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace ms_cuda_host {

struct Stream;
struct Capture;

/* A point in a stream: reached when `n_done` works of it have run. */
struct Mark {
    std::shared_ptr<Stream> stream;
    uint64_t n_done;
};

struct Work {
    std::string name;          /* for messages */
    std::function<void()> run; /* empty: it only waits */
    std::vector<Mark> after;   /* reached before it runs */
};

struct Stream {
    bool blocking = false; /* waits for the default stream, and that for it */
    std::deque<Work> pending;
    uint64_t n_submitted = 0;
    uint64_t n_done = 0;
    bool busy = false;                     /* its next work is running, or waits for another stream */
    std::shared_ptr<Capture> capture;      /* NULL: work goes into the stream */
    std::vector<size_t> capture_last = {}; /* nodes that the next captured one follows */
};

struct Event {
    bool timed = true;
    bool recorded = false;
    Mark mark = {nullptr, 0};         /* where it was recorded last */
    uint64_t time_ns = 0;             /* when its last record ran */
    std::shared_ptr<Capture> capture; /* not NULL: recorded in a capture, behind these nodes */
    std::vector<size_t> capture_last = {};
};

/* A captured work and the nodes it follows, by their indices. */
struct Node {
    Work work;
    std::vector<size_t> after;
};

struct Graph {
    std::vector<Node> nodes; /* each behind those it follows */
};

struct Capture {
    std::shared_ptr<Graph> graph = std::make_shared<Graph>();
    Stream *origin = nullptr;
    enum cudaStreamCaptureMode mode = cudaStreamCaptureModeGlobal;
    uint64_t thread_id = 0; /* who began it */
    bool broken = false;    /* a call was made that a capture forbids */
};

/* Runs the nodes in an order that their edges allow: CUDAHOST_STREAMS chooses among those that could run. */
void run_graph(const Graph &graph, void (*run_work)(const Work &work));

/* True when every node comes before one of `last`, or is one. */
bool joined(const Graph &graph, const std::vector<size_t> &last);

} // namespace ms_cuda_host

#endif
