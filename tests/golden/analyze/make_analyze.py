"""Makes small checkpoints with the names of many families, and what NumPy says of every matrix in them, in float64.

Each checkpoint is a folder with a safetensors file, or shards and an index, and a config.json.  expected.json has the
lines that `muonscope analyze` must print, split and transposed here by rules of their own, written apart from the C code.

Run: python make_analyze.py       (writes into its own folder; NumPy alone)
"""
import json
import math
import os
import struct
import sys

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
rng = np.random.default_rng(20261129)

WIDTH, HIDDEN, WORDS, HEADS, KV_HEADS, HEAD = 24, 40, 50, 4, 2, 6


def matrix(*shape):
    """Noise of standard deviation 0.1 and two directions that stand out of it."""
    rows, cols = shape[-2], shape[-1]
    out = 0.1 * rng.standard_normal(shape)
    for strength in (3.0, 1.5):
        left, right = rng.standard_normal(rows), rng.standard_normal(cols)
        out += strength * np.outer(left, right) / (np.linalg.norm(left) * np.linalg.norm(right))
    return out


def stored(array, dtype):
    """(bytes, the numbers they stand for in float64)"""
    if dtype == "BF16":
        bits = np.ascontiguousarray(array, dtype="<f4").view("<u4")
        half = ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2")
        return half.tobytes(), (half.astype("<u4") << 16).view("<f4").astype(np.float64)
    typed = np.ascontiguousarray(array, dtype={"F64": "<f8", "F32": "<f4", "F16": "<f2", "I32": "<i4"}[dtype])
    return typed.tobytes(), typed.astype(np.float64)


def write(path, tensors, metadata=None):
    """tensors: {name: (dtype, shape, bytes)}, stored one after the other in the order of the names."""
    header, blob = {"__metadata__": metadata or {"format": "pt"}}, b""
    for name in sorted(tensors):
        dtype, shape, data = tensors[name]
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [len(blob), len(blob) + len(data)]}
        blob += data
    text = json.dumps(header, separators=(",", ":")).encode()
    with open(path, "wb") as stream:
        stream.write(struct.pack("<Q", len(text)) + text + blob)  # not padded: tensors may be unaligned


# ---- what NumPy says ----


def entropy(x):
    p = x / x.sum()
    p = p[p > 0]
    return float(-(p * np.log(p)).sum())


def spectrum_of(w):
    s = np.linalg.svd(w, compute_uv=False)
    r, (m, n) = len(s), w.shape
    edge = float(w.std() * (math.sqrt(m) + math.sqrt(n)))
    out = {
        "sigma_top": s[:12].tolist(),
        "sigma_quantiles": [float(np.quantile(s, q)) for q in (0.01, 0.1, 0.5, 0.9)],
        "sigma_max": s[0],
        "sigma_min": s[-1],
        "sigma_mean": s.mean(),
        "frobenius": math.sqrt((s**2).sum()),
        "std": w.std(),
        "stable_rank": (s**2).sum() / s[0] ** 2,
        "stable_rank_random": m * n / (math.sqrt(m) + math.sqrt(n)) ** 2 if r > 1 else 1.0,
        "effective_rank": math.exp(entropy(s)),
        "sigma_max_random": edge if r > 1 else None,
        "spikes": float((s > edge).sum()) if r > 1 else None,
        "spectral_entropy": entropy(s**2) / math.log(r) if r > 1 else None,
        "spectral_entropy_random": 1 - r / (2 * max(m, n) * math.log(r)) if r > 1 else None,
        "entropy_l1": entropy(s) / math.log(r) if r > 1 else None,
        "energy_10": (s[: math.ceil(r / 10)] ** 2).sum() / (s**2).sum(),
        "gap": s[0] / s[1] if r > 1 else None,
    }
    return {key: value if value is None or isinstance(value, list) else float(value) for key, value in out.items()}


def overlap(x, y):
    return float(np.minimum(np.linalg.svd(x.T @ y, compute_uv=False), 1).mean())


def change_of(w0, w):
    """w0: before."""
    d = w - w0
    before, after, change = (np.linalg.svd(x, full_matrices=False) for x in (w0, w, d))
    s, (m, n) = change[1], w.shape
    edge = float(d.std() * (math.sqrt(m) + math.sqrt(n)))
    return {
        "update_sigma": s[:12].tolist(),
        "update_sigma_max_random": edge,
        "update_spikes": float((s > edge).sum()),
        "update_norm": float(np.linalg.norm(d)),
        "update_ratio": float(np.linalg.norm(d) / np.linalg.norm(w0)),
        "cosine": float((w0 * d).sum() / np.linalg.norm(w0) / np.linalg.norm(d)),
        "update_stable_rank": float((s**2).sum() / s[0] ** 2),
        "update_spectral_entropy": entropy(s**2) / math.log(len(s)),
        "growth": float(after[1][0] - before[1][0]),
        "velocity_top": [float(after[0][:, i] @ d @ after[2][i]) for i in range(min(10, len(s)))],
        "persistence_left": overlap(before[0][:, :5], after[0][:, :5]),
        "persistence_right": overlap(before[2][:5].T, after[2][:5].T),
        "alignment_left": overlap(before[0][:, :5], change[0][:, :5]),
        "alignment_right": overlap(before[2][:5].T, change[2][:5].T),
    }


