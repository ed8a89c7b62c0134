#define _GNU_SOURCE /* renameat2 */
#include "platform/exchange.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "platform/path.h"

ms_status ms_exchange(const char *left, const char *right) {
    if (renameat2(AT_FDCWD, left, AT_FDCWD, right, RENAME_EXCHANGE) == 0) return ms_sync_parent(right);
    if (errno == EINVAL || errno == ENOSYS)
        return MS_FAIL(MS_UNSUPPORTED, "the file system cannot exchange %s and %s: remove one of them first", left,
                       right);
    return ms_status_from_errno(errno, "cannot exchange with", right);
}
