#!/bin/bash
# What is printed arrives or the exit status says so; closed descriptors, a limit on file sizes and foreign text do no harm.
. "$(dirname "$0")/support.sh"
tiny="--track_manifold false --steps 2"

echo "-- lines of a run"
must micro --run lines --steps 120 --validation.every 60 --tracker.enabled false
[ "$(grep -c '^step .*/120  loss ' out)" -eq 25 ] || fail "120 steps have other than 25 lines"
[ "$(grep -c '^step .*/120  validation loss ' out)" -eq 3 ] || fail "step and validation lines are not on one stream"
! grep -q "validation loss" err || fail "a validation line is on standard error"
[ "$(grep -c '/120  validation loss ' lines/run.log)" -eq 3 ] || fail "run.log lacks validations"
[ "$(wc -l <lines/metrics.jsonl)" -eq 123 ] || fail "metrics.jsonl lacks steps"
must resume lines --steps 124 --log.every 1 # what is asked for wins
[ "$(grep -c '^step .*/124  loss ' out)" -eq 4 ] || fail "log.every 1 does not print each step"

echo "-- what the loss holds: 1024 tokens a pass, 96 logits each"
loss() {
    must program train --preset micro --train.batch_sequences 32 --dry-run ${2:-}
    grep -qx "loss          in $1" out || fail "${2:-}: not in $1: $(grep '^loss ' out)"
    planned=$(sed -n 's/^memory        \([0-9.]*\) MiB planned: .*/\1/p' out)
}
key="(model.loss_chunk)" whole="one chunk of 1024 tokens (model.loss_chunk 4096)"
loss "$whole: 0.4 MiB of f32 logits and f32 gradients"
large=$planned
loss "$whole: 0.6 MiB of f32 logits and bf16 gradients" "--train.storage bf16"
loss "chunks of 512 tokens $key: 0.2 MiB of f32 logits and f32 gradients" "--numerics exact"
loss "chunks of 512 tokens $key: 0.2 MiB of f32 logits and f32 gradients" "--numerics exact --train.storage bf16 --model.loss_chunk 512"
loss "chunks of 64 tokens $key: 0.0 MiB of f32 logits and f32 gradients" "--model.loss_chunk 64"
must program train --preset micro --train.batch_sequences 32 --dry-run --train.control noise --validation.every 10
grep -qx "loss          of validations alone, in $whole: 0.4 MiB of f32 logits" out || fail "noise has gradients of logits: $(grep '^loss ' out)"
must program train --preset micro --dry-run --train.control noise --validation.every 0
! grep -q '^loss ' out || fail "noise without validations has a loss: $(grep '^loss ' out)"
awk "BEGIN { exit !($planned < $large) }" || fail "small chunks are planned $planned MiB, large ones $large"
refuse 1 "model.loss_chunk 4096: train.numerics exact is defined by chunks of 512 tokens; leave it out" \
    "$muonscope" train --preset micro --numerics exact --model.loss_chunk 4096 --dry-run

echo "-- standard output that cannot be written"
seq 4000 >numbers.txt
must program tokenizer train numbers.txt --vocab_size 257 --output tokenizer.json
must program data prepare numbers.txt --output data --validation_fraction 0.2 --document_bytes 64
full() { "$muonscope" "$@" >/dev/full; }
for command in --help --version --manual --completion devices "devices --json" "data info data" "train --help" "plot --help" \
    "tokenizer encode numbers.txt" "train --preset micro --dry-run" "train --preset micro $tiny --run full"; do
    refuse 1 "cannot write standard output: No space left on device" full $command
done
must resume full --steps 3 # the run itself is whole

echo "-- standard output whose reader is gone"
mkfifo gone
exec 3<>gone 4>gone 3>&-
gone() { "$muonscope" "$@" >&4; }
must program train --preset micro --model.vocabulary=0 --data.directory=data $tiny --run texts
for command in --help --version --manual --completion devices "devices --json" "data info data" "train --help" "plot --help" \
    "tokenizer encode numbers.txt" "train --preset micro --dry-run" "train --preset micro $tiny --run gone_run" \
    "generate texts --tokens 100000"; do
    refuse 1 "cannot write standard output: Broken pipe" gone $command
