/* Runs a target on files, without libFuzzer: in every build, committed inputs are tests.
   Usage: PROGRAM FOLDER...     every file of each folder, at least one */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "platform/file.h"
#include "tests/fuzz/fuzz.h"

static int run_folder(const char *path) {
    int n = 0;
    DIR *directory = opendir(path);
    for (struct dirent *entry; directory && (entry = readdir(directory));) {
        if (entry->d_name[0] == '.') continue;
        char *file = ms_path_join(path, entry->d_name), *data;
        size_t size_bytes;
        MS_FUZZ_CLAIM(file);
        printf("%s\n", file);
        fflush(stdout);
        MS_FUZZ_CLAIM(ms_file_read(file, &data, &size_bytes) == MS_OK);
        LLVMFuzzerTestOneInput((const uint8_t *)data, size_bytes);
        free(data);
        free(file);
        n++;
    }
    if (directory) closedir(directory);
    if (n == 0) fprintf(stderr, "%s: no folder with inputs\n", path);
    return n;
}

int main(int n_arguments, char **arguments) {
    for (int i = 1; i < n_arguments; i++)
        if (run_folder(arguments[i]) == 0) return 1;
    return n_arguments < 2;
}
