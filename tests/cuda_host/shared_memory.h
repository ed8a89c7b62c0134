/* Shared memory of the block that runs on one operating-system thread. */
#ifndef MS_TESTS_CUDA_HOST_SHARED_MEMORY_H
#define MS_TESTS_CUDA_HOST_SHARED_MEMORY_H

#include <cstddef>
#include <cstdint>
#include <vector>

namespace ms_cuda_host {

/* Not thread-safe: one per worker. */
class SharedMemory {
  public:
    SharedMemory() = default;
    ~SharedMemory();
    SharedMemory(const SharedMemory &) = delete;
    SharedMemory &operator=(const SharedMemory &) = delete;

    /* A new block: everything is poison again.  limit_bytes bounds static and dynamic memory together. */
    void begin_block(size_t dynamic_bytes, size_t limit_bytes);
    /* Aborts where bytes between a variable and its guard page were written. */
    void end_block();

    void *variable(const void *site, const char *name, size_t size_bytes, size_t alignment);
    void *dynamic();
    size_t offset_of(const void *address) const;
    void *at(size_t offset) const;
    bool describe(const void *address, char *text, size_t size_bytes) const;

  private:
    struct Slot {
        const void *site; /* NULL: dynamic shared memory */
        const char *name;
        char *pages; /* SLOT_BYTES, then a guard page; a guard page before */
        char *begin;
        size_t size_bytes;
        uint64_t i_block; /* the block that has poisoned it */
    };
    Slot &slot_of(const void *site, const char *name);
    void *use(Slot &slot, size_t size_bytes);

    std::vector<Slot> slots_;
    uint64_t i_block_ = 0;  /* counts blocks, from 1 */
    size_t used_bytes_ = 0; /* of this block */
    size_t dynamic_bytes_ = 0;
    size_t limit_bytes_ = 0;
};

} // namespace ms_cuda_host

#endif
