#!/bin/sh
# `bench parallel` under mpirun: a line for each rank from rank 0 alone; another job on a rank is refused by all, once.
# Usage: bench.sh PROGRAM MODULE MPIRUN
. "$(dirname "$0")/support.sh"
job="--preset micro --train.accumulation 4 --threads 1 --timed_steps 1"
# bench OPTIONS... : OPTIONS...: two ranks, each with its own.
bench() {
    first=
    while [ "$1" != : ]; do
        first="$first $1"
        shift
    done
    shift
    timeout 60 "$launcher" -n 1 "$muonscope" bench parallel $first : -n 1 "$muonscope" bench parallel "$@" >out 2>err
}
must bench $job : $job
[ "$(grep -c '^ranks  *2, transport mpi, threads each: 1; beside them one process, threads: 1$' out)" -eq 1 ] || fail "not one heading: $(cat out)"
[ "$(grep -cE '^ +[01] +[0-9.]+ ' out)" -eq 4 ] || fail "not two tables of two ranks: $(cat out)"
# said STATUS PATTERN COMMAND...: one line from one of the ranks.  Launchers add their own.
said() {
    expected=$1 pattern=$2 status=0
    shift 2
    "$@" || status=$?
    grep '^muonscope: ' err >said || true
    [ "$status" -eq "$expected" ] && [ "$(wc -l <said)" -eq 1 ] && grep -qE "$pattern" said || { cat err >&2; fail "status $status, not one line with /$pattern/: $*"; }
}
said 1 "rank 1 \(.*another job than rank 0's" bench $job : $job --model.layers 3
said 2 "ranks 2: mpirun has started 2" bench $job --ranks 2 : $job
