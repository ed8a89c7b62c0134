#!/bin/sh
# `train --init_from`: a run that begins with the weights of a run, a checkpoint or a Hugging Face folder has their loss, whatever was killed;
# what does not fit is named, and leaves nothing.
. "$(dirname "$0")/support.sh"
python=/usr/bin/python3

# first RUN: its loss before the first step, as validated.
first() {
    sed -n 's/^{"step":0,.*"validation_loss":\([0-9.]*\).*/\1/p' "$1/metrics.jsonl"
}
# last RUN
last() {
    sed -n 's/.*"validation_loss":\([0-9.]*\).*/\1/p' "$1/metrics.jsonl" | tail -n 1
}
# near A B: within 2e-6 of each other.
near() {
    awk -v a="$1" -v b="$2" 'BEGIN { exit !(a > 0 && a - b < 2e-6 && b - a < 2e-6) }' || fail "losses $1 and $2"
}
weights() {
    sed -n 's/.*step 0: checkpoint saved, weights_sha256 \([0-9a-f]*\) .*/\1/p' "$1/run.log"
}

must micro --run a --steps 8 --validation.every 2 --model.layers 3 --muon.lr 0.01
# A run and a checkpoint: sizes are theirs, weights to the bit, other settings this run's.
must micro --run b --init_from a/ --steps 2 --validation.every 2 --optimizer adamw
[ "$(first b)" = "$(last a)" ] || fail "b begins at $(first b), a ended at $(last a)"
cmp a/checkpoints/step_00000008/model.safetensors b/checkpoints/step_00000000/model.safetensors >/dev/null || {
    [ "$(weights b)" = "$(sed -n 's/.*step 8: checkpoint saved, weights_sha256 \([0-9a-f]*\) .*/\1/p' a/run.log)" ] || fail "other weights"
}
grep -q '^weights       from a/$' out && grep -q '^model         3 layers' out || fail "the table does not say so: $(cat out)"
grep -q '^  from: "a/"$' b/config.yaml && grep -q '^  layers: 3$' b/config.yaml || fail "config.yaml does not say so"
must micro --run c --init_from a/checkpoints/step_00000000 --steps 1 --validation.every 1
[ "$(first c)" = "$(first a)" ] || fail "c begins at $(first c), a began at $(first a)"
# A run that was killed before its first checkpoint begins again with the same weights; later the source may be gone.
must micro --run d --init_from a --steps 2 --validation.every 2
hashes >d.hashes
mkdir -p killed/checkpoints killed/plots
cp d/config.yaml killed
must resume killed
hashes | cmp - d.hashes || fail "begun again with other weights"
mv a away
must resume b --steps 4
mv away a

# A Hugging Face folder: what transformers has is what ours computes (golden/hf), so the loss is the same.
must program export hf a --out hf
must micro --run e --init_from hf --steps 1 --validation.every 1
near "$(first e)" "$(last a)"
grep -q '^  rope_layout: half_split$' e/config.yaml && grep -q '^  merged: true$' e/config.yaml || fail "other keys"
must program export hf e --out hf.again --step 0
must micro --run f --init_from hf.again --steps 1 --validation.every 1 --attention.merged false --model.sequence_length 16 --train.master bf16
must micro --run seven --steps 4 --validation.every 4 --attention.qk_norm false --model.activation swiglu --model.tied_head false \
    --attention.merged false --model.head_size 16
must program export hf seven --out llama
must micro --run g --init_from llama --steps 1 --validation.every 1
near "$(first g)" "$(last seven)"
grep -q '^  merged: false$' g/config.yaml || fail "a merged matrix of other sizes"
# Biases, as Qwen2 has them; the embedding is taken as it is, or divided by the scale that is asked for.
must micro --run biases --steps 4 --validation.every 4 --attention.qk_norm false --attention.qkv_bias true --model.activation swiglu \
    --adamw_lr 0.05 --model.embedding_scale 3
