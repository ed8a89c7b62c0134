#include "cli/verify/bits.h"

#include <string.h>

#include "cli/verify/drift.h"

/* The first step whose losses have different bits, as the row's index. */
static void take_first_step(const ms_verify_outcome *want, const ms_verify_outcome *have, ms_verify_row *row) {
    for (int i = 0; i < want->n_losses && i < have->n_losses && !row->has_difference; i++) {
        row->expected = ms_verify_loss_bits(want->losses[i]);
        row->found = ms_verify_loss_bits(have->losses[i]);
        row->index = i + 1;
        row->has_difference = row->expected != row->found;
    }
}

static int first_line_that_differs(const ms_verify_outcome *want, const ms_verify_outcome *have) {
    size_t at = 0;
    int line = 1;
    while (at < want->spectra_bytes && at < have->spectra_bytes && want->spectra[at] == have->spectra[at])
        line += want->spectra[at++] == '\n';
    return line;
}

void ms_verify_judge_bits(const ms_verify_outcome *want, const ms_verify_outcome *have, ms_verify_row *row) {
    bool losses = want->n_losses == have->n_losses;
    for (int i = 0; losses && i < want->n_losses; i++)
        losses = ms_verify_loss_bits(want->losses[i]) == ms_verify_loss_bits(have->losses[i]);
    bool weights = strcmp(want->weights_sha256, have->weights_sha256) == 0;
    bool state = strcmp(want->state_sha256, have->state_sha256) == 0;
    bool spectra =
        want->spectra_bytes == have->spectra_bytes && memcmp(want->spectra, have->spectra, want->spectra_bytes) == 0;
    if (weights && state && spectra && losses) return;
    row->verdict = MS_VERDICT_DIFFERS;
    take_first_step(want, have, row);
    snprintf(row->message, sizeof row->message, "weights_sha256 %.12s, must be %.12s; optimizer state %.12s, %.12s",
             have->weights_sha256, want->weights_sha256, have->state_sha256, want->state_sha256);
    size_t used = strlen(row->message);
    if (!spectra)
        snprintf(row->message + used, sizeof row->message - used, "; spectra.jsonl differs at line %d",
                 first_line_that_differs(want, have));
}
