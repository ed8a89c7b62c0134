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


# Kinds of matrices: "planted" is noise and a part of low rank; the others are made from it, see base().
# name, kind, rows, cols, noise, rank of the planted part, decay of its strengths, scale of the update, its rank (0: full)
CASES = [
    ("square", "planted", 48, 48, 1.0, 8, 0.7, 0.1, 0),
    ("tall", "planted", 96, 40, 1.0, 8, 0.8, 0.05, 0),
    ("wide", "planted", 40, 96, 1.0, 8, 0.6, 0.05, 0),
    ("long_panels", "planted", 16, 600, 0.5, 3, 0.5, 0.02, 0),
    ("tall_panels", "planted", 600, 16, 0.5, 3, 0.5, 0.02, 0),
    ("low_rank", "planted", 64, 48, 0.0, 6, 0.8, 0.1, 0),
    ("low_rank_update", "planted", 48, 64, 1.0, 8, 0.8, 0.1, 7),
    ("ill_conditioned", "planted", 32, 32, 1e-7, 12, 0.3, 0.1, 0),
    ("merged_slice", "planted", 32, 64, 0.2, 16, 0.9, 0.2, 24),
    ("six", "planted", 6, 9, 1.0, 2, 0.5, 0.1, 0),
    ("five", "planted", 5, 30, 1.0, 2, 0.5, 0.1, 0),
    ("three", "planted", 20, 3, 1.0, 2, 0.5, 0.1, 0),
    ("row", "planted", 1, 24, 1.0, 1, 0.5, 0.1, 0),
    ("column", "planted", 30, 1, 1.0, 1, 0.5, 0.1, 0),
    ("single", "planted", 1, 1, 1.0, 1, 0.5, 0.1, 0),
    ("two", "planted", 2, 2, 1.0, 1, 0.5, 0.1, 0),
    ("ten", "planted", 10, 10, 1.0, 2, 0.5, 0.1, 0),
    ("eleven", "planted", 11, 40, 1.0, 2, 0.5, 0.1, 0),
    ("random_square", "planted", 64, 64, 1.0, 1, 0.0, 0.05, 0),
    ("random_tall", "planted", 120, 30, 1.0, 1, 0.0, 0.05, 0),
    ("random_wide", "planted", 30, 120, 1.0, 1, 0.0, 0.05, 0),
    ("random_near_square", "planted", 50, 53, 1.0, 1, 0.0, 0.05, 0),
    ("small_update", "planted", 40, 56, 1.0, 4, 0.5, 1e-5, 0),
    ("large_update", "planted", 40, 56, 1.0, 4, 0.5, 30.0, 0),
    ("rank_one", "planted", 24, 36, 0.0, 1, 0.5, 0.1, 0),
    ("rank_five", "planted", 36, 24, 0.0, 5, 0.9, 0.1, 5),
    ("rank_one_update", "planted", 36, 24, 1.0, 3, 0.9, 0.1, 1),
    ("spiked", "planted", 64, 64, 0.01, 6, 0.5, 0.01, 0),
    ("very_spiked", "planted", 48, 48, 1e-4, 3, 0.5, 1e-4, 0),
    ("steep", "planted", 40, 40, 1e-6, 40, 0.7, 0.01, 0),
    ("steep_wide", "planted", 24, 80, 0.0, 24, 0.6, 0.01, 0),
    ("million", "planted", 40, 56, 1e6, 4, 0.5, 1e4, 0),
    ("large", "large", 40, 56, 1.0, 4, 0.5, 0.05, 0),
    ("large_square", "large", 32, 32, 1.0, 4, 0.5, 0.05, 0),
    ("denormal", "denormal", 32, 24, 1.0, 4, 0.5, 0.05, 0),
    ("denormal_square", "denormal", 20, 20, 1.0, 4, 0.5, 0.05, 0),
    ("orthogonal", "orthogonal", 32, 32, 1.0, 1, 0.5, 0.05, 0),
    ("orthogonal_tall", "orthogonal", 64, 32, 1.0, 1, 0.5, 0.05, 0),
    ("orthogonal_update", "orthogonal_update", 48, 32, 1.0, 4, 0.5, 0.05, 0),
    ("identity", "identity", 24, 24, 1.0, 1, 0.5, 0.0, 0),
    ("ties", "ties", 32, 32, 1.0, 1, 0.5, 0.05, 0),
    ("ties_wide", "ties", 16, 64, 1.0, 1, 0.5, 0.05, 0),
    ("zero", "zero", 12, 20, 0.0, 1, 0.0, 0.0, 0),
    ("from_zero", "zero", 12, 20, 0.0, 1, 0.0, 0.1, 0),
    ("still", "planted", 24, 18, 1.0, 3, 0.7, 0.0, 0),
]


