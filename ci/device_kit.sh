#!/bin/sh
# Makes what can be carried to a machine that has an NVIDIA GPU, and neither a network nor packages nor a compiler: program, CUDA module,
# the test of fragments (tests/cuda_device), the libraries that ldd names, and device_day.sh, which runs them there.  Needs nvcc 13
# (ci/cuda.sh).  Takes some minutes of processor time for each target.
# Usage: ci/device_kit.sh [--targets LIST] [--build DIR] FILE.tar.gz
#   --targets LIST   CUDA architectures as CMake takes them, with semicolons (default 90-real: H100, H200)
#   --build DIR      folder of the build (default build/kit); what is built there already is not built again
# The kit runs on x86-64 with glibc 2.34 or newer, and is refused here if it needs a newer one, or is larger than 30 MB.
set -eu
cd "$(dirname "$0")/.."
newest_glibc=2.34
most_bytes=30000000

fail() {
    echo "device_kit.sh: $1" >&2
    exit 1
}
refuse() {
    echo "device_kit.sh: $1" >&2
    exit 2
}
usage() {
    echo "usage: ci/device_kit.sh [--targets LIST] [--build DIR] FILE.tar.gz" >&2
    exit 2
}
targets=90-real
build=build/kit
while [ $# -gt 1 ]; do
    case $1 in
    --targets) targets=$2 ;;
    --build) build=$2 ;;
    *) usage ;;
    esac
    shift 2
done
[ $# -eq 1 ] || usage
case $1 in
-*) usage ;;
*.tar.gz) kit=$1 ;;
*) refuse "$1: the kit's name ends in .tar.gz" ;;
esac
echo "$targets" | grep -Eqx '[0-9]+[af]?(-real|-virtual)?(;[0-9]+[af]?(-real|-virtual)?)*' ||
    refuse "--targets $targets: CUDA architectures with semicolons, like 80-real;90-real"
# can_hold FOLDER: it can be written to, or made.
can_hold() {
    folder=$1
    while [ ! -e "$folder" ]; do folder=$(dirname "$folder"); done
    [ -d "$folder" ] && [ -w "$folder" ]
}
[ -n "$build" ] && can_hold "$build" || refuse "--build $build: no folder, and none can be made there"
[ ! -d "$kit" ] && can_hold "$(dirname "$kit")" || refuse "$kit cannot be written"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM
stage=$work/kit

# logged WHAT COMMAND...: silent unless it fails.
logged() {
    what=$1
    shift
    echo "device_kit.sh: $what"
    "$@" >"$work/log" 2>&1 || {
        tail -20 "$work/log" >&2
        fail "$what failed"
    }
}
logged "configuring $build for $targets" cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DMS_NATIVE=OFF -DMS_TESTS=OFF \
    -DMS_CUDA=ON "-DMS_CUDA_ARCHITECTURES=$targets"
nvcc=$(sed -n 's/^MS_NVCC:[A-Z]*=//p' "$build/CMakeCache.txt")
[ -x "$nvcc" ] || fail "no nvcc 13 was found: ci/cuda.sh build/cuda gets one"
logged "building" cmake --build "$build" --parallel
[ -e "$build/muonscope-cuda.so" ] || fail "the CUDA module was not built: see 'CUDA backend' in what cmake says"
logged "installing" cmake --install "$build" --strip --prefix "$stage"
rm -rf "$stage/include" "$stage/share" "$stage/lib/cmake" "$stage/lib/pkgconfig"

# As code for each real target: 90-real is sm_90, a number without -real is PTX too.
codes=
for target in $(echo "$targets" | tr ';' ' '); do
    number=${target%%-*}
    codes="$codes -gencode=arch=compute_$number,code=sm_$number"
done
# shellcheck disable=SC2086
logged "compiling the test of fragments" "$nvcc" -std=c++17 -O2 -I. $codes -Xcompiler -static-libstdc++ -Xlinker --gc-sections -o "$stage/bin/fragments" tests/cuda_device/fragments.cu
strip "$stage/bin/fragments"

# All libraries that the loader takes from this system, but those of glibc, and libgcc_s that is bound to it, which must be the other
# machine's own.
installed=$(find "$stage" -type f \( -name 'muonscope' -o -name '*.so' -o -name '*.so.*' \))
[ -n "$installed" ] || fail "nothing was installed"
for file in $installed; do
    ldd "$file" | sed -n 's,.* => \(/[^ ]*\) .*,\1,p'
done | sort -u >"$work/libraries"
if grep -q . "$work/libraries"; then :; else fail "ldd names no library"; fi
while read -r library; do
    case $(basename "$library") in
    libc.so.* | libm.so.* | libpthread.so.* | libdl.so.* | librt.so.* | ld-linux* | libgcc_s.so.*) continue ;;
    libmuonscope.so.*) continue ;;
    esac
    cp -L "$library" "$stage/lib/"
done <"$work/libraries"
# Vulkan's loader is opened at run time; a driver for servers comes without it.
vulkan_loader=$(ldconfig -p | sed -n 's/.*libvulkan\.so\.1 .*=> //p' | head -n 1)
[ -z "$vulkan_loader" ] || cp -L "$vulkan_loader" "$stage/lib/"
chmod -R u+w "$stage"
find "$stage/lib" -maxdepth 1 -name '*.so*' -type f -exec strip --strip-unneeded {} + 2>/dev/null || true
cp ci/device_day.sh "$stage/"

# What the kit asks of the other machine's glibc.
needed=$(find "$stage" -type f \( -path '*/bin/*' -o -name '*.so*' \) -exec objdump -T {} + 2>/dev/null |
    sed -n 's/.*(\{0,1\}GLIBC_\([0-9.]*\)).*/\1/p;s/.* GLIBC_\([0-9.]*\) .*/\1/p' | sort -uV | tail -1)
[ -n "$needed" ] || fail "no version of glibc was found in the kit"
[ "$(printf '%s\n%s\n' "$needed" "$newest_glibc" | sort -V | tail -1)" = "$newest_glibc" ] ||
    fail "the kit needs glibc $needed, newer than $newest_glibc: $(find "$stage" -type f -exec sh -c 'objdump -T "$1" 2>/dev/null |
        grep -q "GLIBC_$2[) ]" && basename "$1"' sh {} "$needed" \; | tr '\n' ' ')"

mkdir -p "$(dirname "$kit")"
tar -C "$work" --owner=0 --group=0 -czf "$work/kit.tar.gz" kit
bytes=$(wc -c <"$work/kit.tar.gz")
[ "$bytes" -le "$most_bytes" ] || fail "the kit has $bytes bytes, more than $most_bytes"
mv "$work/kit.tar.gz" "$kit"
echo "device_kit.sh: $kit: $bytes bytes, $(find "$stage" -name '*.so*' -type f | wc -l) libraries, glibc $needed or newer, $targets"
