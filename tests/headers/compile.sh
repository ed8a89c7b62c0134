#!/bin/sh
# Compiles each header alone, included twice, as C11 and as C++17.  Usage, from the root: compile.sh CC CXX CUDA_INCLUDE [HEADER]
# CUDA_INCLUDE: folder of CUDA's headers, empty: there are none, and what includes them is left out.  HEADER: only this one.
set -u
cc=$1
cxx=$2
cuda=$3
# Headers of CPU kernels are compiled once per precision in the build; here, as f32.
flags="-fsyntax-only -Wall -Wextra -Wpedantic -Werror -I. -D_POSIX_C_SOURCE=200809L -DMS_REAL=float $(pkg-config --cflags jansson yaml-0.1)${cuda:+ -isystem $cuda}"

# compile HEADER LANGUAGE COMPILER STANDARD; the declaration is for headers of macros only: ISO C wants one a file.
compile() {
    printf '#include "%s"\n#include "%s"\nextern int declared;\n' "$1" "$1" | "$3" -std="$4" $flags -x "$2" - && return 0
    echo "$1: does not compile alone as $4"
    return 1
}

if [ $# -eq 4 ]; then
    verdict=0
    compile "$4" c "$cc" c11 || verdict=1
    # Register tiles are C code over GNU C vectors, for kernels only: no C++ file includes them.
    case $4 in
    backend/cpu/*tile.h | backend/cpu/attention_softmax.h) ;;
    *) compile "$4" c++ "$cxx" c++17 || verdict=1 ;;
    esac
    exit $verdict
fi

headers=$(find platform backend model optim tracker train library cli -name '*.h' | sort)
[ -n "$cuda" ] || headers=$(echo "$headers" | grep -v '^backend/cuda/')
[ -n "$headers" ] || {
    echo "no header found: run this from the root"
    exit 1
}
echo "$headers" | xargs -P "$(nproc)" -n 1 "$0" "$cc" "$cxx" "$cuda" || exit 1
echo "$(echo "$headers" | wc -l) headers compile alone"
