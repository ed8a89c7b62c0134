#include "model/data/text_normalize.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

const char *ms_normal_form_name(ms_normal_form form) {
    static const char *const names[MS_N_NORMAL_FORMS] = {"NFC", "NFD", "NFKC", "NFKD"};
    return names[form];
}

ms_status ms_text_append(ms_text *text, const void *bytes, size_t n) {
    if (text->capacity - text->n < n) {
        size_t capacity = text->capacity ? text->capacity : 256;
        while (capacity - text->n < n) capacity *= 2;
        char *larger = realloc(text->bytes, capacity);
        if (!larger) return MS_FAIL(MS_OUT_OF_MEMORY, "no memory for %zu bytes of text", capacity);
        text->bytes = larger;
        text->capacity = capacity;
    }
    if (n > 0) memcpy(text->bytes + text->n, bytes, n);
    text->n += n;
    return MS_OK;
}

void ms_text_finish(ms_text *text) {
    free(text->bytes);
    *text = (ms_text){0};
}

static ms_status append_normal_form(ms_normal_form form, const char *text, size_t size_bytes, ms_text *out) {
    static const utf8proc_option_t options[MS_N_NORMAL_FORMS] = {
        [MS_NFC] = UTF8PROC_STABLE | UTF8PROC_COMPOSE,
        [MS_NFD] = UTF8PROC_STABLE | UTF8PROC_DECOMPOSE,
        [MS_NFKC] = UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT,
        [MS_NFKD] = UTF8PROC_STABLE | UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT};
    if (size_bytes > INT32_MAX)
        return MS_FAIL(MS_INVALID, "%zu bytes beyond ASCII in one piece are too many to normalize", size_bytes);
    utf8proc_uint8_t *made = NULL;
    utf8proc_ssize_t n =
        utf8proc_map((const utf8proc_uint8_t *)text, (utf8proc_ssize_t)size_bytes, &made, options[form]);
    if (n == UTF8PROC_ERROR_NOMEM)
        return MS_FAIL(MS_OUT_OF_MEMORY, "no memory to normalize %zu bytes of text", size_bytes);
    if (n < 0)
        return MS_FAIL(MS_INVALID, "%s of %zu bytes of text: %s", ms_normal_form_name(form), size_bytes,
                       utf8proc_errmsg(n));
    ms_status status = ms_text_append(out, made, (size_t)n);
    free(made);
    return status;
}

/* ASCII is its own normal form, and an ASCII character never joins one before it: what is not ASCII is normalized
   together with the one ASCII character before it, and the rest is copied. */
ms_status ms_text_normalize(ms_normal_form form, const char *text, size_t size_bytes, ms_text *out) {
    out->n = 0;
    for (size_t begin = 0; begin < size_bytes;) {
        size_t end = begin;
        while (end < size_bytes && (uint8_t)text[end] < 0x80) end++;
        size_t joins = end < size_bytes && end > begin ? 1 : 0;
        MS_TRY(ms_text_append(out, text + begin, end - begin - joins));
        begin = end - joins;
        while (end < size_bytes && (uint8_t)text[end] >= 0x80) end++;
        if (end > begin) MS_TRY(append_normal_form(form, text + begin, end - begin, out));
        begin = end;
    }
    return MS_OK;
}
