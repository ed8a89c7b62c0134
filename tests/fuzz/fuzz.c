#define _GNU_SOURCE /* memmem */
#include "tests/fuzz/fuzz.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "platform/directory.h"

static char folder[256];

static void remove_folder(void) { (void)ms_directory_remove(folder); }

const char *ms_fuzz_folder(void) {
    if (*folder) return folder;
    const char *parent = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/muonscope-fuzz-XXXXXX", parent ? parent : "/tmp");
    MS_FUZZ_CLAIM(mkdtemp(folder));
    MS_FUZZ_CLAIM(atexit(remove_folder) == 0);
    return folder;
}

const char *ms_fuzz_path(const char *name) {
    static char paths[4][512];
    static unsigned turn;
    char *path = paths[turn++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", ms_fuzz_folder(), name);
    return path;
}

const char *ms_fuzz_file(const char *name, const void *data, size_t size_bytes) {
    const char *path = ms_fuzz_path(name);
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    MS_FUZZ_CLAIM(file >= 0);
    MS_FUZZ_CLAIM(size_bytes == 0 || write(file, data, size_bytes) == (ssize_t)size_bytes);
    MS_FUZZ_CLAIM(close(file) == 0);
    return path;
}

void ms_fuzz_files(const uint8_t *data, size_t size_bytes, const char *const *names, int n, const char **out_paths) {
    static const char between[] = "\n==\n";
    for (int i = 0; i < n; i++) {
        out_paths[i] = NULL;
        if (!data) continue;
        const uint8_t *cut = i + 1 < n ? memmem(data, size_bytes, between, sizeof between - 1) : NULL;
        size_t this_bytes = cut ? (size_t)(cut - data) + 1 : size_bytes;
        out_paths[i] = ms_fuzz_file(names[i], data, this_bytes);
        size_bytes -= cut ? this_bytes + sizeof between - 2 : size_bytes;
        data = cut ? cut + sizeof between - 1 : NULL;
    }
}

void ms_fuzz_fail(const char *file, int line, const char *claim) {
    fprintf(stderr, "%s:%d: does not hold: %s\nlast message: %s\n", file, line, claim, ms_status_message());
    abort();
}

void ms_fuzz_refused(ms_status status) {
    MS_FUZZ_CLAIM(status != MS_OK && status != MS_INTERNAL);
    const char *message = ms_status_message();
    MS_FUZZ_CLAIM(*message && !strchr(message, '\n'));
}
