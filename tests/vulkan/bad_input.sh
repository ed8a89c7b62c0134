#!/bin/sh
# What goes wrong with Vulkan: drivers, loader and layers that are absent or broken, devices that do not exist, that have too little
# memory, or are lost.  One line that names the thing, exit status 1, never another device; without Vulkan the CPU still trains.
# Usage: bad_input.sh PROGRAM FAULT_LAYER_FOLDER [brief]     where vulkan:0 works; the folder holds fault_layer.json; brief: memory
# and device are lost at fewer points
. "$(dirname "$0")/../end_to_end/support.sh"
layer_folder=$(realpath "$2")
good_driver=$VK_DRIVER_FILES
brief=${3:-}
memory_calls="1 2 3 4 5 6 12 20"
# After the start, its checkpoint and what the tracker would wait for: two waits a step.
steps_of_loss="105 110 121"
[ -z "$brief" ] || memory_calls="1 6" steps_of_loss="105 110"

train() {
    "$muonscope" train --preset micro --numerics exact "$@"
}

# no_vulkan PATTERN: `devices` says why, the CPU trains, and vulkan:0 is refused for that reason.
no_vulkan() {
    must program devices
    grep -iE '^vulkan.* unusable' out || fail "\`devices\` does not list Vulkan as unusable: $(cat out)"
    ! grep -q ' 0\.0 GiB' out || fail "a backend without a device has no memory to list: $(cat out)"
    grep -A 2 -i '^vulkan' out | grep -E "$1" || fail "\`devices\` does not say /$1/: $(cat out)"
    must micro --device cpu --run cpu --steps 2
    rm -r cpu
    refuse 1 "vulkan:0.*($1)|($1).*vulkan:0" train --device vulkan:0 --run none
}

echo "-- variables that are no numbers"
for variable in WORK WORKGROUPS INVOCATIONS ALLOCATION QUEUES; do
    export MUONSCOPE_VULKAN_$variable=abc
    no_vulkan "MUONSCOPE_VULKAN_$variable is .abc., must be"
    unset MUONSCOPE_VULKAN_$variable
done

echo "-- no Vulkan"
export VK_DRIVER_FILES=/nonexistent
no_vulkan "driver"
echo '{"file_format_version": "1.0.0", "ICD": {"library_path": "/nonexistent.so", "api_version": "1.2.0"}}' >dangling.json
export VK_DRIVER_FILES="$scratch/dangling.json"
no_vulkan "driver"
echo 'not JSON' >broken.json
export VK_DRIVER_FILES="$scratch/broken.json"
# What the loader calls this differs between its versions.
no_vulkan "creating an instance.*VK_ERROR|driver"
export VK_DRIVER_FILES="$good_driver"
# A file that is no library stands before the real one.
mkdir loader
echo broken | tee loader/libvulkan.so.1 >loader/libvulkan.so
export LD_LIBRARY_PATH="$scratch/loader"
no_vulkan "loader"
unset LD_LIBRARY_PATH
mkdir no_layers
export VK_LAYER_PATH="$scratch/no_layers"
no_vulkan "VK_LAYER_KHRONOS_validation"
unset VK_LAYER_PATH

echo "-- names"
for name in vulkan:1 vulkan:00 vulkan:-1 vulkan: vulkan vulkan:nothing vulkan:00000000-0000-0000-0000-000000000001 vulkan:0x; do
    refuse 1 "\"$name\".*cpu, vulkan:0" train --device "$name" --run none
done
[ ! -e none ] || fail "a run folder was made for a device that is refused"

# with_fault FAULT COMMAND...: see fault_layer.c.
with_fault() {
    export VULKAN_FAULT="$1" VK_ADD_LAYER_PATH="$layer_folder" VK_INSTANCE_LAYERS=VK_LAYER_MUONSCOPE_fault
    shift
    status=0
    "$@" || status=$?
    unset VULKAN_FAULT VK_ADD_LAYER_PATH VK_INSTANCE_LAYERS
    return $status
}

echo "-- memory"
memory=-2
for call in $memory_calls; do
    refuse 1 "vulkan:0 .*no memory for [0-9]+ bytes" \
        with_fault vkAllocateMemory:$call:$memory train --device vulkan:0 --run starved_$call --steps 2
done

echo "-- pipelines"
# The first is the probe's; the others are compiled several at a time.
refuse 1 "vulkan:0.*pipeline probe \\(exact, [a-z0-9 -]+; constants [0-9 ]+\\): .*OUT_OF_DEVICE_MEMORY" \
    with_fault vkCreateComputePipelines:1:$memory train --device vulkan:0 --run uncompiled --steps 2
refuse 1 "vulkan:0.*pipeline [a-z_0-9]+ \\(exact, [a-z0-9 -]+; constants [0-9 ]+\\): .*OUT_OF_DEVICE_MEMORY" \
    with_fault vkCreateComputePipelines:3:$memory train --device vulkan:0 --run uncompiled --steps 2

echo "-- a lost device"
lost=-4
refuse 1 "vulkan:0 .*DEVICE_LOST" with_fault vkQueueSubmit:1:$lost train --device vulkan:0 --run lost_at_once
# In the middle of a step: the ops at work are named, whatever is closed afterwards.
named=0
for call in $steps_of_loss; do
    rm -rf lost
    refuse 1 "vulkan:0 .*DEVICE_LOST" with_fault "vkWaitSemaphores:$call:$lost" train --device vulkan:0 --run lost --steps 1000 \
        --track_manifold false
    grep -Eq "at work on [a-z_]+ \(node [0-9]+, layer -?[0-9]+\)" err && named=$((named + 1))
done
[ "$named" -gt 0 ] || fail "a device was lost several times, and no op was named"
[ -z "$brief" ] || exit 0
for call in vkQueueSubmit:400 vkWaitSemaphores:400; do
    rm -rf lost
    refuse 1 "vulkan:0 .*DEVICE_LOST" with_fault "$call:$lost" train --device vulkan:0 --run lost --steps 1000 --checkpoint.every=2
    newest=$(ls lost/checkpoints | sort | tail -n 1 | sed 's/step_0*//')
    [ "${newest:-0}" -ge 2 ] || fail "the device was lost before the first checkpoint: test a later call"
    # The checkpoint before the loss is good: what follows from it is what would have come.
    must resume lost --device cpu --steps $((newest + 3))
    hashes >lost.hashes
    must micro --run whole --device cpu --steps $((newest + 3))
    hashes >whole.hashes
    rm -r whole
    cmp whole.hashes lost.hashes || fail "resumed after $call: other weights"
done
