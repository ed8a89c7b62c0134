#!/bin/sh
# Runs a compilation by nvcc (-Xptxas=-v) and keeps what ptxas says of each kernel in <object>.ptxas, for ci/ptxas_report.sh.
# Usage: keep_ptxas_report.sh nvcc ARGUMENTS... -o OBJECT ARGUMENTS...
set -u
previous=
object=
for argument; do
    [ "$previous" = -o ] && object=$argument
    previous=$argument
done
[ -n "$object" ] || exec "$@"
rm -f "$object.ptxas"
"$@" 2>"$object.stderr"
status=$?
[ $status -eq 0 ] && cp "$object.stderr" "$object.ptxas"
# Everything else is for the screen: on its own lines, and all of it after a failure.
if [ $status -eq 0 ]; then grep -Ev '^ptxas info|^    [0-9]+ bytes stack frame|^$' "$object.stderr" >&2; else cat "$object.stderr" >&2; fi
rm -f "$object.stderr"
exit $status
