"""Event files of `run`, read back by TensorBoard's EventAccumulator; written again in place of the older ones.  Run by wheel.sh where the
wheel is installed."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from muonscope._tensorboard import SPECTRA


def lines(name):
    with open(f"run/{name}.jsonl", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def write(*options):
    return subprocess.run([sys.executable, "-m", "muonscope", "tensorboard", "run", "--out", "events", *options], capture_output=True, text=True, check=False)


def read():
    (name,) = os.listdir("events/run")
    accumulator = EventAccumulator("events/run", size_guidance={"scalars": 0}).Reload()
    return name, {tag: accumulator.Scalars(tag) for tag in accumulator.Tags()["scalars"]}


wanted = {}
for line in lines("metrics"):
    for key in ("loss", "lr", "validation_loss", "tokens_per_second"):
        if line.get(key) is not None:
            wanted.setdefault(f"train/{key}", []).append((line["step"], line[key]))
for line in lines("spectra"):
    for key in SPECTRA:
        if line.get(key) is not None:
            wanted.setdefault(f"{key}/{line['projection']}/layer_{line['layer']:02d}", []).append((line["step"], line[key]))

done = write()
assert done.returncode == 0, done.stderr
first, found = read()
assert set(wanted) <= set(found), set(wanted) - set(found)
for tag, points in wanted.items():
    assert [(event.step, np.float32(event.value)) for event in found[tag]] == [(step, np.float32(value)) for step, value in points], tag
    times = [event.wall_time for event in found[tag]]
    assert times == sorted(times) and times[0] > 1.6e9, times

# Again, when the run has gone on; another program's file stays.
with open("events/run/notes.txt", "w", encoding="utf-8") as file:
    file.write("mine")
with open("run/metrics.jsonl", "a", encoding="utf-8") as file:
    file.write('{"step":7,"tokens":896,"loss":1.5,"lr":0.01,"ms":1}\n')
assert write("--key", "sigma_max").returncode == 0
os.remove("events/run/notes.txt")
second, found = read()
assert found["train/loss"][-1].step == 7 and not any(tag.startswith("growth/") for tag in found)

done = write("--key", "nothing")
assert done.returncode == 1 and done.stderr == "muonscope: --key nothing: spectra have no such column; `muonscope export csv` writes all that there are\n", done.stderr
assert read()[0] == second
shutil.copytree("run", "other/run")


def refused(message, *words):
    done = subprocess.run([sys.executable, "-m", "muonscope", "tensorboard", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and message in done.stderr and done.stderr.count("\n") == 1, done.stderr


refused("run and other/run are both called run", "run", "other/run", "--out", "new")
refused("nowhere is no run with metrics.jsonl or spectra.jsonl", "nowhere", "--out", "new")
assert not os.path.exists("new/nowhere") and not os.path.exists("new/run")
refused("cannot write /proc/z/run: ", "run", "--out", "/proc/z")
print(f"tensorboard_read.py: {len(wanted)} tags read back")
