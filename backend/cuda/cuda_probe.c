/* The host side of the probe: one kernel over the triples of backend/probe.h. */
#include "backend/cuda/cuda_probe.h"

#include "backend/cuda/cuda_device.h"
#include "backend/probe.h"

enum { TRIPLE_FLOATS = 3 * MS_PROBE_TRIPLES, RESULT_FLOATS = MS_PROBE_RESULTS * MS_PROBE_TRIPLES };

static ms_status run(ms_backend_device *device, const float *triples, float *memory, float *results) {
    MS_TRY(ms_cuda_upload(device, memory, triples, TRIPLE_FLOATS * sizeof(float)));
    MS_TRY(ms_cuda_probe_launch(memory, memory + TRIPLE_FLOATS, MS_PROBE_TRIPLES, device->stream));
    return ms_cuda_download(device, memory + TRIPLE_FLOATS, results, RESULT_FLOATS * sizeof(float));
}

ms_status ms_cuda_probe(ms_backend_device *device, const float *triples, float *out_results) {
    const size_t size_bytes = (TRIPLE_FLOATS + RESULT_FLOATS) * sizeof(float);
    void *memory;
    MS_TRY(ms_cuda_allocate(device, size_bytes, &memory));
    ms_status status = run(device, triples, memory, out_results);
    ms_cuda_release(device, memory, size_bytes);
    return status;
}
