#!/bin/sh
# A checkpoint cannot be written to its end (here, by a limit on the size of files, which needs no privilege): one line says so, the
# last checkpoint stays as it was, and the run goes on when the limit is gone.
. "$(dirname "$0")/support.sh"

must micro --run whole --track_manifold false
hashes >whole.hashes

must micro --run run --track_manifold false --steps 20
fingerprint run/checkpoints >before
largest=$(wc -c <run/checkpoints/step_00000020/optimizer.safetensors)
limited() {
    # The program makes an error of the signal.  The unit is 512 bytes.
    (
        ulimit -f $((largest / 512 - 2))
        exec "$muonscope" train --resume run --steps 50
    )
}
refuse 1 "checkpoint of step [0-9]+: .*optimizer\.safetensors.*File too large" limited
fingerprint run/checkpoints >after
cmp before after || fail "the checkpoints are not as they were"

must resume run --steps 50
hashes >resumed.hashes
cmp whole.hashes resumed.hashes || fail "the resumed run ends with other weights or state"
