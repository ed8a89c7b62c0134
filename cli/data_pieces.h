/* Contents of files that come from another program through a pipe: `muonscope data prepare --piped`. */
#ifndef MS_CLI_DATA_PIECES_H
#define MS_CLI_DATA_PIECES_H

#include <stdint.h>

#include "model/data/corpus.h"
#include "platform/stream.h"

/* For each file in turn pieces of it, each a length and as many bytes; lengths are 4 bytes, little-endian.  The length
   0 ends a file: what breaks off is never taken for whole.  The length 0xffffffff ends all: a piece follows that holds
   the writer's reason, which becomes the message. */
typedef struct ms_pieces {
    ms_stream stream;
    uint32_t n_left; /* bytes of the piece that is being read */
} ms_pieces;

/* Opens standard input.  The caller closes it.  MS_OUT_OF_MEMORY. */
ms_status ms_pieces_open(ms_pieces *out);
void ms_pieces_close(ms_pieces *pieces);

/* ms_corpus_source.read, with a ms_pieces as context.  MS_CORRUPT: the pipe ends before the file does; MS_INVALID: the
   writer's reason; MS_IO, MS_INTERRUPTED. */
ms_status ms_pieces_read(void *context, const char *path, void *out, size_t capacity, size_t *out_n);

#endif
