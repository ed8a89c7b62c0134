#!/bin/sh
# What goes wrong with CUDA: a module, driver or GPU that is absent, broken or too old, a device with too little memory, a kernel
# that cannot be launched, a device that is lost.  One line that names the thing, exit status 1, never another device; the CPU
# trains all the same.
# Usage: bad_input.sh PROGRAM MODULE     MODULE: muonscope-cuda-host.so
. "$(dirname "$0")/../end_to_end/support.sh"
module=$(realpath "$2")
export VK_DRIVER_FILES=/nonexistent # other devices are not the matter here

train() {
    "$muonscope" train --preset micro --numerics exact "$@"
}

# no_cuda PATTERN: `devices` says why, the CPU trains, and cuda-host is refused for that reason.
no_cuda() {
    must program devices
    grep -qE '^cuda.* unusable' out || fail "\`devices\` does not list CUDA as unusable: $(cat out)"
    grep -A 2 '^cuda' out | grep -E "$1" || fail "\`devices\` does not say /$1/: $(cat out)"
    must micro --device cpu --run cpu --steps 2
    rm -r cpu
    refuse 1 "no device \"cuda:0\".*$1" train --device cuda:0 --run none
}

echo "-- no module"
export MUONSCOPE_CUDA_MODULE=/nonexistent/module.so
no_cuda "/nonexistent/module.so"
echo broken >broken.so
export MUONSCOPE_CUDA_MODULE="$scratch/broken.so"
no_cuda "broken.so"
unset MUONSCOPE_CUDA_MODULE
built=$muonscope
mkdir alone
cp "$built" "$(dirname "$built")/libmuonscope.so.0" alone
muonscope=$scratch/alone/muonscope # no module stands beside its library
no_cuda "no module muonscope-cuda.so beside libmuonscope"
muonscope=$built
rm -r alone

echo "-- no driver, no device"
export MUONSCOPE_CUDA_MODULE="$module"
export CUDAHOST_DRIVER=0
no_cuda "no NVIDIA driver"
export CUDAHOST_DRIVER=11040
no_cuda "driver for CUDA 11.4, the module was built with [0-9]*\.[0-9]*: update the driver"
unset CUDAHOST_DRIVER
export CUDAHOST_DEVICES=0
no_cuda "no NVIDIA GPU on this machine"
unset CUDAHOST_DEVICES

echo "-- names"
must program devices
grep -qE '^cuda-host +usable ' out || fail "cuda-host is not usable: $(cat out)"
grep -A 3 '^cuda-host' out | grep -q 'exact: yes' || fail "the probe does not allow exact: $(cat out)"
for name in cuda-host:1 cuda:0 cuda; do
    refuse 1 "\"$name\".*cpu.*cuda-host" train --device "$name" --run none
done
[ ! -e none ] || fail "a run folder was made for a device that is refused"

# with NAME=VALUE COMMAND...
with() {
    export "$1"
    name=${1%%=*}
    shift
    status=0
    "$@" || status=$?
    unset "$name"
    return $status
}

echo "-- memory"
refuse 1 "cuda-host has 1\.0 MiB of memory, the plan needs [0-9.]+ MiB" \
    with CUDAHOST_MEMORY=1 train --device cuda-host --run small --steps 2 --train.batch_sequences 64
# Staging and the probe are pinned and allocated before; what follows are variables, then the programs' temporaries.
grep_planned=
for call in $(seq 1 200); do
    rm -rf starved
    status=0
    with CUDAHOST_FAIL=malloc:$call train --device cuda-host --run starved --steps 1 >out 2>err || status=$?
    # Without the memory that measuring the peak takes, the run goes on.
    if [ $status -eq 0 ] && grep -q 'peak not measured' err; then continue; fi
    [ $status -ne 0 ] || break
    [ $status -eq 1 ] && [ "$(grep -c '^muonscope: ' err)" -eq 1 ] || fail "allocation $call: status $status: $(cat err)"
    grep -qE '^muonscope: .*(no memory for [0-9]+ bytes; [0-9]+ bytes are held, [0-9]+ of [0-9]+ are free|pinning memory: cudaErrorMemoryAllocation)' err ||
        fail "allocation $call: $(cat err)"
    ! grep -qE 'planned [0-9.]+ MiB in all.*no memory' err || grep_planned="$grep_planned $call"
done
[ $status -eq 0 ] || fail "200 allocations were made to fail and there are more"
tail -n 1 err
[ "$(echo "$grep_planned" | wc -w)" -ge 20 ] || fail "the plan was named for the allocations$grep_planned only"
echo "allocations that failed: $((call - 1)), with the plan named: $(echo "$grep_planned" | wc -w)"

echo "-- kernels that cannot be launched"
# Those before are the probe's, and those that measure the peak, without which the run goes on.
for launch in 40 60; do
    refuse 1 "[a-z0-9_]+ \(node [0-9]+, layer -?[0-9]+\): [a-z0-9_]+: [a-z0-9]+\[[0-9,]*\].* ->.*: launch: cudaErrorLaunchFailure" \
        with CUDAHOST_FAIL=launch:$launch train --device cuda-host --run unlaunched_$launch --steps 2
done

echo "-- a lost device"
refuse 1 "cuda.*cudaErrorLaunchFailure" with CUDAHOST_FAIL=lost:1 train --device cuda-host --run lost_at_once
for wait in 150 151; do
    rm -rf lost
    refuse 1 "cuda.*(cudaErrorLaunchFailure|is lost)" \
        with CUDAHOST_FAIL=lost:$wait train --device cuda-host --run lost --steps 1000 --checkpoint.every=2
    newest=$(ls lost/checkpoints | sort | tail -n 1 | sed 's/step_0*//')
    [ "${newest:-0}" -ge 2 ] || fail "the device was lost before the first checkpoint: test a later wait"
    # The checkpoint before the loss is good: what follows from it is what would have come.
    must resume lost --device cpu --steps $((newest + 3))
    hashes >lost.hashes
    must micro --run whole --device cpu --steps $((newest + 3))
    hashes >whole.hashes
    rm -r whole
    cmp whole.hashes lost.hashes || fail "resumed after wait $wait: other weights"
done
