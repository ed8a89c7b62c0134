#!/usr/bin/env python3
"""Makes phases.json: change points of 12 series by the package ruptures (pip install ruptures==1.1.10), model l2, at
least 3 values between two changes.  Run from the root: python3 tests/golden/phases/make_phases.py"""
import json

import numpy as np
import ruptures

random = np.random.default_rng(2012)


def series(n, steps, noise, autocorrelation=0.0, drift=0.0):
    """Means `steps` of equal length, first-order autoregressive noise, a straight drift over the whole."""
    values = np.repeat(np.asarray(steps, float), -(-n // len(steps)))[:n]
    e, shocks = 0.0, random.standard_normal(n)
    for i in range(n):
        e = autocorrelation * e + shocks[i] * np.sqrt(1 - autocorrelation**2)
        values[i] += noise * e + drift * i / n
    return values


cases = []
for values, penalty in [
    (series(30, [0, 3], 1), 10),
    (series(60, [0, 1, 0, 1], 0.3), 1),
    (series(60, [0, 0], 1), 10),
    (series(120, [0, 2, -1, 4], 1, 0.5), 12),
    (series(200, [1, 1.5, 1, 0.5, 1], 0.2, 0.3), 0.8),
    (series(97, [0, 5, 5, 0], 1), 20),
    (series(75, [0], 1, drift=10), 12),
    (series(50, [1e6, 1e6 + 2], 0.5), 3),
    (series(24, [0.3, 0.2, 0.1], 0.02), 0.01),
    (series(240, [0, 1], 1, 0.8), 30),
    (series(40, [0, 1], 1), 0.5),
    (series(6, [0, 4], 0.1), 1),
]:
    ends = ruptures.Pelt(model="l2", min_size=3, jump=1).fit(values).predict(pen=penalty)
    cases.append({"values": values.tolist(), "penalty": penalty, "begins": [int(end) for end in ends[:-1]]})
with open("tests/golden/phases/phases.json", "w") as file:
    json.dump({"ruptures": ruptures.__version__, "numpy": np.__version__, "cases": cases}, file)
    file.write("\n")
