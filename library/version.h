/* The version of muonscope. */
#ifndef MS_LIBRARY_VERSION_H
#define MS_LIBRARY_VERSION_H

#ifdef __cplusplus
extern "C" {
#endif

/* Of the library in use, e.g. "0.1.0".  Static.  Thread-safe. */
const char *ms_version(void);

#ifdef __cplusplus
}
#endif

#endif
