/* Token shards in the two formats of llm.c: a header of 256 little-endian int32 (magic number, version, number of
   tokens, the rest 0), then the tokens: little-endian uint16 (magic 20240520, version 1), or uint32 for a vocabulary of
   more than 65,536 (magic 20240801, version 7).  Source: llm.c, dev/data/data_common.py (Karpathy 2024). */
#ifndef MS_MODEL_DATA_SHARD_H
#define MS_MODEL_DATA_SHARD_H

#include <stdint.h>
#include <stdio.h>

#include "platform/reader.h"
#include "platform/status.h"

#ifdef __cplusplus
extern "C" {
#endif

#define MS_SHARD_MAGIC 20240520
#define MS_SHARD_VERSION 1
#define MS_SHARD_MAGIC_32 20240801
#define MS_SHARD_VERSION_32 7
#define MS_SHARD_HEADER_BYTES 1024
/* Largest vocabulary whose ids are uint16. */
#define MS_SHARD_VOCAB_16 65536

/* A shard being read.  A zeroed one is closed. */
typedef struct ms_shard {
    ms_reader reader;
    int64_t n_tokens;
    int32_t token_bytes; /* 2 or 4 */
} ms_shard;

/* Opens a shard and checks its header and size.  The caller closes it.
   MS_NOT_FOUND, MS_IO; MS_CORRUPT: foreign, truncated or too long, with the numbers; MS_UNSUPPORTED: another
   version. */
ms_status ms_shard_open(const char *path, ms_shard *out);
void ms_shard_close(ms_shard *shard);

/* Reads tokens begin .. begin + n - 1 of the shard, which has them.  MS_CORRUPT: an id of 2^31 or more; errors of
   ms_reader_read: the file may have been cut since.  Thread-safe. */
ms_status ms_shard_read(const ms_shard *shard, int64_t begin, int64_t n, int32_t *out);

/* A shard being written.  The file is there from the beginning, and is no shard until it is committed: it belongs in a
   folder that has a temporary name itself. */
typedef struct ms_shard_writer {
    FILE *stream;
    char *path; /* owned; NULL: closed */
    int64_t n_tokens;
    int32_t token_bytes; /* 2 or 4 */
} ms_shard_writer;

/* Begins a shard of ids below vocab_size, which chooses the format.  MS_IO: also when there is a file of that name;
   MS_NO_SPACE.  The caller commits or aborts it. */
ms_status ms_shard_writer_open(const char *path, int vocab_size, ms_shard_writer *out);
/* Goes on with a shard that was not committed, behind its first n_tokens.  MS_NOT_FOUND, MS_IO; MS_CORRUPT: it has
   fewer. */
ms_status ms_shard_writer_reopen(const char *path, int vocab_size, int64_t n_tokens, ms_shard_writer *out);
/* Adds n ids.  MS_INVALID: an id that the format does not hold, or more than 2^31 - 1 tokens; MS_IO, MS_NO_SPACE. */
ms_status ms_shard_writer_add(ms_shard_writer *shard, const int32_t *ids, int64_t n);
/* Waits until the disk has what was added.  MS_IO, MS_NO_SPACE. */
ms_status ms_shard_writer_sync(ms_shard_writer *shard);
/* Writes the header and waits until the disk has all of it.  Closes the writer either way.  MS_IO, MS_NO_SPACE. */
ms_status ms_shard_writer_commit(ms_shard_writer *shard);
/* Closes an uncommitted shard, whose file stays as it is.  A zeroed writer is fine. */
void ms_shard_writer_abort(ms_shard_writer *shard);

#ifdef __cplusplus
}
#endif

#endif
