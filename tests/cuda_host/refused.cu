/* Kernels that must not compile: refused.sh defines MISTAKES. */

namespace {

struct Large {
    float values[8192];
};

__global__ void large_kernel(Large large, float *out) { *out = large.values[0]; }

#ifdef MISTAKES
__global__ void plain_shared_kernel(float *out) {
    __shared__ float values[32];
    values[threadIdx.x] = 1.0f;
    out[threadIdx.x] = values[31 - threadIdx.x];
}

__global__ void write_kernel() { threadIdx.x = 3; }
#endif

} // namespace

void launch_large(const Large &large, float *out) {
#ifdef MISTAKES
    MS_LAUNCH(large_kernel, 1, 1, 0, nullptr, large, out);
#else
    large_kernel(large, out);
#endif
}
