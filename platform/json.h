/* Writing JSON with jansson, which holds UTF-8 alone and returns NULL for any other text: here that is an error which
   names the text.  Everything that puts a text from elsewhere into JSON does it by these.  Thread-safe. */
#ifndef MS_PLATFORM_JSON_H
#define MS_PLATFORM_JSON_H

#include <jansson.h>
#include <stdio.h>

#include "platform/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* MS_INVALID unless `text` is UTF-8, also for NULL: "WHAT "a\xFF" is not UTF-8: JSON cannot hold it". */
ms_status ms_json_check_text(const char *what, const char *text);

/* json_pack as a status.  `what` is what is being made, for the message: "dataset.json".  Formats have the letters
   { } [ ] s n b i I f o O alone.  References that `o` takes are taken on failure too.  The caller owns *out, NULL on
   failure.  MS_INVALID names a text that is not UTF-8, with its key, or says that a number is not finite;
   MS_OUT_OF_MEMORY: also when an `o` is NULL. */
ms_status ms_json_pack(json_t **out, const char *what, const char *format, ...);

/* Puts `value`, whose reference it takes, at the end of an array or under a key of an object.  MS_INVALID: the key is
   not UTF-8.  MS_OUT_OF_MEMORY: also when `value` is NULL. */
ms_status ms_json_append(json_t *array, const char *what, json_t *value);
ms_status ms_json_set(json_t *object, const char *what, const char *key, json_t *value);
/* ms_json_set of a text.  MS_INVALID: key or text is not UTF-8. */
ms_status ms_json_set_text(json_t *object, const char *what, const char *key, const char *text);

/* `value` as text.  `flags` are json_dumps' own: JSON_INDENT(1), JSON_COMPACT, JSON_REAL_PRECISION(17).  The caller
   frees *out, NULL on failure.  MS_OUT_OF_MEMORY: also when `value` is NULL. */
ms_status ms_json_text(const json_t *value, const char *what, size_t flags, char **out);
/* Prints that text and a newline.  The caller asks the stream for errors when all is printed. */
ms_status ms_json_print(const json_t *value, const char *what, size_t flags, FILE *stream);
/* Writes that text as the file at `path`, whole or not at all; errors also as ms_file_write. */
ms_status ms_json_write(const json_t *value, const char *what, size_t flags, const char *path);

#ifdef __cplusplus
}
#endif

#endif
