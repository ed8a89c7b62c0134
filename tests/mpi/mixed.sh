#!/bin/sh
# Ranks of unlike devices in one job: device cpu, Vulkan on lavapipe, CUDA's kernels on the CPU, and with `all` Vulkan on SwiftShader too.  In `exact`
# they end with the bits, metrics and spectra of one process on the cpu, with unequal and, with `all`, with equal shares, under interventions, and after
# the devices have changed places.
# Usage: mixed.sh PROGRAM MODULE MPIRUN CUDA_HOST_MODULE [all]
folder=$(cd "$(dirname "$0")" && pwd)
cuda_host=$(realpath "$4")
all=${5:-}
. "$folder/support.sh"
on=$folder/../vulkan/on_device.sh
cpu="--device cpu"
lavapipe="$on lavapipe256 $muonscope train --device vulkan:0"
swiftshader="$on swiftshader $muonscope train --device vulkan:0"
cuda="env MUONSCOPE_CUDA_MODULE=$cuda_host CUDAHOST_THREADS=1 $muonscope train --device cuda-host"

# mixed OPTIONS...: rank 0 on the cpu, the others elsewhere.  A message of Vulkan's validation layer is a fault too.
mixed() {
    fourth=
    [ -z "$all" ] || fourth=": -n 1 $swiftshader $*"
    timeout 300 "$launcher" -n 1 "$muonscope" train $cpu "$@" : -n 1 $cuda "$@" : -n 1 $lavapipe "$@" $fourth >out 2>err || return 1
    ! grep "vulkan validation" out err
}

each="--tracker.every 1 --validation.every 1"
must program train $twelve --run alone --steps 2 $each
hashes >alone.hashes
record alone >alone.record
shares=3,2,1
[ -z "$all" ] || shares=5,1,2,1
must mixed $twelve --run unequal --steps 2 $each --parallel.shares $shares
same_as unequal alone
[ -n "$all" ] || exit 0

must mixed $twelve --run equal --steps 2 $each
same_as equal alone

# What interventions draw, and the logits that they look at.
changed="--intervention.noise 0.1 --intervention.spectral_decay 0.1 --intervention.qk_clip 4 --attention.qk_norm false --init.std 0.4"
must program train $twelve --run changed_alone --steps 2 $each $changed
hashes >changed_alone.hashes
record changed_alone >changed_alone.record
must mixed $twelve --run changed --steps 2 $each $changed
same_as changed changed_alone

# Gradients of noise, by more ranks than there would be micro-steps.
drawn="--preset micro --numerics exact --threads 1 --train.control noise --train.accumulation 1"
must program train $drawn --run drawn_alone --steps 2 $each
hashes >drawn_alone.hashes
record drawn_alone >drawn_alone.record
must mixed $drawn --run drawn --steps 2 $each
same_as drawn drawn_alone

# What those four made goes on with two of them, of which another is rank 0, and ends on one.
must program train $twelve --run straight --steps 4 $each
hashes >straight.hashes
record straight >straight.record
timeout 300 "$launcher" -n 1 $lavapipe --resume equal --steps 3 : -n 1 $cuda --resume equal --steps 3 >out 2>err || { cat err >&2; fail "two devices do not go on"; }
must resume equal --steps 4 --device cpu
same_as equal straight
