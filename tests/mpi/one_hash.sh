#!/bin/sh
# In `exact` any number of ranks ends with the bits of one process, whatever rules and storage, goes on with any other number, and writes the
# same spectra, probes and checkpoints.  What cannot be is refused by one line from one rank, and all end with status 1.
# Usage: one_hash.sh PROGRAM MODULE MPIRUN [all]     all: every number of ranks, and more settings
. "$(dirname "$0")/support.sh"
all=${4:-}

# same NAME RANKS... -- OPTIONS...: a run by each number of ranks is that of one process.
same() {
    name=$1 numbers=
    shift
    while [ "$1" != -- ]; do
        numbers="$numbers $1"
        shift
    done
    shift
    must program train $twelve --run "$name" "$@"
    hashes >"$name.hashes"
    record "$name" >"$name.record"
    for n in $numbers; do
        must ranks "$n" $twelve --run "$name.$n" "$@"
        same_as "$name.$n" "$name"
        for file in "$name"/checkpoints/*/*.safetensors; do
            cmp "$file" "$name.$n/${file#*/}" || fail "$name: another checkpoint by $n ranks"
        done
    done
}

short="--steps 6 --checkpoint.every 3 --validation.every 3 --tracker.every 2"
same muon 3 -- $short
if [ -n "$all" ]; then
    same muon_all 1 2 4 5 -- $short --tracker.every_step sigma_max --tracker.spectrum full
    same adamw 2 3 4 -- $short --optimizer adamw
    same normuon 2 3 4 -- $short --optimizer normuon
    same bf16 2 3 4 -- $short --train.storage bf16 --train.master bf16
    same layers 2 3 4 -- $short --model.layers 4 --attention.merged false
    same shuffled 2 3 -- $short --train.control shuffled_targets
    same noise 2 3 -- $short --intervention.noise 0.1 --intervention.noise_first_layer 1
    same spectral_decay 2 3 -- $short --intervention.spectral_decay 0.1
    same qk_clip 2 3 -- $short --intervention.qk_clip 4 --attention.qk_norm false --init.std 0.4
    same drawn 2 3 -- $short --train.control noise
fi

# On with two ranks, with none, and with three.
each="--tracker.every 1 --tracker.every_step sigma_max --validation.every 1"
must ranks 2 $twelve $each --run on --steps 2
must resume on --steps 3
must ranks 3 --resume on --steps 5
must ranks 2 --resume on --steps 6 --threads 1
must program train $twelve $each --run straight --steps 6
hashes >straight.hashes
record straight >straight.record
must program train --resume on --steps 6
same_as on straight

said 1 "rank 1 would have none; start fewer ranks, choose less unequal parallel.shares, or" ranks 2 $twelve --run bad --steps 2 --parallel.shares 12,1
said 1 "2 ranks and 1 micro-steps" ranks 2 --preset micro --numerics exact --train.accumulation 1 --run bad --steps 2
[ ! -e bad ] || fail "a folder is left of a run that was refused"
said 1 "rank 1 \(.*no device" two train $twelve --run bad --steps 2 : $twelve --run bad --steps 2 --device vulkan:77
said 1 "rank 1 \(.*muon.lr=0.5, and rank 0 muon.lr=0.024" two train $twelve --run bad --steps 2 : $twelve --run bad --steps 2 --muon.lr 0.5
[ ! -e bad ] || fail "a folder is left of a run that was refused"
if [ -n "$all" ]; then
    said 1 "parallel.shares '1': must be 2" ranks 2 $twelve --parallel.shares 1 --run bad --steps 2
    said 1 "exists and holds" ranks 2 $twelve --run on --steps 2
    two_evaluate() { timeout 60 "$launcher" -n 2 "$muonscope" evaluate on >out 2>err; }
    said 2 "evaluate is work for one process, and mpirun.* has started 2" two_evaluate
    MUONSCOPE_MPI_MODULE=/nowhere/module.so
    said 1 "has started 2 processes.*no library /nowhere/module.so" ranks 2 $twelve --run bad --steps 2
fi
