"""Golden statistics of attention and activations, from NumPy in float64, independent of the C code.

Part "values": the inputs are not stored; both sides make them from the same formula (uniform()), in float32.
Part "models": the initial weights and first batch of three model goldens (tests/golden/model), through a forward pass
written here with NumPy alone.
Run: python3 tests/golden/probe/make_probe.py > tests/golden/probe/probe.json
"""
import json
import math
import pathlib
import sys

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
import safetensors_file  # noqa: E402

TOP = 10
EPSILON = 1.1920929e-07


def uniform(seed, count):
    """`count` numbers in [-1, 1): 24 high bits of a 64-bit linear congruential generator (Knuth's MMIX constants)."""
    state, out = seed, np.empty(count)
    for i in range(count):
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        out[i] = (state >> 40) / 2.0**23 - 1.0
    return out


def effective_rank(s):
    p = s[s > 0] / s.sum()
    return float(np.exp(-(p * np.log(p)).sum()))


def attention_statistics(q, k):
    """q [S, T, H, D], k [S, T, G, D] -> (entropy, largest logit, first token), each [H]."""
    S, T, H, D = q.shape
    k = np.repeat(k, H // k.shape[2], axis=2)
    logits = np.einsum("bihd,bjhd->bhij", q, k) * float(np.float32(1 / math.sqrt(D)))
    visible = np.tril(np.ones((T, T), bool))
    logits = np.where(visible, logits, -np.inf)
    p = np.exp(logits - logits.max(-1, keepdims=True))
    p /= p.sum(-1, keepdims=True)
    terms = np.where(p > 0, -p * np.log(np.where(p > 0, p, 1)), 0).sum(-1)
    entropy = terms[:, :, 1:] / np.log(np.arange(2, T + 1))
    return entropy.mean((0, 2)), logits.max((0, 2, 3)), p[:, :, 1:, 0].mean((0, 2))


def products(w_q, w_k, w_v, w_o, H, G, D):
    """Singular values of W_q^T W_k and W_o W_v, head by head, from the products themselves."""
    qk, ov = [], []
    for h in range(H):
        g = h // (H // G)
        q, k, v = w_q[h * D : (h + 1) * D], w_k[g * D : (g + 1) * D], w_v[g * D : (g + 1) * D]
        r = min(D, w_q.shape[1])  # the rest is 0 to rounding
        qk.append(np.linalg.svd(q.T @ k, compute_uv=False)[:r])
        ov.append(np.linalg.svd(w_o[:, h * D : (h + 1) * D] @ v, compute_uv=False)[:r])
    return qk, ov


def activation_statistics(x):
    s = np.linalg.svd(x, compute_uv=False)
    return {
        "rms": float(np.sqrt((x * x).mean())),
        "max": float(np.abs(x).max()),
        "rank": effective_rank(s),
        "participation": float((s**2).sum() ** 2 / (s**4).sum()),
    }


def line(q, k, weights, stream, hidden, H, G, D):
    entropy, largest, first = attention_statistics(q, k)
    qk, ov = products(*weights, H, G, D)
    result = {
        "attention_entropy": entropy.tolist(),
        "attention_logit_max": largest.tolist(),
        "attention_first_token": first.tolist(),
        "qk_sigma": [s[:TOP].tolist() for s in qk],
        "qk_rank": [effective_rank(s) for s in qk],
        "ov_sigma": [s[:TOP].tolist() for s in ov],
        "ov_rank": [effective_rank(s) for s in ov],
    }
    for name, x in (("residual", stream), ("feed_forward", hidden)):
        for key, value in activation_statistics(x.reshape(-1, x.shape[-1])).items():
            result[f"{name}_{key}"] = value
    return result


# sequences, tokens, width, heads, kv heads, head size, amplitude of q and k, rank of the stream (0: full)
CASES = [
    (2, 5, 12, 4, 2, 6, 1.0, 0),
    (1, 2, 7, 1, 1, 3, 1.0, 0),
    (3, 16, 20, 6, 3, 4, 8.0, 0),  # attention near one-hot
    (2, 33, 24, 2, 1, 12, 0.01, 5),  # near uniform; a stream of low rank
    (4, 8, 5, 2, 2, 8, 1.0, 0),  # heads wider than the model
]


def make_case(index):
    S, T, C, H, G, D, amplitude, rank = CASES[index]
    seed, n = 1000 * (index + 1), S * T
    f32 = lambda x: x.astype(np.float32).astype(np.float64)  # noqa: E731
    q = f32(amplitude * uniform(seed, n * H * D)).reshape(S, T, H, D)
    k = f32(amplitude * uniform(seed + 1, n * G * D)).reshape(S, T, G, D)
    rows = ((H * D, C), (G * D, C), (G * D, C), (C, H * D))
    weights = [f32(uniform(seed + 2 + i, a * b)).reshape(a, b) for i, (a, b) in enumerate(rows)]
    stream = uniform(seed + 6, n * C).reshape(n, C)
    if rank:
        stream = np.zeros((n, C))
        left, right = uniform(seed + 6, n * rank).reshape(n, rank), uniform(seed + 8, rank * C).reshape(rank, C)
        for i in range(rank):
            stream += left[:, i : i + 1] * right[i : i + 1]
    hidden = np.maximum(uniform(seed + 7, n * 3 * C).reshape(n, 3 * C), 0) ** 2
    names = ("sequences", "tokens", "width", "heads", "kv_heads", "head_size", "amplitude", "stream_rank")
    return dict(zip(names, CASES[index]), seed=seed, line=line(q, k, weights, f32(stream), f32(hidden), H, G, D))


def rms_norm(x, gain):
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + EPSILON) * gain


