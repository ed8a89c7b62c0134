#!/bin/sh
# Runs that are exported, and runs that began with models of Hugging Face's transformers, compute there what they compute here, on ids of a real
# text: logits within 1e-4, the same ids, the same 50 greedy tokens.  The goldens of tests/golden/hf made again.  Installs PyTorch and
# transformers from PyPI into a folder beside the program, where they are not yet (4 GB).
# Usage: transformers.sh PROGRAM LOGITS
root=$(cd "$(dirname "$0")/../.." && pwd)
logits=$(realpath "$2")
. "$(dirname "$0")/support.sh"
python=$(dirname "$muonscope")/transformers/bin/python
"$python" -c 'import torch, transformers' 2>/dev/null || {
    python3 -c 'import ensurepip, venv' 2>/dev/null || "$root/ci/setup.sh" python3-venv
    python3 -m venv "$(dirname "$muonscope")/transformers"
    "$python" -m pip install --quiet torch==2.7.1 transformers==5.24.0 numpy==2.4.6
}

cat /usr/share/common-licenses/* | head -c 400000 >text.txt
must program tokenizer train text.txt --vocab_size 600 --output tokenizer.json
must program data prepare text.txt --tokenizer tokenizer.json --output data --validation_fraction 0.2 --document_bytes 5000
# train RUN OPTIONS...: far enough that its logits are not those of a new model.
train() {
    run=$1
    shift
    must program train --data.directory data --run "$run" --model.layers 3 --model.vocabulary 608 --model.sequence_length 256 \
        --train.batch_sequences 8 --steps 40 --tracker.enabled false --validation.every 0 --threads 2 --adamw_lr 0.005 \
        --schedule.warmup_steps 0 --sample.tokens 0 "$@"
    must program export hf "$run" --out "$run.hf"
}
train blueberry --preset blueberry-88m --model.width 128 --model.heads 4 --model.kv_heads 2 --model.head_size 32 --model.feed_forward 256
train qwen3 --preset qwen3-nano --model.feed_forward 256
train llama --preset tiny --attention.qk_norm false --model.activation swiglu --model.residual_scale learned_branch

# Models of transformers: as they are, and trained.
"$python" "$root/tests/end_to_end/make_transformers.py"
[ -e llama3.from/model.safetensors.index.json ] || fail "no model in shards"
families="llama2 llama3 llama31 smollm2 mistral qwen2 qwen3_from"
mv qwen3.from qwen3_from.from
for family in $families; do
    must program train --data.directory data --run "$family" --init_from "$family.from" --model.sequence_length 256 --train.batch_sequences 4 \
        --steps 10 --tracker.enabled false --validation.every 0 --threads 2 --sample.tokens 0
    must program export hf "$family" --out "$family.hf"
done

"$python" "$root/tests/golden/hf/make_hf.py" new.json
"$python" "$root/tests/end_to_end/compare_transformers.py" "$muonscope" "$logits" "$root/tests/golden/hf/hf.json" new.json blueberry qwen3 llama $families ||
    fail "transformers computes something else"
