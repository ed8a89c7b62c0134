#include "tests/cuda_host/memory.h"

#include <cstdio>
#include <iterator>
#include <sys/mman.h>

#include "tests/cuda_host/poison.h"
#include "tests/cuda_host/report.h"
#include "tests/cuda_host/settings.h"

namespace ms_cuda_host {
namespace {

const size_t PAGE_BYTES = 4096;
const size_t HUGE_PAGE_BYTES = size_t{2} << 20;
/* The base of an allocation whose size is odd: enough for float4.  Sizes that are multiples of 256 have bases that are,
   as cudaMalloc promises. */
const size_t BASE_ALIGNMENT = 16;

size_t round_up(size_t value, size_t unit) { return (value + unit - 1) / unit * unit; }

} // namespace

MemoryRange::MemoryRange(const char *name, size_t range_bytes, bool open)
    : name_(name), range_bytes_(range_bytes), used_bytes_(PAGE_BYTES), n_open_(open) {
    void *range =
        mmap(nullptr, range_bytes + HUGE_PAGE_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (range == MAP_FAILED) fatal("no %zu bytes of address space for %s", range_bytes, name);
    range_ = reinterpret_cast<char *>(round_up(reinterpret_cast<uintptr_t>(range), HUGE_PAGE_BYTES));
    /* Protection changes at each wait, at a cost for each page.  Where the system has no huge pages, that is only
       slower. */
    (void)madvise(range_, range_bytes, MADV_HUGEPAGE);
}

Allocation *MemoryRange::reserve(size_t size_bytes) {
    if (size_bytes > range_bytes_) return nullptr;
    size_t pages_bytes = round_up(size_bytes, PAGE_BYTES);
    size_t offset = pages_bytes >= HUGE_PAGE_BYTES ? round_up(used_bytes_, HUGE_PAGE_BYTES) : used_bytes_;
    if (offset + pages_bytes + PAGE_BYTES > range_bytes_) return nullptr;
    used_bytes_ = offset + pages_bytes + PAGE_BYTES;
    char *pages = range_ + offset;
    char *begin = settings().align_to_end ? pages + pages_bytes - round_up(size_bytes, BASE_ALIGNMENT) : pages;
    Allocation allocation = {begin, size_bytes, pages, pages_bytes, AllocationState::PENDING};
    return &allocations_.emplace(pages, allocation).first->second;
}

void MemoryRange::protect(const Allocation &allocation, int access) const {
    if (mprotect(allocation.pages, allocation.pages_bytes, access) != 0)
        fatal("%s: the system refuses to protect %zu bytes", name_, allocation.pages_bytes);
}

void MemoryRange::protect_all() {
    int access = n_open_ ? PROT_READ | PROT_WRITE : PROT_NONE;
    for (const Allocation *allocation : live_) protect(*allocation, access);
}

void MemoryRange::make_live(Allocation &allocation) {
    allocation.state = AllocationState::LIVE;
    live_.insert(&allocation);
    protect(allocation, PROT_READ | PROT_WRITE);
    poison(allocation.pages, allocation.pages + allocation.pages_bytes);
    if (!n_open_) protect(allocation, PROT_NONE);
}

void MemoryRange::release(Allocation &allocation) {
    allocation.state = AllocationState::FREED;
    live_.erase(&allocation);
    if (mprotect(allocation.pages, allocation.pages_bytes, PROT_NONE) != 0 ||
        madvise(allocation.pages, allocation.pages_bytes, MADV_DONTNEED) != 0)
        fatal("%s: the system refuses to take back %zu bytes", name_, allocation.pages_bytes);
}

void MemoryRange::open() {
    if (n_open_++ == 0) protect_all();
}

void MemoryRange::close() {
    if (--n_open_ == 0) protect_all();
}

void MemoryRange::check_margins() const {
    for (const Allocation *allocation : live_) {
        const char *end = allocation->begin + allocation->size_bytes;
        bool before = is_poison(allocation->pages, allocation->begin);
        if (before && is_poison(end, allocation->pages + allocation->pages_bytes)) continue;
        fatal("overrun: bytes %s the allocation %p of %zu bytes in %s were written", before ? "behind" : "before",
              static_cast<void *>(allocation->begin), allocation->size_bytes, name_);
    }
}

bool MemoryRange::contains(const void *address) const {
    const char *at = static_cast<const char *>(address);
    return at >= range_ && at < range_ + range_bytes_;
}

Allocation *MemoryRange::owner_of(const void *address) {
    if (!contains(address)) return nullptr;
    auto after = allocations_.upper_bound(static_cast<const char *>(address));
    return after == allocations_.begin() ? nullptr : &std::prev(after)->second;
}

Allocation *MemoryRange::beginning_at(const void *address) {
    Allocation *owner = owner_of(address);
    return owner && owner->begin == address && owner->state != AllocationState::FREED ? owner : nullptr;
}

bool MemoryRange::holds(const void *address, size_t size_bytes) {
    const char *at = static_cast<const char *>(address);
    const Allocation *owner = owner_of(address);
    return owner && owner->state != AllocationState::FREED && at >= owner->begin && size_bytes <= owner->size_bytes &&
           at + size_bytes <= owner->begin + owner->size_bytes;
}

void MemoryRange::describe(const void *address, char *text, size_t size_bytes) {
    const char *at = static_cast<const char *>(address);
    /* In a guard page, the nearer neighbour is meant. */
    auto after = allocations_.upper_bound(at);
    const Allocation *owner = owner_of(address);
    if (after != allocations_.end()) {
        const Allocation &next = after->second;
        if (!owner || next.pages - at < at - (owner->pages + owner->pages_bytes)) owner = &next;
    }
    if (!owner) {
        snprintf(text, size_bytes, "overrun: %p in %s, where nothing is allocated", address, name_);
        return;
    }
    const char *what = "overrun";
    if (owner->state == AllocationState::FREED) what = "use after free";
    if (owner->state == AllocationState::PENDING) what = "use before the stream has allocated it";
    snprintf(text, size_bytes, "%s: byte %td of the allocation %p of %zu bytes in %s", what, at - owner->begin,
             static_cast<void *>(owner->begin), owner->size_bytes, name_);
}

} // namespace ms_cuda_host
