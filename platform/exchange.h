/* Replacing a directory in one step. */
#ifndef MS_PLATFORM_EXCHANGE_H
#define MS_PLATFORM_EXCHANGE_H

#include "platform/status.h"

/* Exchanges two existing files or directories of one file system atomically, and syncs the directory that holds
   `right`. MS_NOT_FOUND, MS_IO; MS_UNSUPPORTED: the file system cannot exchange.  Thread-safe. Linux renameat2(2),
   RENAME_EXCHANGE. */
ms_status ms_exchange(const char *left, const char *right);

#endif
