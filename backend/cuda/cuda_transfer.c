/* Uploads and downloads through pinned slots.  Uploads are queued on the programs' stream; downloads go over a stream
   of their own, which waits for the last write to what is downloaded: the device goes on meanwhile. */
#include "backend/cuda/cuda_device.h"

#include <string.h>

static ms_status make_slot(ms_cuda_slot *slot) {
    MS_CUDA_TRY(cudaHostAlloc(&slot->memory, MS_CUDA_SLOT_BYTES, cudaHostAllocDefault), "pinning memory");
    MS_CUDA_TRY(cudaEventCreateWithFlags(&slot->done, cudaEventDisableTiming), "creating an event");
    return MS_OK;
}

static void free_slot(ms_cuda_slot *slot) {
    if (slot->done) (void)cudaEventDestroy(slot->done);
    if (slot->memory) (void)cudaFreeHost(slot->memory);
}

ms_status ms_cuda_transfer_init(ms_backend_device *device) {
    for (int i = 0; i < MS_CUDA_SLOTS; i++) MS_TRY(make_slot(&device->uploads[i]));
    for (int i = 0; i < 2; i++) MS_TRY(make_slot(&device->downloads[i]));
    return MS_OK;
}

void ms_cuda_transfer_finish(ms_backend_device *device) {
    for (int i = 0; i < MS_CUDA_SLOTS; i++) free_slot(&device->uploads[i]);
    for (int i = 0; i < 2; i++) free_slot(&device->downloads[i]);
}

static ms_status wait_slot(ms_backend_device *device, ms_cuda_slot *slot) {
    if (slot->busy) MS_TRY(ms_cuda_check(device, cudaEventSynchronize(slot->done), "waiting for a copy"));
    slot->busy = false;
    return MS_OK;
}

static ms_status start_copy(ms_backend_device *device, ms_cuda_slot *slot, cudaStream_t stream, void *to,
                            const void *from, size_t size, enum cudaMemcpyKind kind) {
    MS_TRY(ms_cuda_check(device, cudaMemcpyAsync(to, from, size, kind, stream), "copying"));
    MS_TRY(ms_cuda_check(device, cudaEventRecord(slot->done, stream), "recording an event"));
    slot->busy = true;
    return MS_OK;
}

static size_t piece_size(size_t left) { return left < MS_CUDA_SLOT_BYTES ? left : MS_CUDA_SLOT_BYTES; }

ms_status ms_cuda_upload(ms_backend_device *device, ms_cuda_buffer *to, size_t offset_bytes, const void *data,
                         size_t size_bytes) {
    char *place = (char *)to->memory + offset_bytes;
    MS_TRY(ms_cuda_use(device));
    for (size_t done = 0; done < size_bytes;) {
        size_t size = piece_size(size_bytes - done);
        ms_cuda_slot *slot = &device->uploads[device->next_upload];
        device->next_upload = (device->next_upload + 1) % MS_CUDA_SLOTS;
        MS_TRY(wait_slot(device, slot));
        memcpy(slot->memory, (const char *)data + done, size);
        MS_TRY(start_copy(device, slot, device->stream, place + done, slot->memory, size, cudaMemcpyHostToDevice));
        done += size;
    }
    return ms_cuda_note_write(device, to);
}

static ms_status start_download(ms_backend_device *device, int slot, const void *from, size_t size) {
    if (size == 0) return MS_OK;
    ms_cuda_slot *to = &device->downloads[slot];
    return start_copy(device, to, device->copy_stream, to->memory, from, size, cudaMemcpyDeviceToHost);
}

/* The device copies the next piece while the host copies this one. */
ms_status ms_cuda_download(ms_backend_device *device, const ms_cuda_buffer *from, size_t offset_bytes, void *out_data,
                           size_t size_bytes) {
    const char *place = (const char *)from->memory + offset_bytes;
    MS_TRY(ms_cuda_use(device));
    MS_TRY(ms_cuda_check(device, cudaStreamWaitEvent(device->copy_stream, from->written, 0), "ordering a download"));
    MS_TRY(start_download(device, 0, place, piece_size(size_bytes)));
    int slot = 0;
    for (size_t done = 0; done < size_bytes; slot = 1 - slot) {
        size_t size = piece_size(size_bytes - done), next = done + size;
        MS_TRY(start_download(device, 1 - slot, place + next, piece_size(size_bytes - next)));
        MS_TRY(wait_slot(device, &device->downloads[slot]));
        memcpy((char *)out_data + done, device->downloads[slot].memory, size);
        done = next;
    }
    return ms_cuda_check_fault(device);
}
