#!/bin/sh
# `verify` on a Vulkan device can fail: faults planted into results and into the device's memory are found, and each row names
# what it is about.
# Usage: planted.sh PROGRAM DEVICE
. "$(dirname "$0")/../end_to_end/support.sh"
device=$2

refuse 1 "rows fail" program verify --quick --device "$device" --op axpby,sum,rms_norm --planted-fault
planted=$(sed -n 's/^planted faults: \([0-9]*\), found: \1$/\1/p' out)
# A bit, three places in memory and a NaN, for three ops in both numerics.
[ "$planted" = 30 ] || fail "not all of 30 planted faults were found: $(grep '^planted' out)"
for op in axpby sum rms_norm; do
    for numerics in exact fast; do
        for what in "(differs|out of bound) .* output 0, element [0-9]+: [0-9a-f]{8}, must be [0-9a-f]{8}" \
            "memory .* wrote around output 0 at element [0-9]+" "memory .* changed input 0 at element [0-9]+" \
            "memory .* did not write output 0 at element [0-9]+" "differs .* nan in input 0"; do
            grep -qE "^$op .* $numerics +$what" out || fail "no row of $op, $numerics, says /$what/"
        done
    done
done
