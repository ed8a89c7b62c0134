#!/bin/sh
# The CUDA module beside the library, installed, absent, broken, with an old driver: found or not, and the reason why not.
# Usage: absent.sh PROGRAM MODULE OLD_DRIVER_FOLDER
set -u
program=$1
module=$2
old_driver=$3
work=$(mktemp -d /tmp/ms_cuda_module_XXXXXX)
trap 'rm -rf "$work"' EXIT
# No Vulkan driver: it has nothing to do with this.
export VK_DRIVER_FILES=/dev/null
failed=0

# expect WHAT PATTERN PROGRAM: its device list has a line with the pattern.
expect() {
    "$3" devices >"$work/out" 2>"$work/error" || {
        echo "$1: devices exits with $?: $(cat "$work/error")"
        failed=1
        return
    }
    grep -q -- "$2" "$work/out" || {
        echo "$1: no line has '$2':"
        cat "$work/out"
        failed=1
    }
}

mkdir -p "$work/alone" "$work/broken" "$work/installed/muonscope"
# The program looks for the library beside itself.
for folder in alone broken installed; do
    cp "$program" "$work/$folder/program"
    cp "$(dirname "$program")/libmuonscope.so.0" "$work/$folder/"
done
echo "no library" >"$work/broken/muonscope-cuda.so"
cp "$module" "$work/installed/muonscope/muonscope-cuda.so"

expect "no module" "no module muonscope-cuda.so beside libmuonscope or in muonscope/ there" "$work/alone/program"
expect "a module that is none" "library cannot be loaded: .*muonscope-cuda.so" "$work/broken/program"
MUONSCOPE_CUDA_MODULE=/nowhere/module.so expect "a module named that is not there" "no library /nowhere/module.so" "$program"
old="driver for CUDA 12.4, the module was built with [0-9.]*: update the driver"
LD_LIBRARY_PATH=$old_driver expect "an old driver" "$old" "$program"
LD_LIBRARY_PATH=$old_driver expect "an old driver, installed" "$old" "$work/installed/program"

# A device that was asked for is never replaced by another.
LD_LIBRARY_PATH=$old_driver "$program" train --preset micro --data.directory synthetic --device cuda:0 --run "$work/run" >"$work/out" 2>&1
status=$?
if [ $status -ne 1 ] || ! grep -q "no device \"cuda:0\".*$old" "$work/out" || [ -e "$work/run" ]; then
    echo "train on an old driver: exit status $status, $(cat "$work/out")"
    failed=1
fi
exit $failed
