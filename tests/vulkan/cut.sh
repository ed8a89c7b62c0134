#!/bin/sh
# Attention of GPUs that is cut into as many dispatches as it can be, each one submitted by itself, has the bits of attention that is whole,
# in both numerics: a run ends with the same weights and state.
# Usage: cut.sh PROGRAM DEVICE LAYER_FOLDER     in on_device.sh, with MUONSCOPE_VULKAN_GPU=1; the folder has fault_layer's JSON
set -eu
program=$1
device=$2
layer_folder=$3
scratch=$(mktemp -d /tmp/muonscope-cut-XXXXXX)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' INT TERM

fail() {
    echo "FAILED: $1" >&2
    exit 1
}

# hashes NUMERICS NAME: of a short run.
hashes() {
    "$program" train --device "$device" --preset micro --numerics "$1" --steps 3 --run "$scratch/$1_$2" >"$scratch/out"
    grep _sha256 "$scratch/out"
}

for numerics in exact fast; do
    hashes $numerics whole >"$scratch/whole"
    MUONSCOPE_VULKAN_WORK=1 hashes $numerics cut >"$scratch/cut"
    [ "$(grep -c _sha256 "$scratch/whole")" -eq 2 ] || fail "$numerics: a run printed no hashes"
    cmp -s "$scratch/whole" "$scratch/cut" || fail "$numerics: a run whose attention is cut ends with other bits"
done

# It was cut: a device that is lost at the 200th submission ends that run, and not the whole one.
export VULKAN_FAULT=vkQueueSubmit:200:-4 VK_ADD_LAYER_PATH="$layer_folder" VK_INSTANCE_LAYERS=VK_LAYER_MUONSCOPE_fault
hashes fast few >"$scratch/few" || fail "a run of 200 submissions or more, though nothing is cut"
cmp -s "$scratch/few" "$scratch/cut" || fail "a run with the layer ends with other bits"
if MUONSCOPE_VULKAN_WORK=1 hashes fast many 2>"$scratch/lost"; then fail "a run whose attention is cut took fewer than 200 submissions"; fi
grep -q DEVICE_LOST "$scratch/lost" || fail "not a lost device: $(cat "$scratch/lost")"
echo "whole and cut: $(cat "$scratch/cut")"
