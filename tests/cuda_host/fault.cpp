#include "tests/cuda_host/fault.h"

#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <sys/mman.h>
#include <ucontext.h>

#include "tests/cuda_host/report.h"
#include "tests/cuda_host/runtime.h"
#include "tests/cuda_host/worker.h"

namespace ms_cuda_host {
namespace {

const size_t SIGNAL_STACK_BYTES = 64 * 1024;

struct sigaction previous_action;
/* Not per thread: a library works on several. */
std::atomic<const char *> running_work{nullptr};

bool runs_kernel() {
    const Worker *worker = Worker::mine_or_null();
    return worker && worker->launch();
}

const char *access_of(void *context) {
    /* Bit 1 of a page fault's error code: a write (Intel SDM 3A, 4.7). */
    bool is_write = static_cast<ucontext_t *>(context)->uc_mcontext.gregs[REG_ERR] & 2;
    return is_write ? "write" : "read";
}

void handle_fault(int signal_number, siginfo_t *information, void *context) {
    const void *address = information->si_addr;
    const char *access = access_of(context);
    char text[512];
    if (runs_kernel()) {
        if (!describe_worker_address(address, text, sizeof text) && !describe_address(address, text, sizeof text))
            snprintf(text, sizeof text, "no memory at %p", address);
        fatal("%s, %s", access, text);
    }
    if (const char *work = running_work) {
        if (!describe_address(address, text, sizeof text)) snprintf(text, sizeof text, "no memory at %p", address);
        fatal("%s: %s, %s", work, access, text);
    }
    if (is_device_address(address)) {
        describe_address(address, text, sizeof text);
        fatal("device memory %s by host code at %p (%s)", access[0] == 'w' ? "written" : "read", address, text);
    }
    if (describe_address(address, text, sizeof text)) fatal("%s by host code, %s", access, text);
    /* None of ours: whoever handled it before does so when the instruction runs again. */
    sigaction(signal_number, &previous_action, nullptr);
}

} // namespace

void install_fault_handler() {
    struct sigaction action = {};
    action.sa_sigaction = handle_fault;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigemptyset(&action.sa_mask);
    if (sigaction(SIGSEGV, &action, &previous_action) != 0) fatal("no handler for SIGSEGV");
    use_alternate_signal_stack();
}

void use_alternate_signal_stack() {
    stack_t stack = {};
    /* A sanitizer may have brought one, which it will unmap itself. */
    if (sigaltstack(nullptr, &stack) == 0 && !(stack.ss_flags & SS_DISABLE)) return;
    /* Kept to the end of the process: a thread that runs kernels ends with it. */
    void *bytes = mmap(nullptr, SIGNAL_STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (bytes == MAP_FAILED) fatal("no stack for signals");
    stack = {};
    stack.ss_sp = bytes;
    stack.ss_size = SIGNAL_STACK_BYTES;
    if (sigaltstack(&stack, nullptr) != 0) fatal("no stack for signals");
}

void set_running_work(const char *text) { running_work = text; }

} // namespace ms_cuda_host
