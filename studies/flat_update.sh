#!/bin/sh
# Can the alignment of W and dW compare optimizers?  Only where the five leading directions of dW stand out.  Trains the preset `tiny` with
# Muon and with AdamW, three seeds each, and prints how far they do: the margin behind the fifth singular value of dW, and its first value over
# its fifth; and the alignment of W0 with dW, and with the momentum that Muon orthogonalises.
# Usage: studies/flat_update.sh [DATA [RUNS]]      see common.sh
set -eu
cd "$(dirname "$0")/.."
. studies/common.sh

train merged --muon.split merged
train adamw --optimizer adamw
for key in alignment_margin alignment_left; do
    table --key $key --from $((steps / 3)) merged adamw
done
table --key 'update_sigma[0]' --over 'update_sigma[4]' --from $((steps / 3)) merged adamw
table --key alignment_momentum_left --from $((steps / 3)) merged
