#!/bin/sh
# `exact`: the same weights, optimizer state and spectra for 1 and 2 threads and across two runs; another seed gives others.
# With storage in bf16 too.  What follows every step changes none of it.
. "$(dirname "$0")/support.sh"

must micro --run one --threads 1 --tracker.threads=1 --tracker.every_step sigma_max
hashes >one.hashes
must micro --run two --threads 2 --tracker.threads=2 --tracker.every_step sigma_max
hashes >two.hashes
must micro --run again --threads 2 --tracker.threads=2
hashes >again.hashes
cmp one.hashes two.hashes || fail "1 and 2 threads differ"
cmp two.hashes again.hashes || fail "two runs differ"
cmp one/spectra.jsonl two/spectra.jsonl || fail "spectra of 1 and 2 threads differ"
cmp one/sigma_max.jsonl two/sigma_max.jsonl || fail "sigma_max of 1 and 2 threads differ"
[ "$(wc -l <one/sigma_max.jsonl)" -eq 51 ] || fail "sigma_max.jsonl has not a line for each step"
cmp one/probes.jsonl two/probes.jsonl || fail "probes of 1 and 2 threads differ"
cmp two/probes.jsonl again/probes.jsonl || fail "probes of two runs differ"
without_steps() { sed -E 's/"(growth_bound|growth_efficiency|growth_efficiency_null|ceiling_measured|[a-z_]*_peak)":[^,]*,//g' "$1/spectra.jsonl"; }
without_steps two >two.spectra
without_steps again >again.spectra
cmp two.spectra again.spectra || fail "spectra of two runs differ"
[ "$(wc -l <one/spectra.jsonl)" -ge 12 ] || fail "spectra.jsonl has too few lines"

must micro --run other --seed 43
hashes >other.hashes
! cmp -s one.hashes other.hashes || fail "another seed gives the same weights"

# `fast`: the same bits at a given number of threads.
for run in fast fast_again; do
    must program train --preset micro --numerics fast --run $run --threads 2
    hashes >$run.hashes
done
cmp fast.hashes fast_again.hashes || fail "two fast runs differ"
# bf16 storage: the same for 1 and 2 threads and with recomputation, other weights than in f32, and nearly the same loss.
last_loss() {
    sed -n 's/^{"step":50,.*"loss":\([0-9.]*\),.*/\1/p' "$1/metrics.jsonl"
}
bf16="--train.storage=bf16"
must micro --run bf16_one --threads 1 $bf16
grep -q '^storage  *bf16' out || fail "the table does not say bf16: $(cat out)"
hashes >bf16_one.hashes
must micro --run bf16_two --threads 2 $bf16
hashes >bf16_two.hashes
must micro --run bf16_again --threads 2 --model.recompute=true $bf16
hashes >bf16_again.hashes
cmp bf16_one.hashes bf16_two.hashes || fail "1 and 2 threads differ in bf16"
cmp bf16_one.hashes bf16_again.hashes || fail "recomputation changes bits in bf16"
! cmp -s one.hashes bf16_one.hashes || fail "bf16 gives the weights of f32"
awk -v a="$(last_loss one)" -v b="$(last_loss bf16_one)" 'BEGIN { exit !(a > 0 && b > 0.98 * a && b < 1.02 * a) }' ||
    fail "losses after 50 steps: $(last_loss one) in f32, $(last_loss bf16_one) in bf16"
must program train --preset micro --numerics fast --run bf16_fast --threads 2 $bf16
awk -v a="$(last_loss one)" -v b="$(last_loss bf16_fast)" 'BEGIN { exit !(a > 0 && b > 0.98 * a && b < 1.02 * a) }' ||
    fail "losses after 50 steps: $(last_loss one) in f32, $(last_loss bf16_fast) in bf16 and fast"
cat one.hashes bf16_one.hashes
