#!/bin/sh
# data_kill.sh PROGRAM KILLS STRIDE: `data prepare` that is killed ends, by one command line given again and again, with the folder
# of one that is not.  KILLS times SIGKILL at moments nobody chose; and SIGKILL at every STRIDEth system call that opens, writes,
# renames, makes or removes something (strace(1) injects it), after which the next command goes on; STRIDE 0: at none.
. "$(dirname "$0")/support.sh"
kills=$2
stride=$3
export ASAN_OPTIONS="${ASAN_OPTIONS:-}:detect_leaks=0" # which strace would keep from working

awk 'BEGIN { for (i = 0; i < 6000; i++) print "Line " i " of a text that is made of words, and of numbers like " i * i "." }' >text.txt
awk 'BEGIN { for (i = 0; i < 2000; i++) print "{\"page\":{\"body\":\"Record " i " has a number, which is " i * 7919 "\"}}" }' |
    gzip >more.jsonl.gz
must program tokenizer train --vocab_size 270 --output tokenizer.json text.txt
options="--tokenizer tokenizer.json --validation_fraction 0.1 --field page.body --document_bytes 512 --shard_tokens 60000
    --checkpoint_bytes 50000 text.txt more.jsonl.gz"

# same_folder: `killed` is what one command makes, and nothing unfinished is left.
same_folder() {
    [ "$(fingerprint whole)" = "$(fingerprint killed)" ] || fail "another folder: $(fingerprint killed)"
    [ -z "$(ls -d killed.*.tmp 2>/dev/null)" ] || fail "something is left of what was not finished"
}

# ---- at any moment ----

begin=$(date +%s%N)
must program data prepare --output whole $options
whole=$((($(date +%s%N) - begin) / 1000))
n_kills=0
n_folders=0
seed=1
while [ "$n_kills" -lt "$kills" ]; do
    rm -rf killed
    n_folders=$((n_folders + 1))
    while :; do
        seed=$(((seed * 1103515245 + 12345) % 2147483648))
        delay=$(awk "BEGIN { print $whole * 1e-6 * $seed / 2147483648 }")
        threads=$((1 + seed / 65536 % 3))
        status=0
        "$muonscope" data prepare --output killed --threads $threads $options >out 2>err &
        sleep "$delay"
        kill -KILL "$!" 2>/dev/null || true
        wait "$!" 2>/dev/null || status=$?
        [ "$status" -ne 0 ] || break
        [ "$status" -eq 137 ] || {
            cat err >&2
            fail "exit status $status after $n_kills kills: it needs a hand"
        }
        n_kills=$((n_kills + 1))
        [ ! -e killed ] || break # complete, and killed after that
    done
    same_folder
done
echo "$n_kills kills at any moment of $n_folders folders, one end"
[ "$stride" -gt 0 ] || exit 0

# ---- at every call ----

calls=open,openat,creat,write,writev,pwrite64,rename,renameat,renameat2,mkdir,mkdirat,unlink,unlinkat,rmdir,fsync,ftruncate
command="data prepare --output killed --threads 1 $options"

# list_calls: "NAME:NUMBER" of the calls of $command from the first that names its folder on, without those that print.
list_calls() {
    strace -qq -o trace -e trace="$calls" -e signal=none "$muonscope" $command >out 2>err || fail "strace cannot trace here: $(cat err)"
    awk '/^[a-z0-9]+\(/ {
        name = $1; sub(/\(.*/, "", name); n[name]++
        if (index($0, "\"killed")) found = 1
        if (found && $1 !~ /^write\([12],/) print name ":" n[name]
    }' trace >list
}

# at_calls WHAT: kills $command at every STRIDEth call of the list; `saved`, where it exists, is what an earlier one left.
at_calls() {
    n=0
    n_went_on=0
    for call in $(awk "NR % $stride == 1 % $stride" list); do
        rm -rf killed killed.*.tmp
        [ ! -d saved ] || cp -rp saved killed.0123456789abcdef.tmp
        status=0
        strace -qq -o trace -e trace="$calls" -e signal=none -e inject="${call%:*}:signal=SIGKILL:when=${call#*:}" \
            "$muonscope" $command >out 2>err || status=$?
        [ "$status" -eq 137 ] || fail "exit status $status of what is killed at $call"
        [ ! -e killed ] || { same_folder && continue; }
        saved_state=$(ls killed.*.tmp/progress.json 2>/dev/null || true)
        must program $command
        if [ -n "$saved_state" ]; then
            grep -q "data prepare: goes on after [0-9.]* MB of text" err || fail "killed at $call, it begins anew"
            n_went_on=$((n_went_on + 1))
        fi
        same_folder
        n=$((n + 1))
    done
    [ "$n" -gt 0 ] || fail "no call of $1"
    echo "$n kills at calls of $1, out of $(wc -l <list), of which $n_went_on were gone on with; one end"
}

rm -rf killed
list_calls
at_calls "a command from its folder to its end"
[ "$n_went_on" -gt 0 ] || fail "no kill left anything to go on with"

# One that goes on itself: from the middle of the calls.
rm -rf killed
middle=$(awk '/^fsync:/ { calls[++n] = $0 } END { print calls[int(n / 2)] }' list)
strace -qq -o trace -e trace="$calls" -e signal=none -e inject="fsync:signal=SIGKILL:when=${middle#*:}" "$muonscope" $command >out 2>err || true
mv killed.*.tmp saved
[ -e saved/progress.json ] || fail "nothing to go on with at $middle"
cp -rp saved killed.0123456789abcdef.tmp
list_calls
same_folder
at_calls "a command that goes on"
