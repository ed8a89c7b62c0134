/* What happens when the program under test touches memory it must not: a message that names the fault, then abort. */
#ifndef MS_TESTS_CUDA_HOST_FAULT_H
#define MS_TESTS_CUDA_HOST_FAULT_H

namespace ms_cuda_host {

/* Once per process. */
void install_fault_handler();

/* Once per operating-system thread that runs kernels: the handler must not need the stack that may be full. */
void use_alternate_signal_stack();

/* Names the work that runs for messages, NULL for none; a kernel names itself. */
void set_running_work(const char *text);

} // namespace ms_cuda_host

#endif
