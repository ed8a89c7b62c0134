#!/bin/sh
# Compiles each header alone, included twice, as C11 and as C++17.  Usage, from the root: compile.sh CC CXX [HEADER]
# HEADER: only this one.
set -u
cc=$1
cxx=$2
# Headers of CPU kernels are compiled once per precision in the build; here, as f32.
flags="-fsyntax-only -Wall -Wextra -Wpedantic -Werror -I. -D_POSIX_C_SOURCE=200809L -DMS_REAL=float $(pkg-config --cflags jansson yaml-0.1)"

# compile HEADER LANGUAGE COMPILER STANDARD; the declaration is for headers of macros only: ISO C wants one a file.
compile() {
    printf '#include "%s"\n#include "%s"\nextern int declared;\n' "$1" "$1" | "$3" -std="$4" $flags -x "$2" - && return 0
    echo "$1: does not compile alone as $4"
    return 1
}

if [ $# -eq 3 ]; then
    verdict=0
    compile "$3" c "$cc" c11 || verdict=1
    # Register tiles are C code over GNU C vectors, for kernels only: no C++ file includes them.
    case $3 in
    backend/cpu/*tile.h) ;;
    *) compile "$3" c++ "$cxx" c++17 || verdict=1 ;;
    esac
    exit $verdict
fi

headers=$(find platform backend model optim tracker cli -name '*.h' | sort)
[ -n "$headers" ] || {
    echo "no header found: run this from the root"
    exit 1
}
echo "$headers" | xargs -P "$(nproc)" -n 1 "$0" "$cc" "$cxx" || exit 1
echo "$(echo "$headers" | wc -l) headers compile alone"
