#!/bin/sh
# Ranks on two hosts end with the bits, spectra and checkpoints of one process, also where the link is slow.
# Usage: two_hosts.sh PROGRAM MODULE MPIRUN
. "$(dirname "$0")/hosts.sh"
hosts_make a b
short="--steps 4 --checkpoint.every 2 --validation.every 2 --tracker.every 2"
must program train $twelve --run straight $short
hashes >straight.hashes
record straight >straight.record
must across a:1,b:1 2 $twelve --run across $short
same_as across straight
[ "$(awk '$1 == "b:" { print $2 }' /proc/net/dev)" -gt 500000 ] || fail "gradients have not gone through the link of b"
link_rate b 20mbit
must across a:1,b:2 3 $twelve --run slow $short
same_as slow straight
