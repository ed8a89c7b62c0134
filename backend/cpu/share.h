/* How kernels cut their work into tasks.  The cut depends on shapes alone, never on the number of threads.  Included by
   kernels only (needs MS_REAL). */
#ifndef MS_BACKEND_CPU_SHARE_H
#define MS_BACKEND_CPU_SHARE_H

#include <string.h>

#include "backend/cpu/cpu_kernel.h"

/* Numbers that one task of an elementwise loop handles: some microseconds of work, within the second-level cache. */
enum { MS_CHUNK = 16384 };

typedef struct ms_range {
    int64_t begin, end;
} ms_range;

static inline ms_range ms_chunk_range(int64_t i_task, int64_t chunk, int64_t count) {
    ms_range range = {i_task * chunk, i_task * chunk + chunk};
    if (range.end > count) range.end = count;
    return range;
}

static inline int64_t ms_chunk_count(int64_t count, int64_t chunk) { return (count + chunk - 1) / chunk; }

/* Rows of `columns` numbers that make one task. */
static inline int64_t ms_row_chunk(int64_t columns) { return columns >= MS_CHUNK ? 1 : MS_CHUNK / columns; }

static inline bool ms_is_given(const ms_operand *operand) { return operand->data != NULL; }

/* Bytes of an element in this precision. */
static inline size_t ms_element_bytes(ms_dtype dtype) {
    return dtype == MS_DTYPE_F32 ? sizeof(real) : ms_dtype_size(dtype);
}

/* n_spans spans of span_bytes each; source and target advance by their strides from span to span. */
typedef struct ms_copy {
    char *to;
    const char *from;
    int64_t n_spans;
    size_t to_stride, from_stride, span_bytes;
} ms_copy;

enum { MS_COPY_CHUNK = 1 << 18 };

static inline void ms_copy_task(void *context, int64_t i_task, int i_thread) {
    (void)i_thread;
    const ms_copy *copy = (const ms_copy *)context;
    int64_t per_span = ms_chunk_count((int64_t)copy->span_bytes, MS_COPY_CHUNK);
    size_t span = (size_t)(i_task / per_span);
    ms_range range = ms_chunk_range(i_task % per_span, MS_COPY_CHUNK, (int64_t)copy->span_bytes);
    memcpy(copy->to + span * copy->to_stride + range.begin, copy->from + span * copy->from_stride + range.begin,
           (size_t)(range.end - range.begin));
}

/* Does nothing when source and target are the same storage. */
static inline void ms_copy_run(const ms_cpu_call *call, ms_copy *copy) {
    if (copy->to == copy->from) return;
    ms_pool_run(call->pool, copy->n_spans * ms_chunk_count((int64_t)copy->span_bytes, MS_COPY_CHUNK), ms_copy_task,
                copy);
}

static inline void ms_copy_all(const ms_cpu_call *call, const ms_operand *from, void *to) {
    ms_copy copy = {(char *)to, (const char *)from->data, 1, 0, 0, 0};
    copy.span_bytes = (size_t)ms_shape_count(&from->shape) * ms_element_bytes(from->dtype);
    ms_copy_run(call, &copy);
}

#endif
