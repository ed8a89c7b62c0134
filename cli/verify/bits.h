/* Whether a training run of `muonscope verify` is another one, bit for bit. */
#ifndef MS_CLI_VERIFY_BITS_H
#define MS_CLI_VERIFY_BITS_H

#include "cli/verify/report.h"
#include "cli/verify/training.h"

/* Leaves the row's verdict where SHA-256 of weights and optimizer state, the loss of each step and every line of
   spectra.jsonl are the same.  Else MS_VERDICT_DIFFERS: the first step whose loss differs is the row's index, from 1,
   and the message has the hashes and the first line. */
void ms_verify_judge_bits(const ms_verify_outcome *want, const ms_verify_outcome *have, ms_verify_row *row);

#endif
