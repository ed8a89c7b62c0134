"""Makes study.json: the lines of synthetic runs, and what NumPy and SciPy say of a study's measures and tests on them.  Nothing
of muonscope is used.

    python3 tests/golden/study/make_study.py
"""
import json
import pathlib
import platform

import numpy as np
import scipy
from scipy import stats

rng = np.random.default_rng(29)
STEPS, EVERY, TOKENS, FROM = 10, 2, 512, 2
LAYERS, PROJECTIONS = 3, ("q", "v")
ARMS = {"a": range(1, 8), "b": range(2, 9), "c": range(1, 4), "n": range(1, 2)}  # c is compared, n is a control
CONFIDENCE = 0.95


def number(x):
    return round(float(x), 5)


def make_run(arm, seed):
    shift = {"a": 0.1, "b": 0.0, "c": 0.3, "n": -0.1}[arm]
    metrics, spectra, probes = [], [], []
    s1 = {}
    for step in range(STEPS + 1):
        place = {"step": step, "tokens": step * TOKENS}
        if step > 0:
            metrics.append({**place, "loss": number(5 - 0.1 * step + rng.normal(0, 0.05)), "lr": 0.1, "ms": 2.0})
        if step % 5 == 0:
            metrics.append({**place, "validation_loss": number(5 - 0.1 * step - shift + rng.normal(0, 0.05))})
        if step % EVERY:
            continue
        for layer in range(LAYERS):
            for projection in PROJECTIONS:
                now = number(1 + 0.1 * step + shift * layer + rng.uniform(0, 0.3))
                before = s1.get((layer, projection))
                s1[layer, projection] = now
                first = before is None
                spectra.append({**place, "layer": layer, "projection": projection, "sigma_max": now,
                                "spectral_entropy": number(0.9 - 0.02 * now + rng.normal(0, 0.01)),
                                "growth": None if first else now - before, "noise_null": None if first else number(0.5 + 0.05 * step),
                                "alignment_left": None if first else number(0.3 + shift + rng.normal(0, 0.02)),
                                "alignment_right": None if first else number(0.25 + shift + rng.normal(0, 0.02)),
                                "alignment_random": 0.19, "alignment_random_right": 0.17})
            probes.append({**place, "layer": layer,
                           "attention_entropy": [number(0.8 - 0.05 * layer + rng.normal(0, 0.02)) for _ in range(2)]})
    return {"arm": arm, "seed": seed, "metrics": metrics, "spectra": spectra, "probes": probes}


def last(lines):
    return [line for line in lines if line["step"] == lines[-1]["step"]]


def log_over_null(line):
    return np.log(line["sigma_max"] / line["noise_null"])


def by_layer(lines, quantity):
    return [np.mean([quantity(line) for line in lines if line["layer"] == layer]) for layer in range(LAYERS)]


def correlation(run):
    found = []
    for layer in range(LAYERS):
        for projection in PROJECTIONS:
            lines = [x for x in run["spectra"] if x["layer"] == layer and x["projection"] == projection and x["step"] >= FROM]
            entropy = np.diff([x["spectral_entropy"] for x in lines])
            growth = [x["growth"] / (x["sigma_max"] - x["growth"]) for x in lines[1:]]
            found.append(stats.pearsonr(entropy, growth)[0])
    return np.mean(found)


MEASURES = {
    "depth": lambda run: stats.linregress(range(LAYERS), by_layer(last(run["spectra"]), log_over_null)).slope,
    "q_against_v": lambda run: np.mean([log_over_null(x) if x["projection"] == "q" else -log_over_null(x) for x in last(run["spectra"])]) * 2,
    "alignment": lambda run: np.mean([(x["alignment_left"] - 0.19 + x["alignment_right"] - 0.17) / 2 for x in last(run["spectra"])]),
    "entropy": correlation,
    "attention": lambda run: stats.linregress(range(LAYERS), by_layer(last(run["probes"]), lambda x: np.mean(x["attention_entropy"]))).slope,
    "loss": lambda run: [x["validation_loss"] for x in run["metrics"] if "validation_loss" in x][-1],
}
AGAINST = {"alignment": "b", "loss": "b"}
EXPECTED = {"entropy": -0.3}


def statistic(values):
    values = np.array(values)
    low, high = stats.ttest_1samp(values, 0).confidence_interval(CONFIDENCE) if len(values) > 1 else (None, None)
    return {"n": len(values), "values": values.tolist(), "mean": values.mean(), "deviation": values.std(ddof=1) if len(values) > 1 else None,
            "low": low, "high": high}


def sign_flip(values):
    return stats.permutation_test((np.array(values),), np.mean, permutation_type="samples", n_resamples=np.inf, alternative="two-sided").pvalue


def paired(numbers, arm, against):
    seeds = [seed for seed in numbers[arm] if seed in numbers[against]]
    return seeds, [numbers[arm][seed] - numbers[against][seed] for seed in seeds]


def main():
    runs = [make_run(arm, seed) for arm, seeds in ARMS.items() for seed in seeds]
    hypotheses, comparisons = {}, {}
    for name, measure in MEASURES.items():
        numbers = {arm: {run["seed"]: measure(run) for run in runs if run["arm"] == arm} for arm in ARMS}
        seeds, values = paired(numbers, "a", AGAINST[name]) if name in AGAINST else (list(numbers["a"]), list(numbers["a"].values()))
        found = {"seeds": seeds, **statistic(values), "p": sign_flip([x - EXPECTED.get(name, 0) for x in values])}
        found["groups"] = {arm: statistic(list(numbers[arm].values())) for arm in ARMS}
        hypotheses[name] = found
        comparisons[name] = statistic(paired(numbers, "c", "a")[1])
    order = sorted(hypotheses, key=lambda name: hypotheses[name]["p"])
    greatest = 0.0
    for rank, name in enumerate(order):  # Holm 1979
        greatest = max(greatest, min(1.0, (len(order) - rank) * hypotheses[name]["p"]))
        hypotheses[name]["p_holm"] = greatest
    golden = {"versions": {"python": platform.python_version(), "numpy": np.__version__, "scipy": scipy.__version__},
              "runs": runs, "hypotheses": hypotheses, "comparisons": comparisons}
    text = json.dumps(golden, separators=(",", ":")).replace('{"arm"', '\n{"arm"').replace('"hypotheses"', '\n"hypotheses"')
    (pathlib.Path(__file__).parent / "study.json").write_text(text + "\n")


main()
