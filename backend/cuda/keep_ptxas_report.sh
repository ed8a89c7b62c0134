#!/bin/sh
# Runs a compilation by nvcc (-Xptxas=-v) and keeps what ptxas says of each kernel in <object>.ptxas, for ci/ptxas_report.sh, and the PTX and
# the machine code of each target in the folder <object>.code, for ci/check_cuda_*.sh.
# Usage: keep_ptxas_report.sh nvcc ARGUMENTS... -o OBJECT ARGUMENTS...
set -u
previous=
object=
for argument; do
    [ "$previous" = -o ] && object=$argument
    previous=$argument
done
[ -n "$object" ] || exec "$@"
rm -rf "$object.ptxas" "$object.code"
mkdir -p "$object.code" || exit 1
"$@" --keep --keep-dir "$object.code" 2>"$object.stderr"
status=$?
[ $status -eq 0 ] && cp "$object.stderr" "$object.ptxas"
# What else nvcc leaves there is large.
find "$object.code" -type f ! -name '*.ptx' ! -name '*.cubin' -exec rm -f {} +
# Everything else is for the screen: on its own lines, and all of it after a failure.
if [ $status -eq 0 ]; then grep -Ev '^ptxas info|^    [0-9]+ bytes stack frame|^$' "$object.stderr" >&2; else cat "$object.stderr" >&2; fi
rm -f "$object.stderr"
exit $status
