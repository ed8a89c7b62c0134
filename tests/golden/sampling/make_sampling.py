#!/usr/bin/env python3
"""Makes sampling.json: what transformers' logits processors leave of random logits, in f64, in the order in which
`generate` of transformers applies them (pip install transformers torch).  Run from the root:
python3 tests/golden/sampling/make_sampling.py

A case has the settings, the text so far, the logits (f32), and the ids that stay with their probabilities."""
import json

import numpy as np
import torch
import transformers
from transformers.generation.logits_process import (LogitsProcessorList, MinPLogitsWarper,
                                                    RepetitionPenaltyLogitsProcessor, TemperatureLogitsWarper,
                                                    TopKLogitsWarper, TopPLogitsWarper)

random = np.random.default_rng(2019)
N = 24
MARGIN = 1e-6  # of a cut: nothing stands so near it that rounding could decide


def processors(settings):
    s, made = settings, LogitsProcessorList()
    if s["repetition_penalty"] != 1:
        made.append(RepetitionPenaltyLogitsProcessor(s["repetition_penalty"]))
    if s["temperature"] != 1:
        made.append(TemperatureLogitsWarper(s["temperature"]))
    if s["top_k"] > 0:
        made.append(TopKLogitsWarper(s["top_k"]))
    if s["top_p"] < 1:
        made.append(TopPLogitsWarper(s["top_p"]))
    if s["min_p"] > 0:
        made.append(MinPLogitsWarper(s["min_p"]))
    return made


def case(**changed):
    settings = dict(temperature=1.0, top_k=0, top_p=1.0, min_p=0.0, repetition_penalty=1.0, repetition_window=0)
    settings.update(changed)
    logits = (random.standard_normal(N) * 2).astype(np.float32)
    text = random.integers(0, N, 9).tolist()
    window = settings["repetition_window"]
    seen = torch.tensor([text[-window:] if window else text])
    scores = processors(settings)(seen, torch.tensor(logits, dtype=torch.float64)[None])
    left = torch.softmax(scores[0], 0)
    kept = [i for i in range(N) if left[i] > 0]
    for sign in (-1, 1):  # the same is left by cuts that are a little elsewhere
        near = dict(settings)
        near["top_p"] = min(settings["top_p"] + sign * MARGIN, 1.0) if settings["top_p"] < 1 else 1.0
        near["min_p"] = settings["min_p"] + sign * MARGIN if settings["min_p"] > 0 else 0.0
        others = processors(near)(seen, torch.tensor(logits, dtype=torch.float64)[None])
        assert [i for i in range(N) if torch.isfinite(others[0][i])] == kept
    return {**settings, "text": text, "logits": [float(x) for x in logits], "kept": kept,
            "probabilities": [float(left[i]) for i in kept]}


cases = [
    case(),
    case(temperature=0.7),
    case(top_k=5),
    case(top_k=1, temperature=2.0),
    case(top_p=0.9),
    case(top_p=0.5, temperature=1.5),
    case(top_p=0.05),
    case(min_p=0.1),
    case(min_p=0.5, temperature=0.8),
    case(repetition_penalty=1.3),
    case(repetition_penalty=0.8),
    case(repetition_penalty=2.0, repetition_window=3),
    case(top_k=8, top_p=0.8),
    case(top_k=12, min_p=0.05),
    case(top_p=0.95, min_p=0.2, temperature=1.2),
    case(repetition_penalty=1.2, temperature=0.8, top_k=10, top_p=0.9, min_p=0.08),
]
lines = ",\n".join(json.dumps(one) for one in cases)
with open("tests/golden/sampling/sampling.json", "w") as file:
    file.write(f'{{"transformers": "{transformers.__version__}", "torch": "{torch.__version__}", "cases": [\n{lines}\n]}}\n')
