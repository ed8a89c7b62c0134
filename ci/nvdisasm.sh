#!/bin/sh
# NVIDIA's disassembler for ci/check_cuda_loads.sh, out of its package for pip (nvdisasm_wheel.txt: version, checksum; 4 MB), where no nvdisasm 13 is
# on PATH or in /usr/local/cuda.  Does nothing when DIRECTORY has it.
# Usage: ci/nvdisasm.sh DIRECTORY
set -eu
fail() {
    echo "nvdisasm.sh: $1" >&2
    exit 1
}
[ $# -eq 1 ] || {
    echo "usage: ci/nvdisasm.sh DIRECTORY" >&2
    exit 2
}
here=$(cd "$(dirname "$0")" && pwd)
. "$here/pip_packages.sh"
directory=$(realpath -m "$1")
for nvdisasm in "$(command -v nvdisasm || true)" /usr/local/cuda/bin/nvdisasm "$directory/nvdisasm"; do
    # Debian's, 11.8, cannot read what nvcc 13 makes.
    if [ -n "$nvdisasm" ] && "$nvdisasm" --version 2>/dev/null | grep -Eq 'release 1[3-9]\.'; then
        echo "nvdisasm.sh: $nvdisasm is there"
        exit 0
    fi
done
[ ! -e "$directory" ] || fail "$directory exists, but has no nvdisasm that runs here: remove it"
mkdir -p "$(dirname "$directory")"
partial=$(mktemp -d "$directory.partial-XXXXXX")
trap 'rm -rf "$partial"' EXIT
trap 'exit 1' INT TERM
take_pip_packages "$partial" "$here/nvdisasm_wheel.txt"
"$partial/packages/nvidia/cu13/bin/nvdisasm" --version >/dev/null || fail "the package holds no nvdisasm that runs here"
mv -T "$partial/packages/nvidia/cu13/bin" "$directory" 2>/dev/null || [ -x "$directory/nvdisasm" ] || fail "cannot rename to $directory"
echo "nvdisasm.sh: $directory holds nvdisasm"