def rope(x):
    """x [B, T, heads, D], pairs (2i, 2i+1)."""
    T, D = x.shape[1], x.shape[3]
    angle = np.outer(np.arange(T), 10000.0 ** (-np.arange(0, D, 2) / D))[None, :, None, :]
    first, second = x[..., 0::2], x[..., 1::2]
    turned = np.stack((first * np.cos(angle) - second * np.sin(angle), second * np.cos(angle) + first * np.sin(angle)), -1)
    return turned.reshape(x.shape)


def model_lines(name):
    tensors, metadata = safetensors_file.read(str(ROOT / "model" / f"{name}.safetensors"))
    c = json.loads(metadata["config"])
    p = {key[8:]: value.astype(np.float64) for key, value in tensors.items() if key.startswith("initial.")}
    H, G, D, C = c["heads"], c["kv_heads"], c["head_size"], c["width"]
    tokens, lines = tensors["tokens"][0], []
    B, T = tokens.shape
    x = p["embedding.weight"][tokens] * math.sqrt(C)
    for layer in range(c["layers"]):
        w_q, w_k, w_v, w_o = np.split(p["blocks.attention.qkvo.weight"][layer], np.cumsum([H * D, G * D, G * D]))
        y = rms_norm(x, p["blocks.attention_norm.weight"][layer])
        q, k, v = ((y @ w.T).reshape(B, T, -1, D) for w in (w_q, w_k, w_v))
        if c["qk_norm"]:
            q = rms_norm(q, p["blocks.attention.q_norm.weight"][layer])
            k = rms_norm(k, p["blocks.attention.k_norm.weight"][layer])
        q, k = rope(q), rope(k)
        scores = np.einsum("bihd,bjhd->bhij", q, np.repeat(k, H // G, axis=2)) / math.sqrt(D)
        scores = np.where(np.tril(np.ones((T, T), bool)), scores, -np.inf)
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        scores /= scores.sum(-1, keepdims=True)
        x = x + np.einsum("bhij,bjhd->bihd", scores, np.repeat(v, H // G, axis=2)).reshape(B, T, H * D) @ w_o.T
        y = rms_norm(x, p["blocks.feed_forward_norm.weight"][layer])
        hidden = y @ p["blocks.feed_forward.up.weight"][layer].T
        if c["activation"] == "swiglu":
            gate = y @ p["blocks.feed_forward.gate.weight"][layer].T
            hidden = gate / (1 + np.exp(-gate)) * hidden
        else:
            hidden = np.maximum(hidden, 0) ** 2
        x = x + hidden @ p["blocks.feed_forward.down.weight"][layer].T
        lines.append(line(q, k, (w_q, w_k, w_v, w_o), x, hidden, H, G, D))
    sizes = ("layers", "width", "heads", "kv_heads", "head_size", "feed_forward", "vocabulary", "sequence_length")
    return dict({key: c[key] for key in sizes}, name=name, batch=B, qk_norm=c["qk_norm"], activation=c["activation"],
                lines=lines)


def main():
    out = {"numpy": np.__version__, "values": [make_case(i) for i in range(len(CASES))],
           "models": [model_lines(name) for name in ("merged_muon", "swiglu", "no_qk_norm")]}
    json.dump(out, sys.stdout, indent=1)
    print()


main()
