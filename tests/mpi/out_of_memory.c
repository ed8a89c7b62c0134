/* A machine without memory, where it is loaded before the C library: what is large is refused while there is a file
   no_memory in the current folder. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum { LARGE_BYTES = 16384 };

extern void *__libc_malloc(size_t size_bytes); /* of glibc */

void *malloc(size_t size_bytes) {
    if (size_bytes < LARGE_BYTES || access("no_memory", F_OK) != 0) return __libc_malloc(size_bytes);
    errno = ENOMEM;
    return NULL;
}
