#include "platform/shell.h"

#include <stdbool.h>
#include <string.h>

#include "platform/escape.h"

/* Adds `part` to a text of a given size; false: it does not fit. */
static bool add(char *text, size_t size, size_t *length, const char *part) {
    size_t n = strlen(part);
    if (*length + n >= size) return false;
    memcpy(text + *length, part, n + 1);
    *length += n;
    return true;
}

static bool is_plain(const char *name) {
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+:,./-";
    return *name && name[strspn(name, plain)] == '\0';
}

/* In 'quotes' nothing is special but their end; in $'quotes' the backslash is too. */
static bool quote(const char *name, bool escaped, char *text, size_t size) {
    size_t length = 0;
    bool fits = add(text, size, &length, escaped ? "$'" : "'");
    if (name[0] == '-') fits = fits && add(text, size, &length, "./");
    for (; fits && *name; name++) {
        const char one[2] = {*name, '\0'};
        if (*name == '\'')
            fits = add(text, size, &length, escaped ? "\\'" : "'\\''");
        else if (*name == '\\' && escaped)
            fits = add(text, size, &length, "\\\\");
        else
            fits = add(text, size, &length, one);
    }
    return fits && add(text, size, &length, "'");
}

ms_shell_word ms_shell_quote(const char *name) {
    ms_shell_word word = {""};
    char raw[MS_SHELL_WORD_SIZE], escaped[4 * MS_SHELL_WORD_SIZE] = ""; /* an escape has four bytes */
    size_t length = 0;
    if (is_plain(name)) {
        bool fits = name[0] != '-' || add(word.text, sizeof word.text, &length, "./");
        if (fits && add(word.text, sizeof word.text, &length, name)) return word;
        return (ms_shell_word){"..."};
    }
    bool fits = quote(name, false, raw, sizeof raw);
    if (fits && strcmp(raw, ms_escape(raw, escaped, sizeof escaped)) != 0) {
        /* What ms_escape writes is what $'quotes' read. */
        fits = quote(name, true, raw, sizeof raw);
        ms_escape(raw, escaped, sizeof escaped);
    }
    if (!fits || !add(word.text, sizeof word.text, &length, escaped)) return (ms_shell_word){"..."};
    return word;
}
