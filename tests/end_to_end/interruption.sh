#!/bin/sh
# A run that was stopped, by SIGKILL at an arbitrary step or by SIGTERM, and resumed, ends with the bits of one that was not.
. "$(dirname "$0")/support.sh"
steps=400
options="--steps $steps --checkpoint.every=20 --validation.every=100"

# start RUN COMMAND...: in the background; returns when a step of it past $stop_after is logged.  $! is the process.
start() {
    run=$1
    shift
    "$@" >out 2>err &
    process=$!
    while :; do
        kill -0 "$process" 2>/dev/null || fail "ended before step $stop_after: $(tail -n 1 err)"
        step=$(tail -n 2 "$run/metrics.jsonl" 2>/dev/null | sed -n 's/^{"step":\([0-9]*\),.*}$/\1/p' | tail -n 1)
        [ "${step:-0}" -lt "$stop_after" ] || return 0
        sleep 0.01
    done
}

# finish STATUS: waits for the process.
finish() {
    status=0
    wait "$process" || status=$?
    [ "$status" -eq "$1" ] || {
        cat err >&2
        fail "exit status $status, not $1"
    }
}

must micro --run whole --threads 1 $options
hashes >whole.hashes
record whole >whole.record

# Killed twice, at steps nobody chose.
stop_after=60
start killed "$muonscope" train --preset micro --numerics exact --run killed --threads 2 $options
kill -KILL "$process"
finish 137
stop_after=$((step + 60))
start killed "$muonscope" train --resume killed
kill -KILL "$process"
finish 137
must resume killed --threads 1
grep -q '^resumed killed at step [0-9]*0$' err || fail "did not say from where it resumed: $(cat err)"
same_as killed whole

# Asked to stop: finishes the step, saves, says so, ends with 128 + 15.
stop_after=50
start asked "$muonscope" train --preset micro --numerics exact --run asked --threads 1 $options
kill -TERM "$process"
finish 143
saved=$(sed -n 's/^SIGTERM: stopped after step \([0-9]*\) of '"$steps"', everything saved.*/\1/p' err)
[ -n "$saved" ] || fail "no message of the stop: $(cat err)"
[ -d "asked/checkpoints/step_$(printf %08d "$saved")" ] || fail "no checkpoint of step $saved: $(ls asked/checkpoints)"
must resume asked
grep -q "^resumed asked at step $saved\$" err || fail "did not resume at $saved: $(cat err)"
same_as asked whole

# Other commands that make files: what is half made is gone, whatever they wait for.
# stop NAME NUMBER FILES COMMAND...: is stopped by this signal as soon as a temporary name of FILES is there, and leaves none.
stop() {
    signal=$1
    number=$2
    files=$3
    shift 3
    "$@" >out 2>err &
    process=$!
    until ls -d $files*.tmp >names 2>/dev/null; do
        kill -0 "$process" 2>/dev/null || fail "ended before it wrote $files: $(tail -n 1 err)"
        sleep 0.01
    done
    kill -s "$signal" "$process"
    finish $((128 + number))
    grep -q "^muonscope: .*SIG$signal: .* was stopped" err || fail "no message of the stop: $(cat err)"
    ! ls -d $files*.tmp 2>/dev/null || fail "a temporary file is left"
}
seq 3000 | sed 's/$/ quick brown foxes jump over the lazy dog/' >words.txt
must program tokenizer train --vocab_size 270 --output tokenizer.json words.txt
mkfifo words.fifo
stop TERM 15 prepared "$muonscope" data prepare --tokenizer tokenizer.json --output prepared words.txt words.fifo
stop HUP 1 prepared "$muonscope" data prepare --tokenizer tokenizer.json --output prepared words.txt words.fifo
[ ! -e prepared ] || fail "half a data set was kept"
mkdir programs
printf '#!/bin/sh\nsleep 1\n' >programs/gnuplot
chmod +x programs/gnuplot
stop TERM 15 whole/plots/loss.png env PATH="$PWD/programs:$PATH" "$muonscope" plot whole --only loss
stop TERM 15 verified.json "$muonscope" verify --device cpu --json verified.json

# Storage in bf16 is f32 in the checkpoint: the same holds, and a resumed run cannot change to it.
bf16="--threads 1 --train.storage=bf16 $options"
must micro --run whole_bf16 $bf16
cp whole.hashes f32.hashes
cp whole.record f32.record
hashes >whole.hashes
record whole_bf16 >whole.record
stop_after=50
start asked_bf16 "$muonscope" train --preset micro --numerics exact --run asked_bf16 $bf16
kill -USR1 "$process"
finish 138
must resume asked_bf16 --threads 2
same_as asked_bf16 whole
refuse 1 "train.storage" "$muonscope" train --resume whole_bf16 --train.storage=f32

# A second process keeps off a run that is being written.
stop_after=20
start busy "$muonscope" train --preset micro --numerics exact --run busy --threads 1 $options
refuse 1 "busy" "$muonscope" train --resume busy
kill -HUP "$process"
finish 129

cp f32.hashes whole.hashes
cp f32.record whole.record

# The reader of the output is gone, as `tee` is after a Ctrl-C that both get: the run saves all the same.
mkfifo pipe
sed -n 1q <pipe >/dev/null &
stop_after=50
start piped sh -c 'exec "$@" >pipe' - "$muonscope" train --preset micro --numerics exact --run piped --threads 1 $options
kill -TERM "$process"
finish 143
must resume piped
same_as piped whole

# A validation of minutes ends with its batch; a second signal is answered, and waits for the checkpoint.
"$muonscope" train --preset micro --numerics exact --run long --threads 1 $options --validation.sequences=1000000 >out 2>err &
process=$!
until grep -q device: long/run.log 2>/dev/null; do sleep 0.02; done
kill -TERM "$process"
kill -USR2 "$process"
status=0
wait "$process" || status=$?
[ "$status" -eq 143 ] || [ "$status" -eq 140 ] || fail "exit status $status of a run that TERM and USR2 stopped"
grep -q 'stopping already' err || fail "the second signal was not answered: $(cat err)"
[ -d long/checkpoints/step_00000000 ] || fail "no checkpoint after a signal in validation"
! grep -q validation_loss long/metrics.jsonl || fail "a validation that was cut short is in the metrics"

# A signal in the text after a finished run ends that text alone.  At temperature 0 the text, the same everywhere, has no end.
seq 4000 >numbers.txt
must program tokenizer train numbers.txt --vocab_size 257 --output tokenizer.json
must program data prepare numbers.txt --output data --validation_fraction 0.2 --document_bytes 64
"$muonscope" train --preset micro --numerics exact --model.vocabulary=0 --data.directory=data --run text --steps 2 --sample.tokens=1000000 \
    --sample.temperature=0 --sample.prompt=1 >out 2>err &
process=$!
until grep -q '^optimizer_state_sha256' out; do sleep 0.02; done
kill -TERM "$process"
finish 0
[ "$(tail -n 1 err)" = "SIGTERM: the text was stopped; the run is finished and saved" ] || fail "the signal was not answered: $(cat err)"
cat whole.hashes
