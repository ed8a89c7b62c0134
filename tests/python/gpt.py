"""A small GPT of PyTorch trained beside Tracker: the figures of W are those of `analyze` of its checkpoints; hooks and wrapped models
record the same.  Run by wheel.sh."""

import json
import math
import os

import torch

import muonscope
from files import write_safetensors
from gpt_model import Gpt, train

WIDTH, HEADS, LAYERS, STEPS, EVERY = 128, 4, 3, 20, 10


def new_model():
    torch.manual_seed(1)
    return Gpt(LAYERS, WIDTH, HEADS)


def lines_of(folder, name="spectra"):
    with open(f"{folder}/{name}.jsonl", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def compare_figures(lines):
    n = exact = 0
    for step in range(EVERY, STEPS + 1, EVERY):
        analyzed = {(a["layer"], a["projection"]): a for a in muonscope.analyze(f"at{step}")}
        for line in (line for line in lines if line["step"] == step):
            other = analyzed[line["layer"], line["projection"]]
            for key in set(line) & set(other) - {"layer", "projection"}:
                # analyze finds all singular values, the tracker those that it reports: by other sums.
                pairs = zip(line[key], other[key], strict=True) if isinstance(line[key], list) else [(line[key], other[key])]
                for here, there in pairs:
                    exact += here == there
                    n += 1
                    assert here == there or math.isclose(here, there, rel_tol=1e-10), (step, key, here, there)
            assert line["update_sigma"][0] > 0 and math.isfinite(line["alignment_left"]), line
    return n, exact


plain, tracked = new_model(), new_model()


def save(step):
    if step % EVERY == 0:
        os.mkdir(f"at{step}")
        write_safetensors(f"at{step}/model.safetensors", {name: p.detach().numpy() for name, p in tracked.named_parameters()})
        with open(f"at{step}/config.json", "w", encoding="utf-8") as file:
            json.dump({"num_attention_heads": HEADS, "hidden_size": WIDTH}, file)


train(plain, steps=STEPS)
train(tracked, "gpt", steps=STEPS, every=EVERY, heads=HEADS, after_step=save)
assert all(torch.equal(a, b) for a, b in zip(plain.parameters(), tracked.parameters())), "Tracker changed the training"
lines = lines_of("gpt")
assert len(lines) == (1 + STEPS // EVERY) * LAYERS * 6, len(lines)
n, exact = compare_figures(lines)

# By hooks, of a compiled model and of a wrapped one: the same lines.  Without a loop of its own, backend "eager" compiles nothing.
for name, wrap in (("hooked", lambda m: m), ("compiled", lambda m: torch.compile(m, backend="eager")), ("wrapped", torch.nn.DataParallel)):
    train(new_model(), name, steps=STEPS, every=EVERY, heads=HEADS, attach=True, wrap=wrap)
    assert lines_of(name) == lines and lines_of(name, "metrics") == lines_of("gpt", "metrics"), name

# FSDP 2 has DTensors.
store = torch.distributed.HashStore()
torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
mesh = torch.distributed.init_device_mesh("cpu", (1,))
spread = new_model()
torch.distributed.fsdp.fully_shard(spread, mesh=mesh)
try:
    muonscope.Tracker(spread, "spread", every=1, tokens_per_step=1, heads=HEADS, head_size=WIDTH // HEADS)
    raise AssertionError("a model of DTensors was tracked")
except TypeError as error:
    assert "its parts lie on several processes" in str(error), error
torch.distributed.destroy_process_group()

matrix = dict(tracked.named_parameters())["h.0.mlp.c_fc.weight"].detach()
assert muonscope.spectrum(matrix) == muonscope.spectrum(matrix.numpy())
half = matrix.bfloat16()
assert muonscope.spectrum(half) == muonscope.spectrum(half.float().numpy())
print(f"gpt.py: {n} figures as those of analyze, {exact} to the bit; by hooks, of a compiled and of a wrapped model the same")
