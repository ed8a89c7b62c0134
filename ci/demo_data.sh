#!/bin/sh
# The demo corpus: the King James Bible and WordNet's glosses and examples (about 13 MB of text), from the Debian packages
# bible-kjv and wordnet-base, as token shards with a 4096-token tokenizer of their own.
# Usage: ci/demo_data.sh [DIR, default data/demo].  Does nothing if DIR/dataset.json is there.
# MUONSCOPE names the program (default build/release/muonscope).
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
directory=$(realpath -m "${1:-$root/data/demo}")
muonscope=$(realpath -m "${MUONSCOPE:-$root/build/release/muonscope}")
wordnet=/usr/share/wordnet

fail() {
    echo "demo_data.sh: $1" >&2
    exit 1
}

if [ -e "$directory/dataset.json" ]; then
    echo "$directory is prepared already"
    exit 0
fi
[ -x "$muonscope" ] || fail "no program $muonscope: build it, or name it in MUONSCOPE"
command -v bible >/dev/null || fail "no program bible: install the package bible-kjv (ci/setup.sh does)"
for part in noun verb adj adv; do
    [ -r "$wordnet/data.$part" ] || fail "no $wordnet/data.$part: install the package wordnet-base (ci/setup.sh does)"
done

text=$(mktemp -d)
trap 'rm -rf "$text"' EXIT INT TERM
# "Ge1:1 In the beginning ..." without the reference.
bible -f gen1:1-rev22:21 | sed 's/^[^ ]* //' >"$text/kjv.txt"
# The licence at the head of these files is indented; entries are "offset ... | gloss; "example"  ".
for part in noun verb adj adv; do
    sed -n '/^[0-9]/s/^[^|]*| //p' "$wordnet/data.$part"
done | sed 's/ *$//' >"$text/wordnet.txt"
for file in kjv wordnet; do
    [ "$(wc -c <"$text/$file.txt")" -gt 1000000 ] || fail "$file.txt came out too short"
done

# From inside the folder, so that dataset.json names the sources the same way every time.
cd "$text"
"$muonscope" tokenizer train --vocab_size 4096 --output tokenizer.json kjv.txt wordnet.txt
"$muonscope" data prepare --tokenizer tokenizer.json --output "$directory" --name demo kjv.txt wordnet.txt
