/* The command words of vukrosic/muon-llm-research.  One table, cli/options/reference.def: what each means here, or the
   word to use.  ms_options_parse asks it about options that a command does not have. */
#ifndef MS_CLI_OPTIONS_REFERENCE_H
#define MS_CLI_OPTIONS_REFERENCE_H

#include <stddef.h>

typedef struct ms_reference_word {
    const char *program; /* whose word it is, e.g. "train_llm.py" */
    const char *word;    /* without "--" */
    const char *command; /* where it is answered: a subcommand here */
    const char *means; /* an option or a configuration key of that command that takes its value; NULL: it is refused */
    const char *use;   /* what to use in its place, and why; NULL where it means something */
} ms_reference_word;

/* All words, by program; one with program NULL ends them.  Static. */
extern const ms_reference_word ms_reference_words[];

/* A command's answer to a word of `length` bytes ('-' and '_' are the same); NULL: it is no word of the reference.
   Static. */
const ms_reference_word *ms_reference_find(const char *command, const char *word, size_t length);

#endif
