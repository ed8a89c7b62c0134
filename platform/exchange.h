/* Replacing a directory in one step. */
#ifndef MS_PLATFORM_EXCHANGE_H
#define MS_PLATFORM_EXCHANGE_H

#include "platform/status.h"

/* Exchanges two existing entries of an open directory atomically, files, links or directories, and syncs the directory.
   `shown` is the path of `right`, for messages.  MS_NOT_FOUND, MS_IO; MS_UNSUPPORTED: the file system cannot exchange.
   Thread-safe.  Linux renameat2(2), RENAME_EXCHANGE. */
ms_status ms_exchange(int directory, const char *left, const char *right, const char *shown);

#endif
