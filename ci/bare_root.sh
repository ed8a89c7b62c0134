#!/bin/sh
# Shows that an installed tree runs where nothing can be built: installs into an empty prefix, copies that into a minimal Debian 12
# root with the libraries of `packages` and no compiler, lists devices there, trains the demo's model for some steps, and compares
# the hash of `exact`.  Needs root, debootstrap and a mirror of Debian.  Not part of .ci/run.
# Usage: ci/bare_root.sh BUILD      BUILD: a folder in which muonscope was built
set -eu
cd "$(dirname "$0")/.."
packages=libopenblas0-openmp,liblapacke,libjansson4,libyaml-0-2,libpcre2-8-0,libutf8proc2,zlib1g,libzstd1,libssl3,libgomp1
expected=96bb49c1184add4f524dde2dbdf251afba6a8c888d435c1ead8a6dc8c77f7041

fail() {
    echo "bare_root.sh: $1" >&2
    exit 1
}
[ $# -eq 1 ] && [ -x "$1/muonscope" ] || {
    echo "usage: ci/bare_root.sh BUILD" >&2
    exit 2
}
build=$1
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
found=$(inside "muonscope train --preset micro --numerics exact --steps 50 --run micro" | sed -n 's/^weights_sha256 *//p')
[ "$found" = "$expected" ] || fail "weights of micro in exact: $found, not $expected"
echo "bare_root.sh: the installed tree runs without build tools, with the same bits"
