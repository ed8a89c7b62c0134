"""What Tracker costs: pairs of trainings of a small GPT in PyTorch, alone and beside Tracker, one after the other; medians over the pairs.
No test: times depend on the machine.  Needs the package, and PyTorch.
Usage: bench_tracker.py [PAIRS]"""

import statistics
import sys
import tempfile
from pathlib import Path

import torch
from gpt_model import Gpt, train

LAYERS, WIDTH, HEADS, STEPS, EVERY, SEQUENCES, TOKENS = 6, 256, 4, 10, 10, 8, 128
N_SNAPSHOTS = 1 + STEPS // EVERY


def once(folder):
    torch.manual_seed(1)
    return train(Gpt(LAYERS, WIDTH, HEADS), folder, steps=STEPS, every=EVERY, sequences=SEQUENCES, tokens=TOKENS, heads=HEADS, attach=bool(folder))


def main():
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    n_parameters = sum(p.numel() for p in Gpt(LAYERS, WIDTH, HEADS).parameters())
    print(f"GPT of {n_parameters / 1e6:.1f} million parameters, {SEQUENCES * TOKENS} tokens a step, {torch.get_num_threads()} threads of PyTorch; "
          f"{LAYERS * 6} matrices, {N_SNAPSHOTS} snapshots in {STEPS} steps", flush=True)
    once(None)  # what comes first is slower
    steps, snapshots, shares = [], [], []
    with tempfile.TemporaryDirectory() as scratch:
        for i in range(n):
            # Which comes first alternates.
            order = (None, Path(scratch) / str(i))[:: 1 if i % 2 == 0 else -1]
            pair = {bool(folder): once(folder) for folder in order}
            alone, beside = pair[False], pair[True]
            steps.append(alone.processors / STEPS)
            snapshots.append((beside.processors - alone.processors) / N_SNAPSHOTS)
            shares.append(beside.whole / alone.whole - 1)
            print(f"pair {i + 1}: {alone.whole:.2f} s alone, {beside.stepped:.2f} s beside, {beside.whole:.2f} s until the file is complete", flush=True)
    step, snapshot = statistics.median(steps), statistics.median(snapshots)
    print(f"processors: {step:.3f} s a step, {snapshot:.3f} s a snapshot (medians): {snapshot / step:.1f} steps; with every=100 {snapshot / step:.1f} % more work")
    print(f"time until the file is complete: {100 * statistics.median(shares):+.1f} % (median; {100 * min(shares):+.1f} to {100 * max(shares):+.1f})")


main()
