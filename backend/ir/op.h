/* Ops of the IR: the enumeration and tables made from ops.def, and the typed attributes of each op. */
#ifndef MS_BACKEND_IR_OP_H
#define MS_BACKEND_IR_OP_H

#include "backend/ir/types.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum ms_op {
#define OP(upper, lower, ...) MS_OP_##upper,
#include "backend/ir/ops.def"
#undef OP
    MS_OP_COUNT
} ms_op;

typedef enum ms_op_kind {
    MS_OP_KIND_PRIMITIVE,
    MS_OP_KIND_ELEMENTWISE,
    MS_OP_KIND_COMPOSITE,
    MS_OP_KIND_FREE
} ms_op_kind;

/* A factor that is constant, or moves with the step: value = constant * step scalar (scalar == -1: just the constant).
   Step scalars are elements of the graph's step-scalar variable, written by the host before each run. */
typedef struct ms_coefficient {
    float constant;
    int32_t scalar; /* index into the step scalars, or -1 */
} ms_coefficient;

/* The attributes of each op: struct ms_<member>_attributes, made from attributes.def, and one of them for the ops that
   have none. */
#define MS_ATTRIBUTE_FIELD_FLOAT(field) float field
#define MS_ATTRIBUTE_FIELD_INT(field) int32_t field
#define MS_ATTRIBUTE_FIELD_INT64(field) int64_t field
#define MS_ATTRIBUTE_FIELD_UINT64(field) uint64_t field
#define MS_ATTRIBUTE_FIELD_BOOL(field) bool field
#define MS_ATTRIBUTE_FIELD_DTYPE(field) ms_dtype field
#define MS_ATTRIBUTE_FIELD_SHAPE(field) ms_shape field
#define MS_ATTRIBUTE_FIELD_COEFFICIENT(field) ms_coefficient field
#define MS_ATTRIBUTE_FIELD_INT64S(field) int64_t field[MS_MAX_ROW_GROUPS]

/* clang-format off */
#define ATTRIBUTES(member) typedef struct ms_##member##_attributes {
#define ATTRIBUTE(member, field, type) MS_ATTRIBUTE_FIELD_##type(field);
#define ATTRIBUTES_END(member) } ms_##member##_attributes;
#include "backend/ir/attributes.def"
#undef ATTRIBUTES
#undef ATTRIBUTE
#undef ATTRIBUTES_END
/* clang-format on */

typedef struct ms_none_attributes {
    int32_t unused; /* always 0 */
} ms_none_attributes;

typedef union ms_attributes {
    ms_none_attributes none;
#define ATTRIBUTES(member) ms_##member##_attributes member;
#define ATTRIBUTE(member, field, type)
#define ATTRIBUTES_END(member)
#include "backend/ir/attributes.def"
#undef ATTRIBUTES
#undef ATTRIBUTE
#undef ATTRIBUTES_END
} ms_attributes;

/* One row of ops.def. */
/* Most chunks of one tied_cross_entropy: each becomes some nodes. */
enum { MS_LOSS_CHUNKS_MAX = 8192 };

typedef struct ms_op_info {
    const char *name;
    int32_t min_inputs, max_inputs, n_outputs;
    uint32_t aliases; /* bit output * MS_MAX_INPUTS + input */
    ms_op_kind kind;
    const char *gradient; /* name of the gradient rule, or "none" */
    const char *documentation;
} ms_op_info;

/* Static, never NULL for a valid op. */
const ms_op_info *ms_op_get(ms_op op);
/* MS_OP_COUNT when there is no such op. */
ms_op ms_op_find(const char *name);
/* Whether `output` may be computed in the storage of `input`. */
bool ms_op_may_alias(ms_op op, int output, int input);
bool ms_op_is_differentiable(ms_op op);

#ifdef __cplusplus
}
#endif

#endif
