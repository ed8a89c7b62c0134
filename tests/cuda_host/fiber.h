/* Fibers: stacks of their own between which one operating-system thread switches by call.  x86-64, System V calling
   convention. */
#ifndef MS_TESTS_CUDA_HOST_FIBER_H
#define MS_TESTS_CUDA_HOST_FIBER_H

#include <cstddef>
#include <vector>

namespace ms_cuda_host {

struct Fiber {
    void *stack_pointer; /* where it stopped; its saved registers lie there */
    char *stack;         /* lowest usable byte; a guard page lies below */
};

/* The fibers of one operating-system thread.  Not thread-safe. */
class FiberPool {
  public:
    /* Every fiber runs `entry`, which never returns. */
    explicit FiberPool(void (*entry)()) : entry_(entry) {}
    ~FiberPool();
    FiberPool(const FiberPool &) = delete;
    FiberPool &operator=(const FiberPool &) = delete;

    /* A fiber that waits to be resumed: one given back before, or a new one.  Lent until give_back. */
    Fiber *take();
    void give_back(Fiber *fiber) { idle_.push_back(fiber); }

    /* From the thread's own stack: runs the fiber until it suspends itself. */
    void resume(Fiber *fiber);
    /* From a fiber: goes on behind the resume that runs it. */
    void suspend(Fiber *fiber);

    /* True when the address lies in the guard page of a stack. */
    bool overflowed(const void *address) const;

  private:
    void (*entry_)();
    void *scheduler_ = nullptr; /* stack pointer of the resume that runs now */
    std::vector<Fiber *> all_;
    std::vector<Fiber *> idle_;
};

} // namespace ms_cuda_host

#endif
