#!/bin/sh
# `bench parallel` under mpirun: a line for each rank from rank 0 alone; another job on a rank is refused by all, once.
# Usage: bench.sh PROGRAM MODULE MPIRUN
. "$(dirname "$0")/support.sh"
job="--preset micro --train.accumulation 4 --threads 1 --timed_steps 1"
must two "bench parallel" $job : $job
[ "$(grep -c '^ranks  *2, transport mpi, threads each: 1; beside them one process, threads: 1$' out)" -eq 1 ] || fail "not one heading: $(cat out)"
[ "$(grep -cE '^ +[01] +[0-9.]+ ' out)" -eq 4 ] || fail "not two tables of two ranks: $(cat out)"
said 1 "rank 1 \(.*another job than rank 0's" two "bench parallel" $job : $job --model.layers 3
said 2 "ranks 2: mpirun has started 2" two "bench parallel" $job --ranks 2 : $job
