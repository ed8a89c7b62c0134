#!/bin/bash
# `evaluate`: on the data of a run its validation loss; on documents the sums of their tokens, window by window, whatever else is in the batch.
. "$(dirname "$0")/support.sh"

for i in $(seq 300); do echo "line $i says $((i * 7919 % 1000))"; done >text.txt
must program tokenizer train --vocab_size 260 text.txt
must program data prepare --output data --validation_fraction 0.2 --document_bytes 64 text.txt
must program data prepare --output none --validation_fraction 0.2 --document_bytes 64 --document_end none text.txt
small="--track_manifold false --model.layers 2 --model.vocabulary 0 --sample.tokens 0 --steps 6 --validation.every 6"
must micro --run run --data.directory data $small
logged=$(sed -n 's/.*"validation_loss":\([0-9.]*\).*/\1/p' run/metrics.jsonl | tail -1)
bits=$(sed -n 's/.*"validation_bits_per_byte":\([0-9.]*\).*/\1/p' run/metrics.jsonl | tail -1)

# loss: the one that the last evaluation printed.
loss() { sed -n 's/^loss \([0-9.]*\) nats.*/\1/p' "${1:-out}"; }
# close A B: equal to the digits printed.
close() { awk -v a="$1" -v b="$2" 'BEGIN {d = a - b; exit !(a != "" && d < 2e-6 && d > -2e-6)}' || fail "$1 is not $2: $3"; }

must program evaluate run
close "$(loss)" "$logged" "the validation loss"
close "$(sed -n 's/.*, \([0-9.]*\) bits per byte/\1/p' out)" "$bits" "bits per byte"
must program evaluate run --sequences 3 # not a whole batch
grep -q "step 6: 3 of [0-9]* sequences of 32 tokens of the val split, 93 targets" out || fail "3 sequences: $(cat out)"

# Documents: one by one as all together, and the sum.
must program evaluate run --jsonl --documents chunk --document_bytes 64 text.txt
cp out lines
n=$(wc -l <lines)
[ "$n" -gt 20 ] || fail "$n documents"
close "$(loss err)" "$(sed 's/.*"tokens":\([0-9]*\),"log_likelihood":\([^,]*\),.*/\1 \2/' lines | awk '{n += $1; s -= $2} END {printf "%.9f", s / n}')" "the sum of the documents"
first=$(sed -n 's/^{"document":4,.*"bytes":\([0-9]*\),.*/\1/p' lines)
before=$(head -4 lines | sed 's/.*"bytes":\([0-9]*\),.*/\1/' | awk '{n += $1} END {print n}')
tail -c +$((before + 1)) text.txt | head -c "$first" >fifth.txt
must program evaluate run --jsonl fifth.txt
[ "$(sed 's/.*"tokens"/"tokens"/' out)" = "$(sed -n '5s/.*"tokens"/"tokens"/p' lines)" ] || fail "a document alone has another likelihood"

# Windows: without a token between documents the first of a document is not scored, so each window can be a document of its own.
must micro --run plain --data.directory none $small
ids=($("$muonscope" data decode none --ids --sequence_length 128 2>/dev/null))
score() { # BEGIN LENGTH: a document of these ids
    echo "{\"input_ids\":[$(printf '%s,' "${ids[@]:$1:$2}" | sed 's/,$//')]}"
}
likelihoods() { "$muonscope" evaluate plain --jsonl --format ids "$@" 2>err | sed 's/.*"log_likelihood":\([^,]*\),.*/\1/'; }
score 0 97 >whole.jsonl # windows of 32 positions see 33 tokens
for begin in 0 32 64; do score $begin 33; done >parts.jsonl
close "$(likelihoods whole.jsonl)" "$(likelihoods parts.jsonl | awk '{s += $1} END {printf "%.12f", s}')" "windows a sequence apart"
{ score 0 33 && for begin in 16 32 48 64; do score $begin 33 && score $begin 17; done; } >parts.jsonl
close "$(likelihoods --stride 16 whole.jsonl)" "$(likelihoods parts.jsonl | awk 'NR == 1 || NR % 2 == 0 {s += $1; next} {s -= $1} END {printf "%.12f", s}')" \
    "windows half a sequence apart"

