#!/bin/sh
# python -m muonscope prepare beside this build's library and program, in an environment with pyarrow, datasets and tokenizers from PyPI that
# stays beside the program.
# Usage: prepare.sh BUILD [speed [MEGABYTES [TOKENIZER]]]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
build=$(realpath "$1")
[ -z "${4:-}" ] || tokenizer=$(realpath "$4")
environment=$build/python/prepare
scratch=$(mktemp -d /tmp/muonscope-prepare-XXXXXX)
trap 'rm -rf "$scratch"' EXIT INT TERM
python3 -c 'import ensurepip, venv' 2>/dev/null || "$root/ci/setup.sh" python3-venv
"$environment/bin/python" -c 'import datasets, tokenizers' 2>/dev/null || {
    python3 -m venv "$environment"
    "$environment/bin/pip" install --quiet pyarrow==26.0.1 datasets==5.2.0 tokenizers==0.23.3 numpy==2.4.6
}
mkdir -p "$scratch/package/muonscope/lib" "$scratch/package/muonscope/bin" "$scratch/work"
cp "$here/../../python/muonscope"/*.py "$scratch/package/muonscope"
ln -s "$build/libmuonscope.so.0" "$scratch/package/muonscope/lib"
ln -s "$build/muonscope" "$scratch/package/muonscope/bin"
export PYTHONDONTWRITEBYTECODE=1 PYTHONPATH="$scratch/package" HF_HUB_OFFLINE=1 HF_HOME="$scratch/cache" HF_DATASETS_DISABLE_PROGRESS_BARS=1
cd "$scratch/work"
if [ "${2:-}" != speed ]; then
    "$environment/bin/python" "$here/prepare.py" "$root"
    exit
fi
# The texts of the demo.
bible -f gen1:1-rev22:21 | sed 's/^[^ ]* //' >kjv.txt
sed -n '/^[0-9]/s/^[^|]*| //p' /usr/share/wordnet/data.* >wordnet.txt
[ -n "${tokenizer:-}" ] || {
    tokenizer=$PWD/tokenizer.json
    "$build/muonscope" tokenizer train --vocab_size 16384 --output "$tokenizer" kjv.txt wordnet.txt >/dev/null
}
"$environment/bin/python" "$here/prepare_speed.py" "${3:-100}" "$tokenizer" kjv.txt wordnet.txt
