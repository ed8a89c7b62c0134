#!/bin/sh
# What is large or deep takes time in proportion, or is refused with the limit.  Each bound is several times what is needed, and a fraction
# of what work with the square of the size took.
. "$(dirname "$0")/support.sh"

within() {
    seconds=$1
    shift
    timeout "$seconds" "$@"
}
dry() { within 15 "$muonscope" train --preset micro --dry-run "$@" >out 2>err; }

must dry --model.layers 2048
grep -qE '^parameters +[0-9]' out || fail "no start-up table"

awk 'BEGIN { for (i = 0; i < 200000; i++) printf "["; print "" }' >flow.yaml
awk 'BEGIN { for (i = 0; i < 200000; i++) printf "- "; print "x" }' >block.yaml
for file in flow block; do
    refuse 1 "$file.yaml:1: nested deeper than [0-9]+" dry --config $file.yaml
done

refuse 1 "65536 x train.batch_sequences 65536 = 4294967296 tokens of one pass, at most [0-9]+" dry --model.sequence_length 65536 --train.batch_sequences 65536
refuse 1 "at most [0-9]+ are possible" dry --model.sequence_length 1048576 --train.batch_sequences 65536
must dry --model.sequence_length 65536 --train.batch_sequences 64 --train.accumulation 65536 --model.loss_chunk 512
grep -qE '^step +[0-9]+ tokens, [0-9]{10,} nodes' out || fail "the nodes of a step are not counted: $(grep '^step' out)"
