#!/bin/sh
# Builds and tests muonscope.  By itself, what every change must pass: the checks, all tests of the release build that are not deep, on
# software devices too, those without devices under the address, undefined-behaviour and thread sanitizers, and half a minute of fuzzing
# with fixed inputs.
# Deep tests are those of ci/deep_tests.txt, which says what each covers.
# Goes on after a failure, and ends with a table of its steps and a line PASSED or FAILED.
# Installs missing packages first (ci/setup.sh does nothing where all is there).
# Usage: ci/test.sh                  the default
#        ci/test.sh --quick          without sanitizers and fuzzing
#        ci/test.sh --deep           the default and all deep tests
#        ci/test.sh --slice K/N      the default and one of N slices of the deep tests, K from 0 to N - 1
set -u
cd "$(dirname "$0")/.."

usage() {
    sed -n 's/^# Usage: /usage: /p; s/^#  *\(ci\/test.sh --\)/       \1/p' ci/test.sh >&2
    exit 2
}
sanitizers=yes
deep=
case "$#-${1:-}" in
0-) ;;
1---quick) sanitizers= ;;
1---deep) deep=0/1 ;;
2---slice) deep=${2:-none} ;;
*) usage ;;
esac
if [ -n "$deep" ]; then
    echo "$deep" | grep -Eq '^[0-9]{1,4}/[1-9][0-9]{0,3}$' || usage
    [ "${deep%/*}" -lt "${deep#*/}" ] || usage
fi
jobs=$(nproc)
failed=
table=
ci/setup.sh || exit 1
begin=$(date +%s)

# step NAME COMMAND...: runs it, times it, remembers a failure.
step() {
    name=$1
    shift
    echo "==== $name"
    since=$(date +%s)
    if "$@"; then verdict=passed; else verdict=FAILED; fi
    seconds=$(($(date +%s) - since))
    echo "==== $name: $verdict, $seconds s"
    table="$table$(printf '%5d s  %-6s  %s' $seconds $verdict "$name")
"
    [ $verdict = passed ] && return 0
    failed="$failed [$name]"
    return 1
}

# build PRESET TARGET CMAKE_OPTIONS...: warnings are errors here, not in users' builds.
build() {
    preset=$1
    target=$2
    shift 2
    cmake --preset "$preset" -DCMAKE_COMPILE_WARNING_AS_ERROR=ON "$@" && cmake --build --preset "$preset" -j "$jobs" --target "$target"
}

# run_tests PRESET CTEST_OPTIONS...
run_tests() {
    preset=$1
    shift
    ctest --test-dir "build/$preset" --output-on-failure --no-tests=error -j "$jobs" "$@"
}

# The thread sanitizer of GCC 12 does not start where the kernel randomises many bits of addresses: without randomisation it does.
run_thread_tests() { # PRESET CTEST_OPTIONS...
    if setarch "$(uname -m)" -R true 2>/dev/null; then
        preset=$1
        shift
        setarch "$(uname -m)" -R ctest --test-dir "build/$preset" --output-on-failure --no-tests=error -j "$jobs" -L threads "$@"
    else
        run_tests "$@" -L threads
    fi
}

# The deep tests of a build are those that ci/deep_tests.txt has for it.
deep_list_is_whole() {
    list=$(mktemp)
    ctest --test-dir "build/$1" -N -L '^deep$' | sed -n 's/^ *Test *#[0-9]*: //p' | LC_ALL=C sort >"$list"
    awk -v build="$1" '$1 == build { print $2 }' ci/deep_tests.txt | LC_ALL=C sort | diff - "$list"
    same=$?
    rm "$list"
    [ $same -eq 0 ] && return 0
    echo "test.sh: ci/deep_tests.txt (<) and build/$1 (>) differ in their deep tests" >&2
    return 1
}

# run_deep BUILD: its tests among those of the slice.
run_deep() {
    names=$(echo "$deep_rows" | awk -v build="$1" '$1 == build { printf "%s%s", n++ ? "|" : "", $2 }')
    deep_list_is_whole "$1" && run_tests "$1" -R "^($names)\$"
}
has_deep() { echo "$deep_rows" | grep -q "^$1 "; }

step "include direction" ci/check_includes.sh
step "planted includes" ci/check_includes.sh self-test
step "format" ci/check_format.sh
step "tree" ci/check_tree.sh
step "arguments" ci/check_arguments.sh
deep_rows=
if [ -n "$deep" ]; then
    deep_rows=$(ci/deep_slice.sh "${deep%/*}" "${deep#*/}") || exit 1
fi
# A device of the tests vulkan/*.
step "SwiftShader" ci/swiftshader.sh build/swiftshader
step "CUDA toolkit" ci/cuda.sh build/cuda
step "CUDA disassembler" ci/nvdisasm.sh build/nvdisasm
# One target of the CUDA module; the deep row `cuda all_targets` builds the others.
if step "release: build" build release all -DMS_CUDA_ARCHITECTURES=90; then
    step "release: no contraction" ci/check_contraction.sh build/release
    step "release: CUDA kernels" ci/ptxas_report.sh check build/release
    step "release: a planted spill" ci/ptxas_report.sh self-test build/release
    step "release: CUDA loads in flight" ci/check_cuda_loads.sh check build/release
    step "release: a planted loop" ci/check_cuda_loads.sh self-test build/release
    step "release: rounding of exact CUDA kernels" ci/check_cuda_rounding.sh check build/release
    step "release: planted rounding" ci/check_cuda_rounding.sh self-test build/release
    step "release: tests" run_tests release -LE '^deep$'
    if has_deep release; then step "release: deep tests" run_deep release; fi
fi
if [ -n "$sanitizers" ]; then
    # Headers compile the same under every preset.
    if step "asan: build" build asan all; then step "asan: tests" run_tests asan -LE '^(once|deep)$'; fi
    if step "tsan: build" build tsan threaded_tests; then step "tsan: tests that use threads" run_thread_tests tsan; fi
    if step "fuzz: build" build fuzz fuzz; then
        step "fuzz: planted faults" tests/fuzz/run.sh self-test
        times=1
        if has_deep fuzz; then times=7; fi
        step "fuzz: fixed inputs" tests/fuzz/run.sh fixed $times
    fi
fi
if has_deep asan-devices && step "asan-devices: build" build asan-devices all; then
    step "asan-devices: deep tests" run_deep asan-devices
fi
if has_deep tsan-devices && step "tsan-devices: build" build tsan-devices test_vulkan_pipelines; then
    step "tsan-devices: pipelines" run_thread_tests tsan-devices -R '^vulkan/pipelines$'
fi
if has_deep cuda; then
    if step "cuda: build for all targets" build cuda muonscope-cuda; then step "cuda: kernels" ci/ptxas_report.sh check build/cuda-targets; fi
    step "cuda: rounding of exact kernels" ci/check_cuda_rounding.sh check build/cuda-targets
fi

echo "==== steps"
printf '%s' "$table"
echo "==== all: $(($(date +%s) - begin)) s"
if [ -n "$failed" ]; then
    echo "FAILED:$failed"
    exit 1
fi
echo PASSED
