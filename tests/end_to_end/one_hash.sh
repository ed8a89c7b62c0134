#!/bin/sh
# The run that every device ends alike: `micro`, 50 steps in `exact`.  Its hashes are written down here: whoever changes them says so in
# CHANGELOG.md.  Its spectra and probes are those of device cpu on this machine, and so is the end of a run on noise.
# Usage: one_hash.sh PROGRAM [DEVICE]     DEVICE: cpu unless named
. "$(dirname "$0")/support.sh"
device=${2:-cpu}
weights=96bb49c1
state=ba8c6ff4

must micro --run run --device "$device" --steps 50
hashes >run.hashes
cat run.hashes
grep -q "^weights_sha256  *$weights" run.hashes || fail "other weights than $weights..."
grep -q "^optimizer_state_sha256  *$state" run.hashes || fail "another optimizer state than $state..."
[ "$device" != cpu ] || exit 0
must micro --run cpu --device cpu --steps 50
cmp cpu/spectra.jsonl run/spectra.jsonl || fail "other spectra than on device cpu"
cmp cpu/probes.jsonl run/probes.jsonl || fail "other probes than on device cpu"
# The control that lives on the device, and what is rounded there.
for name in cpu "$device"; do
    must micro --run "noise.$name" --device "$name" --train.control noise --train.master bf16 --steps 5 --tracker.every=5
    hashes >"noise.$name.hashes"
done
cmp noise.cpu.hashes "noise.$device.hashes" || fail "another end of train.control noise than on device cpu"
cmp noise.cpu/spectra.jsonl "noise.$device/spectra.jsonl" || fail "other spectra of train.control noise"
[ "$(wc -l <run/spectra.jsonl)" -ge 12 ] || fail "spectra.jsonl has too few lines"
