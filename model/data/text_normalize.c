#include "model/data/text_normalize.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "platform/utf8.h"

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

/* What Unicode 10 to 15 gave a combining class or a decomposition.  The tables of Hugging Face's normalizers are those
   of Unicode 9: such a character changes nothing there, and text was tokenized for models that way. */
static const int32_t younger[][2] = {
    {0x7fd, 0x7fd},     {0x898, 0x89f},     {0x8ca, 0x8d3},     {0x9fe, 0x9fe},     {0xc3c, 0xc3c},
    {0xd3b, 0xd3c},     {0xeba, 0xeba},     {0xece, 0xece},     {0x1715, 0x1715},   {0x1abf, 0x1ace},
    {0x1df6, 0x1dfa},   {0x32ff, 0x32ff},   {0xa7f2, 0xa7f4},   {0xa82c, 0xa82c},   {0xab69, 0xab69},
    {0x10781, 0x10785}, {0x10787, 0x107b0}, {0x107b2, 0x107ba}, {0x10d24, 0x10d27}, {0x10eab, 0x10eac},
    {0x10efd, 0x10eff}, {0x10f46, 0x10f50}, {0x10f82, 0x10f85}, {0x11070, 0x11070}, {0x1133b, 0x1133b},
    {0x1145e, 0x1145e}, {0x11839, 0x1183a}, {0x11930, 0x11930}, {0x11938, 0x11938}, {0x1193d, 0x1193e},
    {0x11943, 0x11943}, {0x119e0, 0x119e0}, {0x11a34, 0x11a34}, {0x11a47, 0x11a47}, {0x11a99, 0x11a99},
    {0x11d42, 0x11d42}, {0x11d44, 0x11d45}, {0x11d97, 0x11d97}, {0x11f41, 0x11f42}, {0x16ff0, 0x16ff1},
    {0x1e030, 0x1e06d}, {0x1e08f, 0x1e08f}, {0x1e130, 0x1e136}, {0x1e2ae, 0x1e2ae}, {0x1e2ec, 0x1e2ef},
    {0x1e4ec, 0x1e4ef}, {0x1f16c, 0x1f16c}, {0x1fbf0, 0x1fbf9}};

static bool is_younger(int32_t c) {
    size_t low = 0, high = sizeof younger / sizeof *younger;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (c > younger[middle][1]) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < sizeof younger / sizeof *younger && c >= younger[low][0];
}

/* A run of marks that is longer is sorted before utf8proc does it, whose way takes quadratic time. */
enum { LONG_RUN = 64 };

static int combining_class(utf8proc_int32_t c) { return utf8proc_get_property(c)->combining_class; }

/* Bytes of the marks with which the text begins, and their number. */
static size_t measure_marks(const char *text, size_t size_bytes, size_t *out_marks) {
    size_t at = 0;
    *out_marks = 0;
    while (at < size_bytes) {
        utf8proc_int32_t c = 0;
        utf8proc_ssize_t n =
            utf8proc_iterate((const utf8proc_uint8_t *)text + at, (utf8proc_ssize_t)(size_bytes - at), &c);
        if (n < 1 || is_younger(c) || combining_class(c) == 0) break;
        at += (size_t)n;
        ++*out_marks;
    }
    return at;
}

/* The marks in the order of their classes, those of one class as they stood: the canonical order.  The four marks that
   decompose do so into marks of their own class, so it stays one. */
static ms_status append_sorted_marks(const char *text, size_t size_bytes, ms_text *out) {
    size_t sizes[256] = {0}, begins[256], begin = 0;
    char *sorted = malloc(size_bytes);
    if (!sorted) return MS_FAIL(MS_OUT_OF_MEMORY, "no memory to sort %zu bytes of marks", size_bytes);
    for (int pass = 0; pass < 2; pass++) {
        for (size_t at = 0; at < size_bytes;) {
            utf8proc_int32_t c = 0;
            size_t n =
                (size_t)utf8proc_iterate((const utf8proc_uint8_t *)text + at, (utf8proc_ssize_t)(size_bytes - at), &c);
            int class = combining_class(c) & 255;
            if (pass == 0) {
                sizes[class] += n;
            } else {
                memcpy(sorted + begins[class], text + at, n);
                begins[class] += n;
            }
            at += n;
        }
        for (int class = 0; pass == 0 && class < 256; class ++) {
            begins[class] = begin;
            begin += sizes[class];
        }
    }
    ms_status status = ms_text_append(out, sorted, size_bytes);
    free(sorted);
    return status;
}

/* Text between younger characters, with its long runs of marks in order. */
static ms_status append_ordered(ms_normal_form form, const char *text, size_t size_bytes, ms_text *out) {
    ms_text ordered = {0};
    ms_status status = MS_OK;
    size_t done = 0;
    for (size_t at = 0; status == MS_OK && at < size_bytes;) {
        size_t n_marks, n = measure_marks(text + at, size_bytes - at, &n_marks);
        if (n_marks > LONG_RUN) {
            status = ms_text_append(&ordered, text + done, at - done);
            if (status == MS_OK) status = append_sorted_marks(text + at, n, &ordered);
            done = at + n;
        }
        at += n;
        if (at < size_bytes) at += ms_utf8_length(text + at, size_bytes - at);
    }
    if (status == MS_OK && done > 0) status = ms_text_append(&ordered, text + done, size_bytes - done);
    if (status == MS_OK)
        status = append_normal_form(form, done > 0 ? ordered.bytes : text, done > 0 ? ordered.n : size_bytes, out);
    ms_text_finish(&ordered);
    return status;
}

/* Text without ASCII but its first character: what lies between younger characters is normalized by itself. */
static ms_status append_around_younger(ms_normal_form form, const char *text, size_t size_bytes, ms_text *out) {
    size_t begin = 0;
    for (size_t at = 0; at < size_bytes;) {
        utf8proc_int32_t c = 0;
        utf8proc_ssize_t n =
            utf8proc_iterate((const utf8proc_uint8_t *)text + at, (utf8proc_ssize_t)(size_bytes - at), &c);
        if (n < 1) return MS_FAIL(MS_INVALID, "byte %zu of a text to normalize is not UTF-8", at);
        if (is_younger(c)) {
            if (at > begin) MS_TRY(append_ordered(form, text + begin, at - begin, out));
            MS_TRY(ms_text_append(out, text + at, (size_t)n));
            begin = at + (size_t)n;
        }
        at += (size_t)n;
    }
    return begin < size_bytes ? append_ordered(form, text + begin, size_bytes - begin, out) : MS_OK;
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
        if (end > begin) MS_TRY(append_around_younger(form, text + begin, end - begin, out));
        begin = end;
    }
    return MS_OK;
}
