#!/bin/sh
# Writes the version script of libmuonscope: which names it exports.  They are read from preprocessed headers, since some are made by
# macros; words of theirs that are no names of the library do no harm.
#   MUONSCOPE_N           what installed headers declare
#   MUONSCOPE_PRIVATE_N   what other headers declare that the program, the CUDA module and their tests include: not for other programs
# Usage: library/symbols.sh OUT N OTHER COMPILER HEADER...
#        OTHER: one more name with a ';', or ""; COMPILER: C; HEADER: the installed ones, as paths from the root
set -eu
cd "$(dirname "$0")/.."
out=$1 version=$2 other=$3 compiler=$4
shift 4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM

# names FILE: the words that begin with ms_ in what the file includes, each once.
names() {
    "$compiler" -E -P -I. -x c "$1" >"$work/text"
    grep -oE '\bms_[A-Za-z0-9_]+' "$work/text" | LC_ALL=C sort -u
}
for header in "$@"; do echo "#include \"$header\""; done >"$work/public.h"
names "$work/public.h" >"$work/public"
find cli backend/cuda tests/cuda_host tests/support tests/backend/accelerator.c -name '*.c' -o -name '*.h' -o -name '*.cu' -o -name '*.cuh' \
    -o -name '*.cpp' | xargs grep -hoE '^[[:space:]]*#[[:space:]]*include "[^"]*\.h"' | grep -vE '"(cli|tests|backend/cuda)/' | sort -u >"$work/private.h"
names "$work/private.h" >"$work/all"
LC_ALL=C comm -13 "$work/public" "$work/all" >"$work/private"
{
    echo "MUONSCOPE_$version {"
    echo "global:"
    sed 's/.*/    &;/' "$work/public"
    [ -z "$other" ] || echo "    $other"
    echo "local:"
    echo "    *;"
    echo "};"
    echo "MUONSCOPE_PRIVATE_$version {"
    echo "global:"
    sed 's/.*/    &;/' "$work/private"
    echo "};"
} >"$work/map"
cmp -s "$work/map" "$out" || cp "$work/map" "$out"
