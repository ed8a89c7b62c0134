#!/bin/sh
# No CUDA kernel of `exact` has, in the PTX of a build of the module (backend/cuda/keep_ptxas_report.sh keeps it), an instruction on f32 or f64
# that rounds otherwise than the definition: no fused multiply-add, nothing approximate, nothing that flushes subnormal numbers
# to 0, and no sum, difference or product that nvcc or ptxas may contract, which is one without .rn.  All kernels are of
# `exact` but those named below, which must show that the search finds any.
# Usage: ci/check_cuda_rounding.sh check BUILD        the kernels of a build
#        ci/check_cuda_rounding.sh self-test BUILD    plants one kernel of each kind of fault: all must be found
set -eu
cd "$(dirname "$0")/.."
. ci/build_folder.sh
# By source, and by the kernel's name.
fast='^(ops/[a-z_]*_fast\.cu\t|[^\t]*\t(cross_entropy_kernel<[0-9]+, true|ms_elementwise_kernel<[0-9]+, formula_op<[a-z_0-9]+, [a-z_0-9]+_formula<true>))'

fail() {
    echo "check_cuda_rounding.sh: $1" >&2
    exit 1
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM

# search PTX SOURCE: "source<TAB>kernel<TAB>instruction" lines, and "source<TAB>kernel<TAB>" of each kernel.  Functions that are no kernels
# count too.
search() {
    awk -v source="$2" '
        /\.(entry|func) / && match($0, /_Z[A-Za-z0-9_]+|[A-Za-z_][A-Za-z0-9_]*\($/) {
            kernel = substr($0, RSTART, RLENGTH)
            sub(/\($/, "", kernel)
            print source "\t" kernel "\t"
        }
        /^[ \t]*(@!?%p[0-9]+[ \t]+)?[a-z][a-z0-9]*\./ {
            sub(/^[ \t]*(@!?%p[0-9]+[ \t]+)?/, "")
            sub(/[ \t;].*/, "")
            if (!/\.f(32|64)(x2)?(\.|$)/) next
            if (/^(fma|mad)\./ || /\.(approx|ftz)(\.|$)/ || (/^(add|sub|mul)\./ && !/\.rn(\.|$)/)) print source "\t" kernel "\t" $0
        }' "$1" | c++filt | sed 's/\tvoid /\t/; s/([^()]*)\t/\t/'
}

check() {
    folder=$1/backend/cuda/CMakeFiles/muonscope-cuda.dir
    for source in $(cd backend/cuda && ls ./*.cu ops/*.cu); do
        source=${source#./}
        code=$folder/$source.o.code
        ls "$code"/*.ptx >/dev/null 2>&1 || fail "$code has no PTX: the module was not built"
        for ptx in "$code"/*.ptx; do search "$ptx" "$source"; done
    done >"$work/found"
    grep -Pv "$fast" "$work/found" >"$work/exact" || true
    grep -P "$fast" "$work/found" >"$work/fast" || true
    n_fast=$(grep -Pvc '\t$' "$work/fast" || true)
    [ "$n_fast" -gt 0 ] || fail "found nothing in the kernels of fast, which have some: the search does not work"
    if grep -Pv '\t$' "$work/exact" | sort | uniq -c | sort -rn >"$work/faults" && [ -s "$work/faults" ]; then
        cat "$work/faults" >&2
        fail "instructions that round otherwise in kernels of exact: see above"
    fi
    echo "check_cuda_rounding.sh: $(grep -Pc '\t$' "$work/exact") kernels of exact and $(grep -Pc '\t$' "$work/fast") of fast; $n_fast instructions that round" \
        "otherwise, all in those of fast"
}

self_test() {
    cat >"$work/planted.cu" <<'EOF'
__global__ void clean(float *x, double *y) { x[0] = __fadd_rn(__fmul_rn(x[1], x[2]), x[3]); y[0] = __dadd_rn(__dmul_rn(y[1], y[2]), y[3]); }
__global__ void fused(float *x) { x[0] = x[1] * x[2] + x[3]; }
__global__ void fused_double(double *x) { x[0] = x[1] * x[2] + x[3]; }
__global__ void plain_sum(float *x) { x[0] = x[1] + x[2]; }
__global__ void plain_product(double *x) { x[0] = x[1] * x[2]; }
__global__ void approximate(float *x) { x[0] = __fdividef(x[1], x[2]); }
__global__ void flushed(float *x) { asm("add.rn.ftz.f32 %0, %1, %2;" : "=f"(x[0]) : "f"(x[1]), "f"(x[2])); }
EOF
    "$nvcc" -O3 -arch=sm_90 -ptx "$work/planted.cu" -o "$work/planted.ptx" || fail "self-test: the planted kernels do not compile"
    search "$work/planted.ptx" planted.cu >"$work/found"
    for kernel in fused fused_double plain_sum plain_product approximate flushed; do
        grep -Pq "\t$kernel\t." "$work/found" || fail "self-test: the fault in $kernel was not found"
    done
    grep -Pq '\tclean\t$' "$work/found" || fail "self-test: a kernel is not seen"
    if grep -Pq '\tclean\t.' "$work/found"; then fail "self-test: a fault was found where there is none"; fi
    echo "check_cuda_rounding.sh: self-test passed, six planted faults were found"
}

case "$#-${1:-}" in
2-check | 2-self-test) need_cuda_build "$2" ;;
*)
    echo "usage: ci/check_cuda_rounding.sh check|self-test BUILD" >&2
    exit 2
    ;;
esac
case $1 in
check) check "$2" ;;
self-test) self_test "$2" ;;
esac
