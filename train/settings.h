/* The settings of a run as text, and config.yaml, which holds them:

       <the configuration, as the caller wrote it>
       # step 50: muon.lr 0.024 -> 0.1          what was changed when the run was resumed at step 50: its history
       # sha256 of the lines above: 3f9a...

   Settings are "section.key=value" a line.  A history is its lines without "# ".  Thread-safe. */
#ifndef MS_TRAIN_SETTINGS_H
#define MS_TRAIN_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "platform/status.h"

/* `history` with a line for each key that has another value in `after` than in `before`; keys that only one of them has
   (another version of the program wrote it) are left out.  The caller frees the text.  MS_OUT_OF_MEMORY. */
ms_status ms_settings_add_changes(const char *history, int64_t step, const char *before, const char *after,
                                  char **out_history);

/* The text of config.yaml.  The caller frees it.  MS_OUT_OF_MEMORY. */
ms_status ms_settings_file(const char *config_text, const char *history, char **out_text);

/* What the last line of config.yaml begins with: a text that has it is, or was before somebody changed it, made by
   ms_settings_file. */
#define MS_SETTINGS_HASH_LINE "# sha256 of the lines above: "

/* What is wrong with the text of a config.yaml that ms_settings_file made: NULL, or, static, that its last line, the
   hash, is missing (it was cut, or an older program wrote it) or is not that of the lines above it (it was changed).
   MS_OUT_OF_MEMORY. */
ms_status ms_settings_file_fault(const char *text, const char **out_fault);

/* For an error that a config.yaml may be the cause of: puts before the thread's message what is wrong with the file, if
   something is, and where else the settings are.  Returns `status`; nothing happens when that is MS_OK. */
ms_status ms_settings_note_fault(ms_status status, const char *path);

#endif
