/* Text from elsewhere (file names, keys, arguments, what drivers and other programs say) made fit for a line on a
   terminal: nothing in it can break the line, move the cursor, or hide or reorder what stands there.  Thread-safe. */
#ifndef MS_PLATFORM_ESCAPE_H
#define MS_PLATFORM_ESCAPE_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Copies `text` to `out`, of size >= 1 bytes with the NUL, and returns out.  Line breaks become \n and \r, tabs \t;
   other control characters (C0, C1, DEL), the line, paragraph and direction marks of Unicode, and bytes that are not
   UTF-8 become \xHH each.  Everything else stays as it is, so escaping twice changes nothing.  What does not fit is
   left out, no escape or character in part. */
char *ms_escape(const char *text, char *out, size_t size);

#ifdef __cplusplus
}
#endif

#endif
