#include "tracker/npy.h"

#include <stdio.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "numbers are written as they lie in memory");

/* Magic, version 1.0, u16 length of what follows: a Python dictionary, padded with spaces so that the numbers begin at
   a multiple of 64, and a line break. */
enum { PREFIX = 10, ALIGNMENT = 64, LONGEST_HEAD = 4 * ALIGNMENT };

/* Returns its length. */
static size_t make_head(size_t rows, size_t cols, char out[LONGEST_HEAD]) {
    char text[LONGEST_HEAD];
    size_t length = (size_t)snprintf(text, sizeof text,
                                     "{'descr': '<f8', 'fortran_order': False, 'shape': (%zu, %zu), }", rows, cols);
    size_t size = (PREFIX + length + 1 + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT, rest = size - PREFIX;
    memcpy(out, "\x93NUMPY\x01\x00", 8);
    out[8] = (char)(rest & 255);
    out[9] = (char)(rest >> 8);
    memset(out + PREFIX, ' ', rest);
    memcpy(out + PREFIX, text, length);
    out[size - 1] = '\n';
    return size;
}

size_t ms_npy_bytes(size_t rows, size_t cols) {
    char head[LONGEST_HEAD];
    return make_head(rows, cols, head) + sizeof(double) * rows * cols;
}

ms_status ms_npy_write(ms_writer *writer, const double *values, size_t rows, size_t cols) {
    char head[LONGEST_HEAD];
    MS_TRY(ms_writer_write(writer, head, make_head(rows, cols, head)));
    return ms_writer_write(writer, values, sizeof(double) * rows * cols);
}
