#include "tests/cuda_host/runtime.h"

#include "tests/cuda_host/fault.h"
#include "tests/cuda_host/launch.h"
#include "tests/cuda_host/report.h"
#include "tests/cuda_host/settings.h"

namespace ms_cuda_host {
namespace {

/* Addresses are never used twice, so the ranges are much larger than the memory. */
const size_t DEVICE_RANGE_BYTES = size_t{1} << 40;
const size_t PINNED_RANGE_BYTES = size_t{1} << 38;

thread_local cudaError_t my_last_error = cudaSuccess;

bool reached(const Mark &mark) { return mark.stream->n_done >= mark.n_done; }

} // namespace

Runtime::Runtime()
    : device("device memory", DEVICE_RANGE_BYTES, false), pinned("pinned memory", PINNED_RANGE_BYTES, true),
      default_stream_(std::make_shared<Stream>()), random_(settings().stream_order) {
    known_streams.push_back(default_stream_);
    streams[nullptr] = streams[cudaStreamLegacy] = default_stream_;
}

std::shared_ptr<Stream> Runtime::stream_of(cudaStream_t handle) {
    auto found = streams.find(handle);
    return found == streams.end() ? nullptr : found->second;
}

std::shared_ptr<Event> Runtime::event_of(cudaEvent_t handle) {
    auto found = events.find(handle);
    return found == events.end() ? nullptr : found->second;
}

/* The default stream waits for all blocking streams, and they for it (CUDA's "legacy" behaviour). */
void Runtime::add_default_stream_order(const std::shared_ptr<Stream> &stream, Work &work) const {
    if (stream->blocking) work.after.push_back({default_stream_, default_stream_->n_submitted});
    if (stream != default_stream_) return;
    for (const std::shared_ptr<Stream> &other : known_streams)
        if (other->blocking) work.after.push_back({other, other->n_submitted});
}

cudaError_t Runtime::submit(const std::shared_ptr<Stream> &stream, Work work) {
    if (stream->capture) {
        Graph &graph = *stream->capture->graph;
        graph.nodes.push_back({std::move(work), stream->capture_last});
        stream->capture_last = {graph.nodes.size() - 1};
        return cudaSuccess;
    }
    add_default_stream_order(stream, work);
    stream->pending.push_back(std::move(work));
    stream->n_submitted++;
    return cudaSuccess;
}

cudaError_t Runtime::submit(cudaStream_t handle, std::string name, std::function<void()> run) {
    std::shared_ptr<Stream> stream = stream_of(handle);
    if (!stream) return cudaErrorInvalidResourceHandle;
    return submit(stream, {std::move(name), std::move(run), {}});
}

cudaError_t Runtime::use(cudaStream_t handle, const char *name, const void *what) {
    std::shared_ptr<Stream> stream = stream_of(handle);
    if (!settings().loads_lazily || !stream) return cudaSuccess;
    if (!stream->capture) loaded.insert(what);
    if (loaded.count(what)) return cudaSuccess;
    explain("%s: used for the first time, inside a capture", name);
    stream->capture->broken = true;
    return cudaErrorStreamCaptureUnsupported;
}

void Runtime::begin_execution() { device.open(); }

void Runtime::end_execution() {
    device.check_margins();
    pinned.check_margins();
    device.close();
    for (size_t i = known_streams.size(); i-- > 1;)
        if (known_streams[i].use_count() == 1 && known_streams[i]->pending.empty())
            known_streams.erase(known_streams.begin() + static_cast<ptrdiff_t>(i));
}

void run_work(const Work &work) {
    set_running_work(work.name.c_str());
    if (work.run) work.run();
    set_running_work(nullptr);
}

void Runtime::run_next(const std::shared_ptr<Stream> &stream) {
    stream->busy = true;
    Work work = std::move(stream->pending.front());
    stream->pending.pop_front();
    for (const Mark &mark : work.after) reach_inside(mark);
    run_work(work);
    stream->n_done++;
    stream->busy = false;
}

std::vector<std::shared_ptr<Stream>> Runtime::streams_with_work() const {
    std::vector<std::shared_ptr<Stream>> found;
    for (const std::shared_ptr<Stream> &stream : known_streams)
        if (!stream->pending.empty() && !stream->busy) found.push_back(stream);
    return found;
}

/* Orders 0 and 1 run what is needed and nothing else; a random order lets any other work come first. */
void Runtime::reach_inside(const Mark &mark) {
    while (!reached(mark)) {
        std::shared_ptr<Stream> stream = mark.stream;
        if (settings().stream_order > 1 && random_.below(2)) {
            std::vector<std::shared_ptr<Stream>> candidates = streams_with_work();
            stream = candidates[random_.below(candidates.size())];
        }
        run_next(stream);
    }
}

void Runtime::reach(const Mark &mark) {
    if (reached(mark)) return;
    begin_execution();
    reach_inside(mark);
    end_execution();
}

void Runtime::drain() {
    begin_execution();
    for (std::vector<std::shared_ptr<Stream>> candidates; !(candidates = streams_with_work()).empty();) {
        unsigned order = settings().stream_order;
        size_t i = order == 0 ? 0 : order == 1 ? candidates.size() - 1 : random_.below(candidates.size());
        run_next(candidates[i]);
    }
    end_execution();
}

void Runtime::poll(const std::shared_ptr<Stream> &stream) {
    if (stream->pending.empty()) return;
    reach({stream, stream->n_done + 1});
}

cudaError_t Runtime::forbid_in_capture() {
    bool forbidden = false;
    for (const std::shared_ptr<Capture> &capture : captures) {
        bool mine = capture->thread_id == my_thread_id();
        bool forbids =
            capture->mode == cudaStreamCaptureModeGlobal || (capture->mode == cudaStreamCaptureModeThreadLocal && mine);
        if (forbids) capture->broken = forbidden = true;
    }
    return forbidden ? cudaErrorStreamCaptureUnsupported : cudaSuccess;
}

cudaError_t Runtime::waited() {
    lost = must_fail(FailingCall::LOST);
    if (lost) return cudaErrorLaunchFailure;
    return must_fail(FailingCall::SYNC) ? cudaErrorDevicesUnavailable : cudaSuccess;
}

size_t Runtime::dynamic_shared_limit(const void *function) const {
    auto found = dynamic_shared_limits.find(function);
    return found == dynamic_shared_limits.end() ? DEFAULT_SHARED_BYTES : found->second;
}

Runtime &runtime() {
    /* Never freed: work of other threads may end after main. */
    static Runtime *the_runtime = [] {
        install_fault_handler();
        return new Runtime();
    }();
    return *the_runtime;
}

std::recursive_mutex &runtime_lock() {
    static std::recursive_mutex *lock = new std::recursive_mutex();
    return *lock;
}

uint64_t my_thread_id() {
    static thread_local char marker;
    return reinterpret_cast<uintptr_t>(&marker);
}

cudaError_t remember(cudaError_t error) {
    /* "Not ready" is an answer, not an error. */
    if (error != cudaSuccess && error != cudaErrorNotReady) my_last_error = error;
    return error;
}

cudaError_t last_error() { return my_last_error; }

void forget_last_error() { my_last_error = cudaSuccess; }

bool is_device_address(const void *address) { return runtime().device.contains(address); }

bool is_device_visible(const void *address) { return is_device_address(address) || runtime().pinned.contains(address); }

bool describe_address(const void *address, char *text, size_t size_bytes) {
    for (MemoryRange *range : {&runtime().device, &runtime().pinned}) {
        if (!range->contains(address)) continue;
        range->describe(address, text, size_bytes);
        return true;
    }
    return false;
}

} // namespace ms_cuda_host
