/* safetensors files: named tensors behind a JSON header, readable by PyTorch, Hugging Face and NumPy tools.
   Format: huggingface/safetensors, README and tensor.rs.  u64 little-endian header length N | N bytes of JSON padded
   with spaces so that N % 8 == 0 | the tensors' bytes, little-endian, row-major, without holes. Functions are
   thread-safe on distinct objects; an open file may be read by several threads. */
#ifndef MS_MODEL_CHECKPOINT_SAFETENSORS_H
#define MS_MODEL_CHECKPOINT_SAFETENSORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/file.h"
#include "platform/status.h"

#ifdef __cplusplus
extern "C" {
#endif

#define MS_SAFETENSOR_RANK_MAX 8

/* One tensor.  When writing, everything is borrowed from the caller until the call returns.  When reading, everything
   is borrowed from the open file. */
typedef struct ms_safetensor {
    const char *name;  /* UTF-8, not empty, not "__metadata__" */
    const char *dtype; /* U64 I64 F64 C64 F32 U32 I32 BF16 F16 U16 I16 F8_E8M0 F8_E4M3 F8_E5M2 I8 U8 BOOL */
    int rank;          /* 0 (a scalar) to 8 */
    int64_t shape[MS_SAFETENSOR_RANK_MAX]; /* first `rank` entries, each >= 0; the last varies fastest */
    const void *data;                      /* row-major; may be NULL when size_bytes is 0 */
    size_t size_bytes;                     /* elements times the size of the dtype */
} ms_safetensor;

/* One pair of the header's __metadata__: free text for people and tools. */
typedef struct ms_safetensors_metadata {
    const char *key;   /* UTF-8, unique, not "format" */
    const char *value; /* UTF-8 */
} ms_safetensors_metadata;

/* Bytes of one element of a dtype, 0 for one that this project does not know. */
size_t ms_safetensor_element_bytes(const char *dtype);

enum { MS_SAFETENSOR_SHAPE_SIZE = 24 * MS_SAFETENSOR_RANK_MAX };
/* "[20, 24]", "[]" of a scalar; returns out.  rank <= MS_SAFETENSOR_RANK_MAX. */
const char *ms_safetensor_shape_text(int rank, const int64_t *shape, char out[MS_SAFETENSOR_SHAPE_SIZE]);
/* Whether a tensor has this shape. */
bool ms_safetensor_has_shape(const ms_safetensor *tensor, int rank, const int64_t *shape);

/* Checks one tensor's name, dtype, rank, shape, and that size_bytes belongs to them.  MS_INVALID names what is
   wrong. */
ms_status ms_safetensor_check(const ms_safetensor *tensor);

/* Writes a file in one pass (memory: the header), complete or absent (ms_writer).  The order of `tensors` does not
   matter: they are stored as the reference writer does, by dtype (I64 first, U8 last), then by name in byte order, so
   that every tensor is aligned to its element.  __metadata__ is "format": "pt" (which transformers asks for), then
   `metadata`. MS_INVALID: a bad or duplicate name, dtype, shape or metadata key.  MS_IO, MS_NO_SPACE,
   MS_OUT_OF_MEMORY. */
ms_status ms_safetensors_write(const char *path, const ms_safetensor *tensors, size_t n_tensors,
                               const ms_safetensors_metadata *metadata, size_t n_metadata);
/* The same into an open writer, which the caller commits or aborts. */
ms_status ms_safetensors_write_to(ms_writer *writer, const ms_safetensor *tensors, size_t n_tensors,
                                  const ms_safetensors_metadata *metadata, size_t n_metadata);

typedef struct ms_safetensors ms_safetensors; /* an open, memory-mapped file */

/* Opens and checks a whole file: header length, JSON, duplicate names, dtypes, shapes, offsets without hole or overlap,
   length of the file.  The contents of the tensors are not looked at.  A tensor that a foreign writer left unaligned is
   copied, the rest stays in the map.  The caller closes it; the file must not be truncated while it is open.
   MS_NOT_FOUND, MS_IO; MS_CORRUPT: truncated or not safetensors; MS_UNSUPPORTED: valid, but with a dtype that is not
   listed above or a rank above 8; MS_OUT_OF_MEMORY. */
ms_status ms_safetensors_open(const char *path, ms_safetensors **out);
/* The same without copies: the data of a tensor may be unaligned, and is always in the map. */
ms_status ms_safetensors_open_unaligned(const char *path, ms_safetensors **out);
void ms_safetensors_close(ms_safetensors *file); /* NULL is fine */

size_t ms_safetensors_count(const ms_safetensors *file);

/* All tensors in file order, ms_safetensors_count of them.  Borrowed: valid until the file is closed. */
const ms_safetensor *ms_safetensors_all(const ms_safetensors *file);

/* Tensor `index` in file order; index must be below the count.  Borrowed. */
const ms_safetensor *ms_safetensors_at(const ms_safetensors *file, size_t index);

/* The tensor of a name.  Borrowed.  MS_NOT_FOUND names the file and the tensor. */
ms_status ms_safetensors_find(const ms_safetensors *file, const char *name, const ms_safetensor **out);

/* The text of a metadata key, or NULL where the file has none.  Borrowed. */
const char *ms_safetensors_get_metadata(const ms_safetensors *file, const char *key);

#ifdef __cplusplus
}
#endif

#endif
