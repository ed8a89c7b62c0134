#!/bin/sh
# A rank that is killed or stopped, whichever it is, ends all others within the timeout, and those that still can name it.  The last checkpoint is
# whole: the run goes on with another number of ranks, and ends as one that nobody disturbed.
# Usage: lost.sh PROGRAM MODULE MPIRUN ROUNDS     ROUNDS: of one signal to one of three ranks
. "$(dirname "$0")/support.sh"
timeout=2
slack=6 # what the launcher takes to see it
every="--checkpoint.every 4 --validation.every 0 --tracker.enabled false --parallel.timeout $timeout"

# rank_of RANK: the process that is this rank of the run of this script.
rank_of() {
    for process in /proc/[0-9]*; do
        [ "$(readlink "$process/exe" 2>/dev/null)" = "$muonscope" ] || continue
        tr '\0' '\n' <"$process/environ" 2>/dev/null >environment || continue
        grep -qx "LOST=$scratch" environment || continue
        grep -qxE "(OMPI_COMM_WORLD_RANK|PMI_RANK)=$1" environment && basename "$process"
    done
    return 0
}

# Every process of this script that is left is ended.
end_all() {
    for rank in 0 1 2; do
        left=$(rank_of $rank)
        [ -z "$left" ] || kill -9 $left 2>/dev/null || true
    done
}
trap 'end_all; rm -rf "$scratch"' EXIT

# Whole ones; a temporary name is what a kill leaves.
checkpoints() { ls run/checkpoints 2>/dev/null | grep -xE 'step_[0-9]+' || true; }

# round SIGNAL RANK
round() {
    rm -rf run
    LOST=$scratch "$launcher" -n 3 "$muonscope" train $twelve --run run --steps 100000 $every >out 2>err &
    started=$!
    waited=0
    while [ "$(checkpoints | wc -l)" -lt 1 ]; do
        sleep 0.05
        waited=$((waited + 1))
        [ $waited -lt 600 ] || fail "the run made no checkpoint"
    done
    victim=$(rank_of "$2")
    [ -n "$victim" ] || fail "no process is rank $2"
    begin=$(date +%s)
    kill -s "$1" "$victim"
    for rank in 0 1 2; do
        [ $rank -ne "$2" ] || continue
        while [ -n "$(rank_of $rank)" ]; do
            [ $(($(date +%s) - begin)) -le $((timeout + slack)) ] || fail "rank $rank still runs after SIG$1 of rank $2"
            sleep 0.1
        done
    done
    [ "$1" = KILL ] || kill -9 "$victim" 2>/dev/null || true # a launcher cannot end what is stopped without this
    status=0
    wait $started || status=$?
    [ $status -ne 0 ] || fail "exit status 0 after SIG$1 of rank $2"
    echo "SIG$1 of rank $2: status $status, $(($(date +%s) - begin)) s; $(grep '^muonscope: ' err | head -n 1)"
    if [ "$1" = STOP ]; then
        grep -q "^muonscope: .*no answer within $timeout s from rank.* $2" err || { cat err >&2; fail "rank $2 is not named"; }
    fi
    step=$(checkpoints | sed 's/step_0*//' | sort -n | tail -n 1)
    must ranks 2 --resume run --steps $((step + 1))
    hashes >after.hashes
    must program train $twelve --run straight.$1.$2 --steps $((step + 1)) $every
    hashes >straight.hashes
    cmp after.hashes straight.hashes || fail "another end after SIG$1 of rank $2"
}

for i in $(seq 0 $(($4 - 1))); do
    case $((i / 3 % 2)) in
    0) round STOP $((i % 3)) ;;
    1) round KILL $((i % 3)) ;;
    esac
    rm -rf straight.*
done