must program export hf biases --out qwen2
grep -q '^qwen2: Qwen2ForCausalLM' out || fail "biases become $(cat out)"
must micro --run h --init_from qwen2 --steps 1 --validation.every 1
near "$(first h)" "$(last biases)"
grep -q '^  qkv_bias: true$' h/config.yaml && grep -q '^  embedding_scale: 1$' h/config.yaml || fail "config.yaml has no biases or no scale"
must micro --run i --init_from qwen2 --steps 1 --validation.every 1 --model.embedding_scale 0
near "$(first i)" "$(last biases)"
must micro --run j --init_from biases --steps 1 --validation.every 1
[ "$(first j)" = "$(last biases)" ] && grep -q '^  embedding_scale: 3$' j/config.yaml || fail "j begins at $(first j)"
refuse 1 "attention.qkv_bias is true there, and false is asked for" program train --preset micro --run none --init_from biases --attention.qkv_bias false
# What was not trained is exported as it came, to the bit.
must program export hf h --out qwen2.again --step 0
cmp qwen2/model.safetensors qwen2.again/model.safetensors || fail "a folder that was only taken and given is another"

# Changed folders, by the program that others are made with.
cat >change.py <<'EOF'
import json, os, shutil, struct, sys
source, name, *changes = sys.argv[1:]
shutil.copytree(source, name)
path = name + "/model.safetensors"
data = open(path, "rb").read()
size = struct.unpack("<Q", data[:8])[0]
header, body = json.loads(data[8:8 + size]), data[8 + size:]
tensors = {k: [v["dtype"], v["shape"], body[slice(*v["data_offsets"])]] for k, v in header.items() if k != "__metadata__"}
config = json.load(open(name + "/config.json"))
exec("\n".join(changes))
json.dump(config, open(name + "/config.json", "w"))
header, body = {}, b""
for k, (dtype, shape, raw) in tensors.items():
    header[k] = {"dtype": dtype, "shape": shape, "data_offsets": [len(body), len(body) + len(raw)]}
    body += raw
text = json.dumps(header).encode()
open(path, "wb").write(struct.pack("<Q", len(text)) + text + body)
EOF
change() {
    "$python" change.py "$@" || fail "cannot make $2"
}
embedding='tensors["model.embed_tokens.weight"]'
# The same numbers in bf16 (here: their upper halves, so that f32 of the same value is another folder), as a Mistral, with a tied head twice.
cut='raw = b"".join(v[2][i + 2:i + 4] for i in range(0, len(v[2]), 4))'
change hf bf16 "for v in tensors.values():
    $cut
    v[0], v[2] = 'BF16', raw"
change hf f32 "for v in tensors.values():
    $cut
    v[2] = b''.join(b'\\0\\0' + raw[i:i + 2] for i in range(0, len(raw), 2))"
change llama mistral 'config.update(model_type="mistral", sliding_window=32)'
change hf twice "tensors['lm_head.weight'] = $embedding"
change hf old 'tensors["model.layers.0.self_attn.rotary_emb.inv_freq"] = ["F32", [1], b"\0\0\0\0"]'
change hf linear 'del config["rope_parameters"]; config["rope_scaling"] = {"type": "linear", "factor": 2.0}'
must micro --run run.linear --init_from linear --steps 1 --validation.every 1
grep -q '^  rope_scaling: linear$' run.linear/config.yaml && [ "$(first run.linear)" != "$(first e)" ] || fail "no scaling of RoPE"
must program export hf run.linear --out linear.again
grep -q '"rope_type": "linear"' linear.again/config.json || fail "the scaling of RoPE is lost"
for name in bf16 f32 mistral twice old; do must micro --run run.$name --init_from $name --steps 1 --validation.every 1; done
[ "$(weights run.bf16)" = "$(weights run.f32)" ] && [ -n "$(weights run.f32)" ] || fail "bf16 is read as other numbers"
[ "$(first run.mistral)" = "$(first g)" ] && [ "$(first run.twice)" = "$(first e)" ] && [ "$(first run.old)" = "$(first e)" ] ||
    fail "other losses"

# More positions than the folder says are new to its weights: taken, with a warning.
grep -q "longer than" err && fail "the same length is called longer: $(cat err)"
must micro --run long --init_from hf --steps 1 --validation.every 1 --model.sequence_length 64
grep -q "sequences of 64 tokens are longer than hf was made for: its config.json has 32 positions" err || fail "not said: $(cat err)"
program evaluate hf change.py --sequence_length 64 && fail "hf has a tokenizer"
grep -q "^muonscope: warning: sequences of 64 tokens are longer than hf" err || fail "evaluate does not say it: $(cat err)"

