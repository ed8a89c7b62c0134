#!/bin/sh
# `muonscope compare`: tables, what is said of runs that are not alike, and what it refuses.  Runs are written by hand: the numbers
# of the tables are known.
. "$(dirname "$0")/support.sh"

# run NAME SEED SPLIT LOSS: a run of 10 steps whose loss ends at LOSS.
run() {
    mkdir "$1"
    printf 'train: {seed: %s, steps: 10}\nmuon: {split: %s}\n' "$2" "$3" >"$1/config.yaml"
    for step in 1 2 3 4 5 6 7 8 9 10; do
        awk -v step=$step -v last="$4" \
            'BEGIN { printf "{\"step\":%d,\"tokens\":%d00,\"loss\":%.3f,\"lr\":0.1}\n", step, step, last + 1 - step / 10 }'
    done >"$1/metrics.jsonl"
    printf '{"step":10,"tokens":1000,"validation_loss":%s}\n' "$4" >>"$1/metrics.jsonl"
}

for seed in 1 2 3 4 5 6; do
    run a$seed $seed merged 3.$seed
    run b$seed $seed per_projection 3.0$seed
done

has() {
    grep -q -- "$1" out || {
        cat out >&2
        fail "no '$1'"
    }
}
lacks() {
    ! grep -q -- "$1" out || {
        cat out >&2
        fail "'$1' is said"
    }
}

# The key that differs is found; b - a is -0.09 seed, of which all are negative.
must program compare a? b?/ --smoothing 0 --at step
has '^12 runs in 2 groups by muon.split'
has 'merged: 6 runs, seeds 1 2 3 4 5 6 (baseline)'
has 'At step 10: per_projection minus merged'
has 'validation_loss *3.35 (0.19) *3.035 (0.019) *-0.3[12] *\[-0.49, -0.14\] *6 *0.0312 *0.0625'
has 'smallest that 6 pairs can reach is 0.0312, and 0.0625 after Holm.s correction for 2 tests, so that no single one'
lacks 'unlike'
must program compare a? b? --smoothing 0 --metric loss --baseline per_projection
has 'merged minus per_projection'
has 'At the first step with a training loss of at most 3.6: '
has 'steps to loss'
must program compare a? b? --format csv --at step
[ "$(wc -l <out)" -eq 5 ] || fail "not 4 rows of CSV"
has '^step,10,loss,10,per_projection,6,3'
grep -q 'compare: grouped by muon.split' err || fail "the notes are not on stderr"
must program compare a? b? --format json
has '"baseline": "merged"'
has '"p_least": 0.03125'

must program compare a? b? --metric loss --format csv --plots pictures
[ "$(wc -l <out)" -eq 5 ] || fail "the CSV has other lines"
grep -q '^pictures/loss.png, .svg$' err || fail "no word of the picture"
[ -s pictures/loss.svg ] || fail "no picture"

# Fewer than six pairs, one pair, one group.
must program compare a[1-5] b[1-5] --at step
has 'Fewer than 6 pairs are not tested: the smallest p-value that 5 can reach is 2/2^5 = 0.0625'
has 'validation_loss .*\] *5 *- *-$'
must program compare a1 b1 --at step
has 'Fewer than two pairs have no interval'
must program compare a? --at step
has '^6 runs in 1 group'
has 'validation_loss *3.35 (0.19) *\[3.15, 3.55\] *6$'

# Unlike things.
run c7 7 per_projection 3.2
printf 'train: {seed: 7, steps: 10, threads: 3}\nmuon: {split: per_projection, lr: 0.5}\n' >c7/config.yaml
must program compare a? b? c7 --by muon.split
has 'muon.lr differs from seed to seed, and is the same in all runs of a seed: .* (a1 and 11 more), 0.5 (c7)'
has 'No pair has validation_loss there'
has 'also unlike, in what changes no number here: train.threads'
has 'seed 7 of per_projection has no partner in merged'
refuse 2 'differ in 2 keys \(muon.lr, muon.split\): name those that make the groups with --by' program compare a? b? c7
sed 's/split: per_projection/split: per_projection, lr: 0.25/' b6/config.yaml >changed
cp changed b6/config.yaml
must program compare a? b? --by muon.split
has 'unlike: muon.lr differs inside the groups: .* (a1 and 10 more), 0.25 (b6)'
for i in 1 2 3 4 5; do sed -i 's/per_projection/per_projection, lr: 0.25/' b$i/config.yaml; done
must program compare a? b? --by muon.split
has 'unlike: muon.lr differs between the groups too: 0.024 (merged), 0.25 (per_projection)'
for i in 1 2 3 4 5 6; do sed -i 's/, lr: 0.25//' b$i/config.yaml; done
must program compare a? c7 --by muon.split,muon.lr --at step
has 'per_projection, 0.5: 1 run, seed 7'
cp -r a1 twin
refuse 1 'of 3 runs were left out, the first: twin: seed 1 of group merged is a1 already, and no key differs' program compare a1 b1 twin
has 'minus merged'
sed -i 's/steps: 10/steps: 10, accumulation: 2/' twin/config.yaml
refuse 1 'they differ in train.accumulation: --by may name it' program compare a1 b1 twin --by muon.split

