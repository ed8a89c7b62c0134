#!/bin/sh
# Shows that an installed tree runs where nothing can be built: installs into an empty prefix, copies that into a minimal Debian 12
# root with the libraries of `packages` and no compiler, lists devices there, trains the demo's model for some steps, and compares
# the hash of `exact`.  Of a device kit it shows that it runs to its end in a root without any of these libraries, where every step that
# needs a GPU says so.  Needs root, debootstrap and a mirror of Debian.  Not part of .ci/run.
# Usage: ci/bare_root.sh BUILD           BUILD: a folder in which muonscope was built
#        ci/bare_root.sh KIT.tar.gz      KIT: made by ci/device_kit.sh
set -eu
cd "$(dirname "$0")/.."
packages=libopenblas0-openmp,liblapacke,libjansson4,libyaml-0-2,libpcre2-8-0,libutf8proc2,zlib1g,libzstd1,libssl3,libgomp1
expected=96bb49c1184add4f524dde2dbdf251afba6a8c888d435c1ead8a6dc8c77f7041

fail() {
    echo "bare_root.sh: $1" >&2
    exit 1
}
refuse() {
    echo "bare_root.sh: $1" >&2
    exit 2
}
[ $# -eq 1 ] || {
    echo "usage: ci/bare_root.sh BUILD | KIT.tar.gz" >&2
    exit 2
}
build=$1
if [ -d "$build" ]; then
    [ -x "$build/muonscope" ] || refuse "no program $build/muonscope: muonscope was not built there"
else
    [ -f "$build" ] || refuse "$build: no such build, and no such kit"
    tar -tzf "$build" kit/device_day.sh >/dev/null 2>&1 || refuse "$build is no kit of ci/device_kit.sh: it has no kit/device_day.sh"
fi
[ "$(id -u)" -eq 0 ] || fail "a root is made by root only"
command -v debootstrap >/dev/null || fail "no debootstrap: install the package of that name"

work=$(mktemp -d)
root=$work/root
finish() {
    umount "$root/proc" 2>/dev/null || true
    rm -rf --one-file-system "$work"
}
trap finish EXIT INT TERM

echo "bare_root.sh: making the root"
if [ ! -d "$build" ]; then
    # On a machine with a GPU there is a driver; here each step is to say what it lacks.
    debootstrap --variant=minbase bookworm "$root" >"$work/log" 2>&1 || fail "debootstrap: $(tail -3 "$work/log")"
    mount -t proc proc "$root/proc"
    tar -C "$root/srv" -xzf "$build"
    begin=$(date +%s)
    chroot "$root" /bin/sh /srv/kit/device_day.sh /srv/results && fail "a kit without a GPU had nothing to say"
    seconds=$(($(date +%s) - begin))
    # said STEP TEXT: a step's output has that text.
    said() {
        grep -q -- "$2" "$root/srv/results/$1.txt" || fail "$1 does not say '$2': $(tail -n 2 "$root/srv/results/$1.txt")"
    }
    said 00_machine "no NVIDIA driver"
    said 01_devices "no NVIDIA driver on this machine"
    grep -q "01_devices: right" "$root/srv/results/summary.txt" || fail "devices fails"
    said 02_fragments "CUDA driver version is insufficient"
    for step in 03_ops 04_runs 05_bench_bf16 06_bench_f32 07_production 08_exact_fast 13_bench_ops 14_exact_hash; do said $step 'no device "cuda:0"'; done
    said 09_profile "no ncu"
    said 10_races "no compute-sanitizer"
    said 11_vulkan_ops "no Vulkan device"
    said 12_vulkan_bench "no Vulkan device"
    tar -tzf "$root/srv/results/results.tar.gz" ./summary.txt >/dev/null || fail "no results.tar.gz"
    found=$(chroot "$root" env LD_LIBRARY_PATH=/srv/kit/lib /srv/kit/bin/muonscope train --preset micro --numerics exact --steps 50 --run /srv/micro |
        sed -n 's/^weights_sha256 *//p')
    [ "$found" = "$expected" ] || fail "weights of micro in exact: $found, not $expected"
    [ "$seconds" -le 120 ] || fail "the kit took $seconds s without a GPU"
    echo "bare_root.sh: the kit runs to its end without a GPU in $seconds s, and micro has the same bits"
    exit
fi
debootstrap --variant=minbase --include=$packages bookworm "$root" >"$work/log" 2>&1 || fail "debootstrap: $(tail -3 "$work/log")"
mount -t proc proc "$root/proc" # the loader asks it where a program stands
cmake --install "$build" --prefix "$root/opt/muonscope" >"$work/log" || fail "cmake --install: $(tail -3 "$work/log")"
MUONSCOPE=$(realpath "$build/muonscope") ci/demo_data.sh "$root/srv/data/demo"

# inside COMMAND: in the root.
inside() {
    chroot "$root" /bin/sh -c "cd /srv && PATH=/opt/muonscope/bin:/usr/bin:/bin && $1"
}
for tool in cc gcc ld cmake pkg-config; do
    if inside "command -v $tool" >/dev/null; then fail "the root has $tool"; fi
done
inside "muonscope devices"
inside "muonscope train --preset tiny --steps 20 --run demo"
# Opened by `watch` alone, and not among the packages.
inside "muonscope watch none --port 0" 2>&1 | grep -q "install the package libmicrohttpd12" || fail "watch does not say what it needs"
found=$(inside "muonscope train --preset micro --numerics exact --steps 50 --run micro" | sed -n 's/^weights_sha256 *//p')
[ "$found" = "$expected" ] || fail "weights of micro in exact: $found, not $expected"
echo "bare_root.sh: the installed tree runs without build tools, with the same bits"
