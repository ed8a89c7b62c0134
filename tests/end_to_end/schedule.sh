#!/bin/sh
# A run that is shorter than its warm-up, one that is resumed for longer, and a vocabulary that is larger than the tokenizer's.
. "$(dirname "$0")/support.sh"

# rates RUN: its learning rates, one a line.
rates() {
    sed -nE 's/.*"lr":([^,]*),.*/\1/p' "$1/metrics.jsonl" | awk '{ printf "%.6g ", $1 }'
}

# short NAME=VALUE...: a run of muon.lr 1 without what costs time.
short() {
    micro --muon.lr 1 --validation.every 0 --tracker.enabled false --sample.tokens 0 "$@"
}

echo "-- warm-up"
must short --run ramp --steps 2 --schedule.warmup_steps 20
[ "$(rates ramp)" = "0.05 0.1 " ] || fail "two steps of a warm-up of 20 have the rates $(rates ramp)"
warning="warning: schedule.warmup_steps is 20, the run has 2 steps: it makes the beginning of the ramp, up to 10 % of the full"
grep -q "$warning" err || fail "no warning of a warm-up that is longer than the run"
grep -q "${warning#*: }" ramp/run.log || fail "run.log lacks the warning"
must short --dry-run --steps 2 --schedule.warmup_steps 20
grep -q "$warning" err || fail "a dry run does not warn of its warm-up"
must short --dry-run --steps 50 --schedule.name wsd --schedule.warmup_steps 45
grep -q "warning: schedule.warmup_steps 45 leaves 5 of the 10 steps that schedule.decay_fraction 0.2 of 50 steps asks for" err ||
    fail "no warning of a decay that is cut"
must short --dry-run --steps 50 --schedule.warmup_steps 50
! grep -q warning err || fail "a warning of a warm-up that fits"

echo "-- resumed for longer"
must short --run kept --steps 4 --schedule.name linear --schedule.final_fraction 0.25
cp -r kept stretched
[ "$(rates kept)" = "1 0.75 0.5 0.25 " ] || fail "the rates of a linear schedule are $(rates kept)"
must resume stretched --steps 7
grep -q "warning: the learning rate jumps: step 5 takes 0.5, and was to take 0.25 .*--schedule.at_resume keep keeps it" err ||
    fail "a rate that jumps is not said: $(cat err)"
[ "$(rates stretched)" = "1 0.75 0.5 0.25 0.5 0.375 0.25 " ] || fail "stretched: $(rates stretched)"
must resume kept --steps 6 --schedule.at_resume keep
! grep -q jumps err || fail "a schedule that is kept jumps"
must resume kept --steps 7 # what was kept once stays so
[ "$(rates kept)" = "1 0.75 0.5 0.25 0.25 0.25 0.25 " ] || fail "kept: $(rates kept)"


echo "-- another rate"
cp -r kept raised
must resume raised --steps 8 --muon.lr 4 # the schedule is kept: it is the rate that was changed
grep -q "warning: the learning rate jumps: step 8 takes 1, and was to take 0.25 when the checkpoint was saved$" err ||
    fail "the rate jumps, and not for a schedule that is stretched: $(cat err)"
must short --run constant --steps 2 --schedule.name constant
must resume constant --steps 3 --muon.lr 2
grep -q "warning: the learning rate jumps: step 3 takes 2, and was to take 1 when the checkpoint was saved$" err ||
    fail "a constant schedule is stretched: $(cat err)"
must resume raised --steps 12 --schedule.at_resume stretch
grep -q "warning: the learning rate jumps: step 9 .*--schedule.at_resume keep keeps it" err ||
    fail "a schedule that is no longer kept is not stretched: $(cat err)"

echo "-- vocabulary"
seq 3000 | sed 's/$/ quick brown foxes jump over the lazy dog; pack my box with five dozen liquor jugs./' >text.txt
must program tokenizer train --vocab_size 300 --output tokenizer.json text.txt
must program data prepare --tokenizer tokenizer.json --output data --validation_fraction 0.2 text.txt
tokens=$(sed -n 's/.*"vocab_size": *\([0-9]*\).*/\1/p' data/dataset.json)
warning="warning: model.vocabulary is 400, the data's tokenizer has $tokens tokens: $((400 - tokens)) ids never come"
for option in --dry-run "--run large"; do
    must short --data.directory data --model.vocabulary 400 --steps 1 $option
    grep -q "$warning" err || fail "$option says nothing of ids that never come: $(cat err)"
done
must short --data.directory data --model.vocabulary 0 --steps 1 --dry-run
! grep -q warning err || fail "a warning of the tokenizer's own vocabulary"
