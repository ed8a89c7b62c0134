#include "cli/options/suggest.h"

#include <ctype.h>
#include <limits.h>
#include <string.h>

enum { LONGEST = 63 };

static int fold(char c) { return c == '_' ? '-' : tolower((unsigned char)c); }

static int smaller(int a, int b) { return a < b ? a : b; }

static int length_of(const char *name) {
    size_t length = strlen(name);
    return length > LONGEST ? LONGEST : (int)length;
}

int ms_edit_distance(const char *a, const char *b) {
    int n_a = length_of(a), n_b = length_of(b);
    int cost[LONGEST + 1][LONGEST + 1]; /* cost[i][j]: edits between the first i bytes of a and the first j of b */
    for (int i = 0; i <= n_a; i++) cost[i][0] = i;
    for (int j = 0; j <= n_b; j++) cost[0][j] = j;
    for (int i = 1; i <= n_a; i++) {
        for (int j = 1; j <= n_b; j++) {
            int differ = fold(a[i - 1]) != fold(b[j - 1]);
            int best = smaller(cost[i - 1][j] + 1, cost[i][j - 1] + 1);
            best = smaller(best, cost[i - 1][j - 1] + differ);
            if (i > 1 && j > 1 && fold(a[i - 1]) == fold(b[j - 2]) && fold(a[i - 2]) == fold(b[j - 1]))
                best = smaller(best, cost[i - 2][j - 2] + 1);
            cost[i][j] = best;
        }
    }
    return cost[n_a][n_b];
}

void ms_suggestion_init(const char *word, ms_suggestion *out) {
    out->word = word;
    out->best = NULL;
    out->distance = INT_MAX;
}

void ms_suggestion_offer(ms_suggestion *suggestion, const char *candidate) {
    int distance = ms_edit_distance(suggestion->word, candidate);
    if (distance >= suggestion->distance) return;
    suggestion->distance = distance;
    suggestion->best = candidate;
}

const char *ms_suggestion_best(const ms_suggestion *suggestion) {
    if (!suggestion->best) return NULL;
    int n_word = length_of(suggestion->word), n_best = length_of(suggestion->best);
    int longer = n_word > n_best ? n_word : n_best;
    return suggestion->distance <= longer / 3 ? suggestion->best : NULL;
}
