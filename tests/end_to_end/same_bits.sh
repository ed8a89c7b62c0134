#!/bin/sh
# `exact`: the same weights, optimizer state and spectra for 1 and 2 threads and across two runs; another seed gives others.
. "$(dirname "$0")/support.sh"

must micro --run one --threads 1 --tracker.threads=1
hashes >one.hashes
must micro --run two --threads 2 --tracker.threads=2
hashes >two.hashes
must micro --run again --threads 2 --tracker.threads=2
hashes >again.hashes
cmp one.hashes two.hashes || fail "1 and 2 threads differ"
cmp two.hashes again.hashes || fail "two runs differ"
cmp one/spectra.jsonl two/spectra.jsonl || fail "spectra of 1 and 2 threads differ"
cmp two/spectra.jsonl again/spectra.jsonl || fail "spectra of two runs differ"
[ "$(wc -l <one/spectra.jsonl)" -ge 12 ] || fail "spectra.jsonl has too few lines"

must micro --run other --seed 43
hashes >other.hashes
! cmp -s one.hashes other.hashes || fail "another seed gives the same weights"

# `fast`: the same bits at a given number of threads.
for run in fast fast_again; do
    must micro --run $run --numerics fast --threads 2
    hashes >$run.hashes
done
cmp fast.hashes fast_again.hashes || fail "two fast runs differ"
cat one.hashes
