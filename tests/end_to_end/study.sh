#!/bin/sh
# study.sh PROGRAM: a study is the runs that `muonscope train` makes; killed at any moment it goes on; what is not its own is refused.
. "$(dirname "$0")/support.sh"

cat >s.yaml <<'EOF'
study: s
preset: micro
base: {train.steps: 6, train.numerics: exact, sample.tokens: 0, validation.every: 3, tracker.every: 2, checkpoint.every: 2}
seeds: 1-2
tuning: {seed: 9, arms: {muon: {key: muon.lr, values: [0.02, 0.01, 0.04]}}}
arms:
  muon: {tuned: muon}
  adamw: {set: {optimizer.name: adamw}}
  noise: {tuned: muon, seeds: 1, control: true, set: {train.control: noise}}
hypotheses:
  depth: {statement: it is deep, measure: depth_slope, of: log_over_null, arm: muon}
  loss: {statement: it is less, measure: last, of: validation_loss, arm: muon, against: adamw}
EOF
study() {
    program study "${file:-s.yaml}" --threads 1 "$@"
}
# record_all FOLDER: what its runs have logged, but for times.
record_all() {
    for run in "$1"/*/; do
        echo "$run" | sed 's,^[^/]*/,,'
        record "$run"
    done
}

# ---- the whole ----
must study --out a --dry-run
[ ! -e a ] || fail "a dry run made its folder"
sed 's/^seeds: .*/seeds: 1-7/' s.yaml >seven.yaml
file=seven.yaml must study --out a --dry-run
! grep -q "p-value" out || fail "seven seeds are said to be too few"
must study --out a --dry-run
grep -q "^runs    8, 8 to make" out || fail "the plan has other runs"
grep -qE "^time    about .*timing of 3 steps" out || fail "the dry run says no time"
grep -q "^warning: loss: 2 seeds can reach no p-value below 1, corrected for 2 of them (Holm); 7 reach 0.05" out || fail "what two seeds cannot show is not said"
grep '^muonscope train' out | sed 's/^muonscope //; s,a/,b/,g' >commands # the runs that no tuning is needed for
[ "$(wc -l <commands)" -eq 5 ] || fail "the tuning has other runs"
must study --out a
grep -q "; chosen: 0.0" out || fail "no value was chosen"
record_all a >a.record
grep -q "no p: 2 seeds: fewer than 6" out || fail "two seeds are tested"
grep -qE "^    noise  .*, 1 seeds, a control" out || fail "the control is not shown"
grep -q "^report in a/report.html" out && [ -s a/report.html ] || grep -q "^no report: " out || fail "there is no report"
cmp s.yaml a/study.yaml || fail "the study file was not kept"
must study --out a
grep -q "^runs    8, 0 to make" out || fail "a finished study is made again"

# ---- made elsewhere, by the command lines ----
while read -r line; do
    must program $line
done <commands
must study --out b --dry-run
grep '^muonscope train' out | sed 's/^muonscope //' >commands
[ "$(wc -l <commands)" -eq 3 ] || fail "the rest has other runs"
while read -r line; do
    must program $line --threads 2 # which changes no number
done <commands
must study --out b
grep -q "^runs    8, 0 to make" out || fail "runs that were made elsewhere are made again"
record_all b | cmp - a.record || fail "the runs of the command lines are others"

for name in results.csv comparison.csv; do cmp a/$name b/$name || fail "$name is another"; done

# ---- hypotheses after the fact ----
sed 's/it is less/it is more/' s.yaml >later.yaml
file=later.yaml must study --out b
grep -q "^warning: hypothesis loss was changed after runs were there" out || fail "a changed hypothesis is not said"
grep -q '"it is less\|it is less' b/declared.json || fail "what was declared is lost"
must study --out b
! grep -q "after runs were there" out || fail "what was declared is called changed"
must study --out g --results
grep -q "^results none yet" out || fail "there are results of nothing"
file=later.yaml must study --out g --results
grep -q "it is more" g/declared.json || fail "hypotheses of a study without runs cannot be changed"

