#!/bin/sh
# data_kill.sh PROGRAM KILLS STRIDE: `data prepare` that is killed ends, by one command line given again and again, with the folder
# of one that is not.  KILLS times SIGKILL at moments nobody chose; and SIGKILL at every STRIDEth system call that opens, writes,
# renames, makes or removes something (strace(1) injects it), after which the next command goes on; STRIDE 0: at none.
. "$(dirname "$0")/kill_support.sh"

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
command_line() { echo "data prepare --output killed --threads $((1 + seed / 65536 % 3)) $options"; }
is_done() { [ -e killed ]; }
same_end() { same_folder; }
kill_at_any_moment "$whole"
[ "$stride" -gt 0 ] || exit 0

# ---- at every call ----

command="data prepare --output killed --threads 1 $options"

# at_calls WHAT: kills $command at every STRIDEth call of the list; `saved`, where it exists, is what an earlier one left.
at_calls() {
    n=0
    n_went_on=0
    for call in $(strided_calls); do
        rm -rf killed killed.*.tmp
        [ ! -d saved ] || cp -rp saved killed.0123456789abcdef.tmp
        kill_at "$call" $command
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
list_calls $command
at_calls "a command from its folder to its end"
[ "$n_went_on" -gt 0 ] || fail "no kill left anything to go on with"

# One that goes on itself: from the middle of the calls.
rm -rf killed
middle=$(awk '/^fsync:/ { calls[++n] = $0 } END { print calls[int(n / 2)] }' list)
kill_at "$middle" $command
mv killed.*.tmp saved
[ -e saved/progress.json ] || fail "nothing to go on with at $middle"
cp -rp saved killed.0123456789abcdef.tmp
list_calls $command
same_folder
at_calls "a command that goes on"
