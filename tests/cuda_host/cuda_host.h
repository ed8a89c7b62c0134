/* Included before each .cu file that is compiled as C++17 for the CPU (see cuda_host_sources in CMakeLists.txt): the
   language of kernels, by macros and functions.  backend/cuda/cuda_kernel.cuh has the same macros for nvcc:

     MS_LAUNCH(kernel, grid, block, shared_bytes, stream, arguments...)
         kernel<<<grid, block, shared_bytes, stream>>>(arguments...)
     MS_SHARED(type, name, extents)
         __shared__ type name extents, as in MS_SHARED(float, tile, [16][17]);
     MS_DYNAMIC_SHARED(type, name)
         extern __shared__ ...; type *name = ...

   A kernel that is a template with a comma in its name goes in parentheses.  Plain __shared__ and <<<>>> do not compile
   here. */
#ifndef MS_TESTS_CUDA_HOST_CUDA_HOST_H
#define MS_TESTS_CUDA_HOST_CUDA_HOST_H

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <memory>
#include <tuple>
#include <type_traits>
#include <utility>

#include "tests/cuda_host/block.h"
#include "tests/cuda_host/launch.h"

#define MS_CUDA_HOST 1

#undef __device__
#undef __global__
#undef __shared__
#undef __constant__
#undef __host__
#undef __launch_bounds__
#undef __forceinline__
#undef __noinline__
#define __device__
#define __global__
#define __host__
#define __constant__ const
#define __shared__ MS_SHARED_is_to_be_used_instead_of___shared__
#define __launch_bounds__(...)
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))

#define threadIdx (ms_cuda_host::thread_index())
#define blockIdx (static_cast<const uint3 &>(ms_cuda_host::place.block))
#define blockDim (static_cast<const uint3 &>(ms_cuda_host::place.block_size))
#define gridDim (static_cast<const uint3 &>(ms_cuda_host::place.grid_size))
#define warpSize 32

#define MS_LAUNCH(kernel, grid, block, shared_bytes, stream, ...)                                                      \
    static_cast<void>(ms_cuda_host::launch(                                                                            \
        #kernel, kernel, {dim3(grid), dim3(block), static_cast<size_t>(shared_bytes), stream}, __VA_ARGS__))

/* The address of the static names the variable: one for each instance of a template, as __shared__ has. */
#define MS_SHARED(type, name, ...)                                                                                     \
    static const char name##_site = 0;                                                                                 \
    using name##_type = type __VA_ARGS__;                                                                              \
    name##_type &name = *static_cast<name##_type *>(                                                                   \
        ms_cuda_host::shared_variable(&name##_site, #name, sizeof(name##_type), alignof(name##_type)))

#define MS_DYNAMIC_SHARED(type, name) type *const name = static_cast<type *>(ms_cuda_host::dynamic_shared())

namespace ms_cuda_host {

inline const uint3 &thread_index() { return place.thread->index; }

/* What stands between <<< and >>>. */
struct Configuration {
    dim3 grid, block;
    size_t shared_bytes;
    cudaStream_t stream;
};

template <class... Parameters> struct PackedKernel {
    void (*kernel)(Parameters...);
    std::tuple<std::decay_t<Parameters>...> arguments;
};

template <class Argument> void check_argument(const char *kernel, size_t i_argument, const Argument &argument) {
    if constexpr (std::is_pointer_v<Argument>) {
        check_pointer_argument(kernel, i_argument, reinterpret_cast<const void *>(argument));
    } else if constexpr (std::is_class_v<Argument>) {
        Argument copy = argument;
        __builtin_clear_padding(&copy); /* what lies there may look like an address */
        check_struct_argument(kernel, i_argument, &copy, sizeof copy);
    }
}

template <class... Parameters>
cudaError_t launch_packed(const char *name, std::shared_ptr<const PackedKernel<Parameters...>> packed,
                          const Configuration &configuration) {
    using Packed = PackedKernel<Parameters...>;
    static_assert((sizeof(std::decay_t<Parameters>) + ... + 0) <= MAX_ARGUMENT_BYTES,
                  "a kernel has at most 32764 bytes of arguments");
    std::apply(
        [name](const auto &...arguments) {
            size_t i = 0;
            (check_argument(name, i++, arguments), ...);
        },
        packed->arguments);
    Launch launch = {name,
                     reinterpret_cast<const void *>(packed->kernel),
                     configuration.grid,
                     configuration.block,
                     configuration.shared_bytes,
                     0,
                     nullptr,
                     nullptr};
    launch.invoke = [](const void *bytes) {
        const Packed &call = *static_cast<const Packed *>(bytes);
        std::apply(call.kernel, call.arguments);
    };
    launch.packed = std::move(packed);
    return submit_launch(std::move(launch), configuration.stream);
}

/* MS_LAUNCH: converts the arguments to the kernel's parameters, copies them, checks pointers, queues the launch.  As
   behind <<<>>>, an error is for cudaGetLastError. */
template <class... Parameters, class... Arguments>
cudaError_t launch(const char *name, void (*kernel)(Parameters...), const Configuration &configuration,
                   Arguments &&...arguments) {
    static_assert(sizeof...(Parameters) == sizeof...(Arguments), "as many arguments as the kernel has parameters");
    using Packed = PackedKernel<Parameters...>;
    std::tuple<std::decay_t<Parameters>...> copies(static_cast<std::decay_t<Parameters>>(arguments)...);
    auto packed = std::make_shared<const Packed>(Packed{kernel, std::move(copies)});
    return launch_packed<Parameters...>(name, std::move(packed), configuration);
}

template <class... Parameters, size_t... I>
std::tuple<std::decay_t<Parameters>...> load_arguments(void **addresses, std::index_sequence<I...>) {
    return {*static_cast<const std::decay_t<Parameters> *>(addresses[I])...};
}

} // namespace ms_cuda_host

/* NVIDIA's call, for kernels by their type: an untyped address says nothing about the sizes of arguments. */
template <class... Parameters>
cudaError_t cudaLaunchKernel(void (*kernel)(Parameters...), dim3 grid, dim3 block, void **arguments,
                             size_t shared_bytes = 0, cudaStream_t stream = nullptr) {
    using Packed = ms_cuda_host::PackedKernel<Parameters...>;
    auto copies = ms_cuda_host::load_arguments<Parameters...>(arguments, std::index_sequence_for<Parameters...>());
    auto packed = std::make_shared<const Packed>(Packed{kernel, std::move(copies)});
    return ms_cuda_host::launch_packed<Parameters...>("(cudaLaunchKernel)", std::move(packed),
                                                      {grid, block, shared_bytes, stream});
}

template <class Result, class... Parameters>
cudaError_t cudaFuncGetAttributes(cudaFuncAttributes *attributes, Result (*kernel)(Parameters...)) {
    return cudaFuncGetAttributes(attributes, reinterpret_cast<const void *>(kernel));
}

template <class Result, class... Parameters>
cudaError_t cudaFuncSetAttribute(Result (*kernel)(Parameters...), cudaFuncAttribute attribute, int value) {
    return cudaFuncSetAttribute(reinterpret_cast<const void *>(kernel), attribute, value);
}

#include "tests/cuda_host/arithmetic.h"
#include "tests/cuda_host/cooperation.h"
#include "tests/cuda_host/tensor_core.h"

#endif
