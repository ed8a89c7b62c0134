/* Attributes as data: the fields of each op's attributes, from attributes.def.  Internal to backend/ir. */
#ifndef MS_BACKEND_IR_ATTRIBUTES_H
#define MS_BACKEND_IR_ATTRIBUTES_H

#include "backend/ir/op.h"

typedef enum ms_attribute_type {
    MS_ATTRIBUTE_FLOAT,
    MS_ATTRIBUTE_INT, /* int32_t */
    MS_ATTRIBUTE_INT64,
    MS_ATTRIBUTE_UINT64,
    MS_ATTRIBUTE_BOOL,
    MS_ATTRIBUTE_DTYPE,
    MS_ATTRIBUTE_SHAPE,
    MS_ATTRIBUTE_COEFFICIENT,
    MS_ATTRIBUTE_INT64S /* int64_t [MS_MAX_ROW_GROUPS] */
} ms_attribute_type;

typedef struct ms_attribute {
    const char *name;
    ms_attribute_type type;
    size_t offset; /* bytes from the start of ms_attributes */
} ms_attribute;

/* The i-th attribute of an op, NULL after the last.  Static. */
const ms_attribute *ms_op_attribute(ms_op op, int i);
/* Equal fields: bytes of padding do not count; floats are compared as bits. */
bool ms_attributes_equal(ms_op op, const ms_attributes *a, const ms_attributes *b);
/* Equal attributes have equal hashes. */
uint64_t ms_attributes_hash(ms_op op, const ms_attributes *attributes);

#endif