# A folder of `export hf` has the figures of its run, without the run.
must program evaluate run --jsonl --documents chunk --document_bytes 64 text.txt
cp out of_run
must program export hf run --out hf
must program evaluate hf --jsonl --documents chunk --document_bytes 64 --sequence_length 32 text.txt
grep -q "^hf: $n documents, .* tokens, each document after token 0$" err || fail "it says: $(cat err)"
likelihood_of() { sed 's/.*"log_likelihood":\([^,]*\),.*/\1/' "$1"; }
likelihood_of out >of_hf
likelihood_of of_run | paste - of_hf | awk '{ d = $1 - $2; if (d > 1e-3 || d < -1e-3) bad = 1; n++ } END { exit bad || n != '"$n"' }' ||
    fail "other likelihoods than the run's"
must program evaluate hf --data data --sequence_length 32 --sequences 8
close "$(loss)" "$logged" "the run's validation loss, of the folder"
must program evaluate hf --no_bos --jsonl fifth.txt
[ "$(sed 's/.*"tokens":\([0-9]*\).*/\1/' out)" -eq "$(($(sed -n '5s/.*"tokens":\([0-9]*\).*/\1/p' lines) - 1))" ] || fail "without bos_token_id the first is scored"
refuse 2 "has no data of its own: name a FILE, or --data DIR" program evaluate hf
refuse 2 "--step: a Hugging Face folder has no checkpoints" program evaluate hf --step 6 text.txt
refuse 2 "--no_bos: it is of a Hugging Face folder" program evaluate run --no_bos text.txt
refuse 2 "--sequence_length 1: at least 2" program evaluate hf --sequence_length 1 text.txt
mv hf/tokenizer.json moved.json
refuse 1 "hf has no tokenizer to read a text with" program evaluate hf text.txt
must program tokenizer train --vocab_size 261 --output hf/tokenizer.json text.txt
refuse 1 "hf/tokenizer.json has 261 tokens, the model 260" program evaluate hf text.txt
mv moved.json hf/tokenizer.json
sed -i 's/"num_hidden_layers": 2/"num_hidden_layers": 3/' hf/config.json
refuse 1 "tensor model.layers.2.* is missing" program evaluate hf text.txt

sed -i 's/"num_hidden_layers": 3/"num_hidden_layers": 2/; s/"num_key_value_heads": [0-9]*/"num_key_value_heads": 3/' hf/config.json
refuse 1 "hf: model: .* heads are not a multiple of 3 kv_heads" program evaluate hf text.txt
grep -q "evaluate: evaluate\|init.from" err && fail "a prefix of another command, or twice: $(cat err)"
sed -i 's/"num_key_value_heads": 3/"num_key_value_heads": 2/; s/"bos_token_id": [0-9]*/"bos_token_id": 260/' hf/config.json
refuse 1 "hf/config.json: bos_token_id 260 is not in the vocabulary of 260 tokens" program evaluate hf text.txt
score 0 1 >one.jsonl
refuse 1 "no token was scored.*without a token to begin documents the first is not scored" program evaluate plain --format ids one.jsonl
refuse 1 "hf is a Hugging Face folder.*train --init_from hf.*evaluate hf" program generate hf
refuse 1 "hf is a Hugging Face folder.*train --init_from hf.*evaluate hf" program export hf hf --out none
refuse 1 "data is not a run folder.*a run or a Hugging Face folder" program evaluate data text.txt
refuse 2 "--split: it is of the data's sequences" program evaluate run --split val text.txt
refuse 2 "--stride: it is of the documents of a FILE" program evaluate run --stride 4
refuse 1 "windows 33 tokens apart: 1 to 32" program evaluate run --stride 33 text.txt
refuse 1 "data: no folder gone" program evaluate run --data gone
refuse 2 "--format csv: auto, text, jsonl" program evaluate gone --format csv parts.jsonl
refuse 2 "--on_error never: stop, skip or replace" program evaluate gone --on_error never parts.jsonl
refuse 1 "line 1: no string under the key \"body\"" program evaluate run --format jsonl --field body parts.jsonl
refuse 1 "no token was scored" program evaluate run --format jsonl --on_error skip parts.jsonl
grep -q "^skipped *[0-9]* records: [0-9]* no_text" err || fail "skipped records are not counted: $(cat err)"
echo "evaluate ok"
