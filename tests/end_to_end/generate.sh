#!/bin/bash
# `generate`: several prompts and samples, stop strings, JSON, streams; a text is the same alone and beside others.
. "$(dirname "$0")/support.sh"

python=/usr/bin/python3

for i in $(seq 300); do echo "line $i says €ü€ü"; done >text.txt
must program tokenizer train --vocab_size 258 text.txt
must program data prepare --output data --validation_fraction 0.2 --document_bytes 64 text.txt
must program data prepare --output none --validation_fraction 0.2 --document_bytes 64 --document_end none text.txt
small="--track_manifold false --model.layers 2 --model.vocabulary 0"
must micro --run run --data.directory data $small --steps 60 --sample.prompt "line" --sample.tokens 20
weights=$(sed -n 's/^weights_sha256 *//p' out)
sed 1d run/samples.txt | head -c -1 >sample.txt
must micro --run plain --data.directory none $small --steps 2 --sample.tokens 0

# texts ARGUMENTS...: of `run`, on standard output.
texts() { "$muonscope" generate run --tokens 20 "$@" 2>err; }

must program generate run --seed 42
cmp out sample.txt || fail "not the text that training drew with this seed"

# A text alone and beside others.
texts --prompt "line 7" --seed 3 >seven
texts --prompt "says" --seed 3 >says
{ echo "-- prompt 1, sample 1"; cat seven; echo; echo "-- prompt 2, sample 1"; cat says; } >both
texts --prompt "line 7" --prompt "says" --seed 3 | cmp - both || fail "two prompts"
printf 'line 7\r\nsays' | texts --prompts - --seed 3 | cmp - both || fail "prompts of standard input"
printf '{"prompt":"line 7"}\n{"prompt":"says"}\n' >prompts.jsonl
texts --prompts prompts.jsonl --seed 3 | cmp - both || fail "prompts of JSONL"
# However many are drawn at a time, at different lengths, and of which some end early: the run is in exact numerics.
many="--prompt line --prompt says --prompt x --n 9 --seed 4 --temperature 1.5 --stop 7"
texts $many >many.txt
for batch in 1 2 7 64; do texts $many --batch $batch | cmp - many.txt || fail "other texts with --batch $batch"; done
[ "$(grep -c '^-- prompt' many.txt)" -eq 27 ] || fail "not 27 texts"

"$python" "$(dirname "$0")/generate.py" "$muonscope" run "$weights" || fail "generate.py"

refuse 1 "--prompt: the prompt has [0-9]+ tokens with the one that begins a document, the model sees 32 at once .* shorten it" \
    program generate run --prompt "$(head -20 text.txt)"
refuse 1 "--prompt: an empty prompt, and no token of the data begins a document" program generate plain --prompt ""
refuse 2 "--stop: an empty text" program generate run --stop ""
refuse 2 "--stop: byte 1 of 'a.*' is not UTF-8" program generate run --stop $'a\xff'
refuse 2 "--n: 0, must be 1 to" program generate run --n 0
refuse 2 "--batch: 0, must be 1 to" program generate run --batch 0
refuse 2 "--field: it is of --prompts" program generate run --field text
refuse 2 "--format csv: auto, text or jsonl" program generate gone --prompts prompts.jsonl --format csv
refuse 1 "--prompts: cannot open gone" program generate run --prompts gone
: >empty
refuse 1 "empty: no prompts in it" program generate run --prompts empty
printf 'a\n\nb\n' >blank
refuse 1 "blank, line 2: an empty line: leave it out" program generate run --prompts blank
printf '{"prompt":"a"}\n{"prompt"\n' >torn.jsonl
refuse 1 "torn.jsonl, line 2: not JSON" program generate run --prompts torn.jsonl
refuse 1 "prompts.jsonl, line 1: no string under the key \"body\"" program generate run --prompts prompts.jsonl --field body
echo '{"input_ids":[1,99999]}' >ids.jsonl
refuse 1 "ids.jsonl, line 1: id 99999 is not of the run's tokenizer, which has ids 0 to 257" program generate run --prompts ids.jsonl
echo '{"input_ids":[1,-2]}' >ids.jsonl
refuse 1 "ids.jsonl, line 1: number 2 under the key \"input_ids\" is no token id" program generate run --prompts ids.jsonl
[ ! -s out ] || fail "something was printed before a prompt was refused"
printf 'a\n\xff\n' >bytes
refuse 1 "bytes, line 2: .*UTF-8" program generate run --prompts bytes
refuse 1 "sample.prompt: the prompt has [0-9]+ tokens" micro --run long --data.directory data $small --sample.tokens 5 --sample.prompt "$(head -20 text.txt)"
[ ! -e long ] || fail "a run that was refused is left"
# A tokenizer with more ids than the model is named with its file.
cp -r run larger
sed -i 's/^  vocabulary: .*/  vocabulary: 200/' larger/config.yaml
refuse 1 "generate: larger/tokenizer.json has 258 tokens, the model 200" program generate larger
refuse 1 "evaluate: larger/tokenizer.json has 258 tokens, the model 200" program evaluate larger text.txt
# A signal ends texts of no tokens, too: they stand still in a pipe that is full until it has come.
mkfifo pipe
"$muonscope" generate run --tokens 0 --n 1000000 >pipe 2>err &
process=$!
exec 3<pipe
read -r line <&3
kill -TERM "$process"
cat <&3 >rest
exec 3<&-
status=0
wait "$process" || status=$?
[ "$status" -ne 0 ] && grep -q SIGTERM err || fail "all texts were written after a signal: $status, $(cat err)"
must program bench generate --preset micro --texts 3 --threads 1
for line in "generate  *3 texts of 17 to 32 tokens, device cpu, fast, 1 threads; medians of 16" "with the cache  *[0-9.]+ ms" "without  *[0-9.]+ ms" "ratio  *[0-9.]+$"; do
    grep -Eq "^$line" out || fail "bench generate: no line '$line'"
done
refuse 2 "--texts 257: must be 1 to 256" program bench generate --preset micro --texts 257
refuse 2 "--texts 0: must be 1 to 256" program bench generate --preset micro --texts 0
refuse 2 "--numerics exact: bench model counts" program bench model --preset micro --target h200 --numerics exact
refuse 2 "--device bogus: bench model opens none" program bench model --preset micro --target h200 --device bogus
refuse 1 "bench generate: give model.vocabulary" program bench generate --preset tiny
echo "generate ok"
