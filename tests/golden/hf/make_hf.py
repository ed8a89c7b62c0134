"""Writes hf.json: logits and greedy tokens of tiny Qwen3, Qwen2 and Llama models by Hugging Face's transformers, with f32 weights that are
mapped here, by NumPy, from a model of ours; of each mapped tensor its shape and SHA-256.

The weights of ours follow from their names (weights() below; tests/golden/hf.c has the same), so that the file stays small.
Usage, with torch 2.7.1, transformers 5.24.0 and numpy 2.4.6 from PyPI on a CPU: python3 tests/golden/hf/make_hf.py [OUT, default
tests/golden/hf/hf.json]"""

import hashlib
import json
import sys

import numpy as np
import torch
import transformers

TINY = dict(layers=2, width=24, heads=3, kv_heads=1, head_size=8, feed_forward=20, vocabulary=40, sequence_length=32,
            activation="swiglu", tied_head=False, merged=False, qk_norm=True, rope_layout="half_split",
            residual_scale="fixed", residual_scale_init=1.0, norm_epsilon=1e-6, rope_base=10000.0,
            qkv_bias=False, embedding_scale=0.0, rope_scaling="none", rope_factor=1.0, rope_low=1.0, rope_high=4.0, rope_original_length=8192)
VARIANTS = {
    "qwen3": dict(rope_base=1000000.0),
    "blueberry": dict(activation="relu2", rope_layout="interleaved", merged=True, tied_head=True, norm_epsilon=1.1920929e-07),
    "llama": dict(qk_norm=False, rope_layout="interleaved", kv_heads=3, tied_head=True, norm_epsilon=1e-5,
                  residual_scale_init=0.5),
    "wide_heads": dict(qk_norm=False, activation="relu2", heads=2, head_size=16, residual_scale="learned_layer"),
    "llama3": dict(qk_norm=False, rope_scaling="llama3", rope_factor=8.0, rope_low=0.5, rope_high=2.0, rope_original_length=24, rope_base=50.0),
    "linear": dict(rope_scaling="linear", rope_factor=4.0, rope_layout="interleaved"),
    "qwen2": dict(qk_norm=False, qkv_bias=True, rope_base=1000000.0, tied_head=True, embedding_scale=1.0),
    "qwen2_merged": dict(qk_norm=False, qkv_bias=True, merged=True, rope_layout="interleaved", kv_heads=3, embedding_scale=3.3),
    "branches": dict(merged=True, residual_scale="learned_branch", rope_layout="interleaved"),
}
N_TOKENS, N_GREEDY = 8, 16


def weights(name, shape):
    """Numbers in [-0.5, 0.5) from a hash of the name; gains and scales lie around 1."""
    seed = 2166136261
    for byte in name.encode():
        seed = (seed ^ byte) * 16777619 % 2**32
    x = (seed + np.arange(int(np.prod(shape)), dtype=np.uint64) * 2654435761) % 2**32
    x ^= x >> 16
    x = x * 2246822519 % 2**32
    x ^= x >> 13
    value = (x >> 8).astype(np.float64) / 2**24 - 0.5
    if "norm" in name or "scale" in name:
        value = 1 + value / 2
    return value.reshape(shape).astype(np.float32)


