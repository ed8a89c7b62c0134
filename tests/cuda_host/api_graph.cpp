/* CUDA calls about capture and graphs.  What each promises is in NVIDIA's cuda_runtime_api.h. */
#include <algorithm>

#include "tests/cuda_host/runtime.h"
#include "tests/cuda_host/settings.h"

using namespace ms_cuda_host;

namespace {

void leave_capture(Runtime &runtime, const std::shared_ptr<Capture> &capture) {
    for (const std::shared_ptr<Stream> &stream : runtime.known_streams) {
        if (stream->capture != capture) continue;
        stream->capture = nullptr;
        stream->capture_last.clear();
    }
    runtime.captures.erase(std::find(runtime.captures.begin(), runtime.captures.end(), capture));
}

} // namespace

extern "C" {

cudaError_t cudaStreamBeginCapture(cudaStream_t handle, cudaStreamCaptureMode mode) {
    return api_call([&](Runtime &runtime) {
        std::shared_ptr<Stream> stream = runtime.stream_of(handle);
        if (!stream) return cudaErrorInvalidResourceHandle;
        if (stream == runtime.stream_of(nullptr)) return cudaErrorStreamCaptureUnsupported;
        if (stream->capture) return cudaErrorIllegalState;
        stream->capture = std::make_shared<Capture>();
        stream->capture->origin = stream.get();
        stream->capture->mode = mode;
        stream->capture->thread_id = my_thread_id();
        stream->capture_last.clear();
        runtime.captures.push_back(stream->capture);
        return cudaSuccess;
    });
}

cudaError_t cudaStreamEndCapture(cudaStream_t handle, cudaGraph_t *out) {
    return api_call([&](Runtime &runtime) {
        if (!out) return cudaErrorInvalidValue;
        *out = nullptr;
        std::shared_ptr<Stream> stream = runtime.stream_of(handle);
        if (!stream) return cudaErrorInvalidResourceHandle;
        std::shared_ptr<Capture> capture = stream->capture;
        if (!capture) return cudaErrorIllegalState;
        if (capture->origin != stream.get()) return cudaErrorStreamCaptureUnmatched;
        bool all_joined = joined(*capture->graph, stream->capture_last);
        leave_capture(runtime, capture);
        if (capture->broken) return cudaErrorStreamCaptureInvalidated;
        if (!all_joined) return cudaErrorStreamCaptureUnjoined;
        *out = reinterpret_cast<cudaGraph_t>(capture->graph.get());
        runtime.graphs[*out] = capture->graph;
        return cudaSuccess;
    });
}

/* How many nodes there are; the nodes themselves have no handles here. */
cudaError_t cudaGraphGetNodes(cudaGraph_t handle, cudaGraphNode_t *nodes, size_t *n_nodes) {
    return api_call([&](Runtime &runtime) {
        auto graph = runtime.graphs.find(handle);
        if (!n_nodes || graph == runtime.graphs.end()) return cudaErrorInvalidValue;
        if (nodes) return cudaErrorNotSupported;
        *n_nodes = graph->second->nodes.size();
        return cudaSuccess;
    });
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t *out, cudaGraph_t handle, unsigned long long flags) {
    return api_call([&](Runtime &runtime) {
        if (!out || flags != 0) return cudaErrorInvalidValue;
        auto graph = runtime.graphs.find(handle);
        if (graph == runtime.graphs.end()) return cudaErrorInvalidValue;
        auto copy = std::make_shared<const Graph>(*graph->second);
        *out = reinterpret_cast<cudaGraphExec_t>(const_cast<Graph *>(copy.get()));
        runtime.executable_graphs[*out] = copy;
        return cudaSuccess;
    });
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t handle, cudaStream_t stream) {
    return api_call([&](Runtime &runtime) {
        auto found = runtime.executable_graphs.find(handle);
        if (found == runtime.executable_graphs.end()) return cudaErrorInvalidValue;
        if (must_fail(FailingCall::LAUNCH)) return cudaErrorLaunchFailure;
        std::shared_ptr<const Graph> graph = found->second;
        return runtime.submit(stream, "graph", [graph] { run_graph(*graph, run_work); });
    });
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t handle) {
    return api_call([&](Runtime &runtime) {
        return runtime.executable_graphs.erase(handle) ? cudaSuccess : cudaErrorInvalidValue;
    });
}

cudaError_t cudaGraphDestroy(cudaGraph_t handle) {
    return api_call(
        [&](Runtime &runtime) { return runtime.graphs.erase(handle) ? cudaSuccess : cudaErrorInvalidValue; });
}
}
