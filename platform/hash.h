/* A hash of bytes: 64-bit FNV-1a (Fowler, Noll & Vo).  The same on every machine for the same bytes; not for keys that
   somebody may choose to collide.  SHA-256, for files, is platform/sha256.h.  Thread-safe. */
#ifndef MS_PLATFORM_HASH_H
#define MS_PLATFORM_HASH_H

#include <stddef.h>
#include <stdint.h>

/* The hash of no bytes. */
#define MS_HASH_EMPTY 0xcbf29ce484222325u

/* The hash of bytes that hash to `hash`, followed by `data`. */
static inline uint64_t ms_hash_append(uint64_t hash, const void *data, size_t size_bytes) {
    const unsigned char *bytes = (const unsigned char *)data;
    for (size_t i = 0; i < size_bytes; i++) hash = (hash ^ bytes[i]) * 0x100000001b3u;
    return hash;
}

#endif
