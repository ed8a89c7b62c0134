#include "platform/loopback.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "platform/path.h"

enum { WAITING_MAX = 128 }; /* connections that the system keeps until they are accepted */

static bool set_flags(int descriptor) {
    int flags = fcntl(descriptor, F_GETFL);
    return flags >= 0 && fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) == 0 &&
           fcntl(descriptor, F_SETFD, FD_CLOEXEC) == 0;
}

static ms_status listen_on(int descriptor, int port, int *out_port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    socklen_t size = sizeof address;
    const int yes = 1; /* connections of an earlier process that are being closed do not hold the port */
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (set_flags(descriptor) && setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0 &&
        bind(descriptor, (struct sockaddr *)&address, sizeof address) == 0 && listen(descriptor, WAITING_MAX) == 0 &&
        getsockname(descriptor, (struct sockaddr *)&address, &size) == 0) {
        *out_port = ntohs(address.sin_port);
        return MS_OK;
    }
    if (errno == EADDRINUSE) return MS_FAIL(MS_IO, "port %d of 127.0.0.1 is in use by another program", port);
    return MS_FAIL(MS_IO, "port %d of 127.0.0.1 cannot be had: %s", port, strerror(errno));
}

ms_status ms_loopback_listen(int port, int *out_descriptor, int *out_port) {
    *out_descriptor = -1;
    *out_port = 0;
    if (port < 0 || port > 65535) return MS_FAIL(MS_INVALID, "port %d: 0 to 65535 are possible", port);
    int descriptor = socket(AF_INET, SOCK_STREAM, 0);
    if (descriptor < 0) return MS_FAIL(MS_IO, "no socket: %s", strerror(errno));
    ms_status status = listen_on(descriptor, port, out_port);
    if (status == MS_OK)
        *out_descriptor = descriptor;
    else
        close(descriptor);
    return status;
}

const char *ms_machine_name(char *out, size_t size) {
    if (gethostname(out, size) != 0 || size == 0) snprintf(out, size, "this-machine");
    out[size - 1] = '\0';
    return out;
}
