/* Switches of the host runtime, read from the environment at the first use of any CUDA call. */
#ifndef MS_TESTS_CUDA_HOST_SETTINGS_H
#define MS_TESTS_CUDA_HOST_SETTINGS_H

#include <cstdint>
#include <cuda_runtime_api.h>

namespace ms_cuda_host {

/* Which kind of call CUDAHOST_FAIL makes fail. */
enum class FailingCall { MALLOC, LAUNCH, SYNC, LOST, N_KINDS };

struct Settings {
    unsigned thread_order =
        0; /* CUDAHOST_ORDER: threads and blocks 0 forward, 1 backward, else seed of a random order */
    unsigned stream_order =
        0;                  /* CUDAHOST_STREAMS: which pending work runs first, 0 oldest stream, 1 newest, else seed */
    unsigned n_threads = 1; /* CUDAHOST_THREADS: operating-system threads that run blocks; default: processors */
    bool align_to_end = true;           /* CUDAHOST_ALIGN=end|start: where in its pages an allocation lies */
    uint64_t memory_bytes = 4ull << 30; /* CUDAHOST_MEMORY in MiB: size of the device's memory */
    bool has_pools = true;              /* CUDAHOST_POOLS=0: the device has no memory pools */
    bool loads_lazily = false; /* CUDAHOST_LAZY=1: the first use of a kernel, or of cuBLAS, may not be captured */
    int n_devices = 1;         /* CUDAHOST_DEVICES: 0 or 1 */
    int driver_version = CUDART_VERSION; /* CUDAHOST_DRIVER, as CUDA counts: 12080 is 12.8; 0: there is none */
    /* CUDAHOST_FAIL=malloc:N,launch:N,sync:N: the Nth such call fails, from 1; 0 = none.  lost:N: from the Nth wait on,
       every call. */
    unsigned failing[static_cast<int>(FailingCall::N_KINDS)] = {};
};

/* The settings of this process.  A value that cannot be read ends the process with a message.  Thread-safe. */
const Settings &settings();

/* Counts one call of that kind; true when it is the one that has to fail.  Thread-safe. */
bool must_fail(FailingCall kind);

} // namespace ms_cuda_host

#endif
