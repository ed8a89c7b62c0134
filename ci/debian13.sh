#!/bin/sh
# Builds and tests the current commit on Debian 13, in a root that debootstrap makes: packages, build, CTest without nvcc, and the
# bits of `exact`.  Needs root, the package debootstrap, and 4 GB.  Packages come from where apt here takes its own release, or
# from MIRROR.
# Usage: ci/debian13.sh [DIRECTORY [CTEST_OPTION...]]
#   DIRECTORY      the root (default build/debian13); kept for the next time
#   CTEST_OPTION   which tests (default: all that are not deep, as in ci/test.sh)
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
suite=trixie
# What 50 steps of `micro` give on every machine; they change only where CHANGELOG.md says that the bits of `exact` do.
weights=96bb49c1
state=ba8c6ff4

fail() {
    echo "debian13.sh: $1" >&2
    exit 1
}
begin=$(date +%s)
stage() {
    echo "==== debian13.sh: $1 ($(($(date +%s) - begin)) s)"
}

case "${1:-}" in
-*)
    echo "usage: ci/debian13.sh [DIRECTORY [CTEST_OPTION...]]" >&2
    exit 2
    ;;
esac
root=$(realpath -m "${1:-$here/build/debian13}")
[ $# -eq 0 ] || shift
[ $# -gt 0 ] || set -- -LE '^deep$'
[ "$(id -u)" -eq 0 ] || fail "not root: debootstrap and chroot need it"
command -v debootstrap >/dev/null || fail "no debootstrap: run ci/setup.sh debootstrap"

# apart COMMAND...: with mounts and processes of its own.  Both end with it, however it ends: nothing stays mounted in the root.
child=
apart() {
    unshare --mount --pid --fork --kill-child -- "$@" &
    child=$!
    status=0
    wait "$child" || status=$?
    child=
    return "$status"
}
partial=
finish() {
    if [ -n "$child" ]; then
        kill -KILL "$child" 2>/dev/null || true
        wait "$child" 2>/dev/null || true
    fi
    [ -z "$partial" ] || rm -rf "$partial"
}
trap finish EXIT
trap 'exit 1' HUP INT TERM
apart true || fail "no mount namespace: this container's root may not mount"

if [ ! -e "$root" ]; then
    release=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
    mirror=${MIRROR:-$(apt-get indextargets --format '$(RELEASE) $(COMPONENT) $(REPO_URI)' 'Created-By: Packages' |
        awk -v release="$release" '$1 == release && $2 == "main" { print $3; exit }')}
    [ -n "$mirror" ] || fail "apt has no source of \"$release\" main: name Debian's mirror in MIRROR"
    stage "a root of $suite from $mirror in $root"
    mkdir -p "$(dirname "$root")"
    partial=$(mktemp -d "$root.partial-XXXXXX")
    chmod 755 "$partial"
    apart debootstrap --variant=minbase --include=ca-certificates "$suite" "$partial" "$mirror" >"$root.log" 2>&1 || {
        tail -n 5 "$root.log" >&2
        fail "debootstrap failed: see $root.log; is the network there, and does $mirror have $suite?"
    }
    rm "$root.log"
    # How apt reaches its sources here.
    apt-config dump | grep -E '^Acquire::(https?::Proxy|Check-Valid-Until|Check-Date|Retries)' \
        >"$partial/etc/apt/apt.conf.d/90host" || true
    mv -T "$partial" "$root"
    partial=
fi
grep -q "^VERSION_CODENAME=$suite\$" "$root/etc/os-release" 2>/dev/null || fail "$root is not a root of $suite: remove it"
# Names are resolved as here.
cp -L /etc/resolv.conf /etc/hosts "$root/etc/"

# inside COMMAND...: in the clone in the root.
inside() {
    apart sh -c '
        set -e
        root=$1
        shift
        mount -t proc proc "$root/proc"
        mount -t devpts -o newinstance,ptmxmode=666 devpts "$root/dev/pts"
        mount -t tmpfs tmpfs "$root/dev/shm"
        exec chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp LANG=C.UTF-8 "$@"' sh "$root" \
        ${http_proxy:+"http_proxy=$http_proxy"} ${https_proxy:+"https_proxy=$https_proxy"} ${no_proxy:+"no_proxy=$no_proxy"} \
        sh -c 'cd /muonscope && exec "$@"' sh "$@"
}

commit=$(git -C "$here" rev-parse --short HEAD)
stage "commit $commit"
[ -z "$(git -C "$here" status --porcelain)" ] || echo "debian13.sh: what is not committed is not tested"
rm -rf "$root/muonscope"
git clone --quiet "$here" "$root/muonscope"

stage "packages"
inside ci/setup.sh >"$root/packages.log" 2>&1 || {
    tail -n 5 "$root/packages.log" >&2
    fail "ci/setup.sh failed: see $root/packages.log"
}
inside ci/swiftshader.sh build/swiftshader >"$root/swiftshader.log" 2>&1 || fail "no SwiftShader: see $root/swiftshader.log"
inside sh -c '. /etc/os-release && echo "$PRETTY_NAME" && cc --version | head -n 1 && cmake --version | head -n 1'

stage "checks"
inside ci/check_includes.sh || fail "ci/check_includes.sh failed"
inside ci/check_format.sh || fail "ci/check_format.sh failed"

stage "build"
inside cmake --preset release -DMS_CUDA=OFF || fail "no configuration"
inside cmake --build --preset release -j "$(nproc)" >"$root/build.log" 2>&1 || {
    tail -n 30 "$root/build.log" >&2
    fail "the build failed: see $root/build.log"
}
echo "debian13.sh: $(grep -c 'warning:' "$root/build.log" || true) warnings"
inside ci/check_contraction.sh build/release || fail "ci/check_contraction.sh failed"

stage "bits of exact"
inside build/release/muonscope train --preset micro --numerics exact --steps 50 --run runs/bits >"$root/bits.log" 2>&1 ||
    fail "training failed: see $root/bits.log"
grep sha256 "$root/bits.log"
grep -q "weights_sha256 *$weights" "$root/bits.log" && grep -q "state_sha256 *$state" "$root/bits.log" ||
    fail "the bits are not $weights..., $state...: see $root/bits.log"

stage "tests"
inside ctest --test-dir build/release --output-on-failure --no-tests=error -j "$(nproc)" "$@" || fail "tests failed"
stage "PASSED: commit $commit on Debian 13"
