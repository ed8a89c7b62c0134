#!/bin/sh
# GGUF files of runs, in llama.cpp: the same ids, and the same 50 greedy tokens as `muonscope generate`; and what the package gguf reads in them.
# llama.cpp is that of the wheel cyllama, from PyPI, as gguf is.
# Usage: gguf.sh BUILD
set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=$(realpath "$1")
use=$build/python/gguf
scratch=$(mktemp -d /tmp/muonscope-gguf-XXXXXX)
trap 'rm -rf "$scratch"' EXIT INT TERM
python3 -c 'import ensurepip, venv' 2>/dev/null || "$here/../../ci/setup.sh" python3-venv
[ -x "$use/bin/pip" ] || python3 -m venv "$use"
"$use/bin/pip" install --quiet --only-binary=:all: gguf==0.19.0 cyllama==0.2.18 numpy==2.4.6
mkdir -p "$scratch/muonscope/lib" "$scratch/muonscope/bin"
cp "$here/../../python/muonscope"/*.py "$scratch/muonscope"
ln -s "$build/libmuonscope.so.0" "$scratch/muonscope/lib"
ln -s "$build/muonscope" "$scratch/muonscope/bin"
cd "$scratch"
export PYTHONDONTWRITEBYTECODE=1 PYTHONPATH="$scratch"
program=$build/muonscope

cat /usr/share/common-licenses/* | head -c 400000 >text.txt
"$program" tokenizer train text.txt --vocab_size 600 --output tokenizer.json >/dev/null
"$program" data prepare text.txt --tokenizer tokenizer.json --output data --validation_fraction 0.2 --document_bytes 5000 >/dev/null
train() {
    run=$1
    shift
    "$program" train --data.directory data --run "$run" --preset qwen3-nano --model.feed_forward 256 --model.layers 3 --model.vocabulary 608 \
        --model.sequence_length 256 --train.batch_sequences 8 --steps 40 --tracker.enabled false --validation.every 0 --threads 2 --adamw_lr 0.005 \
        --schedule.warmup_steps 0 --sample.tokens 0 "$@" >/dev/null 2>&1
    "$use/bin/python" -m muonscope gguf "$run" "$run.gguf"
}
train qwen3
train llama --attention.qk_norm false --attention.rope_layout interleaved --attention.rope_scaling llama3 --attention.rope_factor 4 \
    --attention.rope_original_length 64
train arcee --attention.qk_norm false --model.activation relu2
train linear --attention.rope_scaling linear --attention.rope_factor 3
train tied --model.tied_head true
train qwen2 --attention.qk_norm false --attention.qkv_bias true
for type in f16 bf16; do "$use/bin/python" -m muonscope gguf qwen3 "qwen3.$type.gguf" --type "$type"; done
"$use/bin/python" -m muonscope gguf qwen3 qwen3.gguf 2>err && exit 1
grep -q '^muonscope: qwen3.gguf is there already: name a new file$' err
"$use/bin/python" "$here/gguf_read.py" "$program" qwen3 llama arcee linear tied qwen2
