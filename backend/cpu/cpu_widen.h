/* Calling a kernel on operands in bf16.  An op on bf16 is defined as: widen every bf16 input to f32 (exact), run the
   op, round each bf16 output once to nearest even.  Kernels know f32 (the oracle: f64) alone; the widened operands
   stand in the workspace behind the kernel's own scratch.  The ops that only move or convert numbers (fill, cast,
   slice, insert, insert_rows, reshape, assign) take bf16 themselves. */
#ifndef MS_BACKEND_CPU_CPU_WIDEN_H
#define MS_BACKEND_CPU_CPU_WIDEN_H

#include "backend/cpu/cpu_kernel.h"

/* Bytes of workspace that ms_cpu_kernel_run needs for a call; data of the operands is not looked at.  Pure. */
size_t ms_cpu_kernel_workspace(const ms_cpu_kernel_entry *kernel, const ms_cpu_call *call);
/* Runs the kernel, with widening and rounding where operands are bf16; call->workspace has the bytes above.  An output
   may be the storage of an input of its dtype where ops.def says ALIAS.  Thread-safe on distinct operands, workspaces
   and pools.  Errors of the kernel. */
ms_status ms_cpu_kernel_run(const ms_cpu_kernel_entry *kernel, const ms_cpu_call *call);

#endif
