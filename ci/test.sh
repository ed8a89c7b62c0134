#!/bin/sh
# Builds and tests everything: release; address and undefined-behaviour sanitizers; the tests that use threads under the thread
# sanitizer; include direction, format, tree.  Vulkan runs on software devices, SwiftShader among them (ci/swiftshader.sh).
# nvcc (ci/cuda.sh) compiles the CUDA kernels for two targets, where none may spill (ci/ptxas_report.sh); the CPU runs them in cuda_host/*.
# Goes on after a failure, and ends with a line PASSED or FAILED.
# Installs missing packages first (ci/setup.sh does nothing where all is there).
# Usage: ci/test.sh [quick]      quick: release and the checks only
set -u
cd "$(dirname "$0")/.."

case "$#-${1:-}" in
0-) presets="release asan tsan" ;;
1-quick) presets=release ;;
*)
    echo "usage: ci/test.sh [quick]" >&2
    exit 2
    ;;
esac
jobs=$(nproc)
failed=
ci/setup.sh || exit 1
begin=$(date +%s)

# step NAME COMMAND...: runs it, times it, remembers a failure.
step() {
    name=$1
    shift
    echo "==== $name"
    since=$(date +%s)
    if "$@"; then verdict=passed; else verdict=FAILED; fi
    echo "==== $name: $verdict, $(($(date +%s) - since)) s"
    [ "$verdict" = passed ] && return 0
    failed="$failed [$name]"
    return 1
}

# The module for all GPUs takes three times as long; ci/ptxas_report.sh builds it.  Warnings are errors here, not in users' builds.
build() {
    cmake --preset "$1" -DCMAKE_COMPILE_WARNING_AS_ERROR=ON "-DMS_CUDA_ARCHITECTURES=80-real;90" && cmake --build --preset "$1" -j "$jobs"
}

# test PRESET CTEST_OPTIONS...
run_tests() {
    preset=$1
    shift
    ctest --test-dir "build/$preset" --output-on-failure --no-tests=error -j "$jobs" "$@"
}

# The thread sanitizer of GCC 12 does not start where the kernel randomises many bits of addresses: without randomisation it does.
run_thread_tests() {
    if setarch "$(uname -m)" -R true 2>/dev/null; then
        setarch "$(uname -m)" -R ctest --test-dir build/tsan --output-on-failure --no-tests=error -j "$jobs" -L threads
    else
        run_tests tsan -L threads
    fi
}

step "include direction" ci/check_includes.sh
step "format" ci/check_format.sh
step "tree" ci/check_tree.sh
# A device of the tests vulkan/*.
step "SwiftShader" ci/swiftshader.sh build/swiftshader
step "CUDA toolkit" ci/cuda.sh build/cuda
for preset in $presets; do
    step "$preset: build" build "$preset" || continue
    case $preset in
    release)
        step "release: no contraction" ci/check_contraction.sh build/release
        step "release: CUDA kernels" ci/ptxas_report.sh check build/release
        step "release: a planted spill" ci/ptxas_report.sh self-test build/release
        step "release: tests" run_tests release
        ;;
    # Headers compile the same under every preset.
    asan) step "asan: tests" run_tests asan -LE once ;;
    tsan) step "tsan: tests that use threads" run_thread_tests ;;
    esac
done

echo "==== all: $(($(date +%s) - begin)) s"
if [ -n "$failed" ]; then
    echo "FAILED:$failed"
    exit 1
fi
echo PASSED
