/* The host side of the probe: one kernel over the triples of backend/probe.h. */
#include "backend/cuda/cuda_probe.h"

#include "backend/cuda/cuda_device.h"
#include "backend/probe.h"

enum { TRIPLE_FLOATS = 3 * MS_PROBE_TRIPLES, RESULT_FLOATS = MS_PROBE_RESULTS * MS_PROBE_TRIPLES };

static ms_status run(ms_backend_device *device, const float *triples, ms_cuda_buffer *buffer, float *results) {
    float *memory = buffer->memory;
    MS_TRY(ms_cuda_upload(&device->transfer, buffer, 0, triples, TRIPLE_FLOATS * sizeof(float)));
    MS_TRY(ms_cuda_probe_launch(memory, memory + TRIPLE_FLOATS, MS_PROBE_TRIPLES, device->context.stream));
    MS_TRY(ms_cuda_note_write(&device->context, buffer));
    const ms_backend_part part = {buffer, TRIPLE_FLOATS * sizeof(float), RESULT_FLOATS * sizeof(float)};
    void *out = results;
    return ms_cuda_download(&device->transfer, &part, 1, &out);
}

ms_status ms_cuda_probe(ms_backend_device *device, const float *triples, float *out_results) {
    ms_cuda_buffer *buffer;
    MS_TRY(ms_cuda_buffer_create(&device->memory, (TRIPLE_FLOATS + RESULT_FLOATS) * sizeof(float), &buffer));
    ms_status status = run(device, triples, buffer, out_results);
    ms_cuda_buffer_destroy(&device->memory, buffer);
    return status;
}
