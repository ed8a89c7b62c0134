#!/bin/sh
# What the way in which the reference was run costs: a small blueberry (2 layers, width 128, 200 steps) as `blueberry-88m` has it, as
# `blueberry-88m-published` has it, and with each difference between the two alone.  Prints the validation loss of each at the end, and
# what it is over that of `sound` with the same seed.  Minutes on two cores.
# Usage: studies/published.sh [DATA [RUNS]]      DATA: a folder as ci/demo_data.sh makes it (default data/demo);
#        RUNS: where runs go (default runs/published); runs that are there already are not repeated
# MUONSCOPE names the program (default build/release/muonscope), SEEDS the seeds (default: the reference's).
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
muonscope=${MUONSCOPE:-$root/build/release/muonscope}
seeds=${SEEDS:-42 137 256}
data=${1:-$root/data/demo}
runs=${2:-$root/runs/published}
variants="sound published master_bf16 storage_bf16 convention"
[ -e "$data/dataset.json" ] || { echo "published.sh: no data in $data: ci/demo_data.sh makes them" >&2; exit 1; }
mkdir -p "$runs"

# options VARIANT
options() {
    case $1 in
    sound) echo --preset blueberry-88m ;;
    published) echo --preset blueberry-88m-published ;;
    master_bf16) echo --preset blueberry-88m --train.master bf16 ;;
    storage_bf16) echo --preset blueberry-88m --train.storage bf16 ;;
    convention) echo --preset blueberry-88m --schedule.convention reference ;;
    esac
}

for seed in $seeds; do
    for variant in $variants; do
        run=$runs/$variant-$seed
        [ ! -e "$run/validation_loss" ] || continue
        rm -rf "$run"
        # shellcheck disable=SC2046
        "$muonscope" train $(options "$variant") --seed "$seed" --data.directory "$data" --run "$run" --steps 200 --numerics exact \
            --model.layers 2 --model.width 128 --model.heads 2 --model.kv_heads 1 --model.feed_forward 512 --model.vocabulary 0 \
            --model.sequence_length 256 --train.batch_sequences 16 --validation.every 200 --validation.sequences 256 \
            --init.seed 0 --tracker.enabled false --checkpoint.every 0 --sample.tokens 0 --log.every 100 >"$runs/out"
        awk '/^validation_loss/ { print $2 }' "$runs/out" >"$run/validation_loss"
    done
done

printf '%-14s' variant
for seed in $seeds; do printf '%12s' "seed $seed"; done
printf '%10s%12s\n' mean "over sound"
for variant in $variants; do
    printf '%-14s' "$variant"
    for seed in $seeds; do
        echo "$(cat "$runs/$variant-$seed/validation_loss") $(cat "$runs/sound-$seed/validation_loss")"
    done | awk '{ printf "%12.4f", $1; sum += $1; over += $1 - $2 } END { printf "%10.4f%+12.4f\n", sum / NR, over / NR }'
done
