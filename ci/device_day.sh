#!/bin/sh
# The first minutes on a machine with an NVIDIA GPU: what is there, whether it computes right, how fast it is.  Runs from an unpacked kit
# (ci/device_kit.sh), in whose folder it lies; needs a shell, coreutils, a driver for CUDA 13, and cuBLASLt 13 for `fast`.  Most
# valuable first, each step with its own limit, results saved after each, so that a machine that goes away leaves what was done.
# Usage: device_day.sh [--device NAME] [--seconds N] RESULTS
#   --device NAME   default cuda:0
#   --seconds N     limit of all steps together, 10 to 86400 (default 480)
#   RESULTS         folder, made here: summary.txt, an output for each step, all of it as results.tar.gz
# Exit status 0: every step was right; 1: not, and the summary says which: WRONG, at its limit, or not run.
set -u
start=$(date +%s)
refuse() {
    echo "device_day.sh: $1" >&2
    exit 2
}
usage() {
    echo "usage: device_day.sh [--device NAME] [--seconds N] RESULTS" >&2
    exit 2
}
device=cuda:0
seconds=480
while [ $# -gt 1 ]; do
    case $1 in
    --device) device=$2 ;;
    --seconds) seconds=$2 ;;
    *) usage ;;
    esac
    shift 2
done
[ $# -eq 1 ] || usage
case $1 in -* | '') usage ;; esac
case $seconds in '' | 0* | *[!0-9]* | ??????*) number=0 ;; *) number=$seconds ;; esac
[ "$number" -ge 10 ] && [ "$number" -le 86400 ] || refuse "--seconds $seconds: must be a whole number from 10 to 86400"
[ ! -e "$1" ] || [ -d "$1" ] || refuse "$1 is no folder"
kit=$(cd "$(dirname "$0")" && pwd)
[ -x "$kit/bin/muonscope" ] || {
    echo "device_day.sh: no program $kit/bin/muonscope: run this in the unpacked kit of ci/device_kit.sh" >&2
    exit 1
}
mkdir -p "$1" || exit 1
results=$(cd "$1" && pwd)
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' INT TERM
: >"$results/summary.txt"
n_wrong=0

