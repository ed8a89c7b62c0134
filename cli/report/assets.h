/* The sources of the page, embedded at build (cli/embed_files.cmake). */
#ifndef MS_CLI_REPORT_ASSETS_H
#define MS_CLI_REPORT_ASSETS_H

#include <stddef.h>

typedef struct ms_report_asset {
    const char *name;           /* of the file; NULL after the last */
    const unsigned char *bytes; /* with a NUL after the last */
    size_t size_bytes;
} ms_report_asset;

extern const ms_report_asset ms_report_assets[];

#endif