def ours(c):
    """The tensors of a checkpoint of ours."""
    width, hidden, size = c["width"], c["feed_forward"], c["head_size"]
    q, kv = c["heads"] * size, c["kv_heads"] * size
    shapes = {"embedding.weight": (c["vocabulary"], width), "final_norm.weight": (width,)}
    if not c["tied_head"]:
        shapes["head.weight"] = (c["vocabulary"], width)
    for layer in range(c["layers"]):
        at = f"blocks.{layer}."
        if c["merged"]:
            shapes[at + "attention.qkvo.weight"] = (q + 2 * kv + width, width)
        else:
            shapes |= {at + "attention.q.weight": (q, width), at + "attention.k.weight": (kv, width),
                       at + "attention.v.weight": (kv, width), at + "attention.o.weight": (width, q)}
        if c["qk_norm"]:
            shapes |= {at + "attention.q_norm.weight": (size,), at + "attention.k_norm.weight": (size,)}
        shapes |= {at + "feed_forward.up.weight": (hidden, width), at + "feed_forward.down.weight": (width, hidden),
                   at + "attention_norm.weight": (width,), at + "feed_forward_norm.weight": (width,)}
        if c["qkv_bias"]:
            shapes |= {at + "attention.q.bias": (q,), at + "attention.k.bias": (kv,), at + "attention.v.bias": (kv,)}
        if c["activation"] == "swiglu":
            shapes[at + "feed_forward.gate.weight"] = (hidden, width)
        if c["residual_scale"] != "fixed":
            shapes[at + "residual_scale"] = (2,) if c["residual_scale"] == "learned_branch" else ()
    return {name: weights(name, shape) for name, shape in shapes.items()}


def times(factor, array):
    return (np.float64(factor) * array.astype(np.float64)).astype(np.float32)


