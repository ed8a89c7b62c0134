#!/bin/sh
# kill.sh PROGRAM KILLS STRIDE: a run that is killed ends, by one command line given again and again, as one that is not.  KILLS
# times SIGKILL at moments nobody chose; and SIGKILL at every STRIDEth system call that opens, writes, renames, makes or
# removes something, while the folder is made, saved to, pruned and resumed (strace(1) injects it); STRIDE 0: at none.
. "$(dirname "$0")/kill_support.sh"
follow=-f
options="--tracker.spectrum full --threads 1 --log.every 1000000 --sample.tokens 3 --data.directory data
    --model.vocabulary 0 --tracker.every_step sigma_max"

# Shards with a tokenizer, which a run copies into its folder.
awk 'BEGIN { for (i = 0; i < 3000; i++) print "Line " i " of a text that is made of words, and of numbers like " i * i "." }' >text.txt
must program tokenizer train --vocab_size 270 --output tokenizer.json text.txt
must program data prepare --tokenizer tokenizer.json --output data text.txt

# line RUN ARGUMENTS...: the arguments of the command line that begins the run or goes on with it.
line() {
    name=$1
    shift
    echo "train --preset micro --numerics exact --run $name --resume $name $options $*"
}

# same_files RUN REFERENCE: same_as, with the same checkpoints and samples and nothing unfinished.
same_files() {
    same_as "$1" "$2"
    [ "$(ls "$1/checkpoints")" = "$(ls "$2/checkpoints")" ] || fail "$1 has other checkpoints: $(ls "$1/checkpoints")"
    cmp "$1/samples.txt" "$2/samples.txt" || fail "$1 keeps other texts"
    leftovers=$(find "$1" -name '*.tmp')
    [ -z "$leftovers" ] || fail "$1 keeps what was not finished: $leftovers"
}

# reference RUN ARGUMENTS...: a run without a kill.
reference() {
    must program $(line "$@")
    hashes >"$1.hashes"
    record "$1" >"$1.record"
}

# ---- at any moment ----

long="--steps 60 --checkpoint.every 5 --checkpoint.keep 1 --validation.every 10 --tracker.every 4"
begin=$(date +%s%N)
reference long $long
whole=$((($(date +%s%N) - begin) / 1000))
command_line() { line killed $long; }
same_end() { same_files killed long; }
kill_at_any_moment "$whole"
[ "$stride" -gt 0 ] || exit 0

# ---- at every call ----

# at_calls WHAT REFERENCE ARGUMENTS...: kills at every STRIDEth call of the list; `saved`, where it exists, is what the run is
# before.  $back: options that the command line has only until it is killed.
at_calls() {
    what=$1
    of=$2
    shift 2
    n=0
    for call in $(strided_calls); do
        rm -rf killed
        [ ! -d saved ] || cp -r saved killed
        kill_at "$call" $(line killed "$@") $back
        must program $(line killed "$@")
        ! grep "are missing\|have no line" err || fail "killed at $call, lines are lost"
        same_files killed "$of"
        n=$((n + 1))
    done
    [ "$n" -gt 0 ] || fail "no call of $what"
    echo "$n kills at calls of $what, out of $(wc -l <list), one end"
}

back=
first="--steps 4 --checkpoint.keep 1 --checkpoint.every 2 --validation.every 2 --tracker.every 2"
reference first $first
rm -rf killed
list_calls $(line killed $first)
at_calls "a run from its folder to its end" first $first
longer="--steps 6 --checkpoint.keep 1 --checkpoint.every 2 --validation.every 2 --tracker.every 2 --muon.lr 0.1"
cp -r first saved
cp -r first second
reference second $longer
rm -rf killed
cp -r saved killed
list_calls $(line killed $longer)
at_calls "a run that is resumed with changes" second $longer

# Back to an older checkpoint: killed anywhere, the run is the older one or the newer one, whole, and goes on without --step.
again="--steps 6 --checkpoint.keep 9 --checkpoint.every 2 --validation.every 2 --tracker.every 2"
rm -rf killed saved
reference third $again
cp -r third saved
cp -r saved killed
back="--step 2"
list_calls $(line killed $again) $back
stride=$((stride * 3)) # its list is the longest, most of it the steps after the removal
at_calls "a run that goes back" third $again
cat second.hashes
