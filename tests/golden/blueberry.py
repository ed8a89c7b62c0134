"""The Blueberry transformer as plain PyTorch functions over a dictionary of stacked parameters.

An implementation independent of the C one: it follows the description of the model (vukrosic/muon-llm-research), has no
fused operation, no chunking, and leaves every gradient to autograd.  Letters: L layers, C width, H heads, G kv heads,
D head size, F feed-forward, V vocabulary, B batch, T sequence length."""
import math
import zlib

import numpy
import torch

EPSILON = 1.1920929e-07
ROPE_BASE = 10000.0


def shapes(c):
    """{name: shape}, and how it is initialised follows from the name."""
    L, C, D, F = c["layers"], c["width"], c["head_size"], c["feed_forward"]
    query, key = c["heads"] * D, c["kv_heads"] * D
    result = {"embedding.weight": (c["vocabulary"], C)}
    if not c["tied_head"]:
        result["head.weight"] = (c["vocabulary"], C)
    result.update({"blocks.attention.q.weight": (L, query, C), "blocks.attention.k.weight": (L, key, C),
                   "blocks.attention.v.weight": (L, key, C), "blocks.attention.o.weight": (L, C, query),
                   "blocks.attention_norm.weight": (L, C), "blocks.feed_forward_norm.weight": (L, C),
                   "blocks.feed_forward.up.weight": (L, F, C), "blocks.feed_forward.down.weight": (L, C, F)})
    if c.get("qkv_bias"):
        result.update({"blocks.attention.q.bias": (L, query), "blocks.attention.k.bias": (L, key),
                       "blocks.attention.v.bias": (L, key)})
    if c["activation"] == "swiglu":
        result["blocks.feed_forward.gate.weight"] = (L, F, C)
    if c["qk_norm"]:
        result.update({"blocks.attention.q_norm.weight": (L, D), "blocks.attention.k_norm.weight": (L, D)})
    if c["residual_scale"] != "fixed":
        result["blocks.residual_scale"] = (L,) if c["residual_scale"] == "learned_layer" else (L, 2)
    result["final_norm.weight"] = (C,)
    return result


def initial(c, seed):
    """f32 values.  Stronger than the 0.02 of the real model so that every gradient carries information; each tensor has
    its own stream, so variants share the values of the tensors that they share."""
    result = {}
    for name, shape in shapes(c).items():
        draw = numpy.random.default_rng([seed, zlib.crc32(name.encode())]).standard_normal(shape)
        is_gain = "norm" in name or "residual" in name
        result[name] = (1 + 0.1 * draw if is_gain else 0.1 * draw).astype(numpy.float32)
    if c["merged"]:
        parts = [result.pop(f"blocks.attention.{part}.weight") for part in "qkvo"]
        result["blocks.attention.qkvo.weight"] = numpy.concatenate(parts, axis=1)
    return result


def rms_norm(x, gain):
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + EPSILON) * gain


def rope(x, layout):
    """x [B, T, heads, D]: rotates pair i by position * base^(-2i/D); pairs (2i, 2i+1), or (i, i + D/2) in half_split."""
    T, D = x.shape[1], x.shape[3]
    frequency = ROPE_BASE ** (-torch.arange(0, D, 2, dtype=torch.float64) / D)
    angle = torch.outer(torch.arange(T, dtype=torch.float64), frequency)[None, :, None, :]
    cos, sin = angle.cos().to(x.dtype), angle.sin().to(x.dtype)
    if layout == "interleaved":
        first, second = x[..., 0::2], x[..., 1::2]
        return torch.stack((first * cos - second * sin, second * cos + first * sin), -1).flatten(-2)
    first, second = x[..., :D // 2], x[..., D // 2:]
    return torch.cat((first * cos - second * sin, second * cos + first * sin), -1)


def attention(x, p, layer, c, logit_max):
    """logit_max: None, or a list to which [H], the largest logit of each head, is appended."""
    B, T, C = x.shape
    H, G, D = c["heads"], c["kv_heads"], c["head_size"]
    if c["merged"]:
        w_q, w_k, w_v, w_o = p["blocks.attention.qkvo.weight"][layer].split([H * D, G * D, G * D, C])
    else:
        w_q, w_k, w_v, w_o = (p[f"blocks.attention.{part}.weight"][layer] for part in "qkvo")
    q, k, v = (x @ w.T for w in (w_q, w_k, w_v))
    if c.get("qkv_bias"):
        q, k, v = (y + p[f"blocks.attention.{part}.bias"][layer] for y, part in ((q, "q"), (k, "k"), (v, "v")))
    q, k, v = (y.view(B, T, -1, D) for y in (q, k, v))
    if c["qk_norm"]:
        q = rms_norm(q, p["blocks.attention.q_norm.weight"][layer])
        k = rms_norm(k, p["blocks.attention.k_norm.weight"][layer])
    q, k = rope(q, c["rope_layout"]), rope(k, c["rope_layout"])
    k, v = (t.repeat_interleave(H // G, dim=2) for t in (k, v))
    scores = torch.einsum("bihd,bjhd->bhij", q, k) / math.sqrt(D)
    scores = scores.masked_fill(torch.ones(T, T, dtype=torch.bool).triu(1), -math.inf)
    if logit_max is not None:
        logit_max.append(scores.detach().amax((0, 2, 3)))
    return torch.einsum("bhij,bjhd->bihd", scores.softmax(-1), v).reshape(B, T, H * D) @ w_o.T


def feed_forward(x, p, layer, c):
    up = x @ p["blocks.feed_forward.up.weight"][layer].T
    if c["activation"] == "swiglu":
        gate = x @ p["blocks.feed_forward.gate.weight"][layer].T
        hidden = torch.nn.functional.silu(gate) * up
    elif c["activation"] == "gelu_tanh":
        hidden = torch.nn.functional.gelu(up, approximate="tanh")
    else:
        hidden = torch.relu(up) ** 2
    return hidden @ p["blocks.feed_forward.down.weight"][layer].T


def forward(p, tokens, c, logit_max=None):
    """tokens [B, T] -> logits [B, T, V]."""
    x = p["embedding.weight"][tokens] * c.get("embedding_scale", math.sqrt(c["width"]))
    for layer in range(c["layers"]):
        scale = p["blocks.residual_scale"][layer] if c["residual_scale"] != "fixed" else torch.ones((), dtype=x.dtype)
        on_attention, on_feed_forward = (scale, scale) if scale.dim() == 0 else scale
        x = x + on_attention * attention(rms_norm(x, p["blocks.attention_norm.weight"][layer]), p, layer, c, logit_max)
        x = x + on_feed_forward * feed_forward(rms_norm(x, p["blocks.feed_forward_norm.weight"][layer]), p, layer, c)
    head = p["embedding.weight" if c["tied_head"] else "head.weight"]
    return rms_norm(x, p["final_norm.weight"]) @ head.T


def loss(logits, tokens):
    """Mean over the T-1 next-token targets of each sequence; the last position has none."""
    return torch.nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), tokens[:, 1:].flatten())
