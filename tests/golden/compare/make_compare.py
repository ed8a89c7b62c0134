"""Makes compare.json: what SciPy says of paired differences, and of synthetic runs that are compared at the same step, the
same tokens and the same loss.  Nothing of muonscope is used.

    python3 tests/golden/compare/make_compare.py
"""
import json
import pathlib
import platform

import numpy as np
import scipy
from scipy import stats

CONFIDENCES = (0.9, 0.95, 0.99)
rng = np.random.default_rng(13)


def student():
    """Two-sided tails and quantiles."""
    tails = [[f, t, 2 * stats.t.sf(t, f)] for f in (1, 2, 3, 5, 10, 29, 100, 1000) for t in (0.0, 1e-3, 0.1, 0.7, 1.0, 2.5, 8.0, 60.0)]
    quantiles = [[f, c, stats.t.ppf((1 + c) / 2, f)] for f in (1, 2, 3, 4, 5, 7, 11, 30, 200) for c in (0.5, 0.9, 0.95, 0.99, 0.9999)]
    return {"tails": tails, "quantiles": quantiles}


def sign_flip(differences):
    """The exact two-sided test; NaN for fewer than 6 pairs, which muonscope does not test."""
    if len(differences) < 6:
        return None
    return stats.permutation_test((differences,), np.mean, permutation_type="samples", n_resamples=np.inf, alternative="two-sided").pvalue


def holm(p_values):
    """Holm 1979, as its paper has it: over those that are not None."""
    order = sorted((p, i) for i, p in enumerate(p_values) if p is not None)
    corrected, greatest = [None] * len(p_values), 0.0
    for rank, (p, i) in enumerate(order):
        greatest = max(greatest, min(1.0, (len(order) - rank) * p))
        corrected[i] = greatest
    return corrected


def interval(values, confidence):
    return list(stats.ttest_1samp(values, 0).confidence_interval(confidence))


def paired_cases():
    lists = [rng.normal(0.3, 1, n) for n in (2, 3, 5, 6, 7, 8, 10, 13)]
    lists += [np.round(rng.normal(0, 2, n)) for n in (6, 8, 11)]  # ties and zeros
    lists += [np.full(6, 0.25), np.array([1e-9, -2e-9, 3e-9, 1e-9, 2e-9, 5e-9]), rng.normal(1e6, 1e-3, 7)]
    cases = []
    for values in lists:
        cases.append({"differences": values.tolist(), "mean": np.mean(values), "deviation": np.std(values, ddof=1), "p": sign_flip(values),
                      "intervals": [[c, *interval(values, c)] for c in CONFIDENCES] if np.std(values) > 0 else []})
    families = [[0.03, 0.001, None, 0.2, 0.04], [0.02, 0.02, 0.02], [0.9, 0.5], []]
    return cases, [{"p": p, "corrected": holm(p)} for p in families]


# ---- synthetic runs: two groups, which take other numbers of tokens a step, and a seed that only one of them has ----

GROUPS = {"merged": 128, "per_projection": 192}  # tokens a step
STEPS, SMOOTHING, EVERY = 40, 0.1, 8
MATRICES = [(layer, projection) for layer in range(2) for projection in ("q", "v")]


def make_run(group, seed):
    tokens = GROUPS[group]
    shift = {"merged": 0.0, "per_projection": -0.05}[group] + 0.03 * np.sin(seed)
    steps = np.arange(1, STEPS + 1)
    loss = np.round(4.5 - 1.2 * (1 - np.exp(-steps * tokens / 3000)) + shift + rng.normal(0, 0.02, STEPS), 6)
    snapshots = np.arange(0, STEPS + 1, EVERY)
    validation = np.round(4.5 - 1.2 * (1 - np.exp(-snapshots * tokens / 3000)) + shift + rng.normal(0, 0.01, len(snapshots)), 6)
    sigma = np.round(0.3 + 0.01 * snapshots[:, None] + shift + rng.normal(0, 0.05, (len(snapshots), len(MATRICES))), 6)
    return {"group": group, "seed": seed, "tokens_per_step": tokens, "loss": loss.tolist(), "snapshots": snapshots.tolist(),
            "validation_loss": validation.tolist(), "sigma_max": sigma.tolist()}