def planted(seed, rows, cols, rank, decay):
    """sum over k of decay^k x_k y_k^T, k ascending."""
    x, y = factor(seed, rows, rank), factor(seed + 1, rank, cols)
    total = np.zeros((rows, cols))
    for k in range(rank):
        total = total + decay**k * x[:, k : k + 1] * y[k : k + 1, :]
    return total


def hadamard(n, rows, cols):
    """The first rows and columns of Sylvester's matrix of 2^k >= n: entry (-1)^(number of common bits)."""
    i, j = np.meshgrid(np.arange(rows), np.arange(cols), indexing="ij")
    bits = np.array([bin(x).count("1") for x in range(1024)])
    return 1.0 - 2.0 * (bits[i & j] % 2)


def base(kind, seed, case):
    """W0 in float64, before it is rounded."""
    _, _, rows, cols, noise, rank, decay, _, _ = case
    if kind == "zero":
        return np.zeros((rows, cols))
    if kind == "identity":
        return 3.0 * np.eye(rows, cols)
    if kind == "orthogonal":  # orthogonal rows or columns, all of one length
        return hadamard(max(rows, cols), rows, cols)
    if kind == "ties":  # singular values in four groups of equals
        return hadamard(max(rows, cols), rows, cols) * (1.0 + np.arange(rows)[:, None] % 4)
    plain = noise * factor(seed, rows, cols) + planted(seed + 1, rows, cols, rank, decay)
    return plain * {"large": 2.0**60, "denormal": 2.0**-140}.get(kind, 1.0)


def matrices(index, case):
    _, kind, rows, cols, _, _, _, update, update_rank = case
    seed = 1000 * (index + 1)
    before = base(kind, seed, case).astype(np.float32)
    if kind == "orthogonal_update":
        change = hadamard(max(rows, cols), rows, cols)
    elif update_rank == 0:
        change = factor(seed + 3, rows, cols) * {"large": 2.0**60, "denormal": 2.0**-140}.get(kind, 1.0)
    else:
        change = planted(seed + 3, rows, cols, update_rank, 0.9)
    return before, (before + update * change).astype(np.float32)


def captured(index, case):
    """u and O of a case, and the share of W0 that decay takes: 0 for every second case."""
    _, kind, rows, cols, _, rank, decay, _, _ = case
    seed, r = 1000 * (index + 1) + 5, min(rows, cols)
    scale = {"large": 2.0**60, "denormal": 2.0**-140}.get(kind, 1.0)
    momentum = scale * (1e-3 * factor(seed, rows, cols) + planted(seed + 1, rows, cols, min(r, 12), 0.6))
    if kind == "zero":
        momentum = np.zeros((rows, cols))
    orthogonal = factor(seed + 3, rows, cols) * math.sqrt(3 / max(rows, cols))
    return momentum.astype(np.float32), orthogonal.astype(np.float32), 0.0 if index % 2 else 0.0625


def tolerance(matrix, s):
    """Below it a value is 0 to rounding: numpy.linalg.matrix_rank."""
    return max(matrix.shape) * np.finfo(np.float64).eps * s[0]


