"""Tracker attached to two optimizers of PyTorch under a GradScaler, which leaves the step of each out where its gradients are not finite:
the same lines as by before_step() and after_step() where that is known.  Run by wheel.sh."""

import json

import torch
from gpt_model import Gpt

import muonscope

LR, DECAY, HEADS = 1e-3, 0.5, 2
# Steps of the training, from 0, in which a gradient of matrices or of the rest is infinite: each alone, in turn, both, and the last.
PLANTED = {0: "rest", 1: "matrices", 3: "both", 4: "matrices", 5: "rest", 8: "rest"}
STEPS = 9


def train(folder, attach, rest_first):
    torch.manual_seed(1)
    model = Gpt(2, 32, HEADS)
    groups = {"matrices": [], "rest": []}
    for name, parameter in model.named_parameters():
        groups["matrices" if name.startswith("h.") and parameter.ndim == 2 else "rest"].append(parameter)
    optimizers = {name: torch.optim.AdamW(parameters, lr=LR, weight_decay=DECAY) for name, parameters in groups.items()}
    order = sorted(optimizers, reverse=rest_first)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    counts = dict.fromkeys(optimizers, 0)
    for name, optimizer in optimizers.items():
        optimizer.register_step_post_hook(lambda *_, name=name: counts.update({name: counts[name] + 1}))
    with muonscope.Tracker(model, folder, every=1, tokens_per_step=64, heads=HEADS, head_size=16) as tracker:
        if attach:
            tracker.attach(*optimizers.values())
        for step in range(STEPS):
            ids = torch.randint(256, (2, 33))
            loss = torch.nn.functional.cross_entropy(model(ids[:, :-1]).flatten(0, 1), ids[:, 1:].flatten())
            for optimizer in optimizers.values():
                optimizer.zero_grad()
            scaler.scale(loss).backward()
            for name, parameters in groups.items():
                if PLANTED.get(step) in (name, "both"):
                    parameters[0].grad[0] = torch.inf
            if attach:
                tracker.set_loss(loss.item())
            else:
                tracker.before_step()
            before = dict(counts)
            for name in order:
                scaler.step(optimizers[name])
            scaler.update()
            assert {name: counts[name] - before[name] for name in counts} == {name: int(PLANTED.get(step) not in (name, "both")) for name in counts}
            if not attach and counts != before:
                share = LR * DECAY if counts["matrices"] > before["matrices"] else 0.0
                tracker.after_step(loss=loss.item(), lr=LR, decay_share=share)
    return [json.loads(line) for name in ("metrics", "spectra") for line in open(f"{folder}/{name}.jsonl", encoding="utf-8")]


wanted = train("known", False, False)
assert max(line["step"] for line in wanted) == STEPS - 1, "the step that both leave out is none"
for rest_first in (False, True):
    assert train(f"attached{rest_first}", True, rest_first) == wanted, f"rest_first {rest_first}"
print(f"gpt_scaler.py: {len(wanted)} lines as of before_step() and after_step()")
