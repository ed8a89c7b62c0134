#!/bin/bash
# From a tokenizer of 70,002 tokens without <|endoftext|> to a run, its resumption and its text: ids above 65,535 all the way.
. "$(dirname "$0")/support.sh"

awk 'BEGIN {
    printf "{\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false},\"added_tokens\":[{\"id\":70001,"
    printf "\"content\":\"<|end_of_text|>\",\"special\":true}],\"model\":{\"type\":\"BPE\",\"vocab\":{\"\\u0120\":0,\"\\u010a\":1"
    for (i = 33; i < 127; i++) if (i != 34 && i != 92) printf ",\"%c\":%d", i, i
    for (i = 200; i < 70000; i++) printf ",\"filler%d\":%d", i, i
    print ",\"ab\":70000},\"merges\":[\"a b\"]}}"
}' >tokenizer.json
for i in $(seq 400); do echo "ab $i abba"; done >text.txt

refuse 1 "no token <.endoftext.> to begin documents with; --document_end TOKEN .*<.end_of_text.>" \
    program data prepare --output data --validation_fraction 0.2 --document_bytes 64 text.txt
must program data prepare --output data --validation_fraction 0.2 --document_bytes 64 --document_end "<|end_of_text|>" text.txt
[ "$(od -An -td4 -N8 data/data_train_000000.bin | xargs)" = "20240801 7" ] || fail "the shard is not one of 32 bits"
[ "$(od -An -td4 -j1024 -N8 data/data_train_000000.bin | xargs)" = "70001 70000" ] || fail "the shard does not begin with its document"
must program data info data
grep -q "vocabulary of 70002 tokens" out || fail "data info does not say the size of the vocabulary"

tiny="--data.directory data --track_manifold false --model.layers 1 --model.vocabulary 0 --sample.tokens 2"
must micro --run whole $tiny --steps 4
hashes >whole.hashes
must micro --run parts $tiny --steps 2
must resume parts --steps 4
hashes | cmp - whole.hashes || fail "a resumed run ends with other weights"
rm -r data
must program generate whole --tokens 3 --prompt ""
