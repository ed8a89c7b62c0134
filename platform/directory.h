/* Listings of directories. */
#ifndef MS_PLATFORM_DIRECTORY_H
#define MS_PLATFORM_DIRECTORY_H

#include <stddef.h>

#include "platform/status.h"

/* The names in a directory without "." and "..", sorted by byte. */
typedef struct ms_listing {
    char **names; /* owned, [n] */
    size_t n;     /* how many names */
} ms_listing;

/* Lists a directory.  The caller finishes `out`.  MS_NOT_FOUND, MS_IO, MS_OUT_OF_MEMORY.  Thread-safe. */
ms_status ms_listing_read(const char *path, ms_listing *out);
void ms_listing_finish(ms_listing *listing); /* a zeroed one is fine */

#endif
