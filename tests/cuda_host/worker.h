/* Runs the blocks of one launch on one operating-system thread. */
#ifndef MS_TESTS_CUDA_HOST_WORKER_H
#define MS_TESTS_CUDA_HOST_WORKER_H

#include <memory>
#include <vector>

#include "tests/cuda_host/block.h"
#include "tests/cuda_host/fiber.h"
#include "tests/cuda_host/launch.h"
#include "tests/cuda_host/shared_memory.h"

namespace ms_cuda_host {

/* Lanes of a warp, a bit each.  One that lives and is neither ready nor exchanging waits at the block's barrier, or
   runs. */
struct Warp {
    unsigned existing;   /* less than all in the last warp of a block */
    unsigned living;     /* have not returned */
    unsigned ready;      /* can run, or run */
    unsigned exchanging; /* wait in a warp function */
};

/* One per operating-system thread, which alone uses it. */
class Worker {
  public:
    /* This thread's worker. */
    static Worker &mine();
    /* The same, NULL where this thread has run no kernel. */
    static Worker *mine_or_null();

    /* Before the first block of a launch and behind its last one on this thread. */
    void begin(const Launch &launch);
    void end();
    /* Runs one block to its end; i_block in x-fastest order also seeds a random order of threads. */
    void run_block(uint64_t i_block);

    /* Called on fibers, see block.h. */
    int wait_at_barrier(Site site, int predicate);
    uint64_t wait_in_warp(Site site, unsigned mask, Combine combine, uint64_t value, unsigned source);

    const Launch *launch() const { return launch_; }
    SharedMemory &shared() { return shared_; }
    const FiberPool &fibers() const { return fibers_; }

  private:
    Worker() : fibers_(fiber_main) {}
    static void fiber_main();
    void run_threads_on_fiber();
    void lay_out_threads();
    void choose_order(uint64_t i_block);
    bool run_warp(unsigned i_warp);
    void run_until_it_waits(Thread &thread);
    void release_barrier();
    void finish_thread(Thread &thread);
    bool complete_exchange(Thread &thread);
    void check_exchange(const Thread &thread, unsigned group) const;
    [[noreturn]] void report_deadlock() const;
    void suspend(Thread &thread);
    Thread *lanes_of(unsigned i_warp) { return &threads_[i_warp * WARP_SIZE]; }

    const Launch *launch_ = nullptr;
    std::vector<Thread> threads_; /* x fastest */
    std::vector<Warp> warps_;
    std::vector<unsigned> warp_order_; /* indices of warps */
    unsigned lane_order_[WARP_SIZE];
    unsigned n_threads_ = 0;
    unsigned n_done_ = 0;
    unsigned n_at_barrier_ = 0;
    int n_predicates_ = 0;             /* of the threads at the barrier */
    int barrier_result_ = 0;           /* of the barrier released last */
    Site barrier_site_ = {nullptr, 0}; /* where the first thread at the barrier waits */
    unsigned cursor_ = 0;              /* in lane_order_: the lane of the running warp whose turn it is */
    SharedMemory shared_;
    FiberPool fibers_;
};

} // namespace ms_cuda_host

#endif
