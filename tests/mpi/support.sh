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