def entropy(x):
    p = x / x.sum()
    p = p[p > 0]
    return float(-(p * np.log(p)).sum())


def of_values(weight, s):
    """What the singular values alone give."""
    rows, cols = weight.shape
    r = min(rows, cols)
    zero = s[0] == 0
    scaled = weight / s[0] if not zero else weight
    small = scaled @ scaled.T if rows <= cols else scaled.T @ scaled
    out = {
        "sigma_max": s[0],
        "sigma_min": s[-1],
        "condition": s[0] / s[-1] if s[-1] > 1e-7 * s[0] else None,
        "gap": s[0] / s[1] if r > 1 and s[1] > tolerance(weight, s) else None,
        "sigma_mean": s.mean(),
        "frobenius": np.linalg.norm(weight),
        "weight_norm": np.linalg.norm(weight),
        "stable_rank": None if zero else (s**2).sum() / s[0] ** 2,
        "effective_rank": None if zero else math.exp(entropy(s)),
        "spectral_entropy": entropy(s**2) / math.log(r) if r > 1 and not zero else None,
        "entropy_l1": entropy(s) / math.log(r) if r > 1 and not zero else None,
        "orthogonality_error": None if zero else np.linalg.norm(small - np.eye(r)) / math.sqrt(r),
    }
    for percent in (1, 10, 50):
        n = math.ceil(r * percent / 100)
        out[f"energy_{percent}"] = None if zero else (s[:n] ** 2).sum() / (s**2).sum()
    return out


def overlap(x, y, of, axis):
    """Mean cosine between top-5 subspaces; x and y are (u, s, vt)."""
    if min(len(x[1]), len(y[1])) < 5 or x[1][4] <= tolerance(of, x[1]) or y[1][4] <= tolerance(of, y[1]):
        return None
    if axis == 0:
        cosines = np.linalg.svd(x[0][:, :5].T @ y[0][:, :5], compute_uv=False)
    else:
        cosines = np.linalg.svd(x[2][:5] @ y[2][:5].T, compute_uv=False)
    return np.minimum(cosines, 1).mean()


STEPS_SINCE_LAST = 3


def since_last(old, weight, w0, w):
    """The change from W0 to W, as if W0 were the last snapshot, STEPS_SINCE_LAST before.  Angles by their sines, too,
    since a cosine does not tell those below 1e-8."""
    out = {"persistence_left": overlap(w0, w, weight, 0), "persistence_right": overlap(w0, w, weight, 1)}
    out["growth"], out["rotation_per_step"] = w[1][0] - w0[1][0], None
    if out["persistence_left"] is None:
        return out
    angles = []
    for x, y in ((w0[0][:, :5], w[0][:, :5]), (w0[2][:5].T, w[2][:5].T)):
        cosines = np.linalg.svd(x.T @ y, compute_uv=False)
        sines = np.linalg.svd(y - x @ (x.T @ y), compute_uv=False)[:5]
        angles.append(np.arctan2(np.sort(sines), np.sort(cosines)[::-1]).mean())
    out["rotation_per_step"] = (angles[0] + angles[1]) / 2 / STEPS_SINCE_LAST
    return out


def margin(s):
    return (s[4] - s[5]) / s[0] if len(s) > 5 and s[0] > 0 else None


def quantiles(s, floor):
    """None where a value that takes part is below floor; and what takes part follows NumPy's linear rule."""
    out = []
    ascending = np.sort(s)
    for q in (1, 10, 50, 90):
        place, rest = divmod((len(s) - 1) * q, 100)
        used = ascending[place : place + (2 if rest else 1)]
        out.append(None if used.min() < floor else float(np.quantile(s, q / 100)))
    return out


