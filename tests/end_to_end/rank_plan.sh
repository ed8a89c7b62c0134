#!/bin/sh
# `train --dry-run --ranks N --link RATE` predicts, leaves nothing behind, and refuses what cannot be asked.  Usage: rank_plan.sh PROGRAM
. "$(dirname "$0")/support.sh"
job="train --preset micro --numerics exact --threads 1 --train.batch_sequences 1 --train.accumulation 6"

must program $job --dry-run --ranks 6 --link 10Gb
cat out
# Two tables, each with a row for every number of ranks: device and host memory; compute, update, exchange, step, speed-up.
for n in 1 2 4 6; do
    grep -qE "^ +$n( +[0-9]+\.[0-9]){7}$" out || fail "no memory of $n ranks"
    grep -qE "^ +$n( +[0-9]+\.[0-9]{2}){5} +[0-9]+% +[0-9.]+ +[0-9]+ +[0-9]+\.[0-9]{2}$" out || fail "no prediction for $n ranks"
done
grep -qE "^ +1 .* 1\.00 +100% +0\.0 +0 +0\.00$" out || fail "one rank is not its own measure"
grep -q "in exact; a link of 10 Gb/s, 50 us$" out || fail "the link is not said"
tail -n 1 out | grep -qE "^(another machine will not help|6 ranks help)" || fail "no advice"
must program $job --dry-run --ranks 2 --link 1Mb --link_latency 1ms --parallel.shares 3,1
grep -q "^shares of 2 ranks: 3,1$" out || fail "the shares are not said"
grep -q "a link of 0.001 Gb/s, 1000 us$" out || fail "the latency is not said"
# By so slow a link two ranks cannot be faster: their messages take seconds, a step milliseconds.
tail -n 1 out | grep -q "^another machine will not help: 2 ranks take" || fail "a slow link helps"
must program $job --dry-run --ranks 8 --link 1Gb --train.control noise
! tail -n 1 out | grep -qE "no more micro-steps|nothing to do" || fail "noise has micro-steps"
[ -z "$(ls -d runs 2>/dev/null)" ] || fail "a plan left a run"

refuse 2 "ranks plans, and starts no ranks: give it with --dry-run" program $job --ranks 2 --link 1Gb
refuse 2 "link needs --ranks N" program $job --dry-run --link 1Gb
refuse 2 "ranks needs --link, the bits a second" program $job --dry-run --ranks 2
refuse 2 "ranks 1: must be 2 to 4096" program $job --dry-run --ranks 1 --link 1Gb
refuse 2 "link '10GB': must be bits a second" program $job --dry-run --ranks 2 --link 10GB
refuse 2 "link .1e30Gb.: must be .* at most 100Tb" program $job --dry-run --ranks 2 --link 1e30Gb
refuse 2 "link_latency 'x': must be a time" program $job --dry-run --ranks 2 --link 1Gb --link_latency x
refuse 1 "7 ranks and 6 micro-steps a step" program $job --dry-run --ranks 7 --link 1Gb
refuse 1 "parallel.shares '1,2': must be 3" program $job --dry-run --ranks 3 --link 1Gb --parallel.shares 1,2
