/* CUDA calls about streams and events.  What each promises is in NVIDIA's cuda_runtime_api.h. */
#include <algorithm>
#include <chrono>

#include "tests/cuda_host/fault.h"
#include "tests/cuda_host/runtime.h"
#include "tests/cuda_host/settings.h"

using namespace ms_cuda_host;

namespace {

uint64_t now_ns() {
    auto since = std::chrono::steady_clock::now().time_since_epoch();
    return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(since).count());
}

bool is_done(const Stream &stream) { return stream.n_done == stream.n_submitted; }

bool is_done(const Event &event) { return !event.recorded || event.mark.stream->n_done >= event.mark.n_done; }

/* A captured event cannot be waited for; asking breaks the capture. */
cudaError_t check_not_captured(const Event &event) {
    if (!event.capture) return cudaSuccess;
    event.capture->broken = true;
    return cudaErrorCapturedEvent;
}

cudaError_t check_not_captured(const Stream &stream) {
    if (!stream.capture) return cudaSuccess;
    stream.capture->broken = true;
    return cudaErrorStreamCaptureUnsupported;
}

/* The next node of the stream follows the event's nodes too; a stream outside joins the capture. */
cudaError_t wait_in_capture(Stream &stream, const Event &event) {
    if (!event.capture) {
        stream.capture->broken = true;
        return cudaErrorStreamCaptureIsolation;
    }
    if (stream.capture && stream.capture != event.capture) return cudaErrorStreamCaptureIsolation;
    stream.capture = event.capture;
    for (size_t node : event.capture_last)
        if (std::find(stream.capture_last.begin(), stream.capture_last.end(), node) == stream.capture_last.end())
            stream.capture_last.push_back(node);
    return cudaSuccess;
}

cudaError_t record(Runtime &runtime, const std::shared_ptr<Event> &event, const std::shared_ptr<Stream> &stream) {
    event->capture = stream->capture;
    event->capture_last = stream->capture_last;
    event->recorded = !stream->capture;
    if (stream->capture) return cudaSuccess;
    runtime.submit(stream, {"event", [event] { event->time_ns = now_ns(); }, {}});
    event->mark = {stream, stream->n_submitted};
    return cudaSuccess;
}

/* Device memory is closed to the function, and CUDA calls are forbidden. */
void run_host_function(Runtime &runtime, cudaHostFn_t function, void *data) {
    set_running_work(nullptr);
    runtime.device.close();
    runtime.in_callback = true;
    function(data);
    runtime.in_callback = false;
    runtime.device.open();
}

} // namespace

extern "C" {

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *out, unsigned flags) {
    return api_call([&](Runtime &runtime) {
        if (!out || (flags != cudaStreamDefault && flags != cudaStreamNonBlocking)) return cudaErrorInvalidValue;
        auto stream = std::make_shared<Stream>();
        stream->blocking = flags == cudaStreamDefault;
        *out = reinterpret_cast<cudaStream_t>(stream.get());
        runtime.streams[*out] = stream;
        runtime.known_streams.push_back(stream);
        return cudaSuccess;
    });
}

cudaError_t cudaStreamDestroy(cudaStream_t handle) {
    return api_call([&](Runtime &runtime) {
        std::shared_ptr<Stream> stream = runtime.stream_of(handle);
        if (!stream || stream == runtime.stream_of(nullptr)) return cudaErrorInvalidResourceHandle;
        if (stream->capture) stream->capture->broken = true;
        runtime.streams.erase(handle);
        return cudaSuccess;
    });
}

cudaError_t cudaStreamSynchronize(cudaStream_t handle) {
    return api_call([&](Runtime &runtime) {
        std::shared_ptr<Stream> stream = runtime.stream_of(handle);
        if (!stream) return cudaErrorInvalidResourceHandle;
        cudaError_t error = check_not_captured(*stream);
        if (error != cudaSuccess) return error;
        runtime.reach({stream, stream->n_submitted});
        return runtime.waited();
    });
}

