#!/bin/sh
# A disk fills up while a run saves: one line says so, the last checkpoint stays good, and the run goes on when there is room.
if [ "${2:-}" != mounted ]; then
    # A mount of our own goes with this process.  Users other than root need a namespace of their own for it; within a chroot the
    # propagation of / cannot be changed.
    probe=$(mktemp -d /tmp/muonscope-end-to-end-XXXXXX)
    trap 'rmdir "$probe"' EXIT
    for way in "unshare --mount" "unshare --map-root-user --mount" "unshare --mount --propagation unchanged"; do
        $way sh -c "mount -t tmpfs none $probe && umount $probe" 2>/dev/null || continue
        $way "$0" "$1" mounted
        exit
    done
    echo "no permission to mount a small disk: file_limit.sh has what can be tested without one"
    exit 0
fi
. "$(dirname "$0")/support.sh"

mkdir disk
mount -t tmpfs -o size=1m none disk
trap 'cd /; umount "$scratch/disk"; rm -rf "$scratch"' EXIT
refuse 1 "checkpoint of step [0-9]+: .*No space left" \
    "$muonscope" train --preset micro --numerics exact --run disk/run --checkpoint.every=5 --checkpoint.keep=1000
newest=$(ls disk/run/checkpoints | sort | tail -n 1)
[ "$newest" != step_00000000 ] || fail "the disk was full too early for this test"
case $newest in
*.tmp) fail "an unfinished checkpoint was left: $newest" ;;
esac
rm -r disk/run/checkpoints/step_00000000
must resume disk/run --checkpoint.keep=1
grep -q "^resumed disk/run at step $(echo "$newest" | sed 's/step_0*//')\$" err || fail "resumed elsewhere: $(cat err)"
hashes >resumed.hashes

must micro --run whole
hashes >whole.hashes
cmp whole.hashes resumed.hashes || fail "the resumed run ends with other weights or state"

# No room for a run at all.
dd if=/dev/zero of=disk/ballast bs=1k count=2048 2>/dev/null || true
refuse 1 "No space left" "$muonscope" train --preset micro --run disk/none
