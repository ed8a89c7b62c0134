#!/bin/sh
# No `exact` kernel of the CPU has a fused multiply-add: one would round once where the definition rounds twice.  GCC 12 makes some
# (vfmaddsub) out of straight-line code in spite of -ffp-contract=off, so the machine code is looked at, at every level of the
# processor that the build has kernels for.  That the search finds any is shown on the kernels of `fast`, which are meant to have them
# where the level has the instructions.
# Usage: ci/check_contraction.sh BUILD      BUILD: a folder in which muonscope was built without sanitizers
set -eu

fail() {
    echo "check_contraction.sh: $1" >&2
    exit 1
}
[ $# -eq 1 ] || {
    echo "usage: ci/check_contraction.sh BUILD" >&2
    exit 2
}
. "$(dirname "$0")/build_folder.sh"
need_build "$1"
folder=$1/backend/cpu/CMakeFiles
case $(uname -m) in
x86_64) fused='vfn\{0,1\}m\(add\|sub\)' levels="v2 v3 v4" fuse="v3 v4" ;;
aarch64) fused='\(fn\{0,1\}madd\|fn\{0,1\}msub\|fmla\|fmls\)' levels=baseline fuse=baseline ;;
*) fail "what a fused instruction is called on $(uname -m) is not known: add it" ;;
esac
if grep -q '^MS_NATIVE:BOOL=\(ON\|1\|TRUE\)' "$1/CMakeCache.txt"; then
    levels=native fuse=native
    [ "$(uname -m)" != x86_64 ] || grep -qw fma /proc/cpuinfo || fuse=
fi

# count TARGET: fused instructions in the target's objects.
count() {
    objects=$(find "$folder/$1.dir" -name '*.o') || fail "no objects in $folder/$1.dir"
    [ -n "$objects" ] || fail "no objects in $folder/$1.dir"
    n=0
    for object in $objects; do
        here=$(objdump -d --no-show-raw-insn "$object" | grep -c "	$fused" || true)
        case $1 in
        ms_cpu_exact_*) [ "$here" -eq 0 ] || echo "$object: $here fused instructions" >&2 ;;
        esac
        n=$((n + here))
    done
    echo "$n"
}

found=
for level in $fuse; do
    n=$(count "ms_cpu_fast_$level")
    [ "$n" -gt 0 ] || fail "found none in the kernels of fast at $level, which have some: the search does not work"
    found="$found${found:+,} $n at $level"
done
total=0
for level in $levels; do
    n=$(count "ms_cpu_exact_$level")
    total=$((total + n))
done
[ "$total" -eq 0 ] || fail "$total fused instructions in exact kernels: see above"
echo "check_contraction.sh: no fused instruction in exact kernels ($levels); in those of fast:${found:- none}"
