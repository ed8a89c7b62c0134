#!/bin/sh
# What nvcc refuses is refused here: refused.cu compiles, and with its mistakes each has its message.
# Usage, from the root: refused.sh CXX CUDA_INCLUDE_FOLDER
set -eu
compile() {
    "$cxx" -std=c++17 -fsyntax-only -I. -isystem "$include" -include tests/cuda_host/cuda_host.h "$@" -x c++ tests/cuda_host/refused.cu
}
cxx=$1
include=$2

compile
if messages=$(compile -DMISTAKES 2>&1); then
    echo "refused.sh: the mistakes in refused.cu compile"
    exit 1
fi
for message in "a kernel has at most 32764 bytes of arguments" "MS_SHARED_is_to_be_used_instead_of___shared__" \
    "in read-only object"; do
    case $messages in
    *"$message"*) ;;
    *)
        echo "refused.sh: no \"$message\" in:"
        echo "$messages"
        exit 1
        ;;
    esac
done
