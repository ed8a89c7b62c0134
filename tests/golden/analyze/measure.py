"""Measures `muonscope analyze` on files of any size, by hand: values against NumPy, seconds and memory beside WeightWatcher's.

    python measure.py make FOLDER LAYERS            a file with Llama's names, bf16, width 2048: 122 MB a layer, and 131 MB
    python measure.py values PROGRAM FILE [N]       every value of the N largest matrices that are stored whole, against numpy.linalg.svd
    python measure.py times PROGRAM FOLDER          both programs on the same matrices and processors, one after the other

Needs NumPy and safetensors; `times` also weightwatcher and torch.  Python's OpenBLAS and ours use as many threads as there are
processors.
"""
import json
import os
import resource
import struct
import subprocess
import sys
import time

import numpy as np

WIDTH, HIDDEN, KEYS, WORDS = 2048, 8192, 512, 32000


def make(folder, layers):
    """Noise of 0.02 and 16 directions of falling strength."""
    shapes = {"model.embed_tokens.weight": (WORDS, WIDTH)}
    for layer in range(layers):
        for name, rows, cols in (("self_attn.q", WIDTH, WIDTH), ("self_attn.k", KEYS, WIDTH), ("self_attn.v", KEYS, WIDTH),
                                 ("self_attn.o", WIDTH, WIDTH), ("mlp.gate", HIDDEN, WIDTH), ("mlp.up", HIDDEN, WIDTH),
                                 ("mlp.down", WIDTH, HIDDEN)):
            shapes[f"model.layers.{layer}.{name}_proj.weight"] = (rows, cols)
    header, end = {}, 0
    for name, shape in shapes.items():
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [end, end + 2 * shape[0] * shape[1]]}
        end = header[name]["data_offsets"][1]
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    rng = np.random.default_rng(3)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "model.safetensors"), "wb") as stream:
        stream.write(struct.pack("<Q", len(text)) + text)
        for rows, cols in shapes.values():
            left = rng.standard_normal((rows, 16), dtype=np.float32) * (0.015 / np.arange(1, 17, dtype=np.float32))
            w = 0.02 * rng.standard_normal((rows, cols), dtype=np.float32)
            w += left @ rng.standard_normal((16, cols), dtype=np.float32)
            bits = w.astype("<f4").view("<u4")
            stream.write(((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2").tobytes())
    with open(os.path.join(folder, "config.json"), "w") as stream:
        json.dump({"model_type": "llama", "hidden_size": WIDTH, "num_attention_heads": 32, "num_key_value_heads": 8,
                   "architectures": ["LlamaForCausalLM"]}, stream)


def read(path):
    """{name: float64 array} one at a time."""
    data = np.memmap(path, mode="r")
    size = int.from_bytes(data[:8].tobytes(), "little")
    header = json.loads(data[8 : 8 + size].tobytes())
    header.pop("__metadata__", None)

    def get(name):
        entry = header[name]
        begin, end = (8 + size + x for x in entry["data_offsets"])
        raw = np.array(data[begin:end])
        if entry["dtype"] == "BF16":
            return (raw.view("<u2").astype("<u4") << 16).view("<f4").astype(np.float64).reshape(entry["shape"])
        kind = {"F64": "<f8", "F32": "<f4", "F16": "<f2"}[entry["dtype"]]
        return raw.view(kind).astype(np.float64).reshape(entry["shape"])

    return get


def values(program, path, largest):
    lines = subprocess.run([program, "analyze", path, "--format", "jsonl", "--top", "1000000"], check=True,
                           capture_output=True, text=True).stdout.splitlines()
    lines = [json.loads(line) for line in lines]
    lines = [line for line in lines if line["stored"].startswith(("whole", "as "))]
    lines.sort(key=lambda line: -line["rows"] * line["cols"])
    get, worst, worst_entropy, count = read(path), 0.0, 0.0, 0
    for line in lines[:largest]:
        w = get(line["name"]).reshape(line["rows"], line["cols"])
        s = np.linalg.svd(w, compute_uv=False)
        worst = max(worst, float(np.abs(np.array(line["sigma_top"]) - s).max() / s[0]))
        if line["spectral_entropy"] is not None:
            p = s**2 / (s**2).sum()
            entropy = -(p[p > 0] * np.log(p[p > 0])).sum() / np.log(len(s))
            worst_entropy = max(worst_entropy, abs(entropy - line["spectral_entropy"]))
        count += len(s)
    print(f"{path}: {len(lines[:largest])} of {len(lines)} matrices, {count} singular values: at most {worst:.2g} of s1 from "
          f"NumPy's; spectral_entropy {worst_entropy:.2g}")


def times(program, folder):
    begin, before = time.time(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([program, "analyze", folder, "--format", "csv", "--out", os.path.join(folder, "ours.csv")], check=True)
    ours, after = time.time() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
    ours_processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"muonscope analyze: {ours:.1f} s, {ours_processor:.1f} s of processors, at most {after.ru_maxrss / 1024:.0f} MiB")
    code = ("import logging, sys, warnings; warnings.filterwarnings('ignore'); logging.disable(logging.CRITICAL)\n"
            "import weightwatcher; w = weightwatcher.WeightWatcher(model=sys.argv[1])\n"
            "import time; t = time.time(); d = w.analyze(max_evals=200000, max_N=200000, min_evals=1)\n"
            "print(len(d), time.time() - t)\n")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    out = subprocess.run([sys.executable, "-c", code, folder], check=True, capture_output=True, text=True).stdout
    theirs, after = float(out.split()[-1]), resource.getrusage(resource.RUSAGE_CHILDREN)
    theirs_processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"WeightWatcher: {theirs:.1f} s for {out.split()[-2]} matrices (without its imports), {theirs_processor:.1f} s of "
          f"processors, at most {after.ru_maxrss / 1024:.0f} MiB; {theirs / ours:.1f} times as long, "
          f"{theirs_processor / ours_processor:.1f} of processors")


if __name__ == "__main__":
    what, words = sys.argv[1], sys.argv[2:]
    if what == "make":
        make(words[0], int(words[1]))
    elif what == "values":
        values(words[0], words[1], int(words[2]) if len(words) > 2 else 1000000)
    else:
        times(words[0], words[1])
