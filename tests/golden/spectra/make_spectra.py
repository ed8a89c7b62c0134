"""Golden spectral metrics from NumPy's SVD in float64, independent of the C code.

The matrices are not stored: both sides make them from the same formula (uniform(), matrices()), in float32.
Run: python make_spectra.py > spectra.json
"""
import json
import math
import sys

import numpy as np


def uniform(seed, count):
    """`count` numbers in [-1, 1): 24 high bits of a 64-bit linear congruential generator (Knuth's MMIX constants)."""
    state, out = seed, np.empty(count)
    for i in range(count):
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        out[i] = (state >> 40) / 2.0**23 - 1.0
    return out


def factor(seed, rows, cols):
    return uniform(seed, rows * cols).reshape(rows, cols)


# name, rows, cols, noise, rank of the planted part, decay of its strengths, scale of the update, its rank (0: full)
CASES = [
    ("square", 48, 48, 1.0, 8, 0.7, 0.1, 0),
    ("tall", 96, 40, 1.0, 8, 0.8, 0.05, 0),
    ("wide", 40, 96, 1.0, 8, 0.6, 0.05, 0),
    ("long_panels", 16, 600, 0.5, 3, 0.5, 0.02, 0),
    ("tall_panels", 600, 16, 0.5, 3, 0.5, 0.02, 0),
    ("low_rank", 64, 48, 0.0, 6, 0.8, 0.1, 0),
    ("low_rank_update", 48, 64, 1.0, 8, 0.8, 0.1, 7),
    ("ill_conditioned", 32, 32, 1e-7, 12, 0.3, 0.1, 0),
    ("merged_slice", 32, 64, 0.2, 16, 0.9, 0.2, 24),
    ("six", 6, 9, 1.0, 2, 0.5, 0.1, 0),
    ("five", 5, 30, 1.0, 2, 0.5, 0.1, 0),
    ("three", 20, 3, 1.0, 2, 0.5, 0.1, 0),
    ("row", 1, 24, 1.0, 1, 0.5, 0.1, 0),
]


def planted(seed, rows, cols, rank, decay):
    """sum over k of decay^k x_k y_k^T, k ascending."""
    x, y = factor(seed, rows, rank), factor(seed + 1, rank, cols)
    total = np.zeros((rows, cols))
    for k in range(rank):
        total = total + decay**k * x[:, k : k + 1] * y[k : k + 1, :]
    return total


def matrices(index, case):
    _, rows, cols, noise, rank, decay, update, update_rank = case
    seed = 1000 * (index + 1)
    before = (noise * factor(seed, rows, cols) + planted(seed + 1, rows, cols, rank, decay)).astype(np.float32)
    if update_rank == 0:
        change = factor(seed + 3, rows, cols)
    else:
        change = planted(seed + 3, rows, cols, update_rank, 0.9)
    return before, (before + update * change).astype(np.float32)


def metrics(before, after):
    weight = after.astype(np.float64)
    delta = weight - before.astype(np.float64)
    rows, cols = weight.shape
    r = min(rows, cols)
    u, s, vt = np.linalg.svd(weight, full_matrices=False)
    du, ds, dvt = np.linalg.svd(delta, full_matrices=False)

    def entropy(x):
        p = x / x.sum()
        p = p[p > 0]
        return float(-(p * np.log(p)).sum())

    small = weight @ weight.T if rows <= cols else weight.T @ weight
    out = {
        "sigma_max": s[0],
        "gap": s[0] / s[1] if r > 1 else None,
        "sigma_mean": s.mean(),
        "frobenius": np.linalg.norm(weight),
        "stable_rank": (s**2).sum() / s[0] ** 2,
        "effective_rank": math.exp(entropy(s)),
        "spectral_entropy": entropy(s**2) / math.log(r) if r > 1 else None,
        "entropy_l1": entropy(s) / math.log(r) if r > 1 else None,
        "orthogonality_error": np.linalg.norm(small / s[0] ** 2 - np.eye(r)) / math.sqrt(r),
        "alignment_random": min(1.0, 8 / (3 * math.pi) * math.sqrt(5 / rows)) if rows > 5 else 1.0,
        "alignment_random_right": min(1.0, 8 / (3 * math.pi) * math.sqrt(5 / cols)) if cols > 5 else 1.0,
        "alignment_margin": (ds[4] - ds[5]) / ds[0] if r > 5 else None,
        "alignment_left": None,
        "alignment_right": None,
        "cosine": (weight * delta).sum() / np.linalg.norm(weight) / np.linalg.norm(delta),
        "update_ratio": np.linalg.norm(delta) / np.linalg.norm(weight),
    }
    if r >= 5:
        out["alignment_left"] = np.linalg.svd(u[:, :5].T @ du[:, :5], compute_uv=False).mean()
        out["alignment_right"] = np.linalg.svd(vt[:5] @ dvt[:5].T, compute_uv=False).mean()
    top = min(r, 10)
    out = {key: None if value is None else float(value) for key, value in out.items()}
    out["sigma_top"] = [float(x) for x in s[:top]]
    tolerance = max(rows, cols) * np.finfo(np.float64).eps * s[0]
    # Values at the float32 rounding noise of a low-rank matrix have no defined vectors: only those that stand apart.
    out["velocity_top"] = [
        float(u[:, i] @ delta @ vt[i]) if s[i] > tolerance and s[i] > 1e-6 * s[0] else "noise" for i in range(top)
    ]
    return out


def main():
    cases = []
    for index, case in enumerate(CASES):
        keys = ("name", "rows", "cols", "noise", "rank", "decay", "update", "update_rank")
        before, after = matrices(index, case)
        entry = dict(zip(keys, case))
        entry["seed"] = 1000 * (index + 1)
        entry["sum_after"] = float(after.astype(np.float64).sum())
        entry["metrics"] = metrics(before, after)
        cases.append(entry)
    json.dump({"numpy": np.__version__, "python": sys.version.split()[0], "cases": cases}, sys.stdout, indent=1)
    print()


main()
