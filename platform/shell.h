/* Names in commands that a message suggests: what is copied from there into a shell is the name, and nothing else. */
#ifndef MS_PLATFORM_SHELL_H
#define MS_PLATFORM_SHELL_H

#ifdef __cplusplus
extern "C" {
#endif

enum { MS_SHELL_WORD_SIZE = 1024 }; /* with the NUL; no message is longer (platform/status.h) */

typedef struct ms_shell_word {
    char text[MS_SHELL_WORD_SIZE];
} ms_shell_word;

/* `name` as one word of a POSIX shell: as it is, where it has only letters, digits and _ @ % + : , . / -; else in
   'quotes'; in $'quotes' (POSIX 2024, and bash, ksh and zsh for long) where a message escapes characters of it
   (platform/escape.h).  A name that begins with '-' gets "./" before it, so that no command takes it for an option.
   "..." for one that does not fit.  Thread-safe. */
ms_shell_word ms_shell_quote(const char *name);

#ifdef __cplusplus
}
#endif

#endif
