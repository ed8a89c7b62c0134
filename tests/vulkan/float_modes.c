/* Writes a SPIR-V module again with every float mode that a device may report: for spirv.sh, because no driver here
   reports all. Usage: float_modes IN OUT */
#include <stdio.h>
#include <stdlib.h>

#include "backend/vulkan/vulkan_spirv.h"
#include "platform/file.h"

static ms_status convert(const char *in, const char *out_path) {
    char *text;
    size_t size, n_words;
    MS_TRY(ms_file_read(in, &text, &size));
    uint32_t *out = malloc(size + MS_VULKAN_MODE_WORDS * sizeof *out);
    ms_status status = out ? MS_OK : MS_FAIL(MS_OUT_OF_MEMORY, "no memory for %s", in);
    if (status == MS_OK)
        status = ms_vulkan_spirv_with_modes((const uint32_t *)(const void *)text, size / sizeof *out,
                                            (ms_vulkan_float_modes){true, true, true}, out, &n_words);
    if (status == MS_OK) status = ms_file_write(out_path, (const char *)out, n_words * sizeof *out);
    free(out);
    free(text);
    return status;
}

int main(int argc, char **argv) {
    if (argc == 3 && convert(argv[1], argv[2]) == MS_OK) return 0;
    fprintf(stderr, "float_modes: %s\n", argc == 3 ? ms_status_message() : "usage: float_modes IN OUT");
    return 1;
}
