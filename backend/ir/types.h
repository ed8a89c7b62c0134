/* Element types and shapes of the tensor-op IR. */
#ifndef MS_BACKEND_IR_TYPES_H
#define MS_BACKEND_IR_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* X(ENUM, name, size in bytes) */
#define MS_DTYPES(X)                                                                                                   \
    X(F32, f32, 4)                                                                                                     \
    X(BF16, bf16, 2)                                                                                                   \
    X(F16, f16, 2)                                                                                                     \
    X(I32, i32, 4)                                                                                                     \
    X(U16, u16, 2)

typedef enum ms_dtype {
#define X(upper, lower, size) MS_DTYPE_##upper,
    MS_DTYPES(X)
#undef X
        MS_DTYPE_COUNT
} ms_dtype;

enum { MS_MAX_RANK = 4, MS_MAX_INPUTS = 8, MS_MAX_OUTPUTS = 4, MS_MAX_ROW_GROUPS = 4 };

/* Row-major and contiguous; rank 1 to 4; unused dimensions are 0.  A scalar is [1]. */
typedef struct ms_shape {
    int32_t rank;
    int64_t dim[MS_MAX_RANK];
} ms_shape;

/* Size of one element; in the f64 oracle an f32 element takes 8 bytes (see ms_numerics in backend/backend.h). */
size_t ms_dtype_size(ms_dtype dtype);
/* "unknown": no such dtype. */
const char *ms_dtype_name(ms_dtype dtype);
/* Names by value; ends with NULL. */
extern const char *const ms_dtype_names[];

ms_shape ms_shape_1(int64_t d0);
ms_shape ms_shape_2(int64_t d0, int64_t d1);
ms_shape ms_shape_3(int64_t d0, int64_t d1, int64_t d2);
int64_t ms_shape_count(const ms_shape *shape); /* number of elements */
bool ms_shape_equal(const ms_shape *a, const ms_shape *b);

/* The shape as a stack of matrices [batch, rows, columns]: the last two dimensions are the matrix, the ones before it
   the batch; rank 1 is one row. */
typedef struct ms_matrix_shape {
    int64_t batch, rows, columns;
} ms_matrix_shape;
ms_matrix_shape ms_shape_matrix(const ms_shape *shape);

/* Writes "[2,3]" into out and returns out.  48 bytes hold any usual shape; longer text is cut. */
const char *ms_shape_text(const ms_shape *shape, char *out, size_t size);

#ifdef __cplusplus
}
#endif

#endif
