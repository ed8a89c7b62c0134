/* Shared libraries that are opened at run time. */
#ifndef MS_PLATFORM_LIBRARY_H
#define MS_PLATFORM_LIBRARY_H

#include "platform/status.h"

typedef struct ms_library ms_library;

/* path: a file, by a path with '/'; or a name without one, given by the code and never by a user, that the dynamic
   loader looks for.  MS_NOT_FOUND: no such file.  MS_UNSUPPORTED: it cannot be loaded or the loader does not find it,
   with the loader's words.  It stays loaded until the process ends: what it gave out has no owner.  Thread-safe. */
ms_status ms_library_open(const char *path, ms_library **out);
/* The address of a function.  MS_NOT_FOUND names it. */
ms_status ms_library_function(ms_library *library, const char *name, void (**out)(void));
/* "<folder>/<name>", allocated, with the folder of the library or program that this function is part of; NULL when that
   is not known.  Thread-safe. */
char *ms_library_beside(const char *name);

#endif
