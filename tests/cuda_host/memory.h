/* Memory of the pretended device, and pinned host memory.

   Each lives in a range of addresses of its own, which are never used twice.  An allocation ends (CUDAHOST_ALIGN=start:
   begins) at a page that nobody may touch.  Device memory can be touched only while the runtime executes work:
   elsewhere it faults. */
#ifndef MS_TESTS_CUDA_HOST_MEMORY_H
#define MS_TESTS_CUDA_HOST_MEMORY_H

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>

namespace ms_cuda_host {

/* PENDING: allocated in stream order, and the stream is not there yet. */
enum class AllocationState { PENDING, LIVE, FREED };

struct Allocation {
    char *begin;
    size_t size_bytes;
    char *pages;        /* page-aligned; holds the allocation */
    size_t pages_bytes; /* without the guard pages */
    AllocationState state;
};

/* A range of addresses.  Not thread-safe: the runtime's lock is held, or a fault ends the process anyway. */
class MemoryRange {
  public:
    /* `open`: may be touched at any time. */
    MemoryRange(const char *name, size_t range_bytes, bool open);

    /* Address space and guard pages, PENDING; NULL where the range is used up. */
    Allocation *reserve(size_t size_bytes);
    /* PENDING to LIVE: poisoned, and readable where the range is open. */
    void make_live(Allocation &allocation);
    /* LIVE to FREED: gives the memory back; a later access faults. */
    void release(Allocation &allocation);

    /* Lets anybody touch live allocations until close.  Both may be nested. */
    void open();
    void close();
    /* Aborts where bytes beside a live allocation were written.  The range is open. */
    void check_margins() const;

    bool contains(const void *address) const;
    /* The allocation at or before the address that owns its pages or guard pages; NULL where there is none. */
    Allocation *owner_of(const void *address);
    /* The allocation that begins here; NULL where none does or it was freed. */
    Allocation *beginning_at(const void *address);
    /* True when [address, address + size) lies in one allocation that is not freed. */
    bool holds(const void *address, size_t size_bytes);
    /* "overrun: ..." or "use after free: ...", for an address in this range. */
    void describe(const void *address, char *text, size_t size_bytes);

  private:
    void protect(const Allocation &allocation, int access) const;
    void protect_all();

    const char *name_;
    char *range_;
    size_t range_bytes_;
    size_t used_bytes_;
    int n_open_;
    std::map<const char *, Allocation> allocations_; /* by pages; freed ones too, for messages */
    std::set<Allocation *> live_;
};

} // namespace ms_cuda_host

#endif
