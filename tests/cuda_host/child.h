/* Runs a function in a child process that is expected to be stopped by the host runtime. */
#ifndef MS_TESTS_CUDA_HOST_CHILD_H
#define MS_TESTS_CUDA_HOST_CHILD_H

/* Fails the running test unless `run(argument)` ends in abort with a line on standard error that has "cuda-host: " and
   `message`. */
void test_must_abort(void (*run)(int), int argument, const char *message);

#endif
