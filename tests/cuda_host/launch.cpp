#include "tests/cuda_host/launch.h"

#include <atomic>
#include <cstdint>
#include <cstring>
#include <numeric>
#include <sys/mman.h>

#include "tests/cuda_host/pool.h"
#include "tests/cuda_host/random.h"
#include "tests/cuda_host/report.h"
#include "tests/cuda_host/runtime.h"
#include "tests/cuda_host/settings.h"
#include "tests/cuda_host/worker.h"

namespace ms_cuda_host {
namespace {

const uint64_t PAGE_BYTES = 4096;
/* Below this many CUDA threads a launch is not worth waking operating-system threads. */
const uint64_t N_THREADS_WORTH_SHARING = 2048;

bool within(unsigned value, unsigned most) { return value >= 1 && value <= most; }

cudaError_t check_size(const Launch &launch) {
    dim3 block = launch.block, grid = launch.grid;
    uint64_t n_threads = static_cast<uint64_t>(block.x) * block.y * block.z;
    if (!within(block.x, MAX_THREADS_PER_BLOCK) || !within(block.y, MAX_THREADS_PER_BLOCK) ||
        !within(block.z, MAX_BLOCK_Z) || n_threads > MAX_THREADS_PER_BLOCK) {
        explain("kernel %s: a block of %u x %u x %u threads; at most %u, and %u along z", launch.name, block.x, block.y,
                block.z, MAX_THREADS_PER_BLOCK, MAX_BLOCK_Z);
        return cudaErrorInvalidConfiguration;
    }
    if (!within(grid.x, MAX_GRID_X) || !within(grid.y, MAX_GRID_YZ) || !within(grid.z, MAX_GRID_YZ)) {
        explain("kernel %s: a grid of %u x %u x %u blocks; at most %u x %u x %u", launch.name, grid.x, grid.y, grid.z,
                MAX_GRID_X, MAX_GRID_YZ, MAX_GRID_YZ);
        return cudaErrorInvalidConfiguration;
    }
    return cudaSuccess;
}

cudaError_t check_shared(const Launch &launch, const Runtime &runtime) {
    size_t limit_bytes = runtime.dynamic_shared_limit(launch.function);
    if (launch.dynamic_shared_bytes <= limit_bytes) return cudaSuccess;
    explain("kernel %s: %zu bytes of dynamic shared memory; at most %zu, and %zu by cudaFuncSetAttribute", launch.name,
            launch.dynamic_shared_bytes, limit_bytes, MAX_SHARED_BYTES);
    return cudaErrorInvalidValue;
}

bool is_mapped(uintptr_t address) {
    unsigned char resident;
    return mincore(reinterpret_cast<void *>(address / PAGE_BYTES * PAGE_BYTES), 1, &resident) == 0;
}

__extension__ typedef unsigned __int128 Product; /* of two 64-bit numbers */

/* The i-th block to run: a permutation of n blocks without a table. */
class BlockOrder {
  public:
    explicit BlockOrder(uint64_t n) : n_(n), first_(0), step_(1) {
        unsigned order = settings().thread_order;
        if (order == 1) {
            first_ = n - 1;
            step_ = n - 1;
        } else if (order > 1) {
            Random random(order, n);
            first_ = random.below(n);
            do step_ = 1 + random.below(n);
            while (std::gcd(step_, n) != 1);
        }
    }
    uint64_t operator[](uint64_t i) const {
        return static_cast<uint64_t>((first_ + static_cast<Product>(i) * step_) % n_);
    }

  private:
    uint64_t n_, first_, step_;
};

} // namespace

cudaError_t submit_launch(Launch launch, cudaStream_t stream) {
    return api_call([&](Runtime &runtime) {
        cudaError_t error = check_size(launch);
        if (error != cudaSuccess) return error;
        error = check_shared(launch, runtime);
        if (error != cudaSuccess) return error;
        error = runtime.use(stream, launch.name, launch.function);
        if (error != cudaSuccess) return error;
        if (must_fail(FailingCall::LAUNCH)) return cudaErrorLaunchFailure;
        bool opted_in = runtime.dynamic_shared_limit(launch.function) > DEFAULT_SHARED_BYTES;
        launch.shared_limit_bytes = opted_in ? MAX_SHARED_BYTES : DEFAULT_SHARED_BYTES;
        return runtime.submit(stream, launch.name, [launch] { run_launch(launch); });
    });
}

void check_pointer_argument(const char *kernel, size_t i_argument, const void *address) {
    if (!address || is_device_visible(address)) return;
    fatal("kernel %s: argument %zu is %p, which is neither device memory nor pinned memory", kernel, i_argument,
          address);
}

void check_struct_argument(const char *kernel, size_t i_argument, const void *bytes, size_t size_bytes) {
    /* Pairs of 32-bit numbers look like addresses too, rarely like mapped ones. */
#ifdef __SANITIZE_ADDRESS__
    const uintptr_t lowest = 0x10007fff8000u; /* what the sanitizer maps on x86-64 ends here */
#else
    const uintptr_t lowest = uintptr_t{1} << 32;
#endif
    const uintptr_t beyond = uintptr_t{1} << 47;
    for (size_t offset = 0; offset + sizeof(void *) <= size_bytes; offset += sizeof(void *)) {
        uintptr_t word;
        memcpy(&word, static_cast<const char *>(bytes) + offset, sizeof word);
        const void *address = reinterpret_cast<const void *>(word);
        if (word < lowest || word >= beyond || is_device_visible(address) || !is_mapped(word)) continue;
        fatal("kernel %s: byte %zu of argument %zu is %p, which is neither device memory nor pinned memory", kernel,
              offset, i_argument, address);
    }
}

void run_launch(const Launch &launch) {
    uint64_t n_blocks = static_cast<uint64_t>(launch.grid.x) * launch.grid.y * launch.grid.z;
    uint64_t n_threads_per_block = static_cast<uint64_t>(launch.block.x) * launch.block.y * launch.block.z;
    BlockOrder order(n_blocks);
    std::atomic<uint64_t> next{0};
    auto run_blocks = [&] {
        Worker &worker = Worker::mine();
        worker.begin(launch);
        for (uint64_t i; (i = next++) < n_blocks;) worker.run_block(order[i]);
        worker.end();
    };
    if (n_blocks > 1 && n_blocks * n_threads_per_block >= N_THREADS_WORTH_SHARING)
        on_all_threads(run_blocks);
    else
        run_blocks();
}

} // namespace ms_cuda_host
