#!/bin/sh
# Warnings of a run (docs/warnings.md): none of healthy ones; planted spikes, collapses and dead layers are said, once; a resumed run
# says what a straight one says.
. "$(dirname "$0")/support.sh"
quiet="--threads 1 --log.every 1000000 --validation.every 0"

# warnings RUN: those of its run.log, without their times.
warnings() {
    sed -n 's/^[^ ]* warning //p' "$1/run.log"
}

for options in "--seed 42" "--seed 7" "--optimizer=adamw" "--optimizer=sgd" "--train.control noise --init.std 0"; do
    must micro --run healthy $quiet --steps 200 $options
    [ -z "$(warnings healthy)" ] || fail "a healthy run ($options): $(warnings healthy)"
    ! grep -q spiked healthy/run.log || fail "a healthy run ($options) has spikes"
    rm -r healthy
done

# Loss and gradient spike: a rate that is a thousand times the old one.
must micro --run spike $quiet --steps 60
must resume spike --steps 80 --adamw.lr 0.5
grep -qE 'step [0-9]+: the loss spikes: [0-9.]+, the median of the last 50 steps is' err || fail "no spike of the loss: $(cat err)"
grep -qE 'step [0-9]+: the gradient norm spikes: ' err || fail "no spike of the gradient: $(cat err)"
grep -qE '^the loss spiked in [0-9]+ steps, the last time at step [0-9]+$' err || fail "spikes are not counted: $(cat err)"
[ "$(warnings spike | grep -c spikes)" -eq 2 ] || fail "not one line each: $(warnings spike)"

# Updates of low rank outgrow initial weights of nearly 0; and a decay that kills layers.
must micro --run small $quiet --steps 40 --init.std 1e-8
warnings small | grep -qE '^step [0-9]+: the effective rank of [0-9]+ matrices has fallen below a quarter of what it was: layer ' ||
    fail "no collapse: $(warnings small)"
dying="$quiet --steps 40 --checkpoint.every 12 --checkpoint.keep 9 --intervention.spectral_decay=1000"
must micro --run straight $dying
warnings straight | grep -q 'the stable rank is below 1.5: layer 0 q (' || fail "no collapse: $(warnings straight)"
warnings straight | grep -q 'every hidden activation of 1 feed-forward part is 0, in 3 snapshots: layer 1$' || fail "not dead: $(warnings straight)"

# Killed at step 24 and gone on with: the rest of the same lines.
must micro --run pieces $dying
rm -r pieces/checkpoints/step_00000036 pieces/checkpoints/step_00000040
sed -i '/step 24: checkpoint saved/q' pieces/run.log
must resume pieces
warnings straight | sort >straight.warnings
warnings pieces | grep -v 'the loss has not moved' | sort >pieces.warnings # said of the first steps of each process
cmp straight.warnings pieces.warnings || fail "the resumed run warns of $(warnings pieces), not of $(cat straight.warnings)"
cat straight.warnings
