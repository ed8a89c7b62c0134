#!/bin/sh
# `muonscope phases`: text and JSON of a run, marks of its plots, and what it refuses.
. "$(dirname "$0")/support.sh"

must micro --steps 26 --tracker.enabled true --tracker.every 2 --run r
must program phases r
grep -q "r: 14 snapshots, steps 1 to 26; penalty 4 times" out || fail "no head line"
for key in loss alignment_momentum_left spectral_entropy gap; do grep -q "^$key" out || fail "no line of $key"; done
grep -q "in levels" out || fail "no correlation of levels"
grep -q "read the differences" out || fail "no word about levels"
must program phases r --json
for text in '"snapshots": 14' '"last_step": 26' '"key": "loss"' '"key": "gap"' '"changes": \[' '"correlation_levels": -*[0-9]'; do
    grep -q -- "$text" out || fail "no $text in the JSON"
done
cp out first
must program phases r --json
cmp out first || fail "other figures the second time"

# As marks of the plots: as many as there are.
n_gap=$(awk '/"key": "gap"/ { gap = 1 } /"key": "[^g]/ { gap = 0 } gap && /^ *[0-9]+,?$/ { n++ } END { print n + 0 }' out)
must program plot r --phases --only spectral_gap --only entropy_heatmap --only loss
[ "$(awk '/_change_0 << EOD$/ { inside = 1; next } /^EOD$/ { inside = 0 } inside' r/plots/spectral_gap.gp | wc -l)" -eq "$n_gap" ] ||
    fail "not $n_gap marks of the gap"
grep -q "title 'change point'" r/plots/spectral_gap.gp || fail "the legend does not say what a mark is"

refuse 1 "run folder nobody does not exist" program phases nobody
refuse 2 "penalty -1: must be above 0" program phases r --penalty=-1
refuse 2 "penalty" program phases r --penalty=nan
must micro --steps 4 --tracker.enabled true --tracker.every 2 --run short
refuse 1 "3 snapshots after step 0, phases need at least 12" program phases short
refuse 1 "phases: 3 snapshots after step 0, phases need at least 12" program plot short --phases
must micro --steps 4 --tracker.enabled false --run none
refuse 1 "none/spectra.jsonl does not exist: train with --track_manifold true" program phases none
