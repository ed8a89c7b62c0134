#include "cli/options/reference.h"

#include <stdbool.h>
#include <string.h>

const ms_reference_word ms_reference_words[] = {
#define MEANS(program, word, command, option) {program, #word, #command, option, NULL},
#define REFUSED(program, word, command, use) {program, #word, #command, NULL, use},
#include "cli/options/reference.def"
#undef MEANS
#undef REFUSED
    {NULL, NULL, NULL, NULL, NULL}};

static bool same_word(const char *word, const char *text, size_t length) {
    for (size_t i = 0; i < length; i++)
        if (word[i] != (text[i] == '-' ? '_' : text[i])) return false;
    return word[length] == '\0';
}

const ms_reference_word *ms_reference_find(const char *command, const char *word, size_t length) {
    for (const ms_reference_word *row = ms_reference_words; row->program; row++)
        if (strcmp(row->command, command) == 0 && same_word(row->word, word, length)) return row;
    return NULL;
}
