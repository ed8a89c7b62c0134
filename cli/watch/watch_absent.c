/* In place of the rest where libmicrohttpd was not there. */
#include "cli/watch/watch.h"

ms_status ms_watch_run(const char *folder, int port, FILE *printed) {
    (void)folder;
    (void)port;
    (void)printed;
    return MS_FAIL(MS_UNSUPPORTED,
                   "this muonscope was built without `watch`: install the package libmicrohttpd-dev and "
                   "build again");
}
