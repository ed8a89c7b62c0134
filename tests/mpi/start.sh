#!/bin/sh
# At the start ranks are compared with rank 0: the one that differs is named, with its host, by one line, all end with status 1, and no folder is
# left.  What may differ does no harm.
# Usage: start.sh PROGRAM MODULE MPIRUN OTHER_VERSION
other_version=$(realpath "$4")
. "$(dirname "$0")/support.sh"
host=$(hostname)

run=bad
# pair FOLDER ENVIRONMENT OPTIONS... : OPTIONS...: rank 0, which makes $run, and rank 1 in FOLDER with ENVIRONMENT ("A=b" or "-").
pair() {
    place=$1 setting=$2 first=
    [ "$setting" != - ] || setting=NOTHING=
    shift 2
    while [ "$1" != : ]; do
        first="$first $1"
        shift
    done
    shift
    timeout 60 "$launcher" -n 1 "$muonscope" train --run "$run" $first : -n 1 env -C "$place" "$setting" "$muonscope" train --run "$run" "$@" >out 2>err
}

# differs PATTERN FOLDER ENVIRONMENT OPTIONS... : OPTIONS...
differs() {
    pattern=$1
    shift
    status=0
    pair "$@" || status=$?
    [ "$status" -eq 1 ] || { cat err >&2; fail "exit status $status, not 1: $pattern"; }
    [ "$(grep -c '^muonscope: ' err)" -eq 1 ] || { cat err >&2; fail "not one line of error: $pattern"; }
    grep '^muonscope: ' err
    grep -qE "^muonscope: rank 1 \\($host\\): .*($pattern)" err || fail "the message lacks /$pattern/"
    [ -z "$(find . -name 'bad*')" ] || fail "a folder is left of a run that was refused: $pattern"
}

# Shards of one text with two tokenizers of one size; other shards of training and of validation.
printf 'one two three four five six seven eight nine ten %.0s' $(seq 300) >numbers.txt
printf 'ten nine eight seven six five %.0s' $(seq 100) >validation.txt
printf 'red green blue yellow white black grey brown %.0s' $(seq 300) >colours.txt
for name in numbers colours; do
    must program tokenizer train --vocab_size 260 --output $name.json $name.txt
done
prepare() {
    must program data prepare --output "$1" --tokenizer numbers.json --validation "$3" "$2"
}
prepare data numbers.txt validation.txt
mkdir same training validation tokenizer none
cp -r data same/data
cp numbers.txt more.txt && echo 'one' >>more.txt
prepare training/data more.txt validation.txt
cp validation.txt others.txt && echo 'one' >>others.txt
prepare validation/data numbers.txt others.txt
cp -r data tokenizer/data
cp colours.json tokenizer/data/tokenizer.json
rm tokenizer/data/dataset.json
base="--preset micro --train.batch_sequences 1 --model.vocabulary 260 --data.directory data --steps 2"
two="$base --threads 1 --train.accumulation 2"
on="$two --numerics exact"

differs "this is muonscope 99.9.9, protocol 1, rank 0 is [0-9.]+, protocol 1" same LD_PRELOAD="$other_version" $on : $on
differs "training shards of this rank are [0-9a-f]{12}\.\.\., those of rank 0 [0-9a-f]{12}\.\.\.: copy the same data" training - $on : $on
differs "validation shards of this rank are [0-9a-f]{12}\.\.\., those of rank 0 [0-9a-f]{12}" validation - $on : $on
differs "tokenizer.json of this rank's data is [0-9a-f]{12}, that of rank 0 [0-9a-f]{12}" tokenizer - $on : $on
differs "data: " none - $on : $on
differs "this rank has train.numerics=fast, and rank 0 train.numerics=exact" same - $on : $two --numerics fast
differs "this rank has tracker.probe_sequences=2, and rank 0 tracker.probe_sequences=0" same - $on : $on --tracker.probe_sequences 2
differs "this rank has parallel.shares=\"1,2\", and rank 0 parallel.shares=\"\"" same - $on : $on --parallel.shares 1,2
differs "this rank has model.layers=3, and rank 0 model.layers=2" same - $on : $on --model.layers 3

# Weights to begin from are rank 0's; others take the model's sizes from their own, which must be there and be the same.
must program train $on --run source
must program train $on --run same/source --seed 5
must program train $on --run training/source --model.layers 3
must program train $on --run alone --init_from source
hashes >alone.hashes
record alone >alone.record
differs "init.from" tokenizer - $on --init_from source : $on --init_from source
differs "this rank has model.layers=3, and rank 0 model.layers=2" training - $on --init_from source : $on --init_from source
run=two
must pair same - $on --init_from source : $base --numerics exact --train.accumulation 2 --init_from source --threads 2 --tracker.threads 2
same_as two alone
