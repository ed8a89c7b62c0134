/* How the host runtime says what is wrong with the program under test: one line on standard error, "cuda-host: ...". */
#ifndef MS_TESTS_CUDA_HOST_REPORT_H
#define MS_TESTS_CUDA_HOST_REPORT_H

namespace ms_cuda_host {

/* Prints the message, with the kernel, block and thread that run on this operating-system thread if any, and aborts. */
[[noreturn]] __attribute__((format(printf, 1, 2))) void fatal(const char *format, ...);

/* Prints why a call is about to return an error. */
__attribute__((format(printf, 1, 2))) void explain(const char *format, ...);

} // namespace ms_cuda_host

#endif
