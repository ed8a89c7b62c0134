/* Uploads and downloads through pinned slots.  Uploads are queued on the programs' stream; downloads go over a stream
   of their own, which waits for the last write to what is downloaded: the device goes on meanwhile. */
#include "backend/cuda/cuda_transfer.h"

#include <string.h>

#include "backend/staging.h"

static ms_status make_slot(ms_cuda_slot *slot) {
    MS_CUDA_TRY(cudaHostAlloc(&slot->memory, MS_CUDA_SLOT_BYTES, cudaHostAllocDefault), "pinning memory");
    MS_CUDA_TRY(cudaEventCreateWithFlags(&slot->done, cudaEventDisableTiming), "creating an event");
    return MS_OK;
}

static void free_slot(ms_cuda_slot *slot) {
    if (slot->done) (void)cudaEventDestroy(slot->done);
    if (slot->memory) (void)cudaFreeHost(slot->memory);
}

ms_status ms_cuda_transfer_init(ms_cuda_context *context, ms_cuda_report *report, ms_cuda_transfer *out) {
    *out = (ms_cuda_transfer){.context = context, .report = report};
    for (int i = 0; i < MS_CUDA_SLOTS; i++) MS_TRY(make_slot(&out->uploads[i]));
    for (int i = 0; i < 2; i++) MS_TRY(make_slot(&out->downloads[i]));
    return MS_OK;
}

void ms_cuda_transfer_finish(ms_cuda_transfer *transfer) {
    for (int i = 0; i < MS_CUDA_SLOTS; i++) free_slot(&transfer->uploads[i]);
    for (int i = 0; i < 2; i++) free_slot(&transfer->downloads[i]);
}

static ms_status wait_slot(ms_cuda_transfer *transfer, ms_cuda_slot *slot) {
    if (slot->busy) MS_TRY(ms_cuda_check(transfer->context, cudaEventSynchronize(slot->done), "waiting for a copy"));
    slot->busy = false;
    return MS_OK;
}

static ms_status start_copy(ms_cuda_transfer *transfer, cudaStream_t stream, void *to, const void *from, size_t size,
                            enum cudaMemcpyKind kind) {
    return ms_cuda_check(transfer->context, cudaMemcpyAsync(to, from, size, kind, stream), "copying");
}

/* What was given to the stream so far uses the slot. */
static ms_status note_use(ms_cuda_transfer *transfer, ms_cuda_slot *slot, cudaStream_t stream) {
    MS_TRY(ms_cuda_check(transfer->context, cudaEventRecord(slot->done, stream), "recording an event"));
    slot->busy = true;
    return MS_OK;
}

ms_status ms_cuda_upload(ms_cuda_transfer *transfer, ms_cuda_buffer *to, size_t offset_bytes, const void *data,
                         size_t size_bytes) {
    char *place = (char *)to->memory + offset_bytes;
    MS_TRY(ms_cuda_use(transfer->context));
    for (size_t done = 0; done < size_bytes;) {
        size_t left = size_bytes - done, size = left < MS_CUDA_SLOT_BYTES ? left : MS_CUDA_SLOT_BYTES;
        ms_cuda_slot *slot = &transfer->uploads[transfer->next_upload];
        transfer->next_upload = (transfer->next_upload + 1) % MS_CUDA_SLOTS;
        MS_TRY(wait_slot(transfer, slot));
        memcpy(slot->memory, (const char *)data + done, size);
        MS_TRY(
            start_copy(transfer, transfer->context->stream, place + done, slot->memory, size, cudaMemcpyHostToDevice));
        MS_TRY(note_use(transfer, slot, transfer->context->stream));
        done += size;
    }
    return ms_cuda_note_write(transfer->context, to);
}

/* Queues the copies of the next slotful; nothing when nothing is left. */
static ms_status start_download(ms_cuda_transfer *transfer, ms_cuda_slot *slot, ms_staging_cursor *cursor) {
    ms_staging_piece piece;
    size_t used = 0;
    while (ms_staging_next(cursor, MS_CUDA_SLOT_BYTES, &used, &piece)) {
        const ms_backend_part *part = &cursor->parts[piece.part];
        const ms_cuda_buffer *buffer = part->buffer;
        MS_TRY(start_copy(transfer, transfer->context->copy_stream, (char *)slot->memory + piece.slot_offset,
                          (const char *)buffer->memory + part->offset_bytes + piece.part_offset, piece.size_bytes,
                          cudaMemcpyDeviceToHost));
    }
    return used > 0 ? note_use(transfer, slot, transfer->context->copy_stream) : MS_OK;
}

static ms_status finish_download(ms_cuda_transfer *transfer, ms_cuda_slot *slot, ms_staging_cursor *cursor,
                                 void *const *out_data) {
    ms_staging_piece piece;
    size_t used = 0;
    MS_TRY(wait_slot(transfer, slot));
    while (ms_staging_next(cursor, MS_CUDA_SLOT_BYTES, &used, &piece))
        memcpy((char *)out_data[piece.part] + piece.part_offset, (const char *)slot->memory + piece.slot_offset,
               piece.size_bytes);
    return MS_OK;
}

/* The device copies the next slotful while the host copies this one. */
ms_status ms_cuda_download(ms_cuda_transfer *transfer, const ms_backend_part *parts, int n_parts,
                           void *const *out_data) {
    MS_TRY(ms_cuda_use(transfer->context));
    for (int i = 0; i < n_parts; i++) {
        const ms_cuda_buffer *buffer = parts[i].buffer;
        MS_TRY(ms_cuda_check(transfer->context, cudaStreamWaitEvent(transfer->context->copy_stream, buffer->written, 0),
                             "ordering a download"));
    }
    ms_staging_cursor started = ms_staging_begin(parts, n_parts), finished = started;
    MS_TRY(start_download(transfer, &transfer->downloads[0], &started));
    for (int slot = 0; !ms_staging_is_done(finished); slot = 1 - slot) {
        MS_TRY(start_download(transfer, &transfer->downloads[1 - slot], &started));
        MS_TRY(finish_download(transfer, &transfer->downloads[slot], &finished, out_data));
    }
    return ms_cuda_check_fault(transfer->report);
}