elapsed() { echo $(($(date +%s) - start)); }
say() {
    printf '[%4d s] %s\n' "$(elapsed)" "$1" | tee -a "$results/summary.txt"
}
save() {
    (cd "$results" && tar -czf .results.tar.gz ./*.txt ./*.json ./*.csv 2>/dev/null
        mv .results.tar.gz results.tar.gz 2>/dev/null)
}
# step NAME SECONDS COMMAND...: its output in NAME.txt, its last lines in the summary; never ends the script.
step() {
    name=$1
    limit=$2
    shift 2
    left=$((seconds - $(elapsed)))
    if [ "$left" -lt 5 ]; then
        say "$name: not run, the $seconds s are over"
        n_wrong=$((n_wrong + 1))
        return
    fi
    [ "$limit" -le "$left" ] || limit=$left
    began=$(elapsed)
    timeout -k 5 "$limit" "$@" >"$results/$name.txt" 2>&1
    status=$?
    took=$(($(elapsed) - began))
    case $status in
    0) say "$name: right, $took s" ;;
    77) say "$name: not run, a tool or device is not there" ;;
    124 | 137) say "$name: ended at its limit of $limit s" ;;
    *) say "$name: WRONG, exit status $status, $took s" ;;
    esac
    [ "$status" -eq 0 ] || n_wrong=$((n_wrong + 1))
    tail -n 4 "$results/$name.txt" | cut -c 1-200 | sed 's/^/           /' | tee -a "$results/summary.txt"
    save
}

# cuBLASLt 13: what the loader knows, a toolkit, or one of NVIDIA's packages for Python.
find_cublas_lt() {
    ldconfig -p 2>/dev/null | sed -n 's/.*libcublasLt\.so\.13 .*=> //p' | head -n 1
    timeout 10 find -L /usr/local/cuda /usr/local/cuda-13* /opt /usr/lib/python3* /usr/local/lib/python3* "${HOME:-/nowhere}/.local/lib" \
        -maxdepth 8 -name libcublasLt.so.13 2>/dev/null | head -n 1
}
cublas_lt=$(find_cublas_lt | head -n 1)
LD_LIBRARY_PATH=$kit/lib${cublas_lt:+:$(dirname "$cublas_lt")}${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
MUONSCOPE_CUDA_MODULE=$kit/lib/muonscope/muonscope-cuda.so
HOME=$scratch
XDG_CACHE_HOME=$scratch/cache
export LD_LIBRARY_PATH MUONSCOPE_CUDA_MODULE HOME XDG_CACHE_HOME
muonscope=$kit/bin/muonscope
cd "$scratch" || exit 1

# Steps of several commands, each run by a shell of its own under the step's limit.
machine='uname -srm
nproc
ldd --version 2>&1 | head -n 1
echo "cuBLASLt 13: ${cublas_lt:-not found: fast numerics will be refused}"
for tool in ncu compute-sanitizer; do echo "$tool: $(command -v $tool || echo not there)"; done
nvidia-smi || { echo "nvidia-smi fails or is not there: no NVIDIA driver"; exit 1; }
nvidia-smi --query-gpu=name,driver_version,vbios_version,memory.total,clocks.max.sm,clocks.max.mem,power.limit --format=csv'
# Ten steps of the reference model on synthetic data: their hashes, which any other device must have in `exact`.
ten='$muonscope train --device "$device" --preset blueberry-88m --data.directory synthetic --tracker.enabled false --validation.every 0 \
    --checkpoint.every 0 --sample.tokens 0 --train.steps 10 --train.numerics exact --run "$scratch/exact" || exit 1
cp "$scratch/exact/metrics.jsonl" "$results/ten_exact.json"'
# The second launch of each kernel of ours and of cuBLASLt (some run once a step): the ten dearest are among them by `bench model`.
profile='command -v ncu >/dev/null || { echo "no ncu on this machine"; exit 77; }
names="attention|keys|queries|column|sums|cross_entropy|gram|norm|rope|embed|relu2|axpby|cast|nvjet|gemm|cutlass|splitK"
MUONSCOPE_CUDA_SYNC=1 ncu --clock-control none --csv --kernel-id "::regex:$names:2" \
    --metrics gpu__time_duration.sum,dram__bytes.sum,sm__throughput.avg.pct_of_peak_sustained_elapsed,launch__registers_per_thread \
    $muonscope train --device "$device" --preset blueberry-88m --data.directory synthetic --tracker.enabled false --validation.every 0 \
    --checkpoint.every 0 --sample.tokens 0 --train.steps 2 --train.storage bf16 --run "$scratch/profile"'
races='command -v compute-sanitizer >/dev/null || { echo "no compute-sanitizer on this machine"; exit 77; }
compute-sanitizer --tool racecheck --error-exitcode 3 $muonscope verify --quick --ops-only --device "$device" --numerics fast \
    --op attention,attention_grad,gram'
# Vulkan on the same GPU: the first device that is no processor.
vulkan='name=$($muonscope devices | grep -vi -e llvmpipe -e swiftshader | sed -n "s/^ *\(vulkan:[0-9]*\) *usable.*/\1/p" | head -n 1)
[ -n "$name" ] || { echo "no Vulkan device that is a GPU"; exit 77; }
$muonscope $1 --device "$name" $2'
# NVIDIA's driver where containers have it, which the loader does not search.
for file in /usr/local/nvidia/share/vulkan/icd.d/nvidia_icd.json /usr/share/glvnd/vulkan/icd.d/nvidia_icd.json; do
    [ ! -e "$file" ] || export VK_ADD_DRIVER_FILES="$file"
done
export muonscope device scratch results cublas_lt

say "muonscope on $(uname -n), device $device, at most $seconds s"
step 00_machine 20 sh -c "$machine"
step 01_devices 60 "$muonscope" devices
step 02_fragments 30 "$kit/bin/fragments"
step 03_ops 100 "$muonscope" verify --quick --ops-only --device "$device" --json "$results/03_ops.json"
step 04_runs 60 "$muonscope" verify --quick --runs-only --device "$device" --json "$results/04_runs.json"
step 05_bench_bf16 60 "$muonscope" bench train --device "$device" --preset blueberry-88m --train.storage bf16 --without_adamw --timed_steps 10
step 06_bench_f32 60 "$muonscope" bench train --device "$device" --preset blueberry-88m --without_adamw --timed_steps 5
step 07_production 100 "$muonscope" verify --production blueberry-88m --storage both --ops-only --device "$device" --json "$results/07_production.json"
step 08_exact_fast 80 "$muonscope" verify --production blueberry-88m --storage both --runs-only --device "$device" --json "$results/08_exact_fast.json"
step 09_profile 70 sh -c "$profile"
step 10_races 50 sh -c "$races"
step 11_vulkan_ops 90 sh -c "$vulkan" vulkan verify "--quick --ops-only"
step 12_vulkan_bench 60 sh -c "$vulkan" vulkan "bench train" "--preset nano --without_adamw --timed_steps 3"
step 13_bench_ops 60 "$muonscope" bench ops --storage bf16 --device "$device"
step 14_exact_hash 40 sh -c "$ten"
say "$n_wrong steps were not right; $(elapsed) s; all of it: $results/results.tar.gz"
save
[ "$n_wrong" -eq 0 ]
