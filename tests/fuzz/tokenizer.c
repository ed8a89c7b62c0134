/* What is accepted encodes and decodes, and is the same tokenizer after it was saved and opened again. */
#include <stdlib.h>
#include <string.h>

#include "model/data/tokenizer.h"
#include "tests/fuzz/fuzz.h"

static void check_text(ms_tokenizer *tokenizer, const char *text, size_t size_bytes) {
    ms_tokens tokens = {0};
    ms_status status = ms_tokenizer_encode(tokenizer, text, size_bytes, MS_SPECIAL_PARSE, &tokens);
    char *decoded = NULL;
    size_t decoded_bytes = 0;
    if (status == MS_OK) {
        MS_FUZZ_CLAIM(ms_tokenizer_decode(tokenizer, tokens.ids, tokens.n, false, &decoded, &decoded_bytes) == MS_OK);
        free(decoded);
    } else {
        ms_fuzz_refused(status);
    }
    ms_tokens_finish(&tokens);
}

static void check_tokens(const ms_tokenizer *tokenizer) {
    int n = ms_tokenizer_vocab_size(tokenizer);
    for (int32_t id = 0; id < n && id < 1000; id++) {
        const uint8_t *bytes;
        size_t size_bytes;
        (void)ms_tokenizer_token(tokenizer, id, &bytes, &size_bytes);
    }
    MS_FUZZ_CLAIM(ms_tokenizer_end_of_text(tokenizer) < n);
}

static void check_again(const ms_tokenizer *tokenizer) {
    const char *path = ms_fuzz_path("again.json");
    MS_FUZZ_CLAIM(ms_tokenizer_save(tokenizer, path) == MS_OK);
    ms_tokenizer *again;
    MS_FUZZ_CLAIM(ms_tokenizer_open(path, &again) == MS_OK);
    MS_FUZZ_CLAIM(strcmp(ms_tokenizer_sha256(tokenizer), ms_tokenizer_sha256(again)) == 0);
    ms_tokenizer_close(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes) {
    static const char text[] = "The tokenizer's 123 words, \xc3\xa9\xe4\xb8\xad\n\n  <|endoftext|>ababab";
    ms_tokenizer *tokenizer;
    ms_status status = ms_tokenizer_open(ms_fuzz_file("tokenizer.json", data, size_bytes), &tokenizer);
    if (status != MS_OK) {
        ms_fuzz_refused(status);
        return 0;
    }
    check_text(tokenizer, text, sizeof text - 1);
    check_text(tokenizer, (const char *)data, size_bytes < 256 ? size_bytes : 256);
    check_tokens(tokenizer);
    check_again(tokenizer);
    ms_tokenizer_close(tokenizer);
    return 0;
}