# Runs that are cut, unfinished, empty, from a version to come, or no runs.
head -n 4 a6/metrics.jsonl >short.jsonl
cp -r a6 short
cp short.jsonl short/metrics.jsonl
sed -i 's/seed: 6/seed: 8/' short/config.yaml
must program compare a? b? short --by muon.split
has 'short is not finished: it has made 4 of 10 steps'
has 'short does not reach step 10 and is in no pair there'
has 'short never reaches loss .* which favours its group'
has 'At step 10: '
must program compare a? b? short --step 4 --smoothing 0
has 'At step 4: '
has '^  loss .* 6 '
sed -i '3s/.*/{"step":3,"tok/' b2/metrics.jsonl
printf '{"step":11,"tokens":1100,"lo' >>b2/metrics.jsonl
must program compare a? b? --at step
has 'b2: 1 lines are cut, repeated or out of order, and not used (the first: metrics.jsonl line 3)'
has 'At step 10: '
mkdir empty no_step
cp a1/config.yaml no_step
echo 'future: {key: 1}' >>no_step/config.yaml
refuse 1 '3 of 15 runs were left out, the first: empty is not a run folder: it has no config.yaml' \
    program compare a? b? empty no_step nobody
has 'left out: .*no_step/config.yaml.*unknown section future'
has 'left out: run folder nobody does not exist'
has 'At step 10: '
refuse 1 'no run to compare: .*nobody does not exist' program compare nobody
printf '{"step":1,"tokens":9,"loss":null,"lr":1}\n' >a1/metrics.jsonl
must program compare a? b?
has 'a1 is not finished'
for run in a? b?; do sed -i 's/"loss":[0-9.][0-9.]*/"loss":null/' $run/metrics.jsonl; done
must program compare a? b? --metric loss
has 'no run has a value of loss (metrics.jsonl)'
has 'no comparison at the same loss: no run has one'

refuse 2 "no file of a run has 'sigma_mx'; did you mean 'sigma_max'" program compare a1 --metric sigma_mx
refuse 2 "there is no key 'muon.splt'; did you mean muon.split\?" program compare a1 --by muon.splt
refuse 2 "there is no key 'muon.learning_rate'; did you mean muon.lr\?" program compare a1 --by muon.learning_rate
refuse 2 'seeds are what is paired' program compare a1 --by train.seed
refuse 2 "'wide' is none of the groups: merged; per_projection" program compare a2 b2 --baseline wide
refuse 2 'is none of step, tokens, loss' program compare a1 --at epoch
refuse 2 'is none of text, csv, json' program compare a1 --format xml
refuse 2 'confidence 2: must be' program compare a1 --confidence 2
refuse 2 'smoothing 1: must be' program compare a1 --smoothing 1

# Where runs part: the same ones nowhere; another rate of AdamW, which no matrix is on, by the first step, in what AdamW trains.
must micro --steps 6 --train.hash_every 2 --run h1
must micro --steps 6 --train.hash_every 2 --run h2
must micro --steps 6 --train.hash_every 2 --adamw.lr 0.001 --run h3
refuse 1 'h2: seed 0 of group all is h1 already|h2: seed .* of group all is h1 already' program compare h1 h2
has 'h1 and h2 are the same at all 5 steps that both hashed, up to step 6; losses are the same up to step 6$'
must program compare h1 h3
has 'h1 and h3 are the same up to step 0, and part by step 1, first in embedding.weight ([1-9][0-9]* of 16 tensors differ there); losses part at step 2$'
sed -i '2s/[0-9a-f]"}}$/x"}}/; 3s/.*/{"step":2,"tok/' h2/hashes.jsonl
must program compare h1
has '^1 run in 1 group; '
refuse 1 'h1 already' program compare h1 h2 --format json
has '"tensors_unlike": 1,'
has '"first_unlike": 1,'
has '"tensor": "final_norm.weight"'
has 'h1, h2: 1 lines of hashes are cut, repeated or out of order (the first: hashes.jsonl line 3)'
