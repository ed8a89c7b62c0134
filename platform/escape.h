/* Text from elsewhere (file names, keys, arguments, what drivers and other programs say) made fit for a line on a
   terminal: nothing in it can break the line, move the cursor, or hide or reorder what stands there.  Thread-safe. */
#ifndef MS_PLATFORM_ESCAPE_H
#define MS_PLATFORM_ESCAPE_H

#include <stdarg.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Copies `text` to `out`, of size >= 1 bytes with the NUL, and returns out.  Line breaks become \n and \r, tabs \t;
   other control characters (C0, C1, DEL), the line, paragraph and direction marks of Unicode, and bytes that are not
   UTF-8 become \xHH each.  Everything else stays as it is, so escaping twice changes nothing.  What does not fit is
   left out, no escape or character in part. */
char *ms_escape(const char *text, char *out, size_t size);

/* The line that a message is: the formatted text, escaped, in `out` of size >= 512 bytes.  Of what does not fit the
   middle is left out, "... (9998976 bytes) ..." in its place: what a message is about stands at its begin, the way out
   at its end.  Returns out.  Without memory for a long text its end is lost. */
char *ms_escape_format(char *out, size_t size, const char *format, va_list arguments)
    __attribute__((format(printf, 3, 0)));

#ifdef __cplusplus
}
#endif

#endif