def smoothed(run, window):
    """Trailing means over `window` tokens: (steps, values) from the step that passes so many."""
    t = run["tokens_per_step"]
    steps, values = [], []
    for step in range(1, STEPS + 1):
        if step * t < window:
            continue
        inside = [run["loss"][k - 1] for k in range(1, step + 1) if step * t - window < k * t <= step * t]
        steps.append(step)
        values.append(np.mean(inside))
    return np.array(steps), np.array(values)


def values_at(run, window, step=None, tokens=None):
    """Each metric of a run at a step, or at a number of tokens, linear between points."""
    t = run["tokens_per_step"]
    place = step if step is not None else tokens / t
    steps, losses = smoothed(run, window)
    return {"validation_loss": np.interp(place, run["snapshots"], run["validation_loss"]), "loss": np.interp(place, steps, losses),
            "sigma_max": np.interp(place, run["snapshots"], np.mean(run["sigma_max"], axis=1))}


def compare(rows, runs):
    """rows: name -> values of the runs.  Per metric: both groups, the paired difference, p; Holm over the table."""
    out, p_values = [], []
    for name, values in rows.items():
        by_group = {g: {r["seed"]: v for r, v in zip(runs, values) if r["group"] == g} for g in GROUPS}
        first, second = by_group.values()
        differences = np.array([second[s] - first[s] for s in second if s in first])
        p = sign_flip(differences)
        p_values.append(p)
        out.append({"metric": name, "values": [float(v) for v in values],
                    "groups": [[len(g), np.mean(list(g.values())), np.std(list(g.values()), ddof=1), *interval(list(g.values()), 0.95)] for g in by_group.values()],
                    "pairs": len(differences), "difference": np.mean(differences), "interval": interval(differences, 0.95), "p": p})
    for row, corrected in zip(out, holm(p_values)):
        row["p_holm"] = corrected
    return out


def synthetic():
    runs = [make_run(g, seed) for seed in range(1, 8) for g in GROUPS] + [make_run("merged", 8)]
    least_tokens = STEPS * min(GROUPS.values())
    window = SMOOTHING * least_tokens
    tables = [{"at": "step", "place": STEPS}, {"at": "step", "place": 21}, {"at": "tokens", "place": least_tokens}]
    for table in tables:
        at = {table["at"] if table["at"] == "tokens" else "step": table["place"]}
        values = [values_at(run, window, **at) for run in runs]
        table["rows"] = compare({name: [v[name] for v in values] for name in values[0]}, runs)
    level = max(min(smoothed(run, window)[1]) for run in runs)
    reached = []
    for run in runs:
        steps, losses = smoothed(run, window)
        reached.append(int(steps[np.nonzero(losses <= level)[0][0]]))
    values = [values_at(run, window, step=step) for run, step in zip(runs, reached)]
    rows = {"steps to loss": reached, "tokens to loss": [s * r["tokens_per_step"] for s, r in zip(reached, runs)]}
    rows.update({name: [v[name] for v in values] for name in ("validation_loss", "sigma_max")})
    tables.append({"at": "loss", "place": level, "rows": compare(rows, runs)})
    return {"smoothing": SMOOTHING, "matrices": MATRICES, "runs": runs, "tables": tables}


cases, families = paired_cases()
data = {"versions": {"python": platform.python_version(), "numpy": np.__version__, "scipy": scipy.__version__}, "student": student(),
        "paired": cases, "holm": families, "synthetic": synthetic()}
path = pathlib.Path(__file__).parent / "compare.json"
path.write_text(json.dumps(data, separators=(",", ":")).replace('},{', '},\n{') + "\n")