# ---- checkpoints ----


class Checkpoint:
    def __init__(self, folder, dtype, config=None):
        self.folder, self.dtype, self.config = folder, dtype, config
        self.tensors, self.lines, self.values = {}, [], {}

    def tensor(self, name, array, dtype=None):
        """Adds one, and returns the numbers that the file stands for."""
        data, values = stored(array, dtype or self.dtype)
        self.tensors[name] = (dtype or self.dtype, array.shape, data)
        return values

    def line(self, name, w, projection, layer, expert=None, note=None):
        """w: the matrix [outputs, inputs] in float64."""
        self.lines.append({"name": name, "projection": projection, "layer": layer, "expert": expert,
                           "rows": w.shape[0], "cols": w.shape[1], "dtype": self.dtype, "note": note,
                           **spectrum_of(w)})
        self.values[(name, projection, expert)] = w

    def whole(self, name, rows, cols, projection, layer, expert=None):
        self.line(name, self.tensor(name, matrix(rows, cols)), projection, layer, expert)

    def save(self, shards=1):
        folder = os.path.join(HERE, self.folder)
        os.makedirs(folder, exist_ok=True)
        if self.config is not None:
            with open(os.path.join(folder, "config.json"), "w") as stream:
                json.dump(self.config, stream)
                stream.write("\n")
        if shards == 1:
            write(os.path.join(folder, "model.safetensors"), self.tensors)
            return
        names, where = sorted(self.tensors), {}
        for i in range(shards):
            shard = f"model-{i + 1:05d}-of-{shards:05d}.safetensors"
            part = {name: self.tensors[name] for name in names[i::shards]}
            write(os.path.join(folder, shard), part)
            where.update({name: shard for name in part})
        with open(os.path.join(folder, "model.safetensors.index.json"), "w") as stream:
            json.dump({"metadata": {"total_size": 0}, "weight_map": where}, stream)
            stream.write("\n")


def llama():
    """Also mistral, qwen 2 and 3, gemma: the same names.  Three shards, bf16, layer 10 after layer 2."""
    c = Checkpoint("llama", "BF16", {"model_type": "llama", "hidden_size": WIDTH, "num_attention_heads": HEADS})
    c.whole("model.embed_tokens.weight", WORDS, WIDTH, "embedding", None)
    c.tensor("model.norm.weight", np.ones(WIDTH))
    for layer in (2, 10):
        p = f"model.layers.{layer}."
        for name, rows, cols in (("q", WIDTH, WIDTH), ("k", KV_HEADS * HEAD, WIDTH), ("v", KV_HEADS * HEAD, WIDTH),
                                 ("o", WIDTH, WIDTH)):
            c.whole(p + f"self_attn.{name}_proj.weight", rows, cols, name, layer)
        for name, rows, cols in (("gate", HIDDEN, WIDTH), ("up", HIDDEN, WIDTH), ("down", WIDTH, HIDDEN)):
            c.whole(p + f"mlp.{name}_proj.weight", rows, cols, name, layer)
        c.tensor(p + "input_layernorm.weight", np.ones(WIDTH))
    c.save(shards=3)
    return c


def gpt2():
    """Matrices [inputs, outputs]; q, k, v side by side.  No config.json: none is needed."""
    c = Checkpoint("gpt2", "F32")
    c.whole("wte.weight", WORDS, WIDTH, "embedding", None)
    c.whole("wpe.weight", 20, WIDTH, "position", None)
    p = "h.0."
    fused = c.tensor(p + "attn.c_attn.weight", matrix(WIDTH, 3 * WIDTH))
    for i, name in enumerate("qkv"):
        c.line(p + "attn.c_attn.weight", fused[:, i * WIDTH : (i + 1) * WIDTH].T, name, 0)
    c.line(p + "attn.c_proj.weight", c.tensor(p + "attn.c_proj.weight", matrix(WIDTH, WIDTH)).T, "o", 0)
    c.line(p + "mlp.c_fc.weight", c.tensor(p + "mlp.c_fc.weight", matrix(WIDTH, 4 * WIDTH)).T, "up", 0)
    c.line(p + "mlp.c_proj.weight", c.tensor(p + "mlp.c_proj.weight", matrix(4 * WIDTH, WIDTH)).T, "down", 0)
    c.tensor(p + "attn.bias", np.tril(np.ones((1, 1, 8, 8))))
    c.save()
    return c


