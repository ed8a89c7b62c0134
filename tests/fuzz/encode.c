/* Text to ids and back: what is UTF-8 comes back byte for byte, with and without the cache of pieces; what is not is
   refused.  The tokenizers are those of tests/golden, which have all bytes. */
#include <stdlib.h>
#include <string.h>

#include "platform/utf8.h"
#include "model/data/tokenizer.h"
#include "tests/fuzz/fuzz.h"

static void check_text(ms_tokenizer *tokenizer, const char *text, size_t size_bytes, ms_special special) {
    ms_tokens tokens = {0}, again = {0};
    ms_status status = ms_tokenizer_encode(tokenizer, text, size_bytes, special, &tokens);
    if (ms_utf8_check(text, size_bytes) < size_bytes) {
        MS_FUZZ_CLAIM(status == MS_INVALID);
        ms_tokens_finish(&tokens);
        return;
    }
    MS_FUZZ_CLAIM(status == MS_OK);
    MS_FUZZ_CLAIM(ms_tokenizer_encode(tokenizer, text, size_bytes, special, &again) == MS_OK);
    MS_FUZZ_CLAIM(tokens.n == again.n);
    MS_FUZZ_CLAIM(tokens.n == 0 || memcmp(tokens.ids, again.ids, tokens.n * sizeof *tokens.ids) == 0);
    char *decoded;
    size_t decoded_bytes;
    MS_FUZZ_CLAIM(ms_tokenizer_decode(tokenizer, tokens.ids, tokens.n, false, &decoded, &decoded_bytes) == MS_OK);
    MS_FUZZ_CLAIM(decoded_bytes == size_bytes && (size_bytes == 0 || memcmp(decoded, text, size_bytes) == 0));
    free(decoded);
    ms_tokens_finish(&tokens);
    ms_tokens_finish(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes) {
    static ms_tokenizer *tokenizers[2];
    static const char *const paths[2] = {"tests/golden/tokenizer/gpt2.json", "tests/golden/tokenizer/digits.json"};
    for (int i = 0; i < 2; i++) {
        if (!tokenizers[i]) MS_FUZZ_CLAIM(ms_tokenizer_open(paths[i], &tokenizers[i]) == MS_OK);
        check_text(tokenizers[i], (const char *)data, size_bytes, MS_SPECIAL_PARSE);
        check_text(tokenizers[i], (const char *)data, size_bytes, MS_SPECIAL_AS_TEXT);
    }
    return 0;
}
