#include "model/data/tokenizer_mend.h"

#include <string.h>

#include "model/data/tokenizer_impl.h"

static bool has_tokens(const ms_tokenizer *tokenizer, const char *text, size_t size_bytes) {
    for (size_t i = 0; i < size_bytes; i++)
        if (tokenizer->byte_ids[(uint8_t)text[i]] < 0) return false;
    return true;
}

ms_status ms_tokenizer_mend(const ms_tokenizer *tokenizer, const char *text, size_t size_bytes, ms_text *out) {
    static const char replacement[] = "\xef\xbf\xbd", question[] = "?";
    const char *instead = has_tokens(tokenizer, replacement, 3) ? replacement
                          : has_tokens(tokenizer, question, 1)  ? question
                                                                : "";
    out->n = 0;
    for (size_t begin = 0; begin < size_bytes;) {
        size_t end = begin + 1;
        while (end < size_bytes && ((uint8_t)text[end] & 0xc0) == 0x80) end++;
        bool kept = has_tokens(tokenizer, text + begin, end - begin);
        MS_TRY(ms_text_append(out, kept ? text + begin : instead, kept ? end - begin : strlen(instead)));
        begin = end;
    }
    return MS_OK;
}