def nanogpt():
    """GPT-2's names, matrices [outputs, inputs]; the config.json that whoever converts them writes."""
    c = Checkpoint("nanogpt", "F32", {"n_embd": WIDTH, "n_head": HEADS})
    p = "transformer.h.0."
    fused = c.tensor(p + "attn.c_attn.weight", matrix(3 * WIDTH, WIDTH))
    for i, name in enumerate("qkv"):
        c.line(p + "attn.c_attn.weight", fused[i * WIDTH : (i + 1) * WIDTH], name, 0)
    c.whole(p + "attn.c_proj.weight", WIDTH, WIDTH, "o", 0)
    c.whole(p + "mlp.c_fc.weight", 4 * WIDTH, WIDTH, "up", 0)
    c.whole(p + "mlp.c_proj.weight", WIDTH, 4 * WIDTH, "down", 0)
    c.save()
    return c


def neox():
    """Rows of q, k, v of one head, then of the next."""
    c = Checkpoint("gpt_neox", "F16", {"model_type": "gpt_neox", "hidden_size": WIDTH, "num_attention_heads": HEADS})
    p = "gpt_neox.layers.1."
    fused = c.tensor(p + "attention.query_key_value.weight", matrix(3 * WIDTH, WIDTH))
    by_head = fused.reshape(HEADS, 3, HEAD, WIDTH)
    for i, name in enumerate("qkv"):
        c.line(p + "attention.query_key_value.weight", by_head[:, i].reshape(WIDTH, WIDTH), name, 1)
    c.whole(p + "attention.dense.weight", WIDTH, WIDTH, "o", 1)
    c.whole(p + "mlp.dense_h_to_4h.weight", 4 * WIDTH, WIDTH, "up", 1)
    c.whole(p + "mlp.dense_4h_to_h.weight", WIDTH, 4 * WIDTH, "down", 1)
    c.whole("gpt_neox.embed_in.weight", WORDS, WIDTH, "embedding", None)
    c.whole("embed_out.weight", WORDS, WIDTH, "head", None)
    c.save()
    return c


def phi3():
    c = Checkpoint("phi3", "F64", {"model_type": "phi3", "hidden_size": WIDTH, "num_attention_heads": HEADS,
                                   "num_key_value_heads": KV_HEADS})
    p, q, kv = "model.layers.0.", HEADS * HEAD, KV_HEADS * HEAD
    fused = c.tensor(p + "self_attn.qkv_proj.weight", matrix(q + 2 * kv, WIDTH))
    for name, first, n in (("q", 0, q), ("k", q, kv), ("v", q + kv, kv)):
        c.line(p + "self_attn.qkv_proj.weight", fused[first : first + n], name, 0)
    fused = c.tensor(p + "mlp.gate_up_proj.weight", matrix(2 * HIDDEN, WIDTH))
    c.line(p + "mlp.gate_up_proj.weight", fused[:HIDDEN], "gate", 0)
    c.line(p + "mlp.gate_up_proj.weight", fused[HIDDEN:], "up", 0)
    c.whole(p + "self_attn.o_proj.weight", WIDTH, q, "o", 0)
    c.whole(p + "mlp.down_proj.weight", WIDTH, HIDDEN, "down", 0)
    c.save()
    return c


def phi():
    """Phi 1 and 2: nothing fused."""
    c = Checkpoint("phi", "F32")
    p = "model.layers.0."
    for name in "qkv":
        c.whole(p + f"self_attn.{name}_proj.weight", WIDTH, WIDTH, name, 0)
    c.whole(p + "self_attn.dense.weight", WIDTH, WIDTH, "o", 0)
    c.whole(p + "mlp.fc1.weight", HIDDEN, WIDTH, "up", 0)
    c.whole(p + "mlp.fc2.weight", WIDTH, HIDDEN, "down", 0)
    c.save()
    return c


