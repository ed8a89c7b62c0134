#include "train/text_tail.h"

#include <string.h>

/* True when the text ends with the first n bytes of `stop`. */
static bool ends_with(const ms_text *text, const char *stop, size_t n) {
    return text->n >= n && memcmp(text->bytes + text->n - n, stop, n) == 0;
}

/* The longest stop string that the text ends with, or NULL. */
static const char *find_stop(const ms_text_tail *tail) {
    const char *found = NULL;
    for (size_t i = 0; i < tail->n_stops; i++) {
        const char *stop = tail->stops[i];
        if (ends_with(&tail->text, stop, strlen(stop)) && (!found || strlen(stop) > strlen(found))) found = stop;
    }
    return found;
}

/* Bytes at the end of the text that a stop string may begin with. */
static size_t measure_beginning(const ms_text_tail *tail) {
    size_t longest = 0;
    for (size_t i = 0; i < tail->n_stops; i++)
        for (size_t n = strlen(tail->stops[i]) - 1; n > longest; n--)
            if (ends_with(&tail->text, tail->stops[i], n)) longest = n;
    return longest;
}

/* Bytes at the end of a text that are a character without its last bytes (RFC 3629): the lead byte says how many it
   has.  A sequence that is wrong otherwise is no character anyway, and not waited for. */
static size_t measure_part(const char *bytes, size_t n) {
    for (size_t k = 1; k <= 3 && k <= n; k++) {
        unsigned char byte = (unsigned char)bytes[n - k];
        if ((byte & 0xc0) == 0x80) continue;
        size_t length = byte >= 0xf5 || byte < 0xc2 ? 1 : byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
        return length > k ? k : 0;
    }
    return 0;
}

ms_status ms_text_tail_add(ms_text_tail *tail, const void *bytes, size_t n) {
    const char *added = bytes;
    for (size_t i = 0; i < n && !tail->stop; i++) {
        MS_TRY(ms_text_append(&tail->text, &added[i], 1));
        tail->stop = find_stop(tail);
        if (tail->stop) tail->text.n -= strlen(tail->stop);
    }
    size_t end = tail->text.n;
    if (!tail->stop) end -= measure_beginning(tail);
    end -= measure_part(tail->text.bytes, end);
    if (end > tail->n_ready) tail->n_ready = end;
    return MS_OK;
}

void ms_text_tail_end(ms_text_tail *tail) { tail->n_ready = tail->text.n; }

void ms_text_tail_finish(ms_text_tail *tail) {
    ms_text_finish(&tail->text);
    tail->n_ready = 0;
}
