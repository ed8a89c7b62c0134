#define _GNU_SOURCE /* renameat2 */
#include "platform/exchange.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "platform/path.h"

ms_status ms_exchange(int directory, const char *left, const char *right, const char *shown) {
    if (renameat2(directory, left, directory, right, RENAME_EXCHANGE) == 0) return ms_sync_directory(directory, shown);
    if (errno == EINVAL || errno == ENOSYS)
        return MS_FAIL(MS_UNSUPPORTED, "the file system cannot replace %s in one step: remove it first", shown);
    return ms_status_from_errno(errno, "cannot exchange with", shown);
}
