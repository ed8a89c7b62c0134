/* Loaded before libmuonscope, it makes a program of another version, for start.sh. */
#include "library/version.h"

const char *ms_version(void) { return "99.9.9"; }
