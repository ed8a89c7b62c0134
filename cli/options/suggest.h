/* "Did you mean": the nearest of the valid names by Damerau-Levenshtein distance (optimal string alignment: one
   insertion, deletion, substitution or swap of neighbours costs 1; Damerau 1964).  Case and the difference between '-'
   and '_' cost nothing. */
#ifndef MS_CLI_OPTIONS_SUGGEST_H
#define MS_CLI_OPTIONS_SUGGEST_H

/* Offer every valid name in turn, then ask for the nearest.  Not thread-safe on one object. */
typedef struct ms_suggestion {
    const char *word; /* what the user wrote, borrowed */
    const char *best; /* nearest name so far, borrowed; NULL before the first offer */
    int distance;     /* edits between word and best */
} ms_suggestion;

/* Edits between two names; names beyond 63 bytes are compared by their first 63. */
int ms_edit_distance(const char *a, const char *b);

/* `word` must outlive the suggestion. */
void ms_suggestion_init(const char *word, ms_suggestion *out);
/* `candidate` must outlive the suggestion; of equally near names the first offered wins. */
void ms_suggestion_offer(ms_suggestion *suggestion, const char *candidate);
/* The nearest name, or NULL when none is near enough to help: more edits than a third of the longer of the two. */
const char *ms_suggestion_best(const ms_suggestion *suggestion);

#endif
