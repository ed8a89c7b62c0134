#!/bin/sh
# Fuzzes all targets of build/fuzz for SECONDS together, one after the other, from the committed inputs on.  Fails at the first input that
# crashes, runs for 10 seconds, takes more than 512 MiB, or breaks a claim, and keeps it in build/fuzz.
# Usage: tests/fuzz/run.sh SECONDS [TARGET...]
#        tests/fuzz/run.sh self-test       a harness that cannot fail is found
set -eu
cd "$(dirname "$0")/../.."
programs=build/fuzz/tests/fuzz
# In memory where that is possible: a target writes a file for each execution.
work=$(mktemp -d -p /dev/shm 2>/dev/null) || work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM
export TMPDIR="$work"
# Freed memory is kept for a while to find uses of it: less than the limit.
export ASAN_OPTIONS=quarantine_size_mb=32:detect_leaks=1

# fuzz TARGET OPTION...: libFuzzer's output goes to $work/log.
fuzz() {
    target=$1
    shift
    "$programs/fuzz_$target" -rss_limit_mb=512 -timeout=10 -print_final_stats=1 -artifact_prefix=build/fuzz/ "$@" >"$work/log" 2>&1
}

number() { sed -n "s/^stat::$1: *//p" "$work/log"; }

# What libFuzzer says, without its progress.
show_log() { grep -v '^#[0-9]\|NEW_FUNC\|^INFO' "$work/log" | tail -n 40; }

# find_planted TEXT OPTION...: a planted fault is found, and named so.
find_planted() {
    text=$1
    shift
    if fuzz planted -artifact_prefix="$work/" "$@" || ! grep -q "$text" "$work/log"; then
        show_log
        echo "run.sh self-test: not found: $text" >&2
        exit 1
    fi
}

# plant TEXT LETTER OPTION...: an input with one letter.
plant() {
    text=$1
    printf '\377%s' "$2" >"$work/input"
    shift 2
    find_planted "$text" "$@" "$work/input"
}

if [ "${1:-}" = self-test ]; then
    mkdir "$work/found"
    echo FUN >"$work/found/seed"
    find_planted heap-buffer-overflow -seed=1 -only_ascii=1 -max_total_time=60 "$work/found"
    plant 'does not hold' c
    plant 'signed integer overflow' i
    plant 'ERROR: libFuzzer: timeout' h -timeout=1
    plant 'ERROR: libFuzzer: out-of-memory' m
    echo "run.sh self-test: what was planted was found"
    exit
fi

seconds=${1:?usage: tests/fuzz/run.sh SECONDS [TARGET...]}
shift
[ $# -gt 0 ] || set -- $(ls tests/fuzz/seeds)
each=$((seconds / $#))
[ "$each" -gt 0 ] || each=1
for name; do
    mkdir "$work/$name"
    fuzz "$name" -max_total_time="$each" "$work/$name" "tests/fuzz/seeds/$name" || {
        show_log
        echo "run.sh: $name failed; its input is in build/fuzz: run $programs/fuzz_$name on it, then keep it in tests/fuzz/seeds/$name" >&2
        exit 1
    }
    echo "$name: $(number number_of_executed_units) executions, $(number peak_rss_mb) MiB"
done
