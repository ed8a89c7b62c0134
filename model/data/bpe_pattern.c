#include "model/data/bpe_pattern.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "model/data/text_normalize.h"

/* Unicode's White_Space; PCRE2's own \s has U+180E as well. */
#define SPACE                                                                                                          \
    "\\x{9}-\\x{d}\\x{20}\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}"
#define NO_SPACE                                                                                                       \
    "\\x{0}-\\x{8}\\x{e}-\\x{1f}\\x{21}-\\x{84}\\x{86}-\\x{9f}\\x{a1}-\\x{167f}\\x{1681}-\\x{1fff}\\x{200b}-\\x{2027}" \
    "\\x{202a}-\\x{202e}\\x{2030}-\\x{205e}\\x{2060}-\\x{2fff}\\x{3001}-\\x{10ffff}"
#define WORD "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}"
#define HEXADECIMAL "0-9A-Fa-f"

/* The pattern being read, and what is written. */
typedef struct translation {
    const char *pattern;
    size_t at; /* byte being read */
    ms_text out;
    ms_status status; /* of writing */
} translation;

static void put_bytes(translation *t, const char *text, size_t n) {
    if (t->status == MS_OK) t->status = ms_text_append(&t->out, text, n);
}

static void put(translation *t, const char *text) { put_bytes(t, text, strlen(text)); }

/* The text is the same in both: n bytes of it are copied. */
static void copy(translation *t, size_t n) {
    put_bytes(t, t->pattern + t->at, n);
    t->at += n;
}

static ms_status refuse(const translation *t, size_t n) {
    return MS_FAIL(MS_UNSUPPORTED, "pattern, byte %zu: PCRE2 has no counterpart for \"%.*s\"", t->at, (int)n,
                   t->pattern + t->at);
}

/* One class by a name, and what it is within brackets. */
typedef struct named_class {
    const char *name, *members;
} named_class;

static const char *find_class(const named_class *classes, const char *name, size_t n) {
    for (; classes->name; classes++)
        if (strlen(classes->name) == n && strncmp(classes->name, name, n) == 0) return classes->members;
    return NULL;
}

/* POSIX brackets, which are properties as well. */
static const named_class posix[] = {{"space", SPACE},
                                    {"alpha", "\\p{Alphabetic}"},
                                    {"digit", "\\p{Nd}"},
                                    {"upper", "\\p{Uppercase}"},
                                    {"lower", "\\p{Lowercase}"},
                                    {"punct", "\\p{P}\\p{S}"},
                                    {"word", WORD},
                                    {"xdigit", HEXADECIMAL},
                                    {NULL, NULL}};

/* True for a name of general categories: "L", "Lu", "L&". */
static bool is_category(const char *name, size_t n) {
    return (n == 1 && strchr("CLMNPSZ", name[0])) ||
           (n == 2 && strchr("CLMNPSZ", name[0]) && strchr("&cdefiklmnopstu", name[1])) ||
           (n == 3 && strncmp(name, "Any", 3) == 0);
}

/* \p{NAME} or \P{NAME}: a category, or a script.  PCRE2 takes a bare script's name for its extensions too. */
static ms_status put_property(translation *t) {
    const char *begin = t->pattern + t->at, *name = begin + 3, *end = strchr(begin, '}');
    if (begin[2] != '{' || !end) return refuse(t, 2);
    size_t size = (size_t)(end - begin) + 1;
    bool negated = begin[1] == 'P';
    if (*name == '^') {
        negated = !negated;
        name++;
    }
    size_t n = (size_t)(end - name);
    for (size_t i = 0; i < n; i++)
        if (!isalpha((unsigned char)name[i]) && name[i] != '_' && name[i] != '&') return refuse(t, size);
    if (n == 0 || find_class(posix, name, n)) return refuse(t, size);
    put(t, negated ? "\\P{" : "\\p{");
    if (!is_category(name, n)) put(t, "sc:");
    put_bytes(t, name, n);
    put(t, "}");
    t->at += size;
    return MS_OK;
}

/* \uHHHH, which PCRE2 writes \x{HHHH}. */
static ms_status put_code_point(translation *t) {
    const char *digits = t->pattern + t->at + 2;
    for (size_t i = 0; i < 4; i++)
        if (!isxdigit((unsigned char)digits[i])) return refuse(t, 2);
    put(t, "\\x{");
    put_bytes(t, digits, 4);
    put(t, "}");
    t->at += 6;
    return MS_OK;
}

/* \xHH of ASCII, and \x{H...}.  A higher \xHH is a byte to Oniguruma and a character to PCRE2. */
static ms_status put_hexadecimal(translation *t) {
    const char *digits = t->pattern + t->at + 2;
    size_t n = 0;
    if (*digits == '{') {
        for (n = 1; isxdigit((unsigned char)digits[n]); n++) {
        }
        if (n == 1 || n > 9 || digits[n] != '}') return refuse(t, 2);
        n++;
    } else {
        while (n < 2 && isxdigit((unsigned char)digits[n])) n++;
        if (n == 0 || (n == 2 && digits[0] > '7')) return refuse(t, 2 + n);
    }
    copy(t, 2 + n);
    return MS_OK;
}

