#!/bin/sh
# tracker.spectrum full: NumPy reads the files, which are the spectra of the weights in the checkpoint and agree with spectra.jsonl; a
# resumed run has the files of a straight one; what a crash leaves is removed; a run that keeps no more of them has none of later steps.
. "$(dirname "$0")/support.sh"
python=/usr/bin/python3 # Debian's, for which its python3-numpy is
full="--tracker.every 4 --checkpoint.every 6 --checkpoint.keep 9 --tracker.spectrum full"

must micro --dry-run $full --steps 14
grep -qx 'disk          complete spectra at most 0.1 MiB: 6 snapshots of 19.6 KiB' out || fail "no size: $(cat out)"
must micro --run straight --threads 1 --tracker.threads=1 $full --steps 14
[ "$(cat straight/spectra/* | wc -c)" -le $((6 * 20071)) ] || fail "more bytes than the dry run said"
[ "$(ls straight/spectra | tr '\n' ' ')" = "index.jsonl step_00000000.npy step_00000001.npy step_00000004.npy step_00000008.npy step_00000012.npy step_00000014.npy " ] ||
    fail "other files: $(ls straight/spectra)"
"$python" "$(dirname "$0")/full_spectra.py" straight 14 || fail "NumPy finds other spectra"
awk '/^```python$/ { inside = 1; next } /^```$/ { inside = 0 } inside' "$(dirname "$0")/../../docs/full-spectra.md" |
    sed 's|runs/first|straight|' >recipe.py
"$python" recipe.py >recipe.txt || fail "the recipe of docs/full-spectra.md does not run"
[ "$(grep -c '^step [0-9]*: s1 0\.' recipe.txt)" -eq 6 ] || fail "the recipe prints: $(cat recipe.txt)"
must micro --run summary --threads 1 --tracker.threads=1 --tracker.every 4 --checkpoint.every 6 --steps 14
cmp straight/spectra.jsonl summary/spectra.jsonl || fail "spectra.jsonl depends on tracker.spectrum"
[ ! -e summary/spectra ] || fail "a run that keeps no complete spectra has a folder for them"
fingerprint straight/spectra >straight.files

# Two threads; then back to step 6, with a file that was not finished and one whose lines are not in the index.
must micro --run pieces --threads 2 --tracker.threads=2 $full --steps 14
fingerprint pieces/spectra | cmp straight.files - || fail "two threads write other files"
: >pieces/spectra/step_00000010.npy
: >pieces/spectra/step_00000004.npy.0123456789abcdef.tmp
: >pieces/spectra/mine.txt
must resume pieces --step 6
rm pieces/spectra/mine.txt || fail "a file of another name was removed"
fingerprint pieces/spectra | cmp straight.files - || fail "the resumed run has other files"

# No more of them: those of later steps are untrue, and go.
must resume pieces --step 6 --tracker.spectrum summary
[ "$(ls pieces/spectra | tr '\n' ' ')" = "index.jsonl step_00000000.npy step_00000001.npy step_00000004.npy " ] ||
    fail "left of later steps: $(ls pieces/spectra)"
grep -v '"step":[014],' pieces/spectra/index.jsonl && fail "the index has lines of later steps"
# And from here on again.
must resume pieces --step 12 --tracker.spectrum full
cmp straight/spectra/step_00000014.npy pieces/spectra/step_00000014.npy || fail "step 14 differs"

# A line that is lost, and a folder that is none.
cp -r straight lines
sed -i 50d lines/spectra/index.jsonl
must resume lines
grep -q 'lines/spectra/index.jsonl: 1 lines of snapshots up to the checkpoint are missing' err || fail "not said: $(cat err)"
rm -r lines/spectra
ln -s ../straight/spectra lines/spectra
refuse 1 "lines/spectra" resume lines --step 6
fingerprint straight/spectra | cmp straight.files - || fail "files behind a link were changed"

# Where the update's spectrum is not known, the index says so.
must micro --run adamw --optimizer=muon --intervention.sphere=project $full --steps 1
grep -q '"of":"update","file":"step_00000001.npy","row":[0-9]*,"values":0}' adamw/spectra/index.jsonl || fail "a spectrum that is not known"
