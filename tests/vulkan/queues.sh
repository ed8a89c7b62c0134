#!/bin/sh
# Downloads beside the device's work, on a driver that is given one queue, two, or a second family that only copies, and that does
# work as late as it may (queues_layer.c): the backend's own test, whole and with memory in small pieces, and a training run whose
# weights and spectra must be the CPU's.
# Usage: queues.sh PROGRAM TEST LAYER_FOLDER      where vulkan:0 works; the folder holds queues_layer.json
. "$(dirname "$0")/../end_to_end/support.sh"
test_program=$(realpath "$2")
layer_folder=$(realpath "$3")

# with_queues one|two|family COMMAND...  The layer must lie below the validation layer, which then judges what is done with its
# queues: the loader goes by the order of the folders, not by that of the names.
validation_folder=/usr/share/vulkan/explicit_layer.d
[ -r $validation_folder/VkLayer_khronos_validation.json ] || fail "no validation layer in $validation_folder"
with_queues() {
    export VULKAN_QUEUES="$1" VK_LAYER_PATH="$validation_folder:$layer_folder" VK_INSTANCE_LAYERS=VK_LAYER_MUONSCOPE_queues
    shift
    status=0
    "$@" || status=$?
    unset VULKAN_QUEUES VK_LAYER_PATH VK_INSTANCE_LAYERS
    return $status
}

must micro --device cpu --run cpu --steps 10 --tracker.every 2 --train.accumulation 2
hashes >cpu.hashes
for queues in one two family; do
    echo "-- $queues"
    with_queues $queues "$test_program" "$layer_folder/libqueues_layer.so" || fail "$queues"
    MUONSCOPE_VULKAN_ALLOCATION=4194304 with_queues $queues "$test_program" "$layer_folder/libqueues_layer.so" || fail "$queues, in pieces"
    must with_queues $queues micro --device vulkan:0 --run $queues --steps 10 --tracker.every 2 --train.accumulation 2
    hashes >$queues.hashes
    cmp cpu.hashes $queues.hashes || fail "$queues: other weights"
    cmp cpu/spectra.jsonl $queues/spectra.jsonl || fail "$queues: other spectra"
done
[ "$(wc -l <cpu/spectra.jsonl)" -gt 0 ] || fail "no spectra were compared"
with_queues two "$muonscope" devices | grep -A 3 '^vulkan:0' | grep 'a second queue for downloads' || fail "\`devices\` does not tell of the second queue"
MUONSCOPE_VULKAN_QUEUES=1 with_queues two "$muonscope" devices | grep -A 3 '^vulkan:0' | grep '; one queue' || fail "MUONSCOPE_VULKAN_QUEUES=1 does nothing"
