#!/bin/sh
# A rank that is killed, stopped or cut off, whichever it is, ends all others within the timeout, and those that still can name it.  The last
# checkpoint is whole: the run goes on with another number of ranks, and ends as one that nobody disturbed.
# Usage: lost.sh PROGRAM MODULE MPIRUN [ROUNDS]     ROUNDS: of one fault to one of three ranks, which are on three hosts; else rank 0 is stopped
if [ $# -gt 3 ]; then
    . "$(dirname "$0")/hosts.sh"
    hosts_make a b c
else
    . "$(dirname "$0")/support.sh"
fi
timeout=2
slack=12 # what the launcher takes to see it, and other work beside the test
launchers='mpi(run|exec)[.a-z]*'
every="--checkpoint.every 4 --validation.every 0 --tracker.enabled false --parallel.timeout $timeout"

# processes NAMES: those of this script's runs.
processes() {
    for process in /proc/[0-9]*; do
        [ "$(readlink "$process/cwd" 2>/dev/null)" = "$scratch" ] || continue
        grep -qxE "$1" "$process/comm" 2>/dev/null && basename "$process"
    done
    return 0
}
# rank_of RANK: the process that is this rank.
rank_of() {
    for process in $(processes muonscope); do
        tr '\0' '\n' <"/proc/$process/environ" 2>/dev/null | grep -qxE "(OMPI_COMM_WORLD_RANK|PMI_RANK)=$1" && echo "$process"
    done
    return 0
}
end_all() {
    left=$(processes muonscope)
    [ -z "$left" ] || kill -9 $left 2>/dev/null || true
}
trap 'end_all; rm -rf "$scratch"' EXIT


start() {
    if [ -e holder.a ]; then
        on a "$launcher" $(places a:1,b:1,c:1) -n 3 "$@" >out 2>err &
    else
        "$launcher" -n 3 "$@" >out 2>err &
    fi
}

# within SECONDS WHAT COMMAND...: it succeeds before so many seconds from $begin are over.
within() {
    limit=$1 what=$2
    shift 2
    until "$@"; do
        [ $(($(date +%s) - begin)) -le "$limit" ] || { cat err >&2; fail "$what"; }
        sleep 0.1
    done
}
# Past the first step, in which ten times as long is waited.
made_checkpoint() { checkpoints run | grep -q '[1-9]'; }
others_ended() { [ -z "$(processes muonscope | grep -vx "$1")" ]; }
is_named() { grep -qE "^muonscope: .*no answer within $timeout s from rank.* $1" err; }
launcher_ended() { [ -z "$(processes "$launchers")" ]; }

# round FAULT RANK
round() {
    of="$1 of rank $2"
    rm -rf run
    begin=$(date +%s)
    start "$muonscope" train $twelve --run run --steps 100000 $every
    started=$!
    within 60 "the run made no checkpoint" made_checkpoint
    victim=$(rank_of "$2")
    [ -n "$victim" ] || fail "no process is rank $2"
    begin=$(date +%s)
    case $1 in
    CUT) link_cut "$(echo a b c | cut -d ' ' -f $(($2 + 1)))" victim= ;;
    *) kill -s "$1" "$victim" ;;
    esac
    within $((timeout + slack)) "after $of others still run" others_ended "$victim"
    took=$(($(date +%s) - begin))
    named=$2
    case $1$2 in
    CUT0) named='(1|2)' ;; # the launcher is with rank 0: what the others say does not reach it
    KILL*) named= ;;       # launchers may see it first
    esac
    [ -z "$named" ] || within $((timeout + slack)) "after $of no rank is named" is_named "$named"
    case $1 in
    STOP) kill -9 "$victim" 2>/dev/null || true ;; # a launcher cannot end what is stopped without this
    CUT) kill -9 $(processes "$launchers") 2>/dev/null || true ;; # it waits for the host that is cut off
    esac
    begin=$(date +%s)
    within $slack "after $of the launcher still runs" launcher_ended
    status=0
    wait $started || status=$?
    [ $status -ne 0 ] || fail "exit status 0 after $of"
    echo "$of: status $status, $took s; $(grep '^muonscope: ' err | head -n 1)"
    [ "$1" != CUT ] || for host in a b c; do link_mend $host; done
    goes_on run "$of" $twelve $every
}

if [ $# -le 3 ]; then
    round STOP 0
    exit 0
fi
for i in $(seq 0 $(($4 - 1))); do
    fault=$(echo STOP KILL CUT | cut -d ' ' -f $((i / 3 % 3 + 1)))
    round "$fault" $((i % 3))
done
