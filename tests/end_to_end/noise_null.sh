#!/bin/sh
# A run on noise has the largest singular values that `noise_null` expects, and a resumed run the same lines as a straight one, with what
# compares a snapshot with the one before the checkpoint.
. "$(dirname "$0")/support.sh"

noise="--train.control noise --init.std 0 --tracker.enabled true --tracker.every 50 --validation.every 0 --muon.decay_mode decoupled --muon.decay 0.2"
must micro $noise --steps 300 --checkpoint.every 140 --run straight
# The mean over 12 matrices of 32 columns, which scatter by 4 % each.
grep '"step":300,' straight/spectra.jsonl | sed 's/.*"sigma_max":\([^,]*\),.*"noise_null":\([^,}]*\).*/\1 \2/' |
    awk '{ sum += $1 / $2; n++ } END { print sum / n; exit !(n == 12 && sum / n > 0.95 && sum / n < 1.05) }' >ratio ||
    fail "sigma_max over noise_null: $(cat ratio)"
cp -r straight parts
must resume parts --step 280
cmp straight/spectra.jsonl parts/spectra.jsonl || fail "the spectra of the resumed run are others"
[ "$(grep -c '"step":0,' straight/spectra.jsonl)" -eq 12 ] || fail "not a line of step 0 for each matrix"
grep '"step":0,' straight/spectra.jsonl | grep -v '"persistence_left":null,"persistence_right":null,"rotation_per_step":null,"growth":null,' &&
    fail "step 0 is compared with something"
grep -v '"step":0,' straight/spectra.jsonl | grep -E '"(growth|persistence_left)":null' >nulls || true
# From weights of zero there is nothing to turn, but s1 grows.
grep -v '"step":1,' nulls && fail "a snapshot is not compared with the last one"
grep '"step":300,' straight/spectra.jsonl | grep -E '"(growth|persistence_right|rotation_per_step)":null' && fail "step 300 lacks a comparison"
# Of another update it is not defined.
for other in optimizer=adamw muon.spectral_exponent=0.5 intervention.noise=1; do
    must micro $noise --steps 2 "--$other" --run other
    grep -q '"noise_null":null' other/spectra.jsonl || fail "$other: no noise_null that is null"
    grep -v '"noise_null":null' other/spectra.jsonl && fail "$other has a noise null"
    rm -r other
done
