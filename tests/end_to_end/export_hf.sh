#!/bin/sh
# `muonscope export hf`: the files of a folder, complete or absent; what it refuses.  That transformers computes the same from such a
# folder: tests/golden/hf.c, transformers.sh.
. "$(dirname "$0")/support.sh"
python=/usr/bin/python3

# Of a text, with a tokenizer.
cat /usr/share/common-licenses/GPL-[23] | head -c 50000 >text.txt
must program tokenizer train text.txt --vocab_size 300 --output tokenizer.json
must program data prepare text.txt --tokenizer tokenizer.json --output data --validation_fraction 0.2 --document_bytes 500
must micro --data.directory data --model.vocabulary 304 --run a --steps 4 --validation.every 2
must program export hf a/ --out new/hf/
grep -q '^new/hf: Qwen3ForCausalLM, step 4: [0-9]* tensors in f32, [0-9]* bytes in 1 file$' out && [ ! -s err ] || fail "it says: $(cat out err)"
[ "$(ls new/hf | tr '\n' ' ')" = "README.md config.json generation_config.json model.safetensors tokenizer.json tokenizer_config.json " ] ||
    fail "other files: $(ls new/hf)"
cmp a/tokenizer.json new/hf/tokenizer.json || fail "another tokenizer"
"$python" - <<'EOF' || fail "the files do not say what the run has"
import json, struct
config, generation, tokenizer = (json.load(open(f"new/hf/{name}.json")) for name in ("config", "generation_config", "tokenizer_config"))
assert config["vocab_size"] == 304 and config["hidden_size"] == 32 and config["tie_word_embeddings"] is True, config
assert config["hidden_act"] == "relu" and config["rms_norm_eps"] == 1.1920929e-07, config
assert config["eos_token_id"] == generation["eos_token_id"] == 0 and generation["temperature"] == 0.8, generation
assert tokenizer["eos_token"] == "<|endoftext|>" and tokenizer["model_max_length"] == 32, tokenizer
data = open("new/hf/model.safetensors", "rb").read()
header = json.loads(data[8:8 + struct.unpack("<Q", data[:8])[0]])
assert "lm_head.weight" not in header and header["model.embed_tokens.weight"] == {"dtype": "F32", "shape": [304, 32],
    "data_offsets": header["model.embed_tokens.weight"]["data_offsets"]}, header
card = open("new/hf/README.md").read()
lines = [json.loads(line) for line in open("a/metrics.jsonl")]
loss = [line["loss"] for line in lines if line["step"] == 4 and "loss" in line][0]
validation = [line["validation_loss"] for line in lines if line["step"] == 4 and "validation_loss" in line][0]
assert f"| training loss at step 4, nats a token | {loss:.4f} |" in card and f"| {validation:.4f} |" in card, card
assert "ids from 300 on were never trained" in card and "relu(z) z = relu(z)^2" in card, card
EOF
# The same run gives the same bytes; an empty folder is filled; an older step.
mkdir again
must program export hf a --out again
fingerprint again >again.files
fingerprint new/hf | cmp - again.files || fail "the same run gives another folder"
must program export hf a --out older --step 0
grep -q "step 0: " out || fail "another step: $(cat out)"
cmp -s older/model.safetensors again/model.safetensors && fail "step 0 has the weights of step 4"
must program analyze again
[ "$(grep -c ' model.layers.[01].mlp.gate_proj.weight$' out)" -eq 2 ] || fail "analyze does not know its matrices: $(cat out)"

# In bf16: half the bytes, and a run that begins with it and leaves as it came.
must program export hf a --out half --dtype bf16
grep -q '^half: Qwen3ForCausalLM, step 4: [0-9]* tensors in bf16, [0-9]* bytes in 1 file$' out || fail "it says: $(cat out)"
grep -q '"torch_dtype": "bfloat16"' half/config.json && grep -q 'weights are bf16, each rounded' half/README.md || fail "the files do not say bf16"
"$python" - <<'EOF' || fail "bf16 is not the nearest number"
import json, struct
def tensors(path):
    data = open(path, "rb").read()
    size = struct.unpack("<Q", data[:8])[0]
    return {name: (about["dtype"], data[8 + size:][slice(*about["data_offsets"])]) for name, about in json.loads(data[8:8 + size]).items()
            if name != "__metadata__"}
whole, half = tensors("new/hf/model.safetensors"), tensors("half/model.safetensors")
assert whole.keys() == half.keys()
for name in whole:
    bits = struct.unpack(f"<{len(whole[name][1]) // 4}I", whole[name][1])
    nearest = [(b + 0x7fff + (b >> 16 & 1)) >> 16 for b in bits]
    assert half[name] == ("BF16", struct.pack(f"<{len(bits)}H", *nearest)), name
EOF
must micro --data.directory data --run begun --init_from half --steps 1
must program export hf begun --out half.again --dtype bf16 --step 0
cmp half/model.safetensors half.again/model.safetensors || fail "bf16 is rounded again"

# Without a tokenizer, without a norm of queries and keys.
must micro --run ids --attention.qk_norm false --steps 1
must program export hf ids --out ids.hf
grep -q '^ids.hf: LlamaForCausalLM, .*; no tokenizer: the run has none$' out || fail "it says: $(cat out)"
[ ! -e ids.hf/tokenizer.json ] && grep -q '"eos_token_id": null' ids.hf/config.json || fail "a tokenizer out of nothing"

# Refused, and nothing is left.
must micro --run gelu --model.activation gelu_tanh --steps 1
names() {
    ls -a | grep -vxE 'out|err|before'
}
names >before
refuse 1 "gelu: model.activation gelu_tanh has no gate.*swiglu, or relu2" program export hf gelu --out none/hf
refuse 1 "new/hf holds 6 entries already: name a new folder" program export hf a --out new/hf
refuse 1 "text.txt is there and is no folder" program export hf a --out text.txt
refuse 1 "no run folder nobody" program export hf nobody --out none
refuse 1 "data is not a run folder" program export hf data --out none
refuse 1 "no checkpoint of step 3" program export hf a --out none --step 3
refuse 2 "needs --out FOLDER" program export hf a
refuse 2 "dtype f16: f32 or bf16 is needed" program export hf a --out none --dtype f16
refuse 2 "must be csv or hf" program export gguf a
# A tokenizer with more ids than the embedding has rows.
cp -r a larger
must program tokenizer train text.txt --vocab_size 310 --output larger/tokenizer.json
refuse 1 "larger/tokenizer.json has 310 tokens, the model 304" program export hf larger --out none
rm -r larger
sed -i 's/^  feed_forward: 64/  feed_forward: 60/' ids/config.yaml
refuse 1 "config.yaml.*blocks.0.feed_forward.up.weight is F32 \[64, 32\], the configuration says F32 \[60, 32\]" program export hf ids --out none
limited() {
    (
        ulimit -f 40 # of 512 bytes
        exec "$muonscope" export hf a --out none
    )
}
refuse 1 "none/model.safetensors.*File too large" limited
names | cmp - before || fail "something was left: $(names)"
