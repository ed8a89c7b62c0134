/* The CUDA backend's vtable and the module's one public function. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/cuda/cuda_blas.h"
#include "backend/cuda/cuda_device.h"
#include "backend/cuda/cuda_probe.h"
#include "backend/cuda/cuda_program.h"
#include "backend/cuda_module.h"

/* What the program looks up. */
const ms_backend_impl *ms_cuda_module_entry(int version);

/* MS_CUDA_HOST: the module of tests/cuda_host, whose one device is "cuda-host". */
#ifdef MS_CUDA_HOST
#define BACKEND_NAME "cuda-host"
enum { IS_SOFTWARE = true };
#else
#define BACKEND_NAME "cuda"
enum { IS_SOFTWARE = false };
#endif

static void name_device(int index, char *out, size_t size) {
#ifdef MS_CUDA_HOST
    (void)index;
    snprintf(out, size, "%s", BACKEND_NAME);
#else
    snprintf(out, size, "%s:%d", BACKEND_NAME, index);
#endif
}

/* Versions as CUDA counts: 12080 is 12.8. */
static void tell_old_driver(int driver, int runtime, ms_device_info *out) {
    snprintf(out->reason, sizeof out->reason,
             "driver for CUDA %d.%d, the module was built with %d.%d: update the driver", driver / 1000,
             driver % 1000 / 10, runtime / 1000, runtime % 1000 / 10);
}

static void judge(const struct cudaDeviceProp *properties, int driver, int runtime, ms_device_info *out) {
    if (properties->major * 10 + properties->minor < 75) {
        snprintf(out->reason, sizeof out->reason, "compute capability %d.%d, 7.5 is needed", properties->major,
                 properties->minor);
    } else if (driver / 1000 < runtime / 1000) {
        tell_old_driver(driver, runtime, out);
    } else {
        out->usable = true;
        snprintf(out->reason, sizeof out->reason, "compute capability %d.%d, driver for CUDA %d.%d", properties->major,
                 properties->minor, driver / 1000, driver % 1000 / 10);
    }
}

static void write_uuid(const cudaUUID_t *uuid, char *out, size_t size) {
    int n = 0;
    for (int i = 0; i < 16; i++)
        n += snprintf(out + n, size - (size_t)n, "%02x%s", (unsigned int)(unsigned char)uuid->bytes[i],
                      i == 3 || i == 5 || i == 7 || i == 9 ? "-" : "");
}

/* No driver or no device is one unusable entry that says so. */
static ms_status list_absence(cudaError_t error, ms_device_info *out, int capacity, int *out_n) {
    *out_n = 1;
    if (capacity < 1) return MS_OK;
    memset(out, 0, sizeof *out);
    snprintf(out->name, sizeof out->name, "%s", BACKEND_NAME);
    snprintf(out->description, sizeof out->description, "CUDA");
    int driver = 0; /* stays 0 where there is none, says the runtime */
    if (error == cudaErrorInsufficientDriver) (void)cudaDriverGetVersion(&driver);
    if (error == cudaErrorInsufficientDriver && driver > 0)
        tell_old_driver(driver, CUDART_VERSION, out);
    else if (error == cudaErrorInsufficientDriver)
        snprintf(out->reason, sizeof out->reason, "no NVIDIA driver on this machine (libcuda.so.1 was not found)");
    else if (error == cudaErrorNoDevice || error == cudaSuccess)
        snprintf(out->reason, sizeof out->reason, "no NVIDIA GPU on this machine");
    else
        snprintf(out->reason, sizeof out->reason, "%s: %s", cudaGetErrorName(error), cudaGetErrorString(error));
    return MS_OK;
}

