#!/bin/sh
# Installs what building, testing and the demo need on Debian 12, from its own packages.  Run as root, or as a user who may
# use sudo.  Does nothing, and needs neither, when everything is there.
# Usage: ci/setup.sh [PACKAGE...]      further packages
set -eu

packages="
gcc libc6-dev g++ cmake ninja-build pkg-config git
libopenblas-openmp-dev liblapacke-dev libjansson-dev libyaml-dev libpcre2-dev libssl-dev
check clang-format-14
libvulkan-dev libvulkan1 libvulkan-volk-dev glslang-tools spirv-tools mesa-vulkan-drivers vulkan-validationlayers
gnuplot-nox fonts-dejavu-core
bible-kjv wordnet-base
$*
"

fail() {
    echo "setup.sh: $1" >&2
    exit 1
}

command -v dpkg-query >/dev/null || fail "no dpkg-query: this is not Debian; install the counterparts of: $(echo $packages)"

missing=
for package in $packages; do
    state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) || state=absent
    [ "$state" = installed ] || missing="$missing $package"
done
if [ -z "$missing" ]; then
    echo "setup.sh: every package is installed"
    exit 0
fi

as_root=
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || fail "root or sudo is needed to install:$missing"
    as_root=sudo
fi
echo "setup.sh: installing$missing"
# Without Error-Mode=any, apt-get update succeeds when the lists could not be fetched.
$as_root apt-get -o APT::Update::Error-Mode=any update ||
    fail "apt-get update failed: see its errors above; the network or a source under /etc/apt is out of order"
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends $missing ||
    fail "apt-get install failed: see its errors above"
echo "setup.sh: done"
