#!/bin/sh
# kill.sh PROGRAM KILLS STRIDE: a run that is killed ends, by one command line given again and again, as one that is not.  KILLS
# times SIGKILL at moments nobody chose; and SIGKILL at every STRIDEth system call that opens, writes, renames, makes or
# removes something, while the folder is made, saved to, pruned and resumed (strace(1) injects it); STRIDE 0: at none.
. "$(dirname "$0")/support.sh"
kills=$2
stride=$3
export ASAN_OPTIONS="${ASAN_OPTIONS:-}:detect_leaks=0" # which strace would keep from working
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
n_kills=0
n_runs=0
seed=1
while [ "$n_kills" -lt "$kills" ]; do
    rm -rf killed
    n_runs=$((n_runs + 1))
    while :; do
        seed=$(((seed * 1103515245 + 12345) % 2147483648))
        delay=$(awk "BEGIN { print $whole * 1e-6 * $seed / 2147483648 }")
        status=0
        "$muonscope" $(line killed $long) >out 2>err &
        sleep "$delay"
        kill -KILL "$!" 2>/dev/null || true
        wait "$!" 2>/dev/null || status=$?
        [ "$status" -ne 0 ] || break
        [ "$status" -eq 137 ] || {
            cat err >&2
            fail "exit status $status after $n_kills kills: it needs a hand"
        }
        n_kills=$((n_kills + 1))
    done
    same_files killed long
done
echo "$n_kills kills at any moment in $n_runs runs, one end"
[ "$stride" -gt 0 ] || exit 0

# ---- at every call ----

calls=open,openat,creat,write,writev,pwrite64,rename,renameat,renameat2,mkdir,mkdirat,unlink,unlinkat,rmdir,fsync,ftruncate

# list_calls RUN ARGUMENTS...: "NAME NUMBER" of the main thread's calls, from the first that names the run on and without those
# that print, into the file `list`; strace counts the calls of each name.  The run is made, or gone on with.
list_calls() {
    strace -f -qq -o trace -e trace="$calls" -e signal=none "$muonscope" $(line "$@") $back >out 2>err ||
        fail "strace cannot trace here: $(cat err)"
    awk -v run="$1" 'NR == 1 { main = $1 }
        $1 == main && $2 ~ /^[a-z0-9]+\(/ {
            name = $2; sub(/\(.*/, "", name); n[name]++
            if (index($0, "\"" run)) found = 1
            if (found && $2 !~ /^write\([12],/) print name, n[name]
        }' trace >list
}

# at_calls WHAT REFERENCE ARGUMENTS...: kills at every STRIDEth call of the list; `saved`, where it exists, is what the run is
# before.  $back: options that the command line has only until it is killed.
at_calls() {
    what=$1
    of=$2
    shift 2
    n=0
    for call in $(awk "NR % $stride == 1 % $stride { print \$1 \":\" \$2 }" list); do
        rm -rf killed
        [ ! -d saved ] || cp -r saved killed
        status=0
        strace -f -qq -o trace -e trace="$calls" -e signal=none -e inject="${call%:*}:signal=SIGKILL:when=${call#*:}" \
            "$muonscope" $(line killed "$@") $back >out 2>err || status=$?
        [ "$status" -eq 137 ] || fail "exit status $status of a run that is killed at $call"
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
list_calls killed $first
at_calls "a run from its folder to its end" first $first
longer="--steps 6 --checkpoint.keep 1 --checkpoint.every 2 --validation.every 2 --tracker.every 2 --muon.lr 0.1"
cp -r first saved
cp -r first second
reference second $longer
rm -rf killed
cp -r saved killed
list_calls killed $longer
at_calls "a run that is resumed with changes" second $longer

# Back to an older checkpoint: killed anywhere, the run is the older one or the newer one, whole, and goes on without --step.
again="--steps 6 --checkpoint.keep 9 --checkpoint.every 2 --validation.every 2 --tracker.every 2"
rm -rf killed saved
reference third $again
cp -r third saved
cp -r saved killed
back="--step 2"
list_calls killed $again
stride=$((stride * 3)) # its list is the longest, most of it the steps after the removal
at_calls "a run that goes back" third $again
cat second.hashes
