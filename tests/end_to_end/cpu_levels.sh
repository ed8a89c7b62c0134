#!/bin/sh
# `exact`: the same bits, which are known, at every level of the processor that the CPU's kernels are compiled for and this machine has;
# MUONSCOPE_CPU_LEVEL chooses one, and is refused with a list of them where it names another.
. "$(dirname "$0")/support.sh"

at_level() {
    MUONSCOPE_CPU_LEVEL=$1
    export MUONSCOPE_CPU_LEVEL
    shift
    "$@"
}

refuse 1 'MUONSCOPE_CPU_LEVEL is "x86-64-v9": .* at [a-z0-9]' at_level x86-64-v9 micro --run none
[ ! -e none ] || fail "a run folder was made at a level that there is not"
must at_level x86-64-v9 program devices
grep -q '^cpu  *unusable' out || fail "the CPU is usable at a level that there is not: $(cat out)"
levels=$(echo "$message" | sed 's/.* at //; s/,//g')
unset MUONSCOPE_CPU_LEVEL

must micro --run widest
hashes >widest.hashes
grep -q "^weights_sha256  *96bb49c1" widest.hashes || fail "other weights than the known ones: $(cat widest.hashes)"
grep -q "^optimizer_state_sha256  *ba8c6ff4" widest.hashes || fail "another state than the known one: $(cat widest.hashes)"
for level in $levels; do
    must at_level "$level" micro --run "$level"
    grep "^device .* kernels for $level," out || fail "the table does not say $level: $(cat out)"
    hashes >level.hashes
    cmp widest.hashes level.hashes || fail "$level gives other bits"
    cmp widest/spectra.jsonl "$level/spectra.jsonl" || fail "spectra at $level differ"
    cmp widest/probes.jsonl "$level/probes.jsonl" || fail "probes at $level differ"
done
