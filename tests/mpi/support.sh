# For the scripts of this folder: SCRIPT PROGRAM MODULE MPIRUN [...].  Beside what tests/end_to_end/support.sh has: ranks.
. "$(dirname "$0")/../end_to_end/support.sh"
export MUONSCOPE_MPI_MODULE=$(realpath "$2") OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_hwloc_base_binding_policy=none OMPI_MCA_plm_rsh_agent=sh
launcher=$3
twelve="--preset micro --numerics exact --threads 1 --train.batch_sequences 1 --train.accumulation 12"

# ranks N OPTIONS...: `train` by N ranks, as `program`.
ranks() {
    n=$1
    shift
    timeout 60 "$launcher" -n "$n" "$muonscope" train "$@" >out 2>err
}

# two SUBCOMMAND OPTIONS... : OPTIONS...: two ranks, each with its own.
two() {
    subcommand=$1 first=
    shift
    while [ "$1" != : ]; do
        first="$first $1"
        shift
    done
    shift
    timeout 60 "$launcher" -n 1 "$muonscope" $subcommand $first : -n 1 "$muonscope" $subcommand "$@" >out 2>err
}
# said STATUS PATTERN COMMAND...: one line from one of the ranks.  Launchers add their own.
said() {
    expected=$1 pattern=$2
    shift 2
    status=0
    "$@" || status=$?
    [ "$status" -eq "$expected" ] || { cat err >&2; fail "exit status $status, not $expected, of: $*"; }
    [ "$(grep -c '^muonscope: ' err)" -eq 1 ] || { cat err >&2; fail "not one line of error from: $*"; }
    grep '^muonscope: ' err
    grep -qE "^muonscope: .*($pattern)" err || fail "the message lacks /$pattern/: $*"
}

# checkpoints RUN: whole ones; a temporary name is what a kill leaves.
checkpoints() { ls "$1/checkpoints" 2>/dev/null | grep -xE 'step_[0-9]+' || true; }
# last_checkpoint RUN: its step.
last_checkpoint() { checkpoints "$1" | sed 's/step_0*//' | sort -n | tail -n 1; }
# goes_on RUN WHAT OPTIONS...: a run with these options, after WHAT from its last checkpoint by two ranks, ends as by one process.
goes_on() {
    disturbed=$1 disturbance=$2
    shift 2
    end=$(($(last_checkpoint "$disturbed") / 20 * 20 + 20))
    must ranks 2 --resume "$disturbed" --steps $end
    hashes >after.hashes
    if [ ! -e straight.$end ]; then
        must program train "$@" --run straight --steps $end
        hashes >straight.$end
        rm -rf straight
    fi
    cmp after.hashes straight.$end || fail "another end after $disturbance"
}
