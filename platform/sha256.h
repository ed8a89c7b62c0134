/* SHA-256 (FIPS 180-4) over a stream of bytes, computed by OpenSSL's libcrypto. */
#ifndef MS_PLATFORM_SHA256_H
#define MS_PLATFORM_SHA256_H

#include <stddef.h>

#include "platform/status.h"

typedef struct ms_sha256 ms_sha256;

/* The caller finishes or destroys it.  MS_OUT_OF_MEMORY.  Not thread-safe on one object. */
ms_status ms_sha256_create(ms_sha256 **out);
ms_status ms_sha256_update(ms_sha256 *hash, const void *data, size_t size_bytes);
/* Writes 64 lower-case hexadecimal digits and a NUL, and destroys `hash`. */
ms_status ms_sha256_finish(ms_sha256 *hash, char out_hexadecimal[65]);
void ms_sha256_destroy(ms_sha256 *hash);

/* The hash of bytes in memory. */
ms_status ms_sha256_bytes(const void *data, size_t size_bytes, char out_hexadecimal[65]);

#endif
