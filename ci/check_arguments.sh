#!/bin/sh
# Scripts of this folder that take long, or that leave something behind, refuse bad arguments before they begin: in one line on stderr
# that names them, with status 2, and nothing on stdout.
# Usage: ci/check_arguments.sh
set -eu
cd "$(dirname "$0")/.."
[ $# -eq 0 ] || {
    echo "usage: ci/check_arguments.sh" >&2
    exit 2
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM
n=0
n_faults=0

# refused TEXT SCRIPT ARGUMENTS...: the line has the text.
refused() {
    text=$1
    shift
    n=$((n + 1))
    status=0
    timeout 20 sh "ci/$@" >"$work/out" 2>"$work/err" </dev/null || status=$?
    if [ "$status" -ne 2 ] || [ -s "$work/out" ] || [ "$(wc -l <"$work/err")" -ne 1 ] || ! grep -qF -- "$text" "$work/err"; then
        echo "check_arguments.sh: ci/$*: status $status, not one line with '$text': $(tail -n 3 "$work/out" "$work/err")" >&2
        n_faults=$((n_faults + 1))
    fi
}

mkdir "$work/empty" "$work/folder.tar.gz" "$work/configured"
touch "$work/file"
echo "MS_NVCC:FILEPATH=MS_NVCC-NOTFOUND" >"$work/configured/CMakeCache.txt"
tar -C "$work" -czf "$work/other.tar.gz" file

refused usage: device_kit.sh
refused usage: device_kit.sh --target 90 kit.tar.gz
refused "kit.zip: the kit's name" device_kit.sh kit.zip
refused "--targets sm_90:" device_kit.sh --targets sm_90 kit.tar.gz
refused "--build $work/file:" device_kit.sh --build "$work/file" kit.tar.gz
refused "$work/file/kit.tar.gz cannot be written" device_kit.sh "$work/file/kit.tar.gz"
refused "$work/folder.tar.gz cannot be written" device_kit.sh "$work/folder.tar.gz"

refused usage: device_day.sh
refused usage: device_day.sh --second 20 results
for seconds in 0 9 010 86401 99999999999999999999 1e3 -5 ''; do
    refused "--seconds $seconds: must be" device_day.sh --seconds "$seconds" "$work/results"
done
refused "$work/file is no folder" device_day.sh "$work/file"

refused usage: bare_root.sh
refused "no program $work/empty/muonscope" bare_root.sh "$work/empty"
refused "$work/absent.tar.gz: no such" bare_root.sh "$work/absent.tar.gz"
refused "$work/other.tar.gz is no kit" bare_root.sh "$work/other.tar.gz"

for script in check_cuda_loads check_cuda_rounding ptxas_report; do
    refused usage: $script.sh chek build
    for what in check self-test; do
        refused "no build in $work/empty" $script.sh $what "$work/empty"
        refused "no build of the CUDA module in $work/configured" $script.sh $what "$work/configured"
    done
done
refused "no build in $work/empty" check_contraction.sh "$work/empty"

refused usage: demo.sh --steps 0
refused "--run $work/empty exists" demo.sh --run "$work/empty"
refused usage: deep_slice.sh 3 3
refused usage: debian13.sh --root
for script in swiftshader cuda nvdisasm; do refused usage: $script.sh; done

[ "$n_faults" -eq 0 ] || exit 1
echo "check_arguments.sh: $n bad command lines are refused at once"