def deepseek():
    """Latent projections; experts by name.  Sizes under text_config, as models of text and pictures have them."""
    latent, rotated, key, value = 10, 4, 5, 7
    c = Checkpoint("deepseek", "F32", {"model_type": "deepseek_v3", "text_config": {
        "num_attention_heads": HEADS, "kv_lora_rank": latent, "qk_rope_head_dim": rotated, "qk_nope_head_dim": key,
        "v_head_dim": value}})
    p = "model.layers.3."
    c.whole(p + "self_attn.q_a_proj.weight", 14, WIDTH, "q_a", 3)
    c.whole(p + "self_attn.q_b_proj.weight", HEADS * (key + rotated), 14, "q_b", 3)
    name = p + "self_attn.kv_a_proj_with_mqa.weight"
    fused = c.tensor(name, matrix(latent + rotated, WIDTH))
    c.line(name, fused[:latent], "kv_a", 3)
    c.line(name, fused[latent:], "k_rope", 3)
    name = p + "self_attn.kv_b_proj.weight"
    by_head = c.tensor(name, matrix(HEADS * (key + value), latent)).reshape(HEADS, key + value, latent)
    c.line(name, by_head[:, :key].reshape(-1, latent), "k_b", 3)
    c.line(name, by_head[:, key:].reshape(-1, latent), "v_b", 3)
    c.whole(p + "self_attn.o_proj.weight", WIDTH, HEADS * value, "o", 3)
    c.whole(p + "mlp.gate.weight", 8, WIDTH, "router", 3)
    for expert in (0, 1):
        c.whole(p + f"mlp.experts.{expert}.gate_proj.weight", 12, WIDTH, "gate", 3, expert)
        c.whole(p + f"mlp.experts.{expert}.down_proj.weight", WIDTH, 12, "down", 3, expert)
    c.whole(p + "mlp.shared_experts.up_proj.weight", 12, WIDTH, "shared_up", 3)
    c.save()
    return c


def unknown():
    """Names that no rule knows, fused matrices without sizes, more than two dimensions, one row, integers."""
    c = Checkpoint("unknown", "F32")
    c.whole("thing", 9, 13, None, None)
    c.whole("blocks.4.mystery.weight", 13, 9, None, 4)
    c.whole("score.weight", 1, WIDTH, None, None)
    c.whole("column", WIDTH, 1, None, None)
    kernel = c.tensor("features.0.conv.weight", rng.standard_normal((8, 3, 5, 5)))
    c.line("features.0.conv.weight", kernel.reshape(8, 75), None, 0)
    stack = c.tensor("model.layers.0.mlp.experts.down", rng.standard_normal((3, 7, 9)))
    for i in range(3):
        c.line("model.layers.0.mlp.experts.down", stack[i], None, 0, i)
    fused = c.tensor("gpt_neox.layers.0.attention.query_key_value.weight", matrix(3 * WIDTH, WIDTH))
    c.line("gpt_neox.layers.0.attention.query_key_value.weight", fused, "qkv", 0,
           note="not split: no config.json says num_attention_heads")
    c.tensor("tokens", np.arange(12).reshape(3, 4), "I32")
    c.tensor("scalar", np.float32(3).reshape(()))
    c.tensor("empty", np.zeros((0, 5)))
    c.save()
    return c


def bigcode(folder, multi_query):
    """GPT-2's names and [outputs, inputs]: rows of q, k, v of one head, then of the next; or all of q, one k, one v."""
    c = Checkpoint(folder, "F32", {"model_type": "gpt_bigcode", "n_embd": WIDTH, "n_head": HEADS,
                                   "multi_query": multi_query})
    name = "transformer.h.0.attn.c_attn.weight"
    fused = c.tensor(name, matrix(WIDTH + 2 * HEAD if multi_query else 3 * WIDTH, WIDTH))
    if multi_query:
        parts = fused[:WIDTH], fused[WIDTH : WIDTH + HEAD], fused[WIDTH + HEAD :]
    else:
        parts = (fused.reshape(HEADS, 3, HEAD, WIDTH)[:, i].reshape(WIDTH, WIDTH) for i in range(3))
    for projection, w in zip("qkv", parts):
        c.line(name, w, projection, 0)
    c.whole("transformer.h.0.attn.c_proj.weight", WIDTH, WIDTH, "o", 0)
    c.save()
    return c


def later():
    """The llama above after a change, in f32 and one file; without layer 10, and with a matrix more."""
    old, c = CHECKPOINTS["llama"], Checkpoint("later", "F32", {"model_type": "llama"})
    changes = []
    for (name, projection, _), w0 in old.values.items():
        if ".10." in name:
            continue
        w = c.tensor(name, w0 + 0.02 * rng.standard_normal(w0.shape) + 0.3 * matrix(*w0.shape))
        changes.append({"name": name, "projection": projection, **change_of(w0, w)})
    c.tensor("another.weight", matrix(8, 9))
    c.save()
    return changes


CHECKPOINTS = {}
for make in (llama, gpt2, nanogpt, neox, phi3, phi, deepseek, unknown):
    checkpoint = make()
    CHECKPOINTS[checkpoint.folder] = checkpoint
CHANGES = later()
for checkpoint in bigcode("gpt_bigcode", False), bigcode("gpt_bigcode_one_key", True):  # last: older ones stay as they are
    CHECKPOINTS[checkpoint.folder] = checkpoint
EXPECTED = {"numpy": np.__version__, "python": sys.version.split()[0],
            "checkpoints": {name: c.lines for name, c in CHECKPOINTS.items()}, "later_against_llama": CHANGES}
with open(os.path.join(HERE, "expected.json"), "w") as out:
    json.dump(EXPECTED, out, indent=1)
    out.write("\n")