cudaError_t cudaStreamQuery(cudaStream_t handle) {
    return api_call([&](Runtime &runtime) {
        std::shared_ptr<Stream> stream = runtime.stream_of(handle);
        if (!stream) return cudaErrorInvalidResourceHandle;
        cudaError_t error = check_not_captured(*stream);
        if (error != cudaSuccess || is_done(*stream)) return error;
        runtime.poll(stream);
        return cudaErrorNotReady;
    });
}

cudaError_t cudaStreamWaitEvent(cudaStream_t handle, cudaEvent_t event_handle, unsigned flags) {
    return api_call([&](Runtime &runtime) {
        std::shared_ptr<Stream> stream = runtime.stream_of(handle);
        std::shared_ptr<Event> event = runtime.event_of(event_handle);
        if (!stream || !event) return cudaErrorInvalidResourceHandle;
        if (flags != cudaEventWaitDefault) return cudaErrorInvalidValue;
        if (stream->capture || event->capture) return wait_in_capture(*stream, *event);
        if (is_done(*event)) return cudaSuccess;
        return runtime.submit(stream, {"wait for an event", nullptr, {event->mark}});
    });
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *out, unsigned flags) {
    return api_call([&](Runtime &runtime) {
        if (!out || (flags & ~static_cast<unsigned>(cudaEventBlockingSync | cudaEventDisableTiming)))
            return cudaErrorInvalidValue;
        auto event = std::make_shared<Event>();
        event->timed = !(flags & cudaEventDisableTiming);
        *out = reinterpret_cast<cudaEvent_t>(event.get());
        runtime.events[*out] = event;
        return cudaSuccess;
    });
}

cudaError_t cudaEventDestroy(cudaEvent_t handle) {
    return api_call(
        [&](Runtime &runtime) { return runtime.events.erase(handle) ? cudaSuccess : cudaErrorInvalidResourceHandle; });
}

cudaError_t cudaEventRecord(cudaEvent_t handle, cudaStream_t stream_handle) {
    return api_call([&](Runtime &runtime) {
        std::shared_ptr<Event> event = runtime.event_of(handle);
        std::shared_ptr<Stream> stream = runtime.stream_of(stream_handle);
        if (!event || !stream) return cudaErrorInvalidResourceHandle;
        return record(runtime, event, stream);
    });
}

cudaError_t cudaEventSynchronize(cudaEvent_t handle) {
    return api_call([&](Runtime &runtime) {
        std::shared_ptr<Event> event = runtime.event_of(handle);
        if (!event) return cudaErrorInvalidResourceHandle;
        cudaError_t error = check_not_captured(*event);
        if (error != cudaSuccess) return error;
        if (!is_done(*event)) runtime.reach(event->mark);
        return runtime.waited();
    });
}

cudaError_t cudaEventQuery(cudaEvent_t handle) {
    return api_call([&](Runtime &runtime) {
        std::shared_ptr<Event> event = runtime.event_of(handle);
        if (!event) return cudaErrorInvalidResourceHandle;
        cudaError_t error = check_not_captured(*event);
        if (error != cudaSuccess || is_done(*event)) return error;
        runtime.poll(event->mark.stream);
        return cudaErrorNotReady;
    });
}

cudaError_t cudaEventElapsedTime(float *out_ms, cudaEvent_t begin_handle, cudaEvent_t end_handle) {
    return api_call([&](Runtime &runtime) {
        std::shared_ptr<Event> begin = runtime.event_of(begin_handle), end = runtime.event_of(end_handle);
        if (!out_ms) return cudaErrorInvalidValue;
        if (!begin || !end || !begin->timed || !end->timed || !begin->recorded || !end->recorded)
            return cudaErrorInvalidResourceHandle;
        if (!is_done(*begin) || !is_done(*end)) return cudaErrorNotReady;
        *out_ms = static_cast<float>(static_cast<double>(end->time_ns - begin->time_ns) * 1e-6);
        return cudaSuccess;
    });
}

cudaError_t cudaLaunchHostFunc(cudaStream_t stream, cudaHostFn_t function, void *data) {
    return api_call([&](Runtime &runtime) {
        if (!function) return cudaErrorInvalidValue;
        return runtime.submit(stream, "host function",
                              [&runtime, function, data] { run_host_function(runtime, function, data); });
    });
}
}