# Refused, by one line, with nothing left.
ls >before
wrong() {
    name=$1
    pattern=$2
    shift 2
    rm -rf changed
    change "$name" changed "$@"
    refuse 1 "init.from.* changed.*$pattern" program train --preset micro --run none --init_from changed
    [ ! -e none ] || fail "a folder of a run that never began"
}
wrong hf 'tensor model.norm.weight \[32\] is missing' 'del tensors["model.norm.weight"]'
wrong hf 'tensor model.layers.2.mlp.up_proj.weight is \[64, 31\], this model wants \[64, 32\]' \
    'tensors["model.layers.2.mlp.up_proj.weight"] = ["F32", [64, 31], bytes(64 * 31 * 4)]'
wrong hf 'nothing in this model takes tensor model.extra' 'tensors["model.extra"] = ["F32", [1], bytes(4)]'
wrong hf 'nothing in this model takes tensor model.layers.2' 'config["num_hidden_layers"] = 2'
wrong hf 'tensor lm_head.weight must be the same as model.embed_tokens.weight, and is not' \
    "tensors['lm_head.weight'] = ['F32', [96, 32], bytes(96 * 32 * 4)]"
wrong hf 'tensor model.layers.0.mlp.gate_proj.weight must be the same as .*up_proj' \
    'tensors["model.layers.0.mlp.gate_proj.weight"] = tensors["model.layers.1.mlp.gate_proj.weight"]'
wrong hf 'tensor model.embed_tokens.weight is I32: it must be' "$embedding[0] = 'I32'"
wrong hf 'tensor model.layers.0.self_attn.q_proj.bias: .* of type qwen2' 'tensors["model.layers.0.self_attn.q_proj.bias"] = ["F32", [32], bytes(128)]'
wrong hf "model_type 'gemma2': muonscope has llama" 'config["model_type"] = "gemma2"'
wrong llama 'tensor model.layers.0.self_attn.q_proj.bias \[64\] is missing' 'config["model_type"] = "qwen2"'
wrong qwen2 'tensor model.layers.1.self_attn.k_proj.bias is \[15\], this model wants \[16\]' \
    'tensors["model.layers.1.self_attn.k_proj.bias"] = ["F32", [15], bytes(60)]'
wrong qwen2 'tensor model.layers.0.self_attn.o_proj.bias: muonscope has biases of q, k and v alone' \
    'tensors["model.layers.0.self_attn.o_proj.bias"] = ["F32", [32], bytes(128)]'
wrong hf 'RoPE of type yarn: ' 'config["rope_parameters"] = {"rope_type": "yarn", "rope_theta": 5e5, "factor": 8.0}'
wrong hf 'the scaling of RoPE has no low_freq_factor' 'config["rope_parameters"] = {"rope_type": "llama3", "rope_theta": 5e5, "factor": 8.0}'
wrong hf 'the scaling of RoPE has no sense: 4 to 1 turns' 'config["rope_scaling"] = config["rope_parameters"] = {"rope_type": "llama3",
    "factor": 8.0, "low_freq_factor": 4, "high_freq_factor": 1, "original_max_position_embeddings": 64}'
