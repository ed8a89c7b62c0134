#include "platform/sha256.h"

#include <openssl/evp.h>
#include <stdlib.h>

struct ms_sha256 {
    EVP_MD_CTX *context; /* owned */
};

ms_status ms_sha256_create(ms_sha256 **out) {
    *out = NULL;
    ms_sha256 *hash = calloc(1, sizeof *hash);
    if (!hash) return MS_FAIL(MS_OUT_OF_MEMORY, "sha256: no memory");
    hash->context = EVP_MD_CTX_new();
    if (!hash->context || EVP_DigestInit_ex(hash->context, EVP_sha256(), NULL) != 1) {
        ms_sha256_destroy(hash);
        return MS_FAIL(MS_OUT_OF_MEMORY, "sha256: libcrypto refused to start");
    }
    *out = hash;
    return MS_OK;
}

ms_status ms_sha256_update(ms_sha256 *hash, const void *data, size_t size_bytes) {
    if (EVP_DigestUpdate(hash->context, data, size_bytes) != 1)
        return MS_FAIL(MS_INTERNAL, "sha256: libcrypto refused %zu bytes", size_bytes);
    return MS_OK;
}

ms_status ms_sha256_finish(ms_sha256 *hash, char out_hexadecimal[65]) {
    static const char digits[] = "0123456789abcdef";
    unsigned char digest[32];
    unsigned size = 0;
    int done = EVP_DigestFinal_ex(hash->context, digest, &size);
    ms_sha256_destroy(hash);
    out_hexadecimal[0] = '\0';
    if (done != 1 || size != sizeof digest) return MS_FAIL(MS_INTERNAL, "sha256: libcrypto gave %u bytes", size);
    for (unsigned i = 0; i < size; i++) {
        out_hexadecimal[2 * i] = digits[digest[i] >> 4];
        out_hexadecimal[2 * i + 1] = digits[digest[i] & 15];
    }
    out_hexadecimal[64] = '\0';
    return MS_OK;
}

void ms_sha256_destroy(ms_sha256 *hash) {
    if (!hash) return;
    EVP_MD_CTX_free(hash->context);
    free(hash);
}

ms_status ms_sha256_bytes(const void *data, size_t size_bytes, char out_hexadecimal[65]) {
    ms_sha256 *hash;
    MS_TRY(ms_sha256_create(&hash));
    ms_status status = ms_sha256_update(hash, data, size_bytes);
    if (status != MS_OK) {
        ms_sha256_destroy(hash);
        return status;
    }
    return ms_sha256_finish(hash, out_hexadecimal);
}