def theirs(c, w):
    """The same function as tensors of transformers."""
    width, size = c["width"], c["head_size"]
    q, kv = c["heads"] * size, c["kv_heads"] * size

    def turned(array, heads):
        if c["rope_layout"] == "half_split":
            return array
        pairs = array.reshape(heads, size // 2, 2, -1)
        return np.concatenate([pairs[:, :, 0], pairs[:, :, 1]], axis=1).reshape(array.shape)

    scale = np.float64(np.float32(c["embedding_scale"] or width**0.5))  # what a run multiplies by is f32
    out = {"model.embed_tokens.weight": times(scale, w["embedding.weight"])}
    out["model.norm.weight"] = times(1 / scale, w["final_norm.weight"]) if c["tied_head"] else w["final_norm.weight"]
    if not c["tied_head"]:
        out["lm_head.weight"] = w["head.weight"]
    for layer in range(c["layers"]):
        a, b = f"blocks.{layer}.", f"model.layers.{layer}."
        scales = np.broadcast_to(np.float32(w.get(a + "residual_scale", c["residual_scale_init"])), 2)
        if c["merged"]:
            parts = np.split(w[a + "attention.qkvo.weight"], [q, q + kv, q + 2 * kv])
        else:
            parts = [w[a + f"attention.{p}.weight"] for p in "qkvo"]
        out[b + "self_attn.q_proj.weight"] = turned(parts[0], c["heads"])
        out[b + "self_attn.k_proj.weight"] = turned(parts[1], c["kv_heads"])
        out[b + "self_attn.v_proj.weight"] = parts[2]
        out[b + "self_attn.o_proj.weight"] = times(scales[0], parts[3])
        if c["qk_norm"]:
            for p in "qk":
                out[b + f"self_attn.{p}_norm.weight"] = turned(w[a + f"attention.{p}_norm.weight"], 1)
        if c["qkv_bias"]:
            for p, heads in (("q", c["heads"]), ("k", c["kv_heads"])):
                out[b + f"self_attn.{p}_proj.bias"] = turned(w[a + f"attention.{p}.bias"], heads)
            out[b + "self_attn.v_proj.bias"] = w[a + "attention.v.bias"]
        gate = "gate" if c["activation"] == "swiglu" else "up"
        out[b + "mlp.gate_proj.weight"] = w[a + f"feed_forward.{gate}.weight"]
        out[b + "mlp.up_proj.weight"] = w[a + "feed_forward.up.weight"]
        out[b + "mlp.down_proj.weight"] = times(scales[1], w[a + "feed_forward.down.weight"])
        out[b + "input_layernorm.weight"] = w[a + "attention_norm.weight"]
        out[b + "post_attention_layernorm.weight"] = w[a + "feed_forward_norm.weight"]
    return out


def kind(c):
    return "qwen3" if c["qk_norm"] else "qwen2" if c["qkv_bias"] else "llama"


def configuration(c):
    """What config.json must say, beside what only says how the model is used."""
    rope = {"rope_type": "default" if c["rope_scaling"] == "none" else c["rope_scaling"], "rope_theta": c["rope_base"]}
    if c["rope_scaling"] != "none":
        rope["factor"] = c["rope_factor"]
    if c["rope_scaling"] == "llama3":
        rope |= {"low_freq_factor": c["rope_low"], "high_freq_factor": c["rope_high"],
                 "original_max_position_embeddings": c["rope_original_length"]}
    out = dict(
        architectures=[{"qwen3": "Qwen3ForCausalLM", "qwen2": "Qwen2ForCausalLM", "llama": "LlamaForCausalLM"}[kind(c)]],
        model_type=kind(c), vocab_size=c["vocabulary"], hidden_size=c["width"],
        intermediate_size=c["feed_forward"], num_hidden_layers=c["layers"], num_attention_heads=c["heads"],
        num_key_value_heads=c["kv_heads"], head_dim=c["head_size"], hidden_act="silu" if c["activation"] == "swiglu" else "relu",
        max_position_embeddings=c["sequence_length"], rms_norm_eps=c["norm_epsilon"], rope_theta=c["rope_base"],
        rope_parameters=rope, tie_word_embeddings=c["tied_head"])
    return out | {"qwen3": {"attention_bias": False, "use_sliding_window": False}, "qwen2": {"use_sliding_window": False},
                  "llama": {"attention_bias": False, "mlp_bias": False}}[kind(c)]


def make(c):
    mapped = theirs(c, ours(c))
    config = configuration(c)
    kinds = {"qwen2": (transformers.Qwen2Config, transformers.Qwen2ForCausalLM),
             "qwen3": (transformers.Qwen3Config, transformers.Qwen3ForCausalLM),
             "llama": (transformers.LlamaConfig, transformers.LlamaForCausalLM)}
    make_config, make_model = kinds[config["model_type"]]
    model = make_model(make_config(**config, attn_implementation="eager")).float().eval()
    state = {name: torch.from_numpy(np.array(array)) for name, array in mapped.items()}
    if c["tied_head"]:
        state["lm_head.weight"] = state["model.embed_tokens.weight"]
    model.load_state_dict(state, strict=True)
    tokens = [(7 * i * i + 3 * i + 1) % c["vocabulary"] for i in range(N_TOKENS)]
    text = list(tokens)
    with torch.no_grad():
        logits = model(torch.tensor([tokens])).logits[0].numpy()
        loss = model(torch.tensor([tokens]), labels=torch.tensor([tokens])).loss.item()
        for _ in range(N_GREEDY):
            last = model(torch.tensor([text])).logits[0, -1].numpy()
            order = np.sort(last)
            assert order[-1] - order[-2] > 1e-3, "the likeliest token is too near to the next one to be compared"
            text.append(int(last.argmax()))
    return dict(
        config=c, hf_config=config, tokens=tokens, greedy=text[N_TOKENS:], loss=float(f"{loss:.8g}"),
        logits=[[float(f"{x:.8g}") for x in row] for row in logits],
        tensors={name: [list(array.shape), hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()]
                 for name, array in mapped.items()})


def main():
    torch.set_num_threads(1)
    out = {"made_with": dict(torch=torch.__version__, transformers=transformers.__version__, numpy=np.__version__)}
    out["variants"] = {name: make(TINY | changes) for name, changes in VARIANTS.items()}
    lines = []  # an object a line
    for name, variant in out["variants"].items():
        keys = ",\n".join(f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in variant.items())
        lines.append(f" {json.dumps(name)}: {{\n{keys}}}")
    with open(sys.argv[1] if len(sys.argv) > 1 else "tests/golden/hf/hf.json", "w") as file:
        file.write(f'{{"made_with": {json.dumps(out["made_with"])},\n"variants": {{\n' + ",\n".join(lines) + "}}\n")


main()
