"""A small GPT of PyTorch trained beside Tracker: the figures of W are those of `analyze` of its checkpoints; hooks and wrapped models
record the same, and one process of two with DistributedDataParallel.  Run by wheel.sh."""

import json
import math
import os
import subprocess
import sys

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


def compare_figures(lines, folder="."):
    n = exact = 0
    for step in range(EVERY, STEPS + 1, EVERY):
        analyzed = {(a["layer"], a["projection"]): a for a in muonscope.analyze(f"{folder}/at{step}")}
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


def save(model, step, folder="."):
    if step % EVERY == 0:
        os.makedirs(f"{folder}/at{step}")
        write_safetensors(f"{folder}/at{step}/model.safetensors", {name: p.detach().numpy() for name, p in model.named_parameters()})
        with open(f"{folder}/at{step}/config.json", "w", encoding="utf-8") as file:
            json.dump({"num_attention_heads": HEADS, "hidden_size": WIDTH}, file)


def one_of_two(rank, folder):
    """A process of a training with DistributedDataParallel.  folder: process 0's tracker, process 1's checkpoints; or "": neither."""
    torch.distributed.init_process_group("gloo", init_method=f"file://{os.getcwd()}/meeting{folder}", rank=rank, world_size=2)
    model = new_model()
    options = {"every": EVERY, "heads": HEADS, "attach": True, "wrap": torch.nn.parallel.DistributedDataParallel, "share": (rank, 2)}
    if folder and rank == 1:
        options["after_step"] = lambda step: save(model, step, f"{folder}_1")
    train(model, folder if rank == 0 else None, steps=STEPS, **options)
    torch.save(model.state_dict(), f"weights{folder}{rank}.pt")
    torch.distributed.destroy_process_group()


def two_processes(folder):
    processes = [subprocess.Popen([sys.executable, __file__, str(rank), folder]) for rank in range(2)]
    assert [process.wait(timeout=300) for process in processes] == [0, 0]
    return [torch.load(f"weights{folder}{rank}.pt") for rank in range(2)]


if len(sys.argv) > 1:
    one_of_two(int(sys.argv[1]), sys.argv[2])
    sys.exit()

plain, tracked = new_model(), new_model()
train(plain, steps=STEPS)
train(tracked, "gpt", steps=STEPS, every=EVERY, heads=HEADS, after_step=lambda step: save(tracked, step))
assert all(torch.equal(a, b) for a, b in zip(plain.parameters(), tracked.parameters())), "Tracker changed the training"
lines = lines_of("gpt")
assert len(lines) == (1 + STEPS // EVERY) * LAYERS * 6, len(lines)
n, exact = compare_figures(lines)

# By hooks, of a compiled model and of a wrapped one: the same lines.  Without a loop of its own, backend "eager" compiles nothing.
for name, wrap in (("hooked", lambda m: m), ("compiled", lambda m: torch.compile(m, backend="eager")), ("wrapped", torch.nn.DataParallel)):
    train(new_model(), name, steps=STEPS, every=EVERY, heads=HEADS, attach=True, wrap=wrap)
    assert lines_of(name) == lines and lines_of(name, "metrics") == lines_of("gpt", "metrics"), name

# Two processes: the weights of each are those that the tracker of one saw, and those of the same training without it.
weights = [*two_processes("two"), *two_processes("")]
for other in weights[1:]:
    assert all(torch.equal(weights[0][name], other[name]) for name in weights[0]), "the processes' weights differ"
assert not all(torch.equal(a, b) for a, b in zip(weights[0].values(), plain.state_dict().values())), "both processes read all sequences"
found = lines_of("two")
assert len(found) == len(lines) and [line["loss"] for line in lines_of("two", "metrics")] != [line["loss"] for line in lines_of("gpt", "metrics")]
n_two, _ = compare_figures(found, "two_1")

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
print(f"gpt.py: {n} figures as those of analyze, {exact} to the bit; by hooks, of a compiled and of a wrapped model the same; {n_two} of the other process")
