#!/bin/sh
# Which subcommands may be one of several processes of a launcher of MPI: the others are refused by one line of rank 0 before they do
# anything, unless MUONSCOPE_PARALLEL=none makes each process work for itself.  No launcher is needed: what it tells them is set here.
# Usage: launched.sh PROGRAM
. "$(dirname "$0")/support.sh"

# by LAUNCHER RANK COMMAND...: as one of two processes.
by() {
    launcher=$1 rank=$2
    shift 2
    case $launcher in
    openmpi) env OMPI_COMM_WORLD_SIZE=2 OMPI_COMM_WORLD_RANK="$rank" "$@" ;;
    hydra) env PMI_SIZE=2 PMI_RANK="$rank" "$@" ;;
    slurm) env SLURM_STEP_NUM_TASKS=2 SLURM_PROCID="$rank" "$@" ;;
    esac
}

# Every subcommand, and all that it has.
alone="generate evaluate plot phases compare study report analyze watch export tracker"
# refused LAUNCHER NAME TEXT: rank 0 says it.
refused() {
    refuse 2 "$2 is work for one process, and $3 has started 2: .*MUONSCOPE_PARALLEL=none" by "$1" 0 "$muonscope" $2
}
# silent LAUNCHER NAME: rank 1 leaves it to rank 0.
silent() {
    status=0
    by "$1" 1 "$muonscope" $2 >out 2>err || status=$?
    [ "$status" -eq 2 ] || fail "exit status $status of rank 1: $2"
    [ ! -s out ] && [ ! -s err ] || fail "rank 1 says something, too: $2"
}
for name in $alone tokenizer "data prepare" "data decode" "bench train"; do refused openmpi "$name" "mpirun of Open MPI"; done
refused hydra study mpirun
silent hydra "data prepare"
refused slurm study srun
named=$("$muonscope" --help | sed -n '/^Subcommands:/,/^$/s/^  \([a-z]*\) .*/\1/p' | sort | tr '\n' ' ')
[ "$named" = "$(printf '%s\n' $alone tokenizer data train bench devices verify | sort | tr '\n' ' ')" ] || fail "a subcommand is not tried here: $named"

refuse 2 "makes its ranks itself, and mpirun has started 2 processes" by hydra 0 "$muonscope" verify --parallel 2 --device cpu
silent hydra "verify --parallel 2"

# The rest says what is on this host, or asks for another reason.
must by slurm 1 "$muonscope" devices >devices
[ -s devices ] || fail "devices says nothing"
must by slurm 1 "$muonscope" study --help >help
refuse 1 "nowhere" by slurm 0 "$muonscope" data info nowhere
must by slurm 1 "$muonscope" --version >version

# Each for itself.
export MUONSCOPE_PARALLEL=none
refuse 1 "nowhere" by hydra 1 "$muonscope" analyze nowhere
must by hydra 1 "$muonscope" train --preset micro --steps 1 --run run --checkpoint.every 0 >trained 2>err
grep -q '^steps  *1$' trained || fail "train did not train"
export MUONSCOPE_PARALLEL=mpi
refuse 2 "MUONSCOPE_PARALLEL=mpi: must be none or auto" by hydra 0 "$muonscope" analyze nowhere
refuse 2 "MUONSCOPE_PARALLEL=mpi: must be none or auto" by hydra 0 "$muonscope" train --preset micro --steps 1 --run other
