#!/bin/sh
# Installs what is wanted on Debian 12 or 13, from its own packages.  Run as root, or as a user who may use sudo.  Does nothing,
# and needs neither, when everything is there.
# Usage: ci/setup.sh [WANTED...]
#   all       what building, testing and the demo need (the default)
#   build     what building the program with all devices, and drawing, need
#   demo      what ci/demo.sh needs: the program without devices, its pictures and its corpus
#   PACKAGE   this one
set -eu

# Set, package, and what it is for where its name does not say so.
table() {
    cat <<'END'
program   gcc
program   libc6-dev
program   cmake
program   ninja-build
program   pkg-config
program   libopenblas-openmp-dev    this variant, by its own path: bits and threads differ between variants
program   liblapacke-dev            the tracker's SVD and eigenvalues
program   libjansson-dev            JSON
program   libyaml-dev               configurations
program   libpcre2-dev              how the tokenizer splits text
program   libutf8proc-dev           normal forms of Unicode, which tokenizers ask for
program   libmicrohttpd-dev         the server of `muonscope watch`, which opens the library that it brings
program   zlib1g-dev                corpora in gzip
program   libzstd-dev               corpora in zstd
program   libssl-dev                SHA-256 of weights and files
pictures  gnuplot-nox
pictures  fonts-dejavu-core         gnuplot-nox brings no font
pictures  libjs-chart.js            line charts of `muonscope report`, embedded at build
corpus    bible-kjv
corpus    wordnet-base
devices   g++                       nvcc's host compiler; tests/headers and tests/cuda_host
devices   libvulkan-dev
devices   libvulkan1                the loader, opened at run time
devices   libvulkan-volk-dev
devices   glslang-tools
devices   spirv-tools               spirv-val checks every shader
tests     git                       ci/check_tree.sh asks it for the files
tests     check
tests     strace                    kills a process at a system call: tests/end_to_end/kill.sh
tests     poppler-utils             tests/end_to_end/plots.sh: fonts are in PDFs, and how wide these are
tests     python3-numpy             examples/spectra.py; a package of Debian, because tests get nothing from elsewhere
tests     chromium                  headless: tests/end_to_end/*_page.sh
tests     clang-format-14           ci/check_format.sh; Debian 12 alone has this version
tests     clang                     libFuzzer: tests/fuzz
tests     libclang-rt-dev           its sanitizers, which clang only recommends
tests     openmpi-bin               ranks of one run: tests/mpi, with both kinds of MPI
tests     libopenmpi-dev
tests     mpich
tests     libmpich-dev
tests     iproute2                  hosts and their links: tests/mpi/hosts.sh
tests     mesa-vulkan-drivers       lavapipe
tests     vulkan-validationlayers
END
}

fail() {
    echo "setup.sh: $1" >&2
    exit 1
}

# packages_of SET...
packages_of() {
    for set; do
        table | awk -v set="$set" '$1 == set { print $2 }'
    done
}

is_debian_12() (
    . /etc/os-release && [ "$ID-${VERSION_ID:-}" = debian-12 ]
)

[ $# -gt 0 ] || set -- all
packages=
for wanted; do
    case $wanted in
    all) packages="$packages $(packages_of program pictures corpus devices tests)" ;;
    build) packages="$packages $(packages_of program pictures devices)" ;;
    demo) packages="$packages $(packages_of program pictures corpus)" ;;
    '' | *[!a-z0-9+.-]* | -*) fail "\"$wanted\" is no set and no package: usage: ci/setup.sh [all|build|demo|PACKAGE...]" ;;
    *) packages="$packages $wanted" ;;
    esac
done

command -v dpkg-query >/dev/null || fail "no dpkg-query: this is not Debian; install the counterparts of: $(echo $packages)"

missing=
for package in $packages; do
    [ "$package" != clang-format-14 ] || is_debian_12 || continue
    state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) || state=absent
    [ "$state" = installed ] || missing="$missing $package"
done
if [ -z "$missing" ]; then
    echo "setup.sh: every package is installed ($*)"
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
    fail "apt-get install of$missing failed: see its errors above (sets are all, build and demo)"
echo "setup.sh: done"
