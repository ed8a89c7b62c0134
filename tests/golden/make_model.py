"""Makes tests/golden/model/*.safetensors: logits, gradients and ten training steps of a micro Blueberry per variant.

    python3 tests/golden/make_model.py            (from the root; needs PyTorch and NumPy)

Logits, gradients, losses and final parameters come from a run in f64 that starts at f32 parameters, so the reference is
better than the f32 code that is held against it.  A second run in f32 measures how far plain f32 strays; its figures are
in the metadata (f32_deviation)."""
import json
import math
import os
import sys

import numpy
import torch

import blueberry
import safetensors_file
from muon import Muon

STEPS, SEED = 10, 42
BASE = dict(layers=2, width=32, heads=4, kv_heads=2, head_size=8, feed_forward=64, vocabulary=96, sequence_length=16,
            batch=2, activation="relu2", merged=True, qk_norm=True, rope_layout="interleaved", tied_head=True,
            residual_scale="fixed", optimizer="muon", coefficients="polar_express", scaling="max_rows_cols",
            split="merged", decay_mode="none", decay=0.0)
VARIANTS = {
    "merged_muon": {},
    "split_muon": dict(merged=False),
    "merged_adamw": dict(optimizer="adamw"),
    "split_adamw": dict(merged=False, optimizer="adamw"),
    "swiglu": dict(activation="swiglu"),
    "gelu_tanh": dict(activation="gelu_tanh"),
    "no_qk_norm": dict(qk_norm=False),
    "half_split": dict(rope_layout="half_split"),
    "untied_head": dict(tied_head=False),
    "learned_layer": dict(residual_scale="learned_layer"),
    "learned_branch": dict(residual_scale="learned_branch"),
    "per_projection": dict(split="per_projection"),
    "per_head": dict(split="per_head"),
    "jordan": dict(coefficients="jordan"),
    "modula": dict(coefficients="modula"),
    "jordan_convergent": dict(coefficients="jordan_convergent"),
    "moonlight": dict(scaling="moonlight"),
    "rows_cols": dict(scaling="rows_cols"),
    "decay_decoupled": dict(decay_mode="decoupled", decay=0.1),
    "decay_update": dict(decay_mode="update", decay=0.1),
    "decay_both": dict(decay_mode="both", decay=0.1),
    "qk_clip": dict(qk_norm=False, qk_clip=0.5),
    "qk_clip_own_keys": dict(qk_norm=False, qk_clip=0.7, kv_heads=4, merged=False, split="per_head",
                             decay_mode="decoupled", decay=0.1),
    "qkv_bias": dict(qk_norm=False, qkv_bias=True, rope_layout="half_split", embedding_scale=1.0),
    "qkv_bias_split": dict(qkv_bias=True, merged=False, optimizer="adamw"),
}


def make_tokens(c):
    """[STEPS, B, T]: a noisy affine walk, so that there is something to learn."""
    generator = numpy.random.default_rng(SEED + 1)
    tokens = numpy.zeros((STEPS, c["batch"], c["sequence_length"]), numpy.int32)
    tokens[..., 0] = generator.integers(0, c["vocabulary"], tokens.shape[:2])
    for t in range(1, c["sequence_length"]):
        tokens[..., t] = (5 * tokens[..., t - 1] + 7 + generator.integers(0, 3, tokens.shape[:2])) % c["vocabulary"]
    return tokens


def is_matrix(name):
    return name.startswith("blocks.") and name.endswith(".weight") and "norm" not in name


