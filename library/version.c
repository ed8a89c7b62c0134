#include "library/version.h"

/* MS_VERSION: of the project, from the build. */
const char *ms_version(void) { return MS_VERSION; }
