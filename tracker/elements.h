/* Arrays of floating-point numbers as files hold them, and as f64, which every one of them is without rounding. */
#ifndef MS_TRACKER_ELEMENTS_H
#define MS_TRACKER_ELEMENTS_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum ms_element { MS_ELEMENT_F32, MS_ELEMENT_F64, MS_ELEMENT_F16, MS_ELEMENT_BF16 } ms_element;

/* The type of a name of safetensors: F32, F64, F16 or BF16.  false: another, *out is left alone.  Thread-safe. */
bool ms_element_parse(const char *name, ms_element *out);

/* Bytes of one. */
size_t ms_element_size(ms_element type);

/* out[i] = element first + i of an array, for i < n.  The array need not be aligned.  Thread-safe. */
void ms_elements_to_f64(ms_element type, const void *array, size_t first, size_t n, double *out);

#ifdef __cplusplus
}
#endif

#endif
