/* A compiled graph on CUDA. */
#ifndef MS_BACKEND_CUDA_CUDA_PROGRAM_H
#define MS_BACKEND_CUDA_CUDA_PROGRAM_H

#include "backend/backend_impl.h"

ms_status ms_cuda_program_create(ms_backend_device *device, const ms_compile_request *request,
                                 ms_backend_program **out);
void ms_cuda_program_destroy(ms_backend_program *program);
ms_status ms_cuda_program_run(ms_backend_program *program);
size_t ms_cuda_program_workspace_bytes(const ms_backend_program *program);
void ms_cuda_program_counts(const ms_backend_program *program, ms_program_counts *out);

#endif
