#!/bin/sh
# What one rank alone meets in the middle of a run (no room for rank 0's checkpoint, its folder gone, no memory on another rank) ends
# all with status 1 and one line that says it.  The checkpoint before it is whole: the run goes on, to the end of one that nothing disturbed.
# A module of another MPI, or none, is one line too.
# Usage: faults.sh PROGRAM MODULE MPIRUN OUT_OF_MEMORY OTHER_MODULE     OTHER_MODULE: of the other MPI; "-": it is not here
out_of_memory=$(realpath "$4")
other=$5
[ "$other" = - ] || other=$(realpath "$other")
command -v prlimit >/dev/null || { echo "SKIPPED: no prlimit (Debian: util-linux)"; exit 77; }
. "$(dirname "$0")/support.sh"
two="--preset micro --numerics exact --threads 1 --train.batch_sequences 1 --train.accumulation 2"
every="--checkpoint.every 4 --validation.every 0 --tracker.enabled false --parallel.timeout 10"
mkdir other

# rank_0: its process, which is in this script's folder.
rank_0() {
    for process in /proc/[0-9]*; do
        [ "$(readlink "$process/cwd" 2>/dev/null)" = "$scratch" ] || continue
        grep -qx muonscope "$process/comm" 2>/dev/null || continue
        tr '\0' '\n' <"$process/environ" 2>/dev/null | grep -qxE "(OMPI_COMM_WORLD_RANK|PMI_RANK)=0" && basename "$process"
    done
    return 0
}

# one_line PATTERN: what the last command said.
one_line() {
    [ "$status" -eq 1 ] || { cat err >&2; fail "exit status $status, not 1: $1"; }
    [ "$(grep -c '^muonscope: ' err)" -eq 1 ] || { cat err >&2; fail "not one line of error: $1"; }
    grep '^muonscope: ' err
    grep -qE "^muonscope: .*($1)" err || fail "the message lacks /$1/"
}

# fault PATTERN COMMAND...: COMMAND, after the first checkpoint, ends a run by two ranks.
fault() {
    pattern=$1
    shift
    rm -rf run away other/no_memory
    options="$two --run run --steps 100000 $every"
    timeout 60 "$launcher" -n 1 "$muonscope" train $options : \
        -n 1 env -C other LD_PRELOAD="$out_of_memory" "$muonscope" train $options >out 2>err &
    started=$!
    until checkpoints run | grep -q '[1-9]'; do
        kill -0 $started 2>/dev/null || { cat err >&2; fail "the run made no checkpoint"; }
        sleep 0.1
    done
    "$@"
    begin=$(date +%s)
    status=0
    wait $started || status=$?
    [ $(($(date +%s) - begin)) -lt 30 ] || { cat err >&2; fail "30 s until all had ended: $pattern"; }
    one_line "$pattern"
}

# A checkpoint has no room, and what is shorter has.
must program train $two --run sized --steps 1 $every
room=$(($(stat -c %s sized/checkpoints/step_00000001/model.safetensors) - 1))
no_room() { prlimit --pid "$(rank_0)" --fsize=$room; }
no_memory() { touch other/no_memory; }

fault "checkpoint of step [0-9]+: .*run/checkpoints/.*File too large" no_room
goes_on run "$pattern" $two $every
fault "run folder run was removed, renamed or replaced" mv run away
[ ! -e run ] || fail "the folder that was taken away has been made anew"
goes_on away "$pattern" $two $every
fault "rank 1 \(.*: no memory for" no_memory
goes_on run "$pattern" $two $every

if [ "$other" != - ]; then
    MUONSCOPE_MPI_MODULE=$other
    status=0
    ranks 2 $two --run bad --steps 2 || status=$?
    one_line "has started 2 processes, but muonscope-mpi.so finds 1: it was built for another MPI"
fi
MUONSCOPE_MPI_MODULE=/nowhere/module.so
status=0
ranks 2 $two --run bad --steps 2 || status=$?
one_line "has started 2 processes.*no library /nowhere/module.so"
[ ! -e bad ] || fail "a folder is left of a run that was refused"