done
exec 4>&-
refuse 1 "generate: cannot write standard output: No space left on device" full generate texts --tokens 8

echo "-- a limit on the size of files"
small() (
    ulimit -f 8 # enough for gnuplot's script
    exec "$muonscope" "$@"
)
refuse 1 "plot loss: gnuplot was ended by SIGXFSZ \(File size limit exceeded\)" small plot full --only loss
limited() (
    ulimit -f 4 # units of 512 bytes, or 1024
    exec "$muonscope" "$@"
)
refuse 1 "File too large" limited train --preset micro $tiny --run limited
refuse 1 "File too large" limited train --preset micro $tiny --run new/limited
mkdir empty
refuse 1 "File too large" limited train --preset micro $tiny --run empty
checkpoint() ( # too little for that of step 0, and enough for every other file
    ulimit -f 100
    exec "$muonscope" "$@"
)
refuse 1 "checkpoint of step 0: .*File too large" checkpoint train --preset micro --model.vocabulary=0 --data.directory=data \
    --tracker.spectrum full --train.hash_every 1 --sample.tokens 4 --steps 2 --run limited
[ ! -e limited ] && [ ! -e new ] && [ -z "$(ls empty)" ] || fail "a start that failed leaves a folder: $(ls -d limited new empty/*)"

echo "-- closed descriptors"
status=0
"$muonscope" train --preset micro --numerics exact $tiny --run closed <&- >&- 2>&- || status=$?
[ "$status" -eq 0 ] || fail "exit status $status with closed descriptors"
must micro --run open $tiny
hashes >open.hashes
metrics open >open.record
metrics closed | cmp - open.record || fail "metrics.jsonl is not as it should be"
must resume open --steps 4
hashes >open.hashes
must resume closed --steps 4
hashes | cmp - open.hashes || fail "the run that had closed descriptors ends with other weights or state"

echo "-- foreign text in messages"
escape=$(printf '\033')
# one_line COMMAND...: whatever it prints has no escape, and nothing that begins a line as a message of ours.
one_line() {
    "$@" >out 2>err || true
    ! grep -q "$escape" out err || fail "an escape sequence was printed by: $*"
    ! grep -h '^forged' out err || fail "a line was forged by: $*"
    cat err
}
evil="x${escape}[31m
forged: all checks passed"
one_line "$muonscope" "$evil"
one_line "$muonscope" train "--$evil"
one_line "$muonscope" train --config "$evil"
one_line "$muonscope" train --preset "$evil"
one_line "$muonscope" plot "$evil"
one_line "$muonscope" generate "$evil"
one_line "$muonscope" tokenizer encode --tokenizer "$evil" numbers.txt
one_line env "MUONSCOPE_$evil=1" "$muonscope" --version
one_line "$muonscope" train --preset micro --data.directory "$evil" --dry-run
printf 'model:\n  "wid\\e[31m\\nforged": 3\n' >evil.yaml
one_line "$muonscope" train --config evil.yaml
printf 'data:\n  directory: "a\\e[31m\\nforged"\n' >evil.yaml
one_line "$muonscope" train --config evil.yaml --help
mkdir "$(dirname "$evil")" 2>/dev/null || true
cp numbers.txt "$evil"
one_line "$muonscope" data prepare "$evil" --output evil_data --validation_fraction 0.2 --document_bytes 64
[ -e evil_data/dataset.json ] || fail "no data was prepared"
one_line "$muonscope" data info evil_data
[ "$(grep -c 'all checks passed' out)" -eq 2 ] && [ "$(grep -c '^all checks passed' out)" -eq 1 ] ||
    fail "data info shows: $(cat out)"
sed 's/"model": *{/"model":{"type_\\u001b[31m\\nforged":1,/; s/"type": *"BPE"/"type":"\\u001b[31m\\nforged"/' tokenizer.json >evil.json
one_line "$muonscope" tokenizer encode --tokenizer evil.json numbers.txt
cp -r open "run $evil"
one_line "$muonscope" train --resume "run $evil" --steps 4
grep -q '^run  *run x\\x1B\[31m\\nforged' out || fail "the run's name is not shown escaped"
one_line "$muonscope" plot "run $evil" --only loss
