#!/bin/sh
# What `--dry-run --ranks 2` predicts of a step is what two hosts need, by links of several rates, in both numerics.
# Usage: planned.sh PROGRAM MODULE MPIRUN [PERCENT [RATE...]]     how far they may be apart (20); links in Mb a second (100 200)
. "$(dirname "$0")/hosts.sh"
hosts_make a b
percent=${4:-20}
shift 3
[ $# -eq 0 ] || shift
[ $# -gt 0 ] || set -- 100 200
# A model whose exchanges take longer than its arithmetic: other work on this machine slows only that.
job="--preset nano --data.directory synthetic --threads 1 --model.layers 4 --model.sequence_length 32 --train.batch_sequences 1
    --train.accumulation 4 --tracker.enabled false --validation.every 0 --sample.tokens 0"
# step_of N: the predicted milliseconds, and how much of them are exchanges that are waited for.
step_of() {
    awk -v n="$1" '/step ms/ { table = 1; gsub(/ ms/, "_ms"); gsub(/ a link/, "_a_link"); for (i = 1; i <= NF; i++) column[$i] = i }
        table && $1 == n { print $column["step_ms"] }' out
}
# median FILE: of all steps but the first, in which connections are made and memory is new.
median() { sed -E 's/.*"ms":([0-9.]+).*/\1/' "$1" | tail -n +2 | sort -n | awk '{ t[NR] = $1 } END { print t[int((NR + 1) / 2)] }'; }

bad=0
printf '%10s %6s %14s %12s %12s %9s\n' numerics Mb/s 'one rank, ms' predicted measured ratio
for rate; do
    link_rate b "${rate}mbit" 5ms
    for numerics in exact fast; do
        must program train $job --numerics $numerics --dry-run --ranks 2 --link "${rate}Mb"
        alone=$(step_of 1) predicted=$(step_of 2)
        rm -rf across
        must across a:1,b:1 2 $job --numerics $numerics --run across --steps 8
        measured=$(median across/metrics.jsonl)
        ratio=$(awk -v p="$predicted" -v m="$measured" 'BEGIN { printf "%.3f", m / p }')
        printf '%10s %6d %14.1f %12.1f %12.1f %9s\n' $numerics "$rate" "$alone" "$predicted" "$measured" "$ratio"
        awk -v r="$ratio" -v p="$percent" 'BEGIN { exit !(r > 1 - p / 100 && r < 1 + p / 100) }' || bad=$((bad + 1))
    done
done
[ $bad -eq 0 ] || fail "$bad predictions are off by more than $percent %"
