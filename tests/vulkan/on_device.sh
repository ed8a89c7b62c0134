#!/bin/sh
# Runs COMMAND where one software device is all of Vulkan, so that it is vulkan:0: lavapipe (Mesa) at three vector widths, which
# are three subgroup sizes, or SwiftShader; or where lavapipe at 256 bits and SwiftShader are vulkan:0 and vulkan:1, in any
# order.  Our program runs under the validation layer and takes each of its messages for an error.  Compiled shaders are kept in build/vulkan_cache.
# Usage: tests/vulkan/on_device.sh lavapipe128|lavapipe256|lavapipe512|swiftshader|both COMMAND...
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)

fail() {
    echo "on_device.sh: $1" >&2
    exit 1
}

[ $# -ge 2 ] || {
    echo "usage: on_device.sh lavapipe128|lavapipe256|lavapipe512|swiftshader|both COMMAND..." >&2
    exit 2
}
device=$1
shift
# Debian 12's name for it, then Debian 13's.
lavapipe=/usr/share/vulkan/icd.d/lvp_icd.$(uname -m).json
[ -r "$lavapipe" ] || lavapipe=/usr/share/vulkan/icd.d/lvp_icd.json
swiftshader=$root/build/swiftshader/vk_swiftshader_icd.json
need() {
    [ -r "$1" ] || fail "no $1: $2"
}
case $device in
lavapipe128 | lavapipe256 | lavapipe512 | both)
    need "$lavapipe" "install mesa-vulkan-drivers (ci/setup.sh does)"
    VK_DRIVER_FILES=$lavapipe
    width=${device#lavapipe}
    [ "$device" != both ] || width=256
    export LP_NATIVE_VECTOR_WIDTH="$width"
    # Tests run beside each other, each on one processor.  At 512 bits the driver brings a thread for each processor.
    [ "$device" = lavapipe512 ] || export LP_NUM_THREADS=1
    # Fresh memory is not zero, as on a GPU.
    export LVP_POISON_MEMORY=1
    ;;
swiftshader) VK_DRIVER_FILES= ;;
*) fail "no device $device" ;;
esac
case $device in
swiftshader | both)
    need "$swiftshader" "run ci/swiftshader.sh build/swiftshader"
    VK_DRIVER_FILES=${VK_DRIVER_FILES:+$VK_DRIVER_FILES:}$swiftshader
    ;;
esac
export VK_DRIVER_FILES
export MUONSCOPE_VULKAN_VALIDATION=1
# Mesa's cache, and that of everything else that keeps one.
export XDG_CACHE_HOME="$root/build/vulkan_cache/$device"
export MESA_SHADER_CACHE_DIR="$XDG_CACHE_HOME"
mkdir -p "$XDG_CACHE_HOME"
exec "$@"
