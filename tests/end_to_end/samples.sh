#!/bin/sh
# The text at the end of a run has a heading and is kept, with those of earlier ends; a resumption removes what is after its checkpoint.
. "$(dirname "$0")/support.sh"

seq 3000 | sed 's/$/ quick brown foxes jump over the lazy dog; pack my box with five dozen liquor jugs./' >text.txt
must program tokenizer train --vocab_size 300 --output tokenizer.json text.txt
must program data prepare --tokenizer tokenizer.json --output data --validation_fraction 0.2 text.txt

# headings RUN: the steps of its samples.
headings() {
    sed -nE 's/^-- step ([0-9]+), [0-9]+ bytes: temperature 0\.8, top_k 50, seed 77$/\1/p' "$1/samples.txt" | tr '\n' ' '
}

must micro --seed 77 --data.directory data --model.vocabulary 0 --validation.every 0 --tracker.enabled false --checkpoint.every 2 \
    --checkpoint.keep 10 --steps 4 --run run --sample.prompt "the lazy" --sample.tokens 12
grep -qx 'sample of step 4: temperature 0.8, top_k 50, seed 77:' out || fail "the text has no heading: $(cat out)"
# What was printed is what is kept, to the byte: below the heading and its empty line.
sed '1,/^sample of step 4/d' out | sed 1d >printed.txt
head -c 8 printed.txt | grep -qx 'the lazy' || fail "not the prompt: $(cat printed.txt)"
sed 1d run/samples.txt | head -c -1 >kept.txt
cmp printed.txt kept.txt || fail "another text was kept than was printed"
[ "$(sed -nE '1s/.*, ([0-9]+) bytes.*/\1/p' run/samples.txt)" -eq "$(($(wc -c <kept.txt) - 1))" ] || fail "the length is wrong"

cp run/samples.txt once.txt
must resume run # nothing to do: the same text
cmp once.txt run/samples.txt || fail "a text that was drawn twice is kept twice, or is another"
must resume run --steps 8
[ "$(headings run)" = "4 8 " ] || fail "samples are of steps $(headings run)"
must resume run --step 6 --steps 7
[ "$(headings run)" = "4 7 " ] || fail "after going back to step 6 samples are of steps $(headings run)"
echo "a note" >>run/samples.txt
must resume run --step 2 --steps 3
[ "$(headings run)" = "3 " ] || fail "after going back to step 2 samples are of steps $(headings run)"
grep -q 'warning: run/samples.txt: dropped 7 bytes that are no sample' err || fail "a foreign line is not said: $(cat err)"

must micro --run control --data.directory data --model.vocabulary 0 --steps 2 --train.control shuffled_targets
[ ! -e control/samples.txt ] || fail "a control keeps a text that it does not draw"
