#!/bin/sh
# A signal to mpirun, to rank 0 or to another rank: all stop after the same step, all is saved, rank 0 says it once, the exit status is 128 + the signal,
# nobody is left, and the run goes on to the same end.  Where mpirun itself ends the ranks (SIGINT, SIGTERM), they are gone and the run goes on.
# Usage: signals.sh PROGRAM MODULE MPIRUN [all]
. "$(dirname "$0")/support.sh"

# pid_of RANK: of this script's job.
pid_of() {
    for process in $(pgrep -x muonscope); do
        cat "/proc/$process/cmdline" 2>/dev/null | tr '\0' '\n' | grep -qx "$scratch/run" || continue
        cat "/proc/$process/environ" 2>/dev/null | tr '\0' '\n' | grep -qxE "(OMPI_COMM_WORLD_RANK|PMI_RANK)=$1" && echo "$process"
    done
    true
}
# await LIMIT COMMAND...: until it succeeds, so many seconds at most.
await() {
    tenths=$(($1 * 10))
    shift
    until "$@"; do
        tenths=$((tenths - 1))
        [ $tenths -gt 0 ] || return 1
        sleep 0.1
    done
}
runs() { [ -s run/metrics.jsonl ]; }
is_over() { ! kill -0 "$started" 2>/dev/null; }
are_gone() { [ -z "$(pid_of 0)$(pid_of 1)$(pid_of 2)" ]; }
last_step() { tail -n 1 run/metrics.jsonl | sed -E 's/^\{"step":([0-9]+),.*/\1/'; }

# send SIGNAL TARGET: to a run of three ranks; mpirun's exit status in $status.
send() {
    rm -rf run
    "$launcher" -n 3 "$muonscope" train $twelve --validation.every 0 --log.every 1000000 --run "$scratch/run" --steps 1000000 >out 2>err &
    started=$!
    await 60 runs || { cat out err >&2; fail "no step in 60 s"; }
    if [ "$2" = mpirun ]; then to=$started; else to=$(pid_of "$2"); fi
    kill -s "$1" "$to"
    await 30 is_over || { pkill -9 -f "$scratch/run" || true; kill -9 "$started"; cat err >&2; fail "SIG$1 to $2: the job goes on after 30 s"; }
    status=0
    wait "$started" || status=$?
    await 30 are_gone || fail "SIG$1 to $2: ranks are left"
    echo "SIG$1 to $2: status $status, step $(last_step), checkpoint $(last_checkpoint run)"
}

# stops SIGNAL TARGET
stops() {
    send "$1" "$2"
    expected=$((128 + $(/bin/kill -l "$1")))
    # MPICH's mpirun ends with 0 or that after a signal of its own.
    case "$launcher $2" in *mpich\ mpirun) expected=$status ;; esac
    [ $status -eq $expected ] || { cat err >&2; fail "SIG$1 to $2: exit status $status"; }
    [ "$(last_checkpoint run)" -eq "$(last_step)" ] || fail "SIG$1 to $2: the last step was not saved"
    [ "$(grep -c "^SIG$1: stopped after step $(last_step) of 1000000, everything saved" err)" -eq 1 ] || { cat err >&2; fail "SIG$1 to $2: not said once"; }
    if grep 'muonscope: ' err; then fail "SIG$1 to $2: another message"; fi
}

stops INT 1
goes_on run "a signal" $twelve --validation.every 0
stops TERM 0
stops USR1 mpirun
[ "${4-}" = all ] || exit 0
for signal in INT TERM USR1; do
    for target in 0 1 2; do
        stops $signal $target
        goes_on run "a signal" $twelve --validation.every 0
    done
done
for signal in INT TERM; do
    send $signal mpirun
    goes_on run "a signal" $twelve --validation.every 0
done