/* What a backslash begins, in or outside brackets. */
static ms_status put_escape(translation *t, bool in_brackets) {
    char letter = t->pattern[t->at + 1];
    static const named_class inside[] = {{"s", SPACE},       {"S", NO_SPACE}, {"w", WORD},
                                         {"h", HEXADECIMAL}, {"v", "\\x{b}"}, {NULL, NULL}};
    static const named_class outside[] = {{"s", "[" SPACE "]"},
                                          {"S", "[^" SPACE "]"},
                                          {"w", "[" WORD "]"},
                                          {"W", "[^" WORD "]"},
                                          {"h", "[" HEXADECIMAL "]"},
                                          {"H", "[^" HEXADECIMAL "]"},
                                          {"v", "\\x{b}"},
                                          {"b", "(?:(?<=[" WORD "])(?![" WORD "])|(?<![" WORD "])(?=[" WORD "]))"},
                                          {"B", "(?:(?<=[" WORD "])(?=[" WORD "])|(?<![" WORD "])(?![" WORD "]))"},
                                          {NULL, NULL}};
    const char *members = letter ? find_class(in_brackets ? inside : outside, &letter, 1) : NULL;
    if (members) {
        put(t, members);
        t->at += 2;
        return MS_OK;
    }
    if (letter == 'p' || letter == 'P') return put_property(t);
    if (letter == 'u') return put_code_point(t);
    if (letter == 'x') return put_hexadecimal(t);
    if (letter && strchr(in_brackets ? "dDnrtfae" : "dDnrtfaeAZz", letter)) {
        copy(t, 2);
        return MS_OK;
    }
    if (letter == '\0') { /* PCRE2 says that nothing follows */
        copy(t, 1);
        return MS_OK;
    }
    if (isalnum((unsigned char)letter)) return refuse(t, 2);
    copy(t, 2); /* the character itself; the first byte of it, when it has more */
    return MS_OK;
}

/* [...].  Sets within sets, and intersections, are Oniguruma's alone. */
static ms_status put_brackets(translation *t) {
    copy(t, 1);
    if (t->pattern[t->at] == '^') copy(t, 1);
    if (t->pattern[t->at] == ']') return refuse(t, 1);
    while (t->pattern[t->at] != ']') {
        const char *here = t->pattern + t->at;
        if (*here == '\0') return MS_OK; /* PCRE2 says that it has no end */
        if (*here == '\\') {
            MS_TRY(put_escape(t, true));
        } else if (here[0] == '[' && here[1] == ':') {
            const char *end = strstr(here, ":]");
            const char *members = end ? find_class(posix, here + 2, (size_t)(end - here) - 2) : NULL;
            if (!members) return refuse(t, end ? (size_t)(end - here) + 2 : 2);
            put(t, members);
            t->at += (size_t)(end - here) + 2;
        } else if (here[0] == '[' || (here[0] == '&' && here[1] == '&')) {
            return refuse(t, here[0] == '[' ? 1 : 2);
        } else {
            copy(t, 1);
        }
    }
    copy(t, 1);
    return MS_OK;
}

/* "(", and what it says after a "?".  Ruby's m lets "." match a newline: PCRE2's s. */
static ms_status put_group(translation *t) {
    static const char *const same[] = {"(?:", "(?=", "(?!", "(?>", "(?<=", "(?<!"};
    const char *here = t->pattern + t->at;
    if (here[1] == '*') return refuse(t, 2); /* a verb to PCRE2 alone */
    if (here[1] != '?') {
        copy(t, 1);
        return MS_OK;
    }
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        if (strncmp(here, same[i], strlen(same[i])) != 0) continue;
        copy(t, strlen(same[i]));
        return MS_OK;
    }
    size_t n = 2 + strspn(here + 2, "im-");
    if (here[n] == '\0') { /* PCRE2 says what is missing */
        copy(t, n);
        return MS_OK;
    }
    /* Without a group of its own, options end elsewhere in the two syntaxes; at the start both mean all of it. */
    if (n == 2 || (here[n] != ':' && (here[n] != ')' || t->at > 0))) return refuse(t, n + 1);
    for (size_t i = 0; i <= n; i++) put_bytes(t, here[i] == 'm' ? "s" : here + i, 1);
    t->at += n + 1;
    return MS_OK;
}

/* "{n}", "{n,}", "{n,m}", and "{,m}", which is text to PCRE2 10.42. */
static ms_status put_repeat(translation *t) {
    const char *here = t->pattern + t->at;
    size_t low = strspn(here + 1, "0123456789"), n = 1 + low, high = 0;
    bool has_comma = here[n] == ',';
    if (has_comma) high = strspn(here + ++n, "0123456789");
    n += high;
    if (here[n] != '}' || low + high == 0) return refuse(t, 1);
    n++;
    /* Ruby repeats what is repeated, or makes it optional. */
    if (here[n] == '+' || (here[n] == '?' && !has_comma)) return refuse(t, n + 1);
    if (low == 0) {
        put(t, "{0");
        t->at++;
        n--;
    }
    copy(t, n);
    return MS_OK;
}

static ms_status translate(translation *t) {
    for (char next; (next = t->pattern[t->at]) != '\0';) {
        if (next == '\\') {
            MS_TRY(put_escape(t, false));
        } else if (next == '[') {
            MS_TRY(put_brackets(t));
        } else if (next == '(') {
            MS_TRY(put_group(t));
        } else if (next == '{') {
            MS_TRY(put_repeat(t));
        } else {
            copy(t, 1);
        }
    }
    return MS_OK;
}

ms_status ms_bpe_pattern(const char *pattern, char **out) {
    *out = NULL;
    translation t = {.pattern = pattern};
    ms_status status = translate(&t);
    put_bytes(&t, "", 1);
    if (status == MS_OK) status = t.status;
    if (status == MS_OK)
        *out = t.out.bytes;
    else
        ms_text_finish(&t.out);
    return status;
}
