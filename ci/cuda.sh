#!/bin/sh
# What the CUDA module is built with (nvcc, headers, static runtime) and runs with (cuBLASLt), out of NVIDIA's own packages for
# Python's pip, in the versions and with the checksums of ci/cuda_wheels.txt: 530 MB to download.  Debian has CUDA 11.8 only,
# which is too old.  Does nothing where nvcc 13 or newer is on PATH, in /usr/local/cuda or in DIRECTORY.  CMake finds build/cuda
# by itself, another DIRECTORY by -DMS_CUDA_ROOT=DIRECTORY.
# Usage: ci/cuda.sh DIRECTORY
set -eu

fail() {
    echo "cuda.sh: $1" >&2
    exit 1
}

[ $# -eq 1 ] || {
    echo "usage: ci/cuda.sh DIRECTORY" >&2
    exit 2
}
here=$(cd "$(dirname "$0")" && pwd)
. "$here/pip_packages.sh"
directory=$(realpath -m "$1")
oldest=13

# usable NVCC: it runs, is new enough, and cuBLASLt's header lies beside it.
usable() {
    release=$("$1" --version 2>/dev/null | sed -n 's/.*release \([0-9]*\)\..*/\1/p')
    [ "${release:-0}" -ge "$oldest" ] && [ -f "$(dirname "$(dirname "$(realpath "$1")")")/include/cublasLt.h" ]
}
for nvcc in "$(command -v nvcc || true)" /usr/local/cuda/bin/nvcc "$directory/bin/nvcc"; do
    if [ -n "$nvcc" ] && usable "$nvcc"; then
        echo "cuda.sh: $nvcc is there"
        exit 0
    fi
done
[ ! -e "$directory" ] || fail "$directory exists, but has no nvcc $oldest with cublasLt.h: remove it"
[ "$(uname -sm)" = "Linux x86_64" ] || fail "the packages are for Linux on x86-64; install the CUDA toolkit $oldest yourself"

mkdir -p "$(dirname "$directory")"
partial=$(mktemp -d "$directory.partial-XXXXXX")
trap 'rm -rf "$partial"' EXIT
trap 'exit 1' INT TERM
take_pip_packages "$partial" "$here/cuda_wheels.txt"
toolkit=$partial/packages/nvidia/cu13
# The layout of a toolkit that was installed otherwise.
ln -s lib "$toolkit/lib64"
for library in "$toolkit"/lib/lib*.so.*; do ln -s "$(basename "$library")" "${library%.so.*}.so"; done
usable "$toolkit/bin/nvcc" || fail "the packages hold no nvcc $oldest that runs here with cublasLt.h"
mv -T "$toolkit" "$directory" 2>/dev/null || usable "$directory/bin/nvcc" || fail "cannot rename $toolkit to $directory"
echo "cuda.sh: $directory holds $("$directory/bin/nvcc" --version | grep release)"
