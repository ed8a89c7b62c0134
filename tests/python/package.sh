#!/bin/sh
# The Python package as it stands in the source tree, beside the library and the program of a build, by Debian's Python and NumPy.
# Usage: package.sh BUILD
set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=$(realpath "$1")
scratch=$(mktemp -d /tmp/muonscope-python-XXXXXX)
trap 'rm -rf "$scratch"' EXIT INT TERM
mkdir -p "$scratch/muonscope/lib" "$scratch/muonscope/bin"
cp "$here/../../python/muonscope"/*.py "$scratch/muonscope"
ln -s "$build/libmuonscope.so.0" "$scratch/muonscope/lib"
ln -s "$build/muonscope" "$scratch/muonscope/bin"
cd "$scratch"
export PYTHONDONTWRITEBYTECODE=1 PYTHONPATH="$scratch:$here"
/usr/bin/python3 "$here/package.py"
/usr/bin/python3 "$here/tracker.py"
/usr/bin/python3 "$here/gguf_plan.py"
/usr/bin/python3 "$here/tensorboard_scalars.py"
