#!/bin/sh
# `tracker describe` has every key of a run's files, and no other.
. "$(dirname "$0")/support.sh"

must micro --run run --steps 2 --tracker.every 1 --tracker.spectrum full
must program tracker describe
cp out keys.txt
for file in spectra probes metrics spectra/index; do
    awk -v heading="$file.jsonl:" '
        /^[a-z\/]+\.jsonl:$/ { here = $0 == heading; next }
        here && /^[a-z]/ { print $1 }' keys.txt | LC_ALL=C sort >described.txt
    grep -oE '"[a-z_0-9]+":' "run/$file.jsonl" | tr -d '":' | LC_ALL=C sort -u >there.txt
    [ "$(wc -l <there.txt)" -ge 7 ] || fail "$file.jsonl has only these keys: $(cat there.txt)"
    diff described.txt there.txt || fail "$file.jsonl has other keys (right) than are described (left)"
done
