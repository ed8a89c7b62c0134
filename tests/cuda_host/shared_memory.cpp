#include "tests/cuda_host/shared_memory.h"

#include <cstdio>
#include <sys/mman.h>

#include "tests/cuda_host/launch.h"
#include "tests/cuda_host/poison.h"
#include "tests/cuda_host/report.h"
#include "tests/cuda_host/settings.h"

namespace ms_cuda_host {
namespace {

const size_t PAGE_BYTES = 4096;
const size_t SLOT_BYTES = 256 * 1024; /* holds MAX_SHARED_BYTES */
const size_t SPAN_BYTES = PAGE_BYTES + SLOT_BYTES + PAGE_BYTES;
const size_t BASE_ALIGNMENT = 16; /* widest access of a kernel: float4, ldmatrix */

static_assert(MAX_SHARED_BYTES <= SLOT_BYTES, "a slot holds the largest dynamic shared memory");

size_t round_up(size_t value, size_t unit) { return (value + unit - 1) / unit * unit; }

char *map_slot() {
    void *span = mmap(nullptr, SPAN_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (span == MAP_FAILED) fatal("no memory for a variable in shared memory");
    char *pages = static_cast<char *>(span) + PAGE_BYTES;
    if (mprotect(pages, SLOT_BYTES, PROT_READ | PROT_WRITE) != 0) fatal("no memory for a variable in shared memory");
    return pages;
}

/* The whole pages that [begin, begin + size) touches. */
char *pages_begin(char *begin) { return begin - reinterpret_cast<uintptr_t>(begin) % PAGE_BYTES; }
char *pages_end(char *begin, size_t size) { return pages_begin(begin + size + PAGE_BYTES - 1); }

} // namespace

SharedMemory::~SharedMemory() {
    for (Slot &slot : slots_) munmap(slot.pages - PAGE_BYTES, SPAN_BYTES);
}

void SharedMemory::begin_block(size_t dynamic_bytes, size_t limit_bytes) {
    i_block_++;
    dynamic_bytes_ = dynamic_bytes;
    used_bytes_ = dynamic_bytes;
    limit_bytes_ = limit_bytes;
}

void SharedMemory::end_block() {
    for (Slot &slot : slots_) {
        if (slot.i_block != i_block_) continue;
        char *end = slot.begin + slot.size_bytes;
        if (!is_poison(pages_begin(slot.begin), slot.begin))
            fatal("bytes before shared variable %s were written", slot.name);
        if (!is_poison(end, pages_end(slot.begin, slot.size_bytes)))
            fatal("bytes behind the %zu of shared variable %s were written", slot.size_bytes, slot.name);
    }
}

SharedMemory::Slot &SharedMemory::slot_of(const void *site, const char *name) {
    for (Slot &slot : slots_)
        if (slot.site == site) return slot;
    slots_.push_back({site, name, map_slot(), nullptr, 0, 0});
    return slots_.back();
}

void *SharedMemory::use(Slot &slot, size_t size_bytes) {
    if (slot.i_block != i_block_) {
        slot.i_block = i_block_;
        slot.size_bytes = size_bytes;
        slot.begin = slot.pages;
        if (settings().align_to_end) slot.begin += SLOT_BYTES - round_up(size_bytes, BASE_ALIGNMENT);
        poison(pages_begin(slot.begin), pages_end(slot.begin, size_bytes));
    }
    return slot.begin;
}

void *SharedMemory::variable(const void *site, const char *name, size_t size_bytes, size_t alignment) {
    Slot &slot = slot_of(site, name);
    if (slot.i_block != i_block_) {
        if (alignment > BASE_ALIGNMENT) fatal("shared variable %s: alignment %zu is above 16", name, alignment);
        used_bytes_ = round_up(used_bytes_, alignment) + size_bytes;
        if (used_bytes_ - dynamic_bytes_ > DEFAULT_SHARED_BYTES)
            fatal("shared variable %s: %zu bytes of static shared memory, nvcc refuses more than %zu", name,
                  used_bytes_ - dynamic_bytes_, DEFAULT_SHARED_BYTES);
        if (used_bytes_ > limit_bytes_)
            fatal("shared variable %s: %zu bytes of shared memory with %zu dynamic ones, at most %zu", name,
                  used_bytes_, dynamic_bytes_, limit_bytes_);
    }
    return use(slot, size_bytes);
}

void *SharedMemory::dynamic() {
    if (dynamic_bytes_ == 0) fatal("dynamic shared memory is used, but the launch asks for none");
    return use(slot_of(nullptr, "(dynamic)"), dynamic_bytes_);
}

size_t SharedMemory::offset_of(const void *address) const {
    const char *at = static_cast<const char *>(address);
    for (size_t i = 0; i < slots_.size(); i++)
        if (at >= slots_[i].pages && at < slots_[i].pages + SLOT_BYTES)
            return i * SLOT_BYTES + static_cast<size_t>(at - slots_[i].pages);
    fatal("%p is not in shared memory", address);
}

void *SharedMemory::at(size_t offset) const {
    size_t i = offset / SLOT_BYTES;
    if (i >= slots_.size()) fatal("0x%zx is no address in shared memory", offset);
    return slots_[i].pages + offset % SLOT_BYTES;
}

bool SharedMemory::describe(const void *address, char *text, size_t size_bytes) const {
    const char *at = static_cast<const char *>(address);
    for (const Slot &slot : slots_) {
        if (at < slot.pages - PAGE_BYTES || at >= slot.pages + SLOT_BYTES + PAGE_BYTES) continue;
        snprintf(text, size_bytes, "overrun: byte %td of shared variable %s of %zu bytes", at - slot.begin, slot.name,
                 slot.size_bytes);
        return true;
    }
    return false;
}

} // namespace ms_cuda_host
