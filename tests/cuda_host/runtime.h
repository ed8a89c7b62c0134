/* The state behind the CUDA calls: one pretended device with its memory, streams, events and graphs.

   Work is queued and runs only when something needs it: a call that waits, a stream that waits for another, a poll.
   Which pending work runs first when there is a choice is CUDAHOST_STREAMS's, so that a wait that is missing shows
   under one of the orders. */
#ifndef MS_TESTS_CUDA_HOST_RUNTIME_H
#define MS_TESTS_CUDA_HOST_RUNTIME_H

#include <cuda_runtime_api.h>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <set>
#include <string>
#include <vector>

#include "tests/cuda_host/memory.h"
#include "tests/cuda_host/random.h"
#include "tests/cuda_host/stream.h"

namespace ms_cuda_host {

/* Not thread-safe: only inside api_call. */
class Runtime {
  public:
    Runtime();

    /* The stream of a handle; NULL is the default stream.  An empty pointer where the handle is none. */
    std::shared_ptr<Stream> stream_of(cudaStream_t handle);
    std::shared_ptr<Event> event_of(cudaEvent_t handle);

    /* Queues or captures work.  cudaErrorInvalidResourceHandle: no such stream. */
    cudaError_t submit(cudaStream_t handle, std::string name, std::function<void()> run);
    cudaError_t submit(const std::shared_ptr<Stream> &stream, Work work);

    /* CUDAHOST_LAZY: notes what is used outside of captures; cudaErrorStreamCaptureUnsupported, and the capture is
       broken, at the first use inside of one. */
    cudaError_t use(cudaStream_t handle, const char *name, const void *what);

    /* Runs work until the mark is reached, or until nothing is pending. */
    void reach(const Mark &mark);
    void drain();
    /* Runs one pending work of the stream, and what it waits for: what happens while somebody polls. */
    void poll(const std::shared_ptr<Stream> &stream);

    /* cudaErrorStreamCaptureUnsupported, and the captures are broken, where one forbids calls that wait or allocate. */
    cudaError_t forbid_in_capture();

    /* How a call that waits ends: CUDAHOST_FAIL. */
    cudaError_t waited();

    /* Bytes of dynamic shared memory that a launch of this kernel may ask for. */
    size_t dynamic_shared_limit(const void *function) const;

    MemoryRange device;
    MemoryRange pinned;
    uint64_t device_used_bytes = 0;
    bool lost = false;                                    /* every call fails */
    bool in_callback = false;                             /* a host function runs: it may not call CUDA */
    std::map<const void *, size_t> dynamic_shared_limits; /* set by cudaFuncSetAttribute */
    std::set<const void *> loaded;                        /* what was used outside of captures */
    std::map<cudaStream_t, std::shared_ptr<Stream>> streams;
    std::map<cudaEvent_t, std::shared_ptr<Event>> events;
    std::map<cudaGraph_t, std::shared_ptr<Graph>> graphs;
    std::map<cudaGraphExec_t, std::shared_ptr<const Graph>> executable_graphs;
    std::vector<std::shared_ptr<Stream>> known_streams; /* oldest first; destroyed ones until their work has run */
    std::vector<std::shared_ptr<Capture>> captures;     /* that have begun and not ended */

  private:
    void run_next(const std::shared_ptr<Stream> &stream);
    void reach_inside(const Mark &mark);
    std::vector<std::shared_ptr<Stream>> streams_with_work() const;
    void add_default_stream_order(const std::shared_ptr<Stream> &stream, Work &work) const;
    void begin_execution();
    void end_execution();

    std::shared_ptr<Stream> default_stream_;
    Random random_;
};

/* The runtime of this process, made at the first call. */
Runtime &runtime();
std::recursive_mutex &runtime_lock();

/* Runs one work now; device memory is open. */
void run_work(const Work &work);

/* What cudaGetLastError tells on this thread. */
cudaError_t remember(cudaError_t error);
cudaError_t last_error();
void forget_last_error();

/* The frame of every call: one at a time, none from a host function in a stream or on a lost device; remembers its
   error. */
template <class Function> cudaError_t api_call(Function function) {
    std::lock_guard<std::recursive_mutex> guard(runtime_lock());
    if (runtime().in_callback) return remember(cudaErrorNotPermitted);
    if (runtime().lost) return remember(cudaErrorLaunchFailure);
    try {
        return remember(function(runtime()));
    } catch (const std::bad_alloc &) {
        return remember(cudaErrorMemoryAllocation);
    }
}

/* A number of the calling operating-system thread. */
uint64_t my_thread_id();

/* True for addresses in the ranges of device and pinned memory, live or not.  Thread-safe. */
bool is_device_visible(const void *address);
bool is_device_address(const void *address);

/* Says what is at an address in these ranges; false where it is in neither. */
bool describe_address(const void *address, char *text, size_t size_bytes);

} // namespace ms_cuda_host

#endif
