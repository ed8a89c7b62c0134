#!/bin/sh
# Is "lock-in", the alignment of update and weight, made by orthogonalising q, k, v and o as one matrix?  Trains the preset `tiny` with
# both splits, three seeds each, and prints the alignment of W0 and dW by projection beside what chance would give, and the losses.
# Usage: studies/lock_in.sh [DATA [RUNS]]      DATA: a folder as ci/demo_data.sh makes it (default data/demo);
#        RUNS: where runs go (default runs/tiny); runs that are there already are not repeated,
#        and the studies on `tiny` share them
# MUONSCOPE names the program (default build/release/muonscope), SEEDS the seeds (default 1 2 3), STEPS their length (default 300).
set -eu
cd "$(dirname "$0")/.."
data=${1:-data/demo}
folder=${2:-runs/tiny}
. studies/common.sh

for seed in $seeds; do
    for split in merged per_projection; do
        echo "lock_in.sh: $split, seed $seed"
        train "$folder/$split-$seed" --steps "$steps" --seed "$seed" --muon.split "$split" --tracker.every 25
    done
done
for key in alignment_left alignment_published_left alignment_random alignment_random_p95; do
    python3 studies/table.py --key $key --from $((steps / 3)) "$(runs merged)" "$(runs per_projection)"
done
echo "last validation loss, by seed"
losses merged per_projection
