#!/bin/sh
# `muonscope devices` finds the device that this test is about, fit for `exact`, and `train` takes it by each of its names.
# Usage: names.sh PROGRAM DESCRIPTION     DESCRIPTION: what the driver calls the device (grep -E)
. "$(dirname "$0")/../end_to_end/support.sh"
description=$2

must program devices
cat out
grep -qE "^vulkan:0 +usable +.*$description" out || fail "vulkan:0 is not usable, or is not $description"
! grep -q '^vulkan:1 ' out || fail "there is a second Vulkan device"
[ ! -s err ] || fail "a message on stderr: $(cat err)"

must program devices --json
uuid=$(sed -n 's/.*"uuid": "\([0-9a-f-]\{36\}\)".*/\1/p' out)
[ -n "$uuid" ] || fail "no UUID in the JSON"
case $description in
*SwiftShader*) nickname=vulkan:swiftshader ;;
*) nickname=vulkan:llvmpipe ;;
esac
for name in vulkan:0 "vulkan:$uuid" "$nickname"; do
    must micro --run "run_$name" --device "$name" --steps 2
    for file in out "run_$name/run.log"; do
        grep -qE "device.*$description.*$uuid" "$file" || fail "$file does not say which device it was: $(cat "$file")"
    done
    hashes >"$name.hashes"
    cmp "vulkan:0.hashes" "$name.hashes" || fail "the device as $name gives other bits"
done
