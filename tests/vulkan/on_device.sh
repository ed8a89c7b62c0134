#!/bin/sh
# Runs COMMAND where one software device is all of Vulkan, so that it is vulkan:0: lavapipe (Mesa) at three vector widths, which
# are three subgroup sizes, or SwiftShader.  Our program runs under the validation layer and takes each of its messages for an
# error.  Compiled shaders are kept in build/vulkan_cache.
# Usage: tests/vulkan/on_device.sh lavapipe128|lavapipe256|lavapipe512|swiftshader COMMAND...
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)

fail() {
    echo "on_device.sh: $1" >&2
    exit 1
}

[ $# -ge 2 ] || {
    echo "usage: on_device.sh lavapipe128|lavapipe256|lavapipe512|swiftshader COMMAND..." >&2
    exit 2
}
device=$1
shift
case $device in
lavapipe128 | lavapipe256 | lavapipe512)
    # Debian 12's name for it, then Debian 13's.
    VK_DRIVER_FILES=/usr/share/vulkan/icd.d/lvp_icd.$(uname -m).json
    [ -r "$VK_DRIVER_FILES" ] || VK_DRIVER_FILES=/usr/share/vulkan/icd.d/lvp_icd.json
    missing="install mesa-vulkan-drivers (ci/setup.sh does)"
    export LP_NATIVE_VECTOR_WIDTH="${device#lavapipe}"
    # Tests run beside each other, each on one processor.  At 512 bits the driver brings a thread for each processor.
    [ "$device" = lavapipe512 ] || export LP_NUM_THREADS=1
    # Fresh memory is not zero, as on a GPU.
    export LVP_POISON_MEMORY=1
    ;;
swiftshader)
    VK_DRIVER_FILES=$root/build/swiftshader/vk_swiftshader_icd.json
    missing="run ci/swiftshader.sh build/swiftshader"
    ;;
*) fail "no device $device" ;;
esac
[ -r "$VK_DRIVER_FILES" ] || fail "no $VK_DRIVER_FILES: $missing"
export VK_DRIVER_FILES
export MUONSCOPE_VULKAN_VALIDATION=1
# Mesa's cache, and that of everything else that keeps one.
export XDG_CACHE_HOME="$root/build/vulkan_cache/$device"
export MESA_SHADER_CACHE_DIR="$XDG_CACHE_HOME"
mkdir -p "$XDG_CACHE_HOME"
exec "$@"
