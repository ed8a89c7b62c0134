#!/bin/sh
# `exact` on a device ends with the CPU's weights, optimizer state, losses and spectra, bit for bit: a whole run, short runs of
# each variant of training, and runs that change the device halfway.
# Usage: same_bits.sh PROGRAM DEVICE [quick]     DEVICE: as `muonscope devices` lists it; quick: a shorter whole run
. "$(dirname "$0")/../end_to_end/support.sh"
device=$2
steps=50
[ "${3:-}" != quick ] || steps=10
short="--steps 4 --tracker.every=2 --validation.every=2 --checkpoint.every=2"

# same RUN OTHER: the run that just ended, OTHER, ended as RUN did, whose hashes are in RUN.hashes.
same() {
    hashes >"$2.hashes"
    cmp "$1.hashes" "$2.hashes" || fail "$2 ends with other weights or state than $1"
    record "$1" >"$1.record"
    record "$2" >"$2.record"
    cmp "$1.record" "$2.record" || fail "$2 recorded other losses or spectra than $1"
}

# variant NAME OPTIONS...: on the CPU and on the device.
variant() {
    name=$1
    shift
    must micro --run "$name.cpu" --device cpu "$@"
    hashes >"$name.cpu.hashes"
    must micro --run "$name.device" --device "$device" "$@"
    grep -q "^device  *$device," out || fail "the run does not say that it is on $device: $(head -n 1 out)"
    same "$name.cpu" "$name.device"
    [ "$(wc -l <"$name.cpu/spectra.jsonl")" -ge 12 ] || fail "$name.cpu/spectra.jsonl has too few lines"
    echo "$name: $(head -n 1 "$name.cpu.hashes")"
}

variant whole --steps "$steps"
variant accumulation $short --train.accumulation 2
variant adamw $short --optimizer adamw
variant split_matrices $short --attention.merged=false
variant split_update $short --muon.split=per_head
variant untied_swiglu $short --model.tied_head=false --model.activation=swiglu --model.residual_scale=learned_layer \
    --attention.rope_layout=half_split
variant recompute $short --model.recompute=true
variant bf16 $short --train.storage bf16

# What real GPUs take on software drivers: kernels for GPUs, bf16 in words, temporaries in several pieces of memory.
export MUONSCOPE_VULKAN_GPU=1 MUONSCOPE_VULKAN_PACKED=1 MUONSCOPE_VULKAN_ALLOCATION=4194304
variant as_on_gpus --steps 2 --tracker.every=1 --train.storage bf16 --train.batch_sequences 96
awk '/^memory/ { sub(/.*temporaries /, ""); found = $0 + 0 > 4 } END { exit !found }' out ||
    fail "temporaries fit into one piece: give it more sequences"
unset MUONSCOPE_VULKAN_GPU MUONSCOPE_VULKAN_PACKED MUONSCOPE_VULKAN_ALLOCATION

# Half the run on one device, half on the other.  A run always validates and tracks its last step: so does the unbroken one.
half=$((steps / 2))
at_half="--validation.every=$half --tracker.every=$half"
halves() {
    must micro --run "$1" --device "$2" --steps "$half" $at_half
    must resume "$1" --device "$3" --steps "$steps"
    same unbroken "$1"
}
must micro --run unbroken --device cpu --steps "$steps" $at_half
hashes >unbroken.hashes
halves cpu_first cpu "$device"
halves device_first "$device" cpu
echo "changes of device: $(head -n 1 unbroken.hashes)"

must micro --run other --device "$device" $short --seed 43
hashes >other.hashes
must micro --run short --device cpu $short
hashes >short.hashes
! cmp -s other.hashes short.hashes || fail "another seed gives the same weights"