# ---- killed ----
n_kills=0
for delay in 0.15 0.3 0.2 0.4 0.25 0.35; do
    status=0
    "$muonscope" study s.yaml --threads 1 --out c >out 2>err &
    sleep "$delay"
    kill -KILL "$!" 2>/dev/null || true
    wait "$!" 2>/dev/null || status=$?
    [ "$status" -ne 137 ] || n_kills=$((n_kills + 1))
done
must study --out c
record_all c | cmp - a.record || fail "killed $n_kills times, the study ends otherwise"
leftovers=$(find c -name '*.tmp')
[ -z "$leftovers" ] || fail "it keeps what was not finished: $leftovers"

# A run that was killed after its last step, while it removed an older checkpoint.
mkdir c/muon-1/checkpoints/step_00000002.0123456789abcdef.tmp
must study --out c
[ ! -e c/muon-1/checkpoints/step_00000002.0123456789abcdef.tmp ] || fail "a finished run keeps what a kill left"

# ---- stopped by a signal ----
sed 's/train.steps: 6/train.steps: 1000000/' s.yaml >long.yaml
status=0
"$muonscope" study long.yaml --threads 1 --out d >out 2>err &
while [ ! -s d/tune-muon-0.01-9/metrics.jsonl ]; do sleep 0.02; done
kill -TERM "$!"
wait "$!" || status=$?
[ "$status" -eq 143 ] || fail "exit status $status of a study that is stopped"
grep -q "^muonscope: tune-muon-0.01-9 was stopped, everything saved" err || fail "the study does not say what it saved"

# ---- what is not its own ----
sed 's/tracker.every: 2/tracker.every: 3/' s.yaml >every.yaml
file=every.yaml refuse 1 "a/tune-muon-0.01-9 is not the run .*tracker.every is 2, the study's 3" study --out a
sed 's/^study: s/study: t/' s.yaml >name.yaml
file=name.yaml refuse 1 "a holds the study s, not t" study --out a
refuse 1 "a/muon-1 is the folder of a run" study --out a/muon-1
must program train --resume c/adamw-1 --steps 8
refuse 1 "c/adamw-1 is not the run .*train.steps is 8, the study's 6" study --out c
must program train --resume b/adamw-2 --step 4 --adamw.beta1 0.8
must program train --resume b/adamw-2 --steps 7 --adamw.beta1 0.9
must program train --resume b/adamw-2 --steps 6 --step 6
sed -i 's/^  steps: 7/  steps: 6/' b/adamw-2/config.yaml
refuse 1 "b/adamw-2 was changed when it was resumed \(step 4: adamw.beta1" study --out b
mkdir -p e/adamw-1
echo x >e/adamw-1/text
refuse 1 "e/adamw-1" study --out e
refuse 1 "nothing.yaml" program study nothing.yaml
sed 's/^base: {/&data.directory: nowhere, /' s.yaml >data.yaml
file=data.yaml refuse 1 "tune-muon-0.01-9: .*nowhere" study --out f
grep -q "^time    not measured: .*nowhere" out || fail "a time was measured without data"
refuse 1 "f.*process" flock f "$muonscope" study s.yaml --out f

# ---- damaged ----
printf 'cut' >>a/muon-2/metrics.jsonl
must study --out a
grep -q "^runs    8, 0 to make" out || fail "half a line is a run to make"
sed -i '$d' a/muon-2/metrics.jsonl
sed -i '$d' a/muon-2/metrics.jsonl # the validation of the last step
must study --out a
grep -q "^runs    8, 1 to make" out || fail "a run without its last validation is finished"
record_all a | cmp - a.record || fail "the validation was not made again"
: >a/noise-1/config.yaml
refuse 1 "a/noise-1 is not the run" study --out a
echo "$n_kills kills, one end"
