#!/bin/sh
# How much of the growth of sigma_max would gradients of pure noise make?  Trains the preset `tiny` with its own gradients and with
# gradients that are N(0, 1), three seeds each, and prints sigma_max by projection over what the noise null says.
# Usage: studies/noise_null.sh [DATA [RUNS]]      DATA: a folder as ci/demo_data.sh makes it (default data/demo);
#        RUNS: where runs go (default runs/tiny); runs that are there already are not repeated,
#        and the studies on `tiny` share them
# MUONSCOPE names the program (default build/release/muonscope), SEEDS the seeds (default 1 2 3), STEPS their length (default 300).
set -eu
cd "$(dirname "$0")/.."
data=${1:-data/demo}
folder=${2:-runs/tiny}
. studies/common.sh

for seed in $seeds; do
    echo "noise_null.sh: seed $seed"
    train "$folder/merged-$seed" --steps "$steps" --seed "$seed" --tracker.every 25
    # From weights of almost nothing, as the null has it.
    train "$folder/noise-$seed" --steps "$steps" --seed "$seed" --train.control noise --init.std 1e-6 --tracker.every 25
done
for key in sigma_max noise_null; do
    python3 studies/table.py --key $key --from "$steps" "$(runs merged)" "$(runs noise)"
done
python3 studies/table.py --key sigma_max --over noise_null --from "$steps" "$(runs merged)" "$(runs noise)"
