#!/bin/sh
# Is "lock-in", the alignment of update and weight, made by orthogonalising q, k, v and o as one matrix?  Trains the preset `tiny` with
# both splits, three seeds each, and prints the alignment of W0 and dW by projection beside what chance would give, and the losses.
# Usage: studies/lock_in.sh [DATA [RUNS]]      see common.sh
set -eu
cd "$(dirname "$0")/.."
. studies/common.sh

train merged --muon.split merged
train per_projection --muon.split per_projection
for key in alignment_left alignment_published_left alignment_random alignment_random_p95; do
    table --key $key --from $((steps / 3)) merged per_projection
done
echo "last validation loss, by seed"
losses merged per_projection
