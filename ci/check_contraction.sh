#!/bin/sh
# No `exact` kernel of the CPU has a fused multiply-add: one would round once where the definition rounds twice.  GCC 12 makes some
# (vfmaddsub) out of straight-line code in spite of -ffp-contract=off, so the machine code is looked at.  That the search finds
# any is shown on the kernels of `fast`, which are meant to have them.
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
folder=$1/backend/cpu/CMakeFiles
case $(uname -m) in
x86_64) fused='vfn\{0,1\}m\(add\|sub\)' ;;
aarch64) fused='\(fn\{0,1\}madd\|fn\{0,1\}msub\|fmla\|fmls\)' ;;
*) fail "what a fused instruction is called on $(uname -m) is not known: add it" ;;
esac

# count TARGET: fused instructions in the target's objects.
count() {
    objects=$(find "$folder/$1.dir" -name '*.o') || fail "no objects in $folder/$1.dir"
    [ -n "$objects" ] || fail "no objects in $folder/$1.dir"
    n=0
    for object in $objects; do
        here=$(objdump -d --no-show-raw-insn "$object" | grep -c "	$fused" || true)
        if [ "$here" -gt 0 ] && [ "$1" != ms_cpu_fast ]; then echo "$object: $here fused instructions" >&2; fi
        n=$((n + here))
    done
    echo "$n"
}
has_fused() { # whether this processor and build can fuse at all
    case $(uname -m) in
    x86_64) grep -qw fma /proc/cpuinfo ;;
    *) true ;;
    esac
}
in_fast=$(count ms_cpu_fast)
if has_fused && [ "$in_fast" -eq 0 ]; then fail "found none in the kernels of fast, which have some: the search does not work"; fi
in_exact=$(count ms_cpu_exact)
[ "$in_exact" -eq 0 ] || fail "$in_exact fused instructions in exact kernels: see above"
echo "check_contraction.sh: no fused instruction in exact kernels ($in_fast in those of fast)"
