#include "model/foreign/refusal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/file.h"
#include "platform/shell.h"

/* One format, told by its ending or by its first bytes.  Those of a zip archive or a pickle that is not named as
   another format are PyTorch's. */
typedef struct format {
    const char *ending;
    const char *bytes; /* NULL: bytes do not tell */
    const char *what;  /* NULL: PyTorch's */
} format;

static const format formats[] = {
    {".bin", NULL, NULL},
    {".pt", NULL, NULL},
    {".pth", NULL, NULL},
    {".ckpt", NULL, NULL},
    {".gguf", "GGUF", "a GGUF file"},
    {".npz", NULL, "a NumPy archive"},
    {".npy", "\x93NUMPY", "a NumPy array"},
    {".h5", "\x89HDF", "an HDF5 file"},
    {".onnx", NULL, "an ONNX model"},
    {".tflite", NULL, "a TensorFlow Lite model"},
    {".msgpack", NULL, "a Flax checkpoint"},
    {".pkl", NULL, "a pickle"},
};
enum { N_FORMATS = sizeof formats / sizeof *formats };

bool ms_is_refused_name(const char *name) {
    for (int i = 0; i < N_FORMATS; i++)
        if (ms_name_ends_with(name, formats[i].ending)) return true;
    return false;
}

/* "model.bin" becomes "model.safetensors". */
static void converted_name(const char *path, char *out, size_t size) {
    const char *dot = strrchr(path, '.'), *slash = strrchr(path, '/');
    int n = dot && (!slash || dot > slash + 1) ? (int)(dot - path) : (int)strlen(path);
    snprintf(out, size, "%.*s.safetensors", n, path);
}

static ms_status refuse_pytorch(const char *path) {
    char converted[MS_SHELL_WORD_SIZE];
    converted_name(path, converted, sizeof converted);
    ms_shell_word from = ms_shell_quote(path), to = ms_shell_quote(converted);
    return MS_FAIL(MS_UNSUPPORTED,
                   "%s is PyTorch's, not a safetensors file.  Convert it: python3 -c 'import sys, torch, "
                   "safetensors.torch as s; t = torch.is_tensor; d = torch.load(sys.argv[1], map_location=\"cpu\", "
                   "weights_only=True); d = next(x for x in [d, *d.values()] if isinstance(x, dict) and any(map(t, "
                   "x.values()))); s.save_file({k: v.clone().contiguous() for k, v in d.items() if t(v)}, "
                   "sys.argv[2])' %s %s",
                   path, from.text, to.text);
}

ms_status ms_refuse_other_format(const char *path) {
    ms_map map;
    char bytes[9] = "";
    MS_TRY(ms_map_open(path, &map));
    size_t n = map.size_bytes < sizeof bytes ? map.size_bytes : sizeof bytes;
    if (n > 0) memcpy(bytes, map.data, n);
    ms_map_close(&map);
    /* Safetensors: the length of the header, less than 4 GiB, whose low bytes may be any, then an object. */
    if (n == sizeof bytes && memcmp(bytes + 4, "\0\0\0\0", 4) == 0 && bytes[8] == '{') return MS_OK;
    if (n > 1 && (memcmp(bytes, "PK", 2) == 0 || memcmp(bytes, "\x80\x02", 2) == 0) && !ms_name_ends_with(path, ".npz"))
        return refuse_pytorch(path);
    for (int i = 0; i < N_FORMATS; i++) {
        const char *begin = formats[i].bytes;
        bool is = ms_name_ends_with(path, formats[i].ending) ||
                  (begin && n >= strlen(begin) && memcmp(bytes, begin, strlen(begin)) == 0);
        if (!is) continue;
        if (!formats[i].what) return refuse_pytorch(path);
        return MS_FAIL(MS_UNSUPPORTED, "%s is %s: only safetensors files are read", path, formats[i].what);
    }
    return MS_OK;
}
