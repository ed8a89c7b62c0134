#!/bin/sh
# Fuzzes targets of build/fuzz, one after the other, from the committed inputs on.  Fails at the first input that crashes, runs for
# 10 seconds, takes more than 512 MiB, or breaks a claim, and keeps it in build/fuzz.
# Usage: tests/fuzz/run.sh SECONDS [TARGET...]    all targets, or these, for SECONDS together, with a new seed each time: to find something
#        tests/fuzz/run.sh fixed [N]              the executions of executions.txt, N times as many, with one seed: the same inputs every
#                                                 time with one build, for a test that is to give one answer
#        tests/fuzz/run.sh self-test              a harness that cannot fail is found
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

same_addresses= # the command that keeps the kernel from randomising addresses; empty: none
# fuzz TARGET OPTION...: libFuzzer's output goes to $work/log.  Whatever hangs is ended after $limit seconds, and fails: libFuzzer's own limit
# does not see the address sanitizer, which at times waits for ever where it lists the memory of a process that took too much.
limit=60
fuzz() {
    target=$1
    shift
    timeout --foreground -s KILL $limit $same_addresses "$programs/fuzz_$target" -rss_limit_mb=512 -timeout=10 -print_final_stats=1 -artifact_prefix=build/fuzz/ "$@" >"$work/log" 2>&1
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
    limit=15
    plant 'ERROR: libFuzzer: out-of-memory' m
    echo "run.sh self-test: what was planted was found"
    exit
fi

# fuzz_whole TARGET OPTION...: from the committed inputs on, with what was found kept for this run alone.
fuzz_whole() {
    name=$1
    shift
    mkdir "$work/$name"
    fuzz "$name" "$@" "$work/$name" "tests/fuzz/seeds/$name" || {
        show_log
        echo "run.sh: $name failed; its input is in build/fuzz: run $programs/fuzz_$name on it, then keep it in tests/fuzz/seeds/$name" >&2
        exit 1
    }
    echo "$name: $(number number_of_executed_units) executions, $(number peak_rss_mb) MiB"
}

targets=$(ls tests/fuzz/seeds)
if [ "${1:-}" = fixed ]; then
    # libFuzzer's choices depend on addresses too, which the kernel randomises: without that where it may be switched off.
    if setarch "$(uname -m)" -R true 2>/dev/null; then same_addresses="setarch $(uname -m) -R"; fi
    for name in $targets; do
        executions=$(sed -n "s/^$name //p" tests/fuzz/executions.txt)
        [ -n "$executions" ] || {
            echo "run.sh: no row for $name in tests/fuzz/executions.txt" >&2
            exit 1
        }
        limit=$((600 * ${2:-1}))
        fuzz_whole "$name" -seed=1 -runs=$((executions * ${2:-1}))
    done
    exit
fi
seconds=${1:?usage: tests/fuzz/run.sh SECONDS [TARGET...]}
shift
[ $# -gt 0 ] || set -- $targets
each=$((seconds / $#))
[ "$each" -gt 0 ] || each=1
limit=$((each + 120))
for name; do fuzz_whole "$name" -max_total_time="$each"; done
