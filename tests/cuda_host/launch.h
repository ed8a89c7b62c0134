/* A kernel launch: what is checked when it is asked for, and how it runs. */
#ifndef MS_TESTS_CUDA_HOST_LAUNCH_H
#define MS_TESTS_CUDA_HOST_LAUNCH_H

#include <cstddef>
#include <cuda_runtime_api.h>
#include <memory>

namespace ms_cuda_host {

/* Launch limits of the pretended device: those of compute capability 9.0. */
const unsigned MAX_THREADS_PER_BLOCK = 1024;
const unsigned MAX_BLOCK_Z = 64;
const unsigned MAX_GRID_X = 2147483647;
const unsigned MAX_GRID_YZ = 65535;
const size_t DEFAULT_SHARED_BYTES = 48 * 1024;
const size_t MAX_SHARED_BYTES = 227 * 1024;
const size_t MAX_ARGUMENT_BYTES = 32764;

struct Launch {
    const char *name;     /* of the kernel; static */
    const void *function; /* its address: what cudaFuncSetAttribute knows it by */
    dim3 grid, block;
    size_t dynamic_shared_bytes;
    size_t shared_limit_bytes;          /* of static and dynamic together; set by submit_launch */
    void (*invoke)(const void *packed); /* calls the kernel once, for the thread at `place` */
    std::shared_ptr<const void> packed; /* kernel and arguments, copied at the launch */
};

/* Checks the launch and puts it into the stream.  cudaErrorInvalidConfiguration, cudaErrorInvalidValue or what
   CUDAHOST_FAIL asks for: nothing will run, and cudaGetLastError tells.  Thread-safe. */
cudaError_t submit_launch(Launch launch, cudaStream_t stream);

/* Aborts unless the address is NULL, device memory or pinned memory: what a kernel may be handed. */
void check_pointer_argument(const char *kernel, size_t i_argument, const void *address);

/* The same for each aligned word inside a struct; only words that are the address of mapped memory count as
   pointers. */
void check_struct_argument(const char *kernel, size_t i_argument, const void *bytes, size_t size_bytes);

/* Runs all blocks; on several operating-system threads where there are enough. */
void run_launch(const Launch &launch);

} // namespace ms_cuda_host

#endif
