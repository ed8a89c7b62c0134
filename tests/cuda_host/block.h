/* What a kernel sees while it runs on the CPU: its place in the grid, shared memory, barriers, exchanges inside a warp.

   Each CUDA thread is a fiber; a block runs on one operating-system thread.  A thread runs until it waits, then the
   next one of its warp does: in the order that CUDAHOST_ORDER names.  What is strict here and often harmless on a
   device: every thread of a block must reach each __syncthreads, at the same line; every living lane of a mask must
   call the same warp function, at the same line. */
#ifndef MS_TESTS_CUDA_HOST_BLOCK_H
#define MS_TESTS_CUDA_HOST_BLOCK_H

#include <cstddef>
#include <cstdint>
#include <cuda_runtime_api.h>

namespace ms_cuda_host {

const unsigned WARP_SIZE = 32;

/* A line of a kernel: Site::here() as default argument is the caller's line. */
struct Site {
    const char *file;
    int line;
    static constexpr Site here(const char *file = __builtin_FILE(), int line = __builtin_LINE()) {
        return {file, line};
    }
};

struct Fiber;
struct Thread;

/* Fills `result` of the threads lanes[l] for every l in `group`, from their `value` and `source`; all of them wait. */
typedef void (*Combine)(Thread *lanes, unsigned group);

/* Up to 16 bytes on their way to shared memory. */
struct AsyncCopy {
    void *to;
    unsigned n_bytes;
    uint32_t words[4];
};

const unsigned MAX_ASYNC_COPIES = 128; /* that a thread has not waited for */

struct Thread {
    uint3 index;     /* threadIdx */
    unsigned lane;   /* 0 to 31 */
    unsigned i_warp; /* in its block */
    Fiber *fiber;    /* NULL before its first instruction and after its last */
    Site site;       /* where it waits */
    /* Of the warp exchange it waits in: */
    unsigned mask; /* lanes that take part */
    Combine combine;
    uint64_t value;  /* what it brings: up to 8 bytes, or a pointer */
    unsigned source; /* the lane it reads from, where that is asked */
    uint64_t result; /* what it gets */
    AsyncCopy copies[MAX_ASYNC_COPIES];
    unsigned n_copies;
};

/* Where the running thread is. */
struct Place {
    Thread *thread;   /* NULL while no kernel runs on this operating-system thread */
    uint3 block;      /* blockIdx */
    uint3 block_size; /* blockDim */
    uint3 grid_size;  /* gridDim */
};

/* __thread: no initialiser runs, so none is looked for at each use. */
extern __thread Place place __attribute__((tls_model("initial-exec")));

/* __syncthreads; the number of threads that brought a predicate other than 0. */
int block_barrier(Site site, int predicate);

/* Waits for the living lanes of `mask`, exchanges by `combine`; the caller's result. */
uint64_t warp_exchange(Site site, unsigned mask, Combine combine, uint64_t value, unsigned source);

/* The block's copy of the variable that MS_SHARED declares at `site`; poisoned at its first use in a block.  A guard
   page lies behind it (with CUDAHOST_ALIGN=start: before it). */
void *shared_variable(const void *site, const char *name, size_t size_bytes, size_t alignment);

/* The launch's dynamic shared memory, with guard pages as above. */
void *dynamic_shared();

/* The offset of an address in shared memory, as __cvta_generic_to_shared gives it; aborts where it is none. */
size_t shared_offset(const void *address);

/* The address that a shared_offset stands for. */
void *shared_address(size_t offset);

/* "kernel NAME, block (x,y,z), thread (x,y,z): " or an empty string. */
void describe_running_thread(char *text, size_t size_bytes);

/* Says what is at an address in the worker's stacks or shared memory: false where it is neither.  For the fault
   handler. */
bool describe_worker_address(const void *address, char *text, size_t size_bytes);

} // namespace ms_cuda_host

#endif