wrong hf 'config.json: bos_token_id 96 is not in the vocabulary of 96 tokens' 'config["bos_token_id"] = 96'
wrong hf 'config.json: bos_token_id is not a whole number' 'config["bos_token_id"] = [1]'
wrong hf 'it has biases' 'config["attention_bias"] = True'
wrong hf 'hidden_act gelu: ' 'config["hidden_act"] = "gelu"'
wrong hf 'its weights are quantized' 'config["quantization_config"] = {}'
wrong hf 'config.json has no hidden_size' 'del config["hidden_size"]'
wrong hf 'config.json: vocab_size is not a whole number' 'config["vocab_size"] = "many"'
wrong hf 'config.json: not a JSON object' 'config = []'
wrong llama 'tensor lm_head.weight \[96, 32\] is missing' 'del tensors["lm_head.weight"]'
change llama window 'config.update(model_type="mistral", sliding_window=16)'
refuse 1 "sliding_window.*at most that, not 32" program train --preset micro --run none --init_from window --model.sequence_length 32
change hf nan "$embedding[2] = bytes([0, 0, 192, 127]) + $embedding[2][4:]"
refuse 1 "nan: tensor model.embed_tokens.weight has a number that is not finite" program train --preset micro --run none --init_from nan
refuse 1 "init.from: nan: tensor model.embed_tokens.weight has a number" program train --preset micro --dry-run --init_from nan
refuse 1 "evaluate: nan: tensor model.embed_tokens.weight has a number" program evaluate nan change.py
# A checkpoint of ours with such a number, and the hashes that belong to it.
cp -r b inf
"$python" - inf/checkpoints/step_00000004 <<'EOF' || fail "cannot change a checkpoint"
import hashlib, json, re, struct, sys
path = sys.argv[1]
data = open(path + "/model.safetensors", "rb").read()
begin = 8 + struct.unpack("<Q", data[:8])[0]
header = json.loads(data[8:begin])
at = begin + header["final_norm.weight"]["data_offsets"][1] - 4
data = data[:at] + struct.pack("<f", float("inf")) + data[at + 4:]
open(path + "/model.safetensors", "wb").write(data)
# The hash is of a text that has 17 digits of each number.
state = json.load(open(path + "/state.json"), parse_float=lambda text: "@%.17g" % float(text))
state["files"]["model.safetensors"]["sha256"] = hashlib.sha256(data).hexdigest()
del state["state_sha256"]
numbers = lambda text: re.sub('"@([^"]*)"', r"\1", text)
text = numbers(json.dumps(state, sort_keys=True, separators=(",", ":"), ensure_ascii=False))
state["state_sha256"] = hashlib.sha256(text.encode()).hexdigest()
open(path + "/state.json", "w").write(numbers(json.dumps(state)))
EOF
refuse 1 "init.from inf: tensor final_norm.weight has a number that is not finite" program train --preset micro --dry-run --init_from inf
refuse 1 "init.from inf: tensor final_norm.weight has a number" program train --preset micro --run none --init_from inf
mkdir empty
cp hf/config.json empty
refuse 1 "empty has no safetensors file" program train --preset micro --run none --init_from empty
refuse 1 "nobody: no such folder" program train --preset micro --run none --init_from nobody
refuse 2 "init_from is empty" program train --preset micro --run none --init_from ""
refuse 2 "init.from is empty" program train --preset micro --run none --init.from ""
refuse 1 "it is no model: neither a run" program train --preset micro --run none --init_from a/checkpoints
refuse 1 "model.width is 32 there, and 64 is asked for: leave it out" program train --preset micro --run none --init_from a --model.width 64
refuse 1 "attention.rope_scaling" program train --preset micro --run none --init_from a --attention.rope_scaling linear --attention.rope_factor 4
refuse 1 "checkpoints: no checkpoint there" sh -c "cp -r a broken && rm -r broken/checkpoints/* && exec $muonscope train --preset micro --run none --init_from broken"
rm -rf window nan inf changed empty broken
ls | cmp - before || fail "something was left: $(ls)"

# A tokenizer with more ids than the embedding has rows, and another one than the weights know.
cat /usr/share/common-licenses/GPL-[23] | head -c 50000 >text.txt
for size in 300 310; do
    must program tokenizer train text.txt --vocab_size $size --output tokenizer.$size
    must program data prepare text.txt --tokenizer tokenizer.$size --output data.$size --validation_fraction 0.2 --document_bytes 500
done
must micro --run t --data.directory data.300 --model.vocabulary 305 --steps 1
must micro --run u --data.directory data.300 --init_from t --steps 1
grep -q "another tokenizer" err && fail "the same tokenizer is called another: $(cat err)"
refuse 1 "310.*init.from t: prepare the data with its tokenizer" program train --preset micro --data.directory data.310 --run none --init_from t
must micro --run v --data.directory data.300 --model.vocabulary 320 --steps 1
must micro --run u.v --data.directory data.300 --init_from v --steps 1
grep -q "20 ids never come" err || fail "ids that never come are not said: $(cat err)"
grep -q "model.vocabulary 0" err && fail "what is refused is recommended: $(cat err)"
must micro --run w --data.directory data.310 --init_from v --steps 1
grep -q "the data have another tokenizer .* than v .*: the same ids mean other texts" err || fail "not said: $(cat err)"
# A checkpoint by its name alone, from the folder that holds it: its run's tokenizer is found.
beside() {
    (cd v/checkpoints && exec "$muonscope" train --preset micro --numerics exact --init_from step_00000001 --steps 1 "$@") >out 2>err
}
must beside --run ../../same --data.directory ../../data.300
grep -q "another tokenizer" err && fail "the same tokenizer is called another: $(cat err)"
must beside --run ../../other --data.directory ../../data.310
grep -q "the data have another tokenizer .* than step_00000001 .*: the same ids mean other texts" err || fail "not said: $(cat err)"
[ ! -e none ] || fail "a folder of a run that never began"
