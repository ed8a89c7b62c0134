/* What an op is on Vulkan: a function that encodes the op of one node as dispatches of compute shaders.  It runs once,
   when a program is compiled; nothing is recorded or allocated yet, so operands are places, not addresses.  Regions and
   variables begin at multiples of 256 bytes; an operand has fewer than 2^31 elements.

   A dispatch names a shader of shaders/<name>.comp, its specialisation constants and its push constants.  Addresses of
   operands come first among the push constants (8 bytes each), then 32-bit numbers, in the order of the calls below;
   128 bytes at most, which is all that every Vulkan 1.2 device has.  Barriers are found from the operands that each
   dispatch reads and writes: an encoder never thinks about them.

   Encoders return MS_UNSUPPORTED for what they cannot do, with the numbers; they never change precision or device. */
#ifndef MS_BACKEND_VULKAN_VULKAN_KERNEL_H
#define MS_BACKEND_VULKAN_VULKAN_KERNEL_H

#include "backend/call_list.h"
#include "backend/vulkan/vulkan_limits.h"

typedef struct ms_vulkan_encoder ms_vulkan_encoder; /* collects the dispatches of one program */

/* A call of the program's list, and what the device adds. */
typedef struct ms_vulkan_call {
    ms_op op;
    const ms_attributes *attributes;
    const ms_operand *in;  /* [MS_MAX_INPUTS] */
    const ms_operand *out; /* [MS_MAX_OUTPUTS], may be the place of an input where ops.def says ALIAS */
    const ms_gemm *gemm;   /* of matmul and gram */
    const ms_vulkan_limits *limits;
    ms_vulkan_encoder *encoder;
} ms_vulkan_call;

typedef ms_status (*ms_vulkan_kernel)(const ms_vulkan_call *call);

/* The encoder of every op of kind ELEMENTWISE. */
ms_status ms_vulkan_formula(const ms_vulkan_call *call);
/* Declarations of all other encoders, from the one table of ops: ms_vulkan_<op>. */
#define OP(upper, lower, ...) ms_status ms_vulkan_##lower(const ms_vulkan_call *call);
#include "backend/ir/ops.def"
#undef OP

static inline bool ms_vulkan_is_given(const ms_operand *operand) { return operand->region != MS_REGION_NONE; }
bool ms_vulkan_same_place(const ms_operand *a, const ms_operand *b);
/* Whether element 0 stands at a multiple of `bytes` (a power of two, at most 256): for vector loads. */
bool ms_vulkan_is_aligned(const ms_operand *operand, int64_t bytes);
/* The operand from element `first` on, `count` elements (shape [count]). */
ms_operand ms_vulkan_part(const ms_operand *operand, int64_t first, int64_t count);
/* Scratch of the op being encoded: `count` f32 or i32 elements from byte `offset_bytes` (a multiple of 256). */
ms_operand ms_vulkan_workspace(ms_dtype dtype, int64_t offset_bytes, int64_t count);
ms_operand ms_vulkan_absent(void);

enum { MS_VULKAN_MAX_OPERANDS = 12 };

/* One dispatch under construction: zeroed, then filled by the calls below in the order in which the shader declares its
   constants and push constants.  Too many of anything is reported by ms_vulkan_emit. */
typedef struct ms_vulkan_dispatch {
    const char *shader; /* static: the name of shaders/<name>.comp */
    uint32_t constants[MS_VULKAN_MAX_CONSTANTS];
    int n_constants;
    struct {
        ms_operand operand;
        bool read, write;
    } operands[MS_VULKAN_MAX_OPERANDS];
    int n_operands;
    uint32_t numbers[MS_VULKAN_PUSH_BYTES / 4];
    int n_numbers;
    int64_t fault_limit; /* > 0: the shader may report a value outside of [0, fault_limit) */
    double flops;        /* > 0: an estimate of its work; then an op of several dispatches may be cut between them */
} ms_vulkan_dispatch;

/* constant_id 0, 1, 2: the size of a workgroup (local_size_x_id = 0, ...). */
ms_vulkan_dispatch ms_vulkan_dispatch_of(const char *shader, uint32_t size_x, uint32_t size_y, uint32_t size_z);
/* The next specialisation constant, from constant_id 3 on. */
void ms_vulkan_constant_u32(ms_vulkan_dispatch *dispatch, uint32_t value);
void ms_vulkan_constant_f32(ms_vulkan_dispatch *dispatch, float value);
/* MS_F32 (0) or MS_BF16 (1) of shaders/common.glsl. */
void ms_vulkan_constant_dtype(ms_vulkan_dispatch *dispatch, const ms_operand *operand);
/* The next address: an operand that is read, written, or both.  An absent one is address 0 (tell the shader by a
   constant, it must not be touched). */
void ms_vulkan_push_read(ms_vulkan_dispatch *dispatch, const ms_operand *operand);
void ms_vulkan_push_write(ms_vulkan_dispatch *dispatch, const ms_operand *operand);
void ms_vulkan_push_update(ms_vulkan_dispatch *dispatch, const ms_operand *operand);
/* The address of the step scalars (0 when the graph has none). */
void ms_vulkan_push_step_scalars(ms_vulkan_dispatch *dispatch);
/* The address of the fault words, for ms_report_fault of shaders/common.glsl: the program then fails with the op's
   name, its node and "value V is outside of [0, limit)". */
void ms_vulkan_push_fault(ms_vulkan_dispatch *dispatch, int64_t limit);
/* Numbers, after all addresses. */
void ms_vulkan_push_u32(ms_vulkan_dispatch *dispatch, uint32_t value);
void ms_vulkan_push_i32(ms_vulkan_dispatch *dispatch, int32_t value);
void ms_vulkan_push_f32(ms_vulkan_dispatch *dispatch, float value);
/* A Coefficient of shaders/common.glsl: constant, index of the step scalar or -1. */
void ms_vulkan_push_coefficient(ms_vulkan_dispatch *dispatch, ms_coefficient coefficient);

/* Adds the dispatch.  Group counts are at least 1 and at most 65535 each, which every device has.  Copies
   everything. */
ms_status ms_vulkan_emit(ms_vulkan_encoder *encoder, const ms_vulkan_dispatch *dispatch, uint32_t groups_x,
                         uint32_t groups_y, uint32_t groups_z);
/* n groups as a grid of x and y; the shader finds its number with ms_group_index() and must return when it is >= n,
   which therefore has to be one of its numbers. */
ms_status ms_vulkan_emit_linear(ms_vulkan_encoder *encoder, const ms_vulkan_dispatch *dispatch, int64_t n_groups);

#endif
