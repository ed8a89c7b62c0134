#!/bin/sh
# `exact` on a device ends with the CPU's weights, optimizer state, losses and spectra, bit for bit: whole runs, short runs of
# each variant of training, and runs that change the device halfway.
# Usage: device_bits.sh PROGRAM DEVICE [quick [PART]]     DEVICE: as `muonscope devices` lists it; quick: one whole run, of 10 steps;
#        PART: `variants`, or `changes` of the device, of the way it works (as GPUs do) and of the seed; else both
. "$(dirname "$0")/support.sh"
device=$2 quick=${3:-} part=${4:-both}
case $part in both | variants | changes) ;; *) fail "no part $part: variants, changes" ;; esac
short="--steps 4 --tracker.every=2 --validation.every=2 --checkpoint.every=2"
steps=50
whole="--steps $steps"
if [ "$quick" = quick ]; then
    steps=10
    whole=$short
fi

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
    must micro --run "$name.cpu" --device cpu --tracker.spectrum full "$@"
    hashes >"$name.cpu.hashes"
    must micro --run "$name.device" --device "$device" --tracker.spectrum full "$@"
    grep -q "^device  *$device," out || fail "the run does not say that it is on $device: $(head -n 1 out)"
    same "$name.cpu" "$name.device"
    [ "$(wc -l <"$name.cpu/spectra.jsonl")" -ge 12 ] || fail "$name.cpu/spectra.jsonl has too few lines"
    echo "$name:" $(cat "$name.cpu.hashes")
}

# What real GPUs take on software drivers of Vulkan: kernels for GPUs, bf16 in words, temporaries in several pieces of memory.
as_on_gpus() {
    export MUONSCOPE_VULKAN_GPU=1 MUONSCOPE_VULKAN_PACKED=1 MUONSCOPE_VULKAN_ALLOCATION=4194304
    variant as_on_gpus --steps 2 --tracker.every=1 --train.storage bf16 --train.batch_sequences 96
    awk '/^memory/ { sub(/.*temporaries /, ""); found = $0 + 0 > 4 } END { exit !found }' out ||
        fail "temporaries fit into one piece: give it more sequences"
    unset MUONSCOPE_VULKAN_GPU MUONSCOPE_VULKAN_PACKED MUONSCOPE_VULKAN_ALLOCATION
}

variants() {
    variant whole --steps "$steps"
    variant adamw $whole --optimizer adamw
    variant bf16 $whole --train.storage bf16
    variant adamw_bf16 $whole --optimizer adamw --train.storage bf16
    variant accumulation $short --train.accumulation 2
    variant every_step $short --tracker.every_step sigma_max --muon.decay_mode decoupled --muon.decay 0.2
    [ "$(wc -l <every_step.device/sigma_max.jsonl)" -eq 5 ] || fail "sigma_max.jsonl has not a line for each step"
    variant bf16_master $short --train.master bf16
    variant noise $short --train.control noise
    variant shuffled_targets $short --train.control shuffled_targets
    variant qk_clip $short --intervention.qk_clip 3 --attention.qk_norm=false --init.std 0.3 --train.storage bf16
    variant split_matrices $short --attention.merged=false
    variant split_update $short --muon.split=per_head
    variant untied_swiglu $short --model.tied_head=false --model.activation=swiglu --model.residual_scale=learned_layer \
        --attention.rope_layout=half_split
    variant biases $short --attention.qkv_bias=true --attention.qk_norm=false --attention.rope_scaling=llama3 --attention.rope_factor 8 \
        --attention.rope_base 50 --attention.rope_original_length 24 --train.batch_sequences 24
    variant biases_bf16 $short --attention.qkv_bias=true --train.storage bf16 --model.recompute=true --model.embedding_scale 4
    variant recompute $short --model.recompute=true
    # Sums of attention over more than one block of 4096 positions.
    [ "$quick" = quick ] || variant long --steps 2 --tracker.every=1 --model.sequence_length 4200 --train.batch_sequences 1 \
        --validation.sequences 1
}

# Half the run on one device, half on the other.  A run always validates and tracks its last step: so does the unbroken one.
half=$((steps / 2))
at_half="--validation.every=$half --tracker.every=$half"
halves() {
    must micro --run "$1" --device "$2" --steps "$half" $at_half
    must resume "$1" --device "$3" --steps "$steps"
    same unbroken "$1"
}
changes() {
    case $device in vulkan:*) as_on_gpus ;; esac
    must micro --run unbroken --device cpu --steps "$steps" $at_half
    hashes >unbroken.hashes
    halves cpu_first cpu "$device"
    halves device_first "$device" cpu
    echo "changes of device:" $(cat unbroken.hashes)

    must micro --run other --device "$device" $short --seed 43
    hashes >other.hashes
    must micro --run short --device cpu $short
    hashes >short.hashes
    ! cmp -s other.hashes short.hashes || fail "another seed gives the same weights"
}

[ "$part" = changes ] || variants
[ "$part" = variants ] || changes