def of_update(old, delta, momentum, orthogonal, share, out):
    """What is captured of an update."""
    u, without = momentum.astype(np.float64), delta + share * old
    s, top = np.linalg.svd(without, compute_uv=False), min(10, min(old.shape))
    out["decay_norm"] = share * np.linalg.norm(old) if np.linalg.norm(old) > 0 else None
    out["update_sigma"] = [float(x) if x >= 1e-3 * s[0] else None for x in s[:top]]
    out["update_sigma_quantiles"] = quantiles(s, 1e-5 * s[0])
    parts = np.linalg.svd(u, full_matrices=False)
    norm, s = np.linalg.norm(u), parts[1]
    zero = norm == 0
    out["momentum_quantiles"] = [None] * 4 if zero else [x if x is None else x / norm for x in quantiles(s, 1e-5 * s[0])]
    out["momentum_small_share"] = None if zero else float((s < 1e-3 * norm).mean())
    out["update_rank"] = None if zero else math.exp(entropy(s))
    out["alignment_margin_momentum"] = margin(s)
    w0 = np.linalg.svd(old, full_matrices=False)
    out["alignment_momentum_left"] = overlap(w0, parts, old, 0)
    out["alignment_momentum_right"] = overlap(w0, parts, old, 1)
    s = np.linalg.svd(orthogonal.astype(np.float64), compute_uv=False)
    out["orthogonality_of_update"] = [float(s[-1]), *quantiles(s, 1e-5 * s[0]), float(s[0])]
    out["captured_scales"] = [float(np.linalg.norm(u)), float(s[0])]


def metrics(before, after, extra):
    old, weight = before.astype(np.float64), after.astype(np.float64)
    delta = weight - old
    r = min(weight.shape)
    w, w0, d = (np.linalg.svd(x, full_matrices=False) for x in (weight, old, delta))
    s = w[1]
    out = of_values(weight, s)
    out["alignment_margin"], out["alignment_margin_weight"] = margin(d[1]), margin(w0[1])
    out["alignment_left"], out["alignment_right"] = overlap(w0, d, weight, 0), overlap(w0, d, weight, 1)
    out["alignment_published_left"] = overlap(w, d, weight, 0)
    out["alignment_published_right"] = overlap(w, d, weight, 1)
    out.update(since_last(old, weight, w0, w))
    norms = np.linalg.norm(old), np.linalg.norm(delta)
    out["cosine"] = (old * delta).sum() / norms[0] / norms[1] if norms[0] > 0 and norms[1] > 0 else None
    out["update_ratio"] = norms[1] / norms[0] if norms[0] > 0 else None
    of_update(old, delta, *extra, out)
    out = {key: value if value is None or isinstance(value, list) else float(value) for key, value in out.items()}
    out["sigma_quantiles"] = [float(x) for x in np.quantile(s, [0.01, 0.1, 0.5, 0.9])]
    top = min(r, 10)
    out["sigma_top"] = [float(x) for x in s[:top]]
    # Values at the float32 rounding noise of a low-rank matrix have no defined vectors: only those that stand apart.
    out["velocity_top"] = [
        float(w[0][:, i] @ delta @ w[2][i]) if s[i] > tolerance(weight, s) and s[i] > 1e-6 * s[0] else "noise"
        for i in range(top)
    ]
    # What a test needs to know how far vectors are defined: the margin of W, and each top value's distance to the next.
    out["margin_after"] = margin(s)
    out["separation"] = [
        float(min(abs(s[i] ** 2 - s[j] ** 2) for j in range(r) if j != i) / s[0] ** 2) if r > 1 and s[0] > 0 else 1.0
        for i in range(top)
    ]
    return out


def main():
    cases = []
    for index, case in enumerate(CASES):
        keys = ("name", "kind", "rows", "cols", "noise", "rank", "decay", "update", "update_rank")
        before, after = matrices(index, case)
        entry = dict(zip(keys, case))
        entry["seed"] = 1000 * (index + 1)
        entry["sum_after"] = float(after.astype(np.float64).sum())
        entry["metrics"] = metrics(before, after, captured(index, case))
        cases.append(entry)
    json.dump({"numpy": np.__version__, "python": sys.version.split()[0], "cases": cases}, sys.stdout, indent=1)
    print()


main()
