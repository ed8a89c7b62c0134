#!/bin/bash
# What is in a folder of shards as text and as ids; folders of files; a run on data without a token
# between documents; names of options.
. "$(dirname "$0")/support.sh"

for i in $(seq 300); do echo "line $i says $((i * 7919 % 1000))"; done >text.txt
must program tokenizer train --vocab_size 260 text.txt
mkdir -p folder/.hidden folder/later
cp text.txt folder/a.txt
sed 's/.*/{"page":{"body":"&"}}/' text.txt >folder/later/b.jsonl
cp text.txt folder/.hidden/c.txt
must program data prepare --output data --validation_fraction 0.2 --document_bytes 64 --field page.body folder
must program data info data
grep -q "source folder/a.txt: " out || fail "the folder's file is not a source"
[ "$(grep -c "^source " out)" -eq 2 ] || fail "not two sources: $(grep "^source " out)"

# As text: every line of the text stands in one of the sequences; as ids: what the shard holds.
must program data decode data --sequence_length 16 --sequences 100
grep -q "^--- sequence 99 of " err || fail "no heading"
grep -q "line [0-9]* says [0-9]" out || fail "no text"
n=$("$muonscope" data decode data --sequence_length 16 --sequence 9999999 2>&1 | sed -n 's/.* has \([0-9]*\) sequences of 16$/\1/p')
"$muonscope" data decode data --ids --sequence_length 16 --sequences "$n" 2>/dev/null >ids
od -An -v -tu2 -w32 -j1024 data/data_train_000000.bin | awk 'NF == 16 {$1 = $1; print}' | cmp - ids || fail "other ids than the shard's"

# The order of a run: another one than that of the shards, and the same again.
order() { "$muonscope" data decode data --ids --sequence_length 16 --sequences 4 "$@" 2>/dev/null; }
order --seed 3 >one
order --seed 3 | cmp - one || fail "a seed gives two orders"
! order | cmp -s - one || fail "a seed changes nothing"

# Shards alone, and one of them.
mkdir alone
cp data/data_train_000000.bin alone
must program data info alone
grep -q "tokens of uint16, ids up to [0-9]*$" out || fail "nothing is said of the shard"
must program data info alone/data_train_000000.bin
refuse 1 "alone has no tokenizer: --tokenizer FILE names one, or --ids" program data decode alone
must program data decode alone --tokenizer tokenizer.json --sequence_length 16

# No token between documents: a run, and its text.
must program data prepare --output none --validation text.txt --document_end none data/data_train_000000.bin
must program data info none
grep -q "^no token stands between documents" out || fail "info does not say that documents are not kept apart"
must micro --run run --data.directory none --track_manifold false --model.layers 1 --model.vocabulary 0 --sample.tokens 0 --steps 2
must program generate run --tokens 3 --prompt "line"

# How fast it is, and what has no text.
must program bench tokenizer --repetitions 1 --threads 2 text.txt
grep -qE "^ +2 +[0-9.]+ +[0-9.]+ +[0-9.]+$" out || fail "no line of two threads: $(cat out)"
printf "\n" >blank.txt
refuse 1 "blank.txt has no text" program bench tokenizer blank.txt
refuse 2 "repetitions 0: must be 1 to 1000" program bench tokenizer --repetitions 0 text.txt

must program data prepare --output older --key page.body --validation_fraction 0.5 folder/later/b.jsonl
grep -q -- "--key is now named --field" err || fail "nothing says that --key has another name"
refuse 2 "two names of one option" program data prepare --output x --key a --field b text.txt
refuse 2 "give one of them" program data prepare --output x --validation text.txt --validation_fraction 0.1 text.txt
printf "\001\000\002\000" >ids.bin
mkdir empty
: >none.txt
refuse 1 "val split: the file of --validation has no text" program data prepare --output x --validation none.txt text.txt
refuse 1 "tokenizer: text.txt is no tokenizer.json: line 1" program data prepare --output x --tokenizer text.txt text.txt
refuse 2 "split foo: must be train or val" program data decode data --split foo
refuse 1 "ids.bin is no text: .*--format uint16" program data prepare --output x ids.bin
refuse 1 "empty has no files" program data prepare --output x empty

# What another program gives in pieces is what the file gives; what breaks off, or is given up, leaves nothing.
piece() { printf "$(printf '\\%03o\\%03o\\%03o\\%03o' $(($1 % 256)) $(($1 / 256 % 256)) $(($1 / 65536)) 0)"; }
pieces() {
    piece 100
    head -c 100 "$1"
    piece $(($(wc -c <"$1") - 100))
    tail -c +101 "$1"
    piece 0
}
(pieces text.txt; pieces folder/later/b.jsonl) >two
must program data prepare --output piped --validation_fraction 0.2 --document_bytes 64 --field page.body --piped "a name" folder/later <two
cmp data/data_train_000000.bin piped/data_train_000000.bin || fail "pieces give other tokens than files"
grep -q '"path": "a name"' piped/dataset.json || fail "the name is not the source's: $(cat piped/dataset.json)"
(pieces text.txt; pieces text.txt | head -c 5000) >broken
refuse 1 "b: standard input ends before its end" program data prepare --output x --piped a b <broken
(pieces text.txt; printf '\377\377\377\377'; piece 17; printf 'file b is no file') >given_up
refuse 1 "file b is no file$" program data prepare --output x --piped a b <given_up
[ ! -e x ] || fail "something was left behind"
echo "data ok"
