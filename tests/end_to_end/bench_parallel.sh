#!/bin/bash
# `bench parallel`: its lines for each rank, bytes that add up, and what it refuses.
. "$(dirname "$0")/support.sh"

# lines_of NUMERICS RANKS: what every run prints.
lines_of() {
    for line in "parallel: 17600 parameters, cpu, $1 numerics, 6 micro-steps of 4 sequences a step" "ranks  *$2, transport threads, threads each: 1" \
        "tokens per second  *[0-9]+, one process [0-9]+" "ratio  *[0-9.]+, limit [0-9.]+: of the limit [0-9.]+" "processor time  *[0-9.]+ s a step"; do
        grep -Eq "^$line" out || fail "bench parallel: no line '$line'"
    done
    # The last table: a line a rank.  All sends of weights are (ranks - 1) times the parameters.
    tail -n "$2" out | awk -v n="$2" '{ if ($1 != NR - 1) exit 1; weights += $6; state += $8 } END { d = weights - (n - 1) * 4 * 17600e-6; exit d * d > 1e-5 }' ||
        fail "bench parallel: the ranks' lines"
}
must program bench parallel --preset micro --train.accumulation 6 --threads 1 --timed_steps 2
lines_of fast 2
must program bench parallel --preset micro --train.accumulation 6 --threads 1 --timed_steps 1 --ranks 3 --numerics exact --parallel.shares 3,2,1
lines_of exact 3
must program bench parallel --preset micro --train.accumulation 6 --threads 1 --timed_steps 1 --ranks 1 --alone_threads 1
lines_of fast 1
grep -Eq "^ratio .* limit 1.00" out || fail "bench parallel: one rank's limit is one"

refuse 2 "--ranks 65: must be 1 to 64" program bench parallel --preset micro --ranks 65
refuse 2 "--ranks 0: must be 1 to 64" program bench parallel --preset micro --ranks 0
refuse 2 "--timed_steps 0: must be 1 to 1000" program bench parallel --preset micro --timed_steps 0
refuse 1 "rank 0 would have none" program bench parallel --preset micro --ranks 2 --train.accumulation 1
refuse 1 "rank 0 .*no device" program bench parallel --preset micro --train.accumulation 2 --device vulkan:77
refuse 1 "parallel.shares '1': must be 2 whole numbers" program bench parallel --preset micro --train.accumulation 2 --parallel.shares 1
refuse 1 "give model.vocabulary" program bench parallel --preset tiny
refuse 1 "train.control noise has no micro-steps" program bench parallel --preset micro --train.accumulation 2 --train.control noise
echo "bench_parallel ok"
