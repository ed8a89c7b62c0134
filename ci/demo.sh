#!/bin/sh
# From nothing to pictures: installs what is missing (Debian 12 or 13), builds, prepares the demo corpus, trains the preset `tiny`
# with tracking for a few minutes, and plots what its matrices did.  All of it runs on the CPU, so the program is built without
# Vulkan and CUDA, in a folder of its own (CMake's preset `demo`).
# Usage: ci/demo.sh [--steps N] [--run DIR]
#   --steps N   steps of training (default: the preset's)
#   --run DIR   folder of the run (default runs/demo, or runs/demo-2, ... when that exists)
set -eu
cd "$(dirname "$0")/.."

usage() {
    echo "usage: ci/demo.sh [--steps N] [--run DIR]" >&2
    exit 2
}
fail() {
    echo "demo.sh: $1" >&2
    exit 1
}
begin=$(date +%s)
# stage WHAT: says what comes now, and after how many seconds.
stage() {
    echo "==== demo.sh: $1 (after $(($(date +%s) - begin)) s)"
}

steps=
run=
while [ $# -gt 0 ]; do
    [ $# -ge 2 ] || usage
    case $1 in
    --steps) steps=$2 ;;
    --run) run=$2 ;;
    *) usage ;;
    esac
    shift 2
done
case $steps in
*[!0-9]* | 0*) usage ;;
esac
[ -z "$run" ] || [ ! -e "$run" ] || {
    echo "demo.sh: --run $run exists: name another folder, or go on with that run: muonscope train --resume $run" >&2
    exit 2
}

# Where everything can be had without Debian's packages, they are not asked for.
complete() {
    for tool in cc cmake ninja pkg-config gnuplot bible; do
        command -v "$tool" >/dev/null || return 1
    done
    pkg-config --exists jansson yaml-0.1 libpcre2-8 libutf8proc zlib libzstd libcrypto || return 1
    [ -r /usr/share/wordnet/data.noun ] || return 1
    ls /usr/lib/*/openblas-openmp/libopenblas.so /usr/lib/*/liblapacke.so >/dev/null 2>&1
}
stage "packages"
complete || ci/setup.sh demo

stage "build for this CPU, in build/demo, without Vulkan and CUDA, which the demo does not use"
cmake --preset demo >/dev/null
cmake --build --preset demo --target muonscope -j "$(nproc)"
muonscope=build/demo/muonscope

stage "corpus: the King James Bible and WordNet, as tokens in data/demo"
MUONSCOPE=$muonscope ci/demo_data.sh data/demo

if [ -z "$run" ]; then
    run=runs/demo
    i=2
    while [ -e "$run" ]; do
        run=runs/demo-$i
        i=$((i + 1))
    done
    [ "$run" = runs/demo ] || echo "demo.sh: runs/demo exists and stays as it is; this run goes to $run"
fi

stage "training on the CPU: preset tiny, ${steps:-its} steps, run $run"
"$muonscope" train --preset tiny --run "$run" ${steps:+--steps "$steps"}

# The losses of the first and the last tenth of the steps.
sed -n 's/.*"loss": *\([0-9.eE+-]*\).*/\1/p' "$run/metrics.jsonl" | awk '
    { loss[NR] = $1 }
    END {
        tenth = int((NR + 9) / 10)
        for (i = 1; i <= tenth; i++) { first += loss[i] / tenth; last += loss[NR + 1 - i] / tenth }
        if (NR == 0) print "demo.sh: metrics.jsonl has no loss"
        else printf "demo.sh: loss %.3f at the start, %.3f at the end of %d steps\n", first, last, NR
        exit !(NR > 0 && last < first)
    }' || fail "the loss did not fall: see $run/metrics.jsonl"

stage "pictures"
"$muonscope" plot "$run"
stage "done: the run is in $run, its pictures in $run/plots"