def blocks_of(name, weight, c):
    """Row counts of the blocks of one layer's matrix that Muon orthogonalises alone."""
    D = c["head_size"]
    rows = {"q": c["heads"] * D, "k": c["kv_heads"] * D, "v": c["kv_heads"] * D, "o": c["width"]}
    parts = name.split(".")[-2]
    if c["split"] == "merged" or not set(parts) <= set("qkvo"):
        return [weight.shape[1]]
    if c["split"] == "per_projection":
        return [rows[part] for part in parts]
    return [size for part in parts for size in ([D] * (rows[part] // D) if part != "o" else [rows[part]])]


def make_optimizers(p, c):
    matrices = [name for name in p if is_matrix(name)]
    others = [p[name] for name in p if not is_matrix(name)]
    groups = [{"params": others, "weight_decay": 0.0}]
    optimizers = []
    if c["optimizer"] == "muon":
        optimizers.append(Muon([(p[name], blocks_of(name, p[name], c)) for name in matrices],
                               c["coefficients"], c["scaling"], c["decay_mode"], c["decay"]))
    else:
        groups.append({"params": [p[name] for name in matrices], "weight_decay": 0.2})
    optimizers.append(torch.optim.AdamW(groups, lr=0.0005, betas=(0.9, 0.999), eps=1e-8))
    return optimizers


def clip_heads(p, logit_max, c):
    """QK-clip (Kimi K2, arXiv 2507.20534) of the weights after a step, in place; returns how many heads it touches."""
    H, G, D = c["heads"], c["kv_heads"], c["head_size"]
    n_clipped = 0
    for layer, largest in enumerate(logit_max):
        w = p["blocks.attention.qkvo.weight" if c["merged"] else "blocks.attention.q.weight"].detach()[layer]
        keys = w[H * D:] if c["merged"] else p["blocks.attention.k.weight"].detach()[layer]
        for h in range(H):
            gamma = min(1.0, c["qk_clip"] / largest[h].item())
            n_clipped += gamma < 1
            if gamma < 1 and H == G:
                w[h * D:(h + 1) * D] *= math.sqrt(gamma)
                keys[h * D:(h + 1) * D] *= math.sqrt(gamma)
            elif gamma < 1:
                w[h * D:(h + 1) * D] *= gamma
    return n_clipped


def train(start, tokens, c, dtype):
    """{name: array}: logits and gradients of the first batch, losses and gradient norms of all, final parameters."""
    p = {name: torch.tensor(value).to(dtype).requires_grad_() for name, value in start.items()}
    optimizers = make_optimizers(p, c)
    result, losses, norms, n_clipped = {}, [], [], 0
    for step in range(STEPS):
        for value in p.values():
            value.grad = None
        batch = torch.tensor(tokens[step]).long()
        logit_max = []
        logits = blueberry.forward(p, batch, c, logit_max)
        loss = blueberry.loss(logits, batch)
        loss.backward()
        if step == 0:
            result["logits"] = logits.detach().numpy()
            result.update({f"gradient.{name}": value.grad.numpy().copy() for name, value in p.items()})
        norms.append(float(torch.nn.utils.clip_grad_norm_(list(p.values()), 1.0)))
        losses.append(loss.item())
        for optimizer in optimizers:
            optimizer.step()
        if "qk_clip" in c:
            n_clipped += clip_heads(p, logit_max, c)
    if "qk_clip" in c:
        print(f"{n_clipped} of {STEPS * c['layers'] * c['heads']} heads were clipped")
    result.update({f"final.{name}": value.detach().numpy() for name, value in p.items()})
    result["losses"], result["gradient_norms"] = numpy.array(losses), numpy.array(norms)
    return result


def deviation(single, double):
    """How far the f32 run is from the f64 one: norm-wise relative, worst tensor of each kind; losses absolute."""
    worst = {}
    for name, value in double.items():
        kind = name.split(".")[0]
        error = numpy.linalg.norm(single[name] - value) / numpy.linalg.norm(value)
        if kind == "losses":
            error = numpy.abs(single[name] - value).max()
        worst[kind] = max(worst.get(kind, 0.0), float(error))
    return {kind: float("%.2e" % error) for kind, error in worst.items()}


def main():
    torch.set_num_threads(1)
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "model")
    losses = {}
    for variant, changes in VARIANTS.items():
        c = dict(BASE, **changes)
        start, tokens = blueberry.initial(c, SEED), make_tokens(c)
        double, single = (train(start, tokens, c, dtype) for dtype in (torch.float64, torch.float32))
        tensors = {f"initial.{name}": value for name, value in start.items()}
        tensors.update({name: value if name in ("losses", "gradient_norms") else value.astype(numpy.float32)
                        for name, value in double.items()})
        tensors["tokens"] = tokens
        away = deviation(single, double)
        safetensors_file.write(os.path.join(folder, f"{variant}.safetensors"), tensors, {
            "config": json.dumps(c), "f32_deviation": json.dumps(away), "python": sys.version.split()[0],
            "torch": torch.__version__, "numpy": numpy.__version__, "seed": str(SEED)})
        losses[variant] = double["losses"]
        print(f"{variant:18s} loss {losses[variant][0]:.6f} -> {losses[variant][-1]:.6f}  "
              f"norm {double['gradient_norms'].min():.3f}..{double['gradient_norms'].max():.3f}  f32 {away}")
    same = numpy.abs(losses["split_muon"] - losses["per_projection"]).max()
    if same > 1e-9:
        raise SystemExit(f"split weights and merged weights split per projection differ by {same}")


if __name__ == "__main__":
    main()
