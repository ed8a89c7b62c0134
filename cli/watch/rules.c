#define _POSIX_C_SOURCE 200809L /* open_memstream, strncasecmp */
#include "cli/watch/rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "platform/sha256.h"

bool ms_host_is_ours(const char *host, int port) {
    static const char *const names[] = {"127.0.0.1", "localhost", "[::1]"};
    char behind[16];
    snprintf(behind, sizeof behind, ":%d", port);
    for (size_t i = 0; host && i < sizeof names / sizeof *names; i++) {
        size_t length = strlen(names[i]);
        if (strncasecmp(host, names[i], length) != 0) continue;
        if (strcmp(host + length, behind) == 0 || (port == 80 && host[length] == '\0')) return true;
    }
    return false;
}

/* ---- the policy ---- */

static int digit_of(char hexadecimal) { return hexadecimal <= '9' ? hexadecimal - '0' : hexadecimal - 'a' + 10; }

/* 64 hexadecimal digits as the 44 characters of base64. */
static void write_base64(const char *hexadecimal, FILE *stream) {
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (int i = 0; i < 63; i += 6) { /* three bytes, the last time two */
        int bits = 0;
        for (int k = 0; k < 6; k++) bits = 16 * bits + (i + k < 64 ? digit_of(hexadecimal[i + k]) : 0);
        for (int k = 0; k < 4; k++) fputc(i + 6 <= 64 || k < 3 ? letters[bits >> (18 - 6 * k) & 63] : '=', stream);
    }
}

/* The next element of this name, <style>...</style>, from *at on, which moves behind it; whether there is one. */
static bool next_element(const char *name, const char **at, const char **out_tag, const char **out_text,
                         size_t *out_length) {
    char opening[16], closing[16];
    snprintf(opening, sizeof opening, "<%s", name);
    snprintf(closing, sizeof closing, "</%s", name);
    const char *tag = strstr(*at, opening), *text = tag ? strchr(tag, '>') : NULL;
    const char *end = text ? strstr(text, closing) : NULL;
    if (!end) return false;
    *out_tag = tag + strlen(opening);
    *out_text = text + 1;
    *out_length = (size_t)(end - *out_text);
    *at = end + strlen(closing);
    return true;
}

/* The hashes of all that have a text which runs: data of another type do not. */
static ms_status write_hashes(const char *page, const char *name, FILE *stream) {
    const char *at = page, *tag, *text;
    size_t length;
    while (next_element(name, &at, &tag, &text, &length)) {
        char hash[65];
        const char *type = strstr(tag, "type=");
        if (type && type < text) continue;
        MS_TRY(ms_sha256_bytes(text, length, hash));
        fputs(" 'sha256-", stream);
        write_base64(hash, stream);
        fputc('\'', stream);
    }
    return MS_OK;
}

static ms_status write_policy(const char *page, FILE *stream) {
    fputs("default-src 'none'; script-src", stream);
    MS_TRY(write_hashes(page, "script", stream));
    fputs("; style-src", stream);
    MS_TRY(write_hashes(page, "style", stream));
    fputs("; img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'", stream);
    return MS_OK;
}

ms_status ms_page_policy(const char *page, char **out) {
    size_t size;
    *out = NULL;
    FILE *stream = open_memstream(out, &size);
    if (!stream) return MS_FAIL(MS_OUT_OF_MEMORY, "watch: no memory for a header");
    ms_status status = write_policy(page, stream);
    bool complete = !ferror(stream);
    if ((fclose(stream) != 0 || !complete) && status == MS_OK)
        status = MS_FAIL(MS_OUT_OF_MEMORY, "watch: no memory for a header");
    if (status == MS_OK) return MS_OK;
    free(*out);
    *out = NULL;
    return status;
}
