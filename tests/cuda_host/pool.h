/* The operating-system threads that run blocks beside the caller: started at the first need, kept to the end of the
   process. */
#ifndef MS_TESTS_CUDA_HOST_POOL_H
#define MS_TESTS_CUDA_HOST_POOL_H

#include <functional>

namespace ms_cuda_host {

/* Calls `work` at once on settings().n_threads threads, the caller's among them; returns when all calls have.  One call
   at a time: the runtime's lock is held. */
void on_all_threads(const std::function<void()> &work);

} // namespace ms_cuda_host

#endif
