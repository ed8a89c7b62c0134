#include "backend/ir/types.h"

#include <stdio.h>

size_t ms_dtype_size(ms_dtype dtype) {
    static const size_t sizes[] = {
#define X(upper, lower, size) size,
        MS_DTYPES(X)
#undef X
    };
    return (unsigned)dtype < MS_DTYPE_COUNT ? sizes[dtype] : 0;
}

const char *const ms_dtype_names[] = {
#define X(upper, lower, size) #lower,
    MS_DTYPES(X)
#undef X
        NULL};

const char *ms_dtype_name(ms_dtype dtype) {
    return (unsigned)dtype < MS_DTYPE_COUNT ? ms_dtype_names[dtype] : "unknown";
}

ms_shape ms_shape_1(int64_t d0) { return (ms_shape){1, {d0}}; }
ms_shape ms_shape_2(int64_t d0, int64_t d1) { return (ms_shape){2, {d0, d1}}; }
ms_shape ms_shape_3(int64_t d0, int64_t d1, int64_t d2) { return (ms_shape){3, {d0, d1, d2}}; }

int64_t ms_shape_count(const ms_shape *shape) {
    int64_t count = shape->rank > 0 ? 1 : 0;
    for (int i = 0; i < shape->rank; i++) count *= shape->dim[i];
    return count;
}

bool ms_shape_equal(const ms_shape *a, const ms_shape *b) {
    if (a->rank != b->rank) return false;
    for (int i = 0; i < a->rank; i++)
        if (a->dim[i] != b->dim[i]) return false;
    return true;
}

ms_matrix_shape ms_shape_matrix(const ms_shape *shape) {
    ms_matrix_shape matrix = {1, 1, 1};
    if (shape->rank >= 1) matrix.columns = shape->dim[shape->rank - 1];
    if (shape->rank >= 2) matrix.rows = shape->dim[shape->rank - 2];
    for (int i = 0; i < shape->rank - 2; i++) matrix.batch *= shape->dim[i];
    return matrix;
}

const char *ms_shape_text(const ms_shape *shape, char *out, size_t size) {
    size_t used = (size_t)snprintf(out, size, "[");
    for (int i = 0; i < shape->rank && used < size; i++)
        used += (size_t)snprintf(out + used, size - used, "%s%lld", i ? "," : "", (long long)shape->dim[i]);
    if (used < size) snprintf(out + used, size - used, "]");
    return out;
}