static ms_status cuda_enumerate(ms_device_info *out, int capacity, int *out_n) {
    int n = 0, driver = 0, runtime = 0;
    cudaError_t error = cudaGetDeviceCount(&n);
    if (error != cudaSuccess || n == 0) return list_absence(error, out, capacity, out_n);
    MS_CUDA_TRY(cudaDriverGetVersion(&driver), "reading the driver's version");
    MS_CUDA_TRY(cudaRuntimeGetVersion(&runtime), "reading the runtime's version");
    *out_n = n;
    for (int i = 0; i < n && i < capacity; i++) {
        struct cudaDeviceProp properties;
        MS_CUDA_TRY(cudaGetDeviceProperties(&properties, i), "reading a device's properties");
        memset(&out[i], 0, sizeof out[i]);
        name_device(i, out[i].name, sizeof out[i].name);
        snprintf(out[i].description, sizeof out[i].description, "%.150s", properties.name);
        out[i].memory_bytes = (int64_t)properties.totalGlobalMem;
        out[i].is_software = IS_SOFTWARE;
        write_uuid(&properties.uuid, out[i].uuid, sizeof out[i].uuid);
        judge(&properties, driver, runtime, &out[i]);
    }
    return MS_OK;
}

static size_t cuda_f32_bytes(const ms_backend_device *device) { return (void)device, (size_t)4; }
static int cuda_n_threads(const ms_backend_device *device) { return (void)device, 0; }
/* Tensor cores take 10 fraction bits of an f32 (PTX ISA, "tf32") and cut their sums off (Fasi, Higham, Mikaitis &
   Pranesh, Numerical behavior of NVIDIA tensor cores, 2021).  Attention rounds to them (mma.cuh); what cuBLASLt does is
   not documented, and handing f32 over as it is cuts off the rest.  Before compute capability 8.0 matmuls stay in f32,
   but attention on bf16 rounds its weights all the same. */
static ms_matmul_rounding cuda_matmul_rounding(const ms_backend_device *device) {
    if (device->context.limits.compute_major < 8) return (ms_matmul_rounding){.attention_weight = 0x1p-8};
    return (ms_matmul_rounding){
        .factor = 0x1p-10, .attention_factor = 0x1p-11, .attention_weight = 0x1p-8, .sum = 0x1p-23};
}

static size_t cuda_allocated_bytes(const ms_backend_device *device) { return device->memory.held_bytes; }

static int cuda_choices(const ms_backend_device *device, int first, void (*tell)(void *context, const char *line),
                        void *context) {
    return ms_cuda_blas_choices(device->blas, first, tell, context);
}

static ms_status cuda_allocate(ms_backend_device *device, size_t size_bytes, ms_backend_buffer *out) {
    ms_cuda_buffer *buffer;
    ms_status status = ms_cuda_buffer_create(&device->memory, size_bytes, &buffer);
    *out = buffer;
    return status;
}

static void cuda_release(ms_backend_device *device, ms_backend_buffer buffer) {
    ms_cuda_buffer_destroy(&device->memory, buffer);
}

static ms_status cuda_upload(ms_backend_device *device, ms_backend_buffer buffer, size_t offset_bytes, const void *data,
                             size_t size_bytes) {
    return ms_cuda_upload(&device->transfer, buffer, offset_bytes, data, size_bytes);
}

static ms_status cuda_download(ms_backend_device *device, const ms_backend_part *parts, int n_parts,
                               void *const *out_data) {
    return ms_cuda_download(&device->transfer, parts, n_parts, out_data);
}

static ms_status cuda_wait(ms_backend_device *device) { return ms_cuda_wait(&device->report); }

static const ms_backend_impl cuda_impl = {
    .name = BACKEND_NAME,
    .enumerate = cuda_enumerate,
    .open = ms_cuda_device_open,
    .close = ms_cuda_device_close,
    .probe = ms_cuda_probe,
    .allocated_bytes = cuda_allocated_bytes,
    .f32_bytes = cuda_f32_bytes,
    .n_threads = cuda_n_threads,
    .matmul_rounding = cuda_matmul_rounding,
    .allocate = cuda_allocate,
    .release = cuda_release,
    .upload = cuda_upload,
    .download = cuda_download,
    .compile = ms_cuda_program_create,
    .program_destroy = ms_cuda_program_destroy,
    .run = ms_cuda_program_run,
    .wait = cuda_wait,
    .workspace_bytes = ms_cuda_program_workspace_bytes,
    .counts = ms_cuda_program_counts,
    .choices = cuda_choices,
};

const ms_backend_impl *ms_cuda_module_entry(int version) {
    return version == MS_CUDA_MODULE_VERSION ? &cuda_impl : NULL;
}
