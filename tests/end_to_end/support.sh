# Shared by the scripts of this folder and of tests/vulkan, which source it with the program's path in $1: $muonscope, a scratch
# folder $scratch that is removed at the end, and the functions below.
set -eu
muonscope=$(realpath "$1")
scratch=$(mktemp -d /tmp/muonscope-end-to-end-XXXXXX)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' INT TERM
cd "$scratch"

fail() {
    echo "FAILED: $1" >&2
    exit 1
}

# program ARGUMENTS...: its output goes to $scratch/out and $scratch/err; its exit status.
program() {
    "$muonscope" "$@" >out 2>err
}

# micro OPTIONS...: a run in `exact`; resume RUN OPTIONS...: goes on with one.
micro() {
    program train --preset micro --numerics exact "$@"
}
resume() {
    program train --resume "$@"
}

# must COMMAND...: it succeeds.
must() {
    status=0
    "$@" || status=$?
    [ "$status" -eq 0 ] || {
        cat out err >&2
        fail "exit status $status of: $*"
    }
}

# The two hashes that the last run printed.
hashes() {
    grep -E '^(weights|optimizer_state)_sha256 +[0-9a-f]{64}$' out >hashes.txt || true
    [ "$(wc -l <hashes.txt)" -eq 2 ] || {
        cat out err >&2
        fail "the run did not print two hashes"
    }
    cat hashes.txt
}

# metrics RUN: its metrics, without times; record RUN: its metrics, spectra and probes, and where it has them its complete spectra and
# what it followed at every step.
metrics() {
    sed -E 's/"(ms|tokens_per_second|mfu)":[^,}]*,?//g' "$1/metrics.jsonl"
}
record() {
    metrics "$1"
    cat "$1/spectra.jsonl" "$1/probes.jsonl"
    [ ! -d "$1/spectra" ] || cat "$1/spectra"/*
    [ ! -e "$1/sigma_max.jsonl" ] || cat "$1/sigma_max.jsonl"
}

# same_as RUN REFERENCE: the last run, RUN, printed the hashes in REFERENCE.hashes, and its record is REFERENCE.record.
same_as() {
    hashes >hashes.of.this
    cmp "$2.hashes" hashes.of.this || fail "$1 ends with other weights or state"
    record "$1" >record.of.this
    cmp "$2.record" record.of.this || fail "$1 recorded other metrics or spectra"
}

# refuse STATUS PATTERN COMMAND...: it ends with this exit status, and the last line on stderr, the only one that begins with
# "muonscope: ", contains the pattern (grep -E).
refuse() {
    expected=$1
    pattern=$2
    shift 2
    status=0
    "$@" >out 2>err || status=$?
    message=$(tail -n 1 err)
    echo "$message"
    [ "$status" -eq "$expected" ] || {
        cat err >&2
        fail "exit status $status, not $expected, of: $*"
    }
    [ "$(grep -c '^muonscope: ' err)" -eq 1 ] || {
        cat err >&2
        fail "not one line of error from: $*"
    }
    echo "$message" | grep -qE "^muonscope: .*($pattern)" || fail "the message lacks /$pattern/: $*"
}

# fingerprint FOLDER: the names and contents of all files below it.
fingerprint() {
    (cd "$1" && find . -type f | sort | xargs sha256sum)
}
