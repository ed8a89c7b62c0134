#include "cli/watch/microhttpd.h"

#include <string.h>

#include "platform/library.h"

static ms_status find(ms_library *library, const char *name, void *out_pointer) {
    void (*function)(void);
    MS_TRY_NOTE(ms_library_function(library, name, &function), "watch: libmicrohttpd of this system");
    memcpy(out_pointer, &function, sizeof function);
    return MS_OK;
}

ms_status ms_microhttpd_open(ms_microhttpd *out) {
    ms_library *library;
    memset(out, 0, sizeof *out);
    if (ms_library_open("libmicrohttpd.so.12", &library) != MS_OK)
        return MS_FAIL(MS_UNSUPPORTED, "watch needs libmicrohttpd: install the package libmicrohttpd12 "
                                       "(libmicrohttpd12t64 on Debian 13)");
#define X(name) MS_TRY(find(library, "MHD_" #name, &out->name));
#include "cli/watch/microhttpd.def"
    return MS_OK;
}

static enum MHD_Result handle(void *context, struct MHD_Connection *connection, const char *path, const char *method,
                              const char *version, const char *upload, size_t *upload_size, void **state) {
    const ms_microhttpd_handler *handler = context;
    (void)version;
    (void)upload;
    (void)upload_size;
    (void)state;
    return handler->answer(handler->context, connection, path, method);
}

const MHD_AccessHandlerCallback ms_microhttpd_handle = handle;
