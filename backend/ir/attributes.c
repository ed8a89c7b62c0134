#include "backend/ir/attributes.h"

#include <string.h>

#include "platform/hash.h"

typedef struct member_row {
    const char *member;
    ms_attribute attribute;
} member_row;

static const member_row rows[] = {
#define ATTRIBUTES(member)
#define ATTRIBUTE(member, field, type) {#member, {#field, MS_ATTRIBUTE_##type, offsetof(ms_attributes, member.field)}},
#define ATTRIBUTES_END(member)
#include "backend/ir/attributes.def"
#undef ATTRIBUTES
#undef ATTRIBUTE
#undef ATTRIBUTES_END
};

/* The member of ms_attributes that each op uses. */
static const char *const op_members[MS_OP_COUNT] = {
#define OP(upper, lower, kind, min_in, max_in, n_out, attributes, ...) #attributes,
#include "backend/ir/ops.def"
#undef OP
};

const ms_attribute *ms_op_attribute(ms_op op, int i) {
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++)
        if (strcmp(rows[r].member, op_members[op]) == 0 && i-- == 0) return &rows[r].attribute;
    return NULL;
}

static size_t field_bytes(ms_attribute_type type) {
    switch (type) {
    case MS_ATTRIBUTE_FLOAT:
        return sizeof(float);
    case MS_ATTRIBUTE_INT:
        return sizeof(int32_t);
    case MS_ATTRIBUTE_INT64:
    case MS_ATTRIBUTE_UINT64:
        return sizeof(int64_t);
    case MS_ATTRIBUTE_BOOL:
        return sizeof(bool);
    case MS_ATTRIBUTE_DTYPE:
        return sizeof(ms_dtype);
    case MS_ATTRIBUTE_SHAPE:
        return sizeof(ms_shape);
    case MS_ATTRIBUTE_COEFFICIENT:
        return sizeof(ms_coefficient);
    case MS_ATTRIBUTE_INT64S:
        return MS_MAX_ROW_GROUPS * sizeof(int64_t);
    }
    return 0;
}

static const void *field(const ms_attribute *attribute, const ms_attributes *attributes) {
    return (const char *)attributes + attribute->offset;
}

bool ms_attributes_equal(ms_op op, const ms_attributes *a, const ms_attributes *b) {
    const ms_attribute *attribute;
    for (int i = 0; (attribute = ms_op_attribute(op, i)) != NULL; i++) {
        const void *x = field(attribute, a), *y = field(attribute, b);
        bool equal = attribute->type == MS_ATTRIBUTE_SHAPE ? ms_shape_equal(x, y)
                                                           : memcmp(x, y, field_bytes(attribute->type)) == 0;
        if (!equal) return false;
    }
    return true;
}

uint64_t ms_attributes_hash(ms_op op, const ms_attributes *attributes) {
    uint64_t hash = ms_hash_append(MS_HASH_EMPTY, &op, sizeof op);
    const ms_attribute *attribute;
    for (int i = 0; (attribute = ms_op_attribute(op, i)) != NULL; i++) {
        const void *x = field(attribute, attributes);
        if (attribute->type == MS_ATTRIBUTE_SHAPE) {
            const ms_shape *shape = x;
            hash = ms_hash_append(hash, &shape->rank, sizeof shape->rank);
            hash = ms_hash_append(hash, shape->dim, (size_t)shape->rank * sizeof *shape->dim);
        } else {
            hash = ms_hash_append(hash, x, field_bytes(attribute->type));
        }
    }
    return hash;
}
