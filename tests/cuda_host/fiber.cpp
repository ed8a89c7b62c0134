#include "tests/cuda_host/fiber.h"

#include <cstdint>
#include <sys/mman.h>

#include "tests/cuda_host/report.h"

/* Saves the callee-saved registers on this stack and its pointer in *save, then goes on from the pointer `load`. */
extern "C" void ms_cuda_host_switch(void **save, void *load);

asm(R"(
    .text
    .globl ms_cuda_host_switch
    .hidden ms_cuda_host_switch
    .type ms_cuda_host_switch, @function
ms_cuda_host_switch:
    endbr64
    push %rbp
    push %rbx
    push %r12
    push %r13
    push %r14
    push %r15
    mov %rsp, (%rdi)
    mov %rsi, %rsp
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbx
    pop %rbp
    ret
    .size ms_cuda_host_switch, . - ms_cuda_host_switch
)");

namespace ms_cuda_host {
namespace {

const size_t PAGE_BYTES = 4096;
const size_t STACK_BYTES = 128 * 1024; /* address space; what a kernel does not touch costs nothing */
const size_t N_SAVED_REGISTERS = 6;

} // namespace

FiberPool::~FiberPool() {
    for (Fiber *fiber : all_) {
        munmap(fiber->stack - PAGE_BYTES, STACK_BYTES);
        delete fiber;
    }
}

Fiber *FiberPool::take() {
    if (!idle_.empty()) {
        Fiber *fiber = idle_.back();
        idle_.pop_back();
        return fiber;
    }
    void *pages =
        mmap(nullptr, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (pages == MAP_FAILED || mprotect(pages, PAGE_BYTES, PROT_NONE) != 0)
        fatal("no memory for the stack of a thread");
    Fiber *fiber = new Fiber();
    fiber->stack = static_cast<char *>(pages) + PAGE_BYTES;
    /* Tops of stacks at one distance would share few sets of the caches: spread them. */
    size_t colour = all_.size() * 192 % PAGE_BYTES;
    void **top = reinterpret_cast<void **>(static_cast<char *>(pages) + STACK_BYTES - 64 - colour);
    *--top = nullptr; /* a return address is there at entry, so the stack is aligned as behind a call */
    *--top = reinterpret_cast<void *>(entry_);
    for (size_t i = 0; i < N_SAVED_REGISTERS; i++) *--top = nullptr;
    fiber->stack_pointer = top;
    all_.push_back(fiber);
    return fiber;
}

void FiberPool::resume(Fiber *fiber) { ms_cuda_host_switch(&scheduler_, fiber->stack_pointer); }

void FiberPool::suspend(Fiber *fiber) { ms_cuda_host_switch(&fiber->stack_pointer, scheduler_); }

bool FiberPool::overflowed(const void *address) const {
    uintptr_t at = reinterpret_cast<uintptr_t>(address);
    for (const Fiber *fiber : all_) {
        uintptr_t stack = reinterpret_cast<uintptr_t>(fiber->stack);
        if (at >= stack - PAGE_BYTES && at < stack) return true;
    }
    return false;
}

} // namespace ms_cuda_host
