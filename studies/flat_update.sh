#!/bin/sh
# Can the alignment of W and dW compare optimizers?  Only where the five leading directions of dW stand out.  Trains the preset `tiny` with
# Muon and with AdamW, three seeds each, and prints how far they do: the margin behind the fifth singular value of dW, and its first value over
# its fifth; and the alignment of W0 with dW, and with the momentum that Muon orthogonalises.
# Usage: studies/flat_update.sh [DATA [RUNS]]      DATA: a folder as ci/demo_data.sh makes it (default data/demo);
#        RUNS: where runs go (default runs/tiny); runs that are there already are not repeated,
#        and the studies on `tiny` share them
# MUONSCOPE names the program (default build/release/muonscope), SEEDS the seeds (default 1 2 3), STEPS their length (default 300).
set -eu
cd "$(dirname "$0")/.."
data=${1:-data/demo}
folder=${2:-runs/tiny}
. studies/common.sh

for seed in $seeds; do
    echo "flat_update.sh: seed $seed"
    train "$folder/merged-$seed" --steps "$steps" --seed "$seed" --tracker.every 25
    train "$folder/adamw-$seed" --steps "$steps" --seed "$seed" --optimizer adamw --tracker.every 25
done
for key in alignment_margin alignment_left; do
    python3 studies/table.py --key $key --from $((steps / 3)) "$(runs merged)" "$(runs adamw)"
done
python3 studies/table.py --key 'update_sigma[0]' --over 'update_sigma[4]' --from $((steps / 3)) "$(runs merged)" "$(runs adamw)"
python3 studies/table.py --key alignment_momentum_left --from $((steps / 3)) "$(runs merged)"
