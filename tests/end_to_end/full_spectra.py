#!/usr/bin/env python3
"""full_spectra.py RUN STEP: holds the complete spectra of a run of preset micro against its spectra.jsonl, and those of STEP against
NumPy's singular values of the weights in the checkpoint of STEP."""
import json
import struct
import sys

import numpy as np

ROWS = {"q": 32, "k": 16, "v": 16, "o": 32}  # of qkvo, in this order


def weights(path):
    """The matrices of a checkpoint by (layer, projection)."""
    with open(path, "rb") as file:
        (size,) = struct.unpack("<Q", file.read(8))
        header, data = json.loads(file.read(size)), file.read()
    matrices = {}
    for name, tensor in header.items():
        if not name.startswith("blocks.") or len(tensor["shape"]) != 2:
            continue
        begin, end = tensor["data_offsets"]
        matrix = np.frombuffer(data[begin:end], np.float32).reshape(tensor["shape"]).astype(np.float64)
        layer, projection = int(name.split(".")[1]), name.split(".")[-2]
        if projection != "qkvo":
            matrices[layer, projection] = matrix
            continue
        for part, rows in ROWS.items():
            matrices[layer, part], matrix = matrix[:rows], matrix[rows:]
    return matrices


def entropy_rank(s):
    p = s / s.sum()
    return np.exp(-(p * np.log(p)).sum())


def quantiles(s):
    return np.quantile(s, (0.01, 0.1, 0.5, 0.9))


run, step = sys.argv[1], int(sys.argv[2])
index = [json.loads(line) for line in open(f"{run}/spectra/index.jsonl")]
lines = {(x["step"], x["layer"], x["projection"]): x for x in map(json.loads, open(f"{run}/spectra.jsonl"))}
of_weights = weights(f"{run}/checkpoints/step_{step:08}/model.safetensors")
arrays = {name: np.load(f"{run}/spectra/{name}") for name in {x["file"] for x in index}}
n_compared = 0
for entry in index:
    array = arrays[entry["file"]]
    assert array.dtype == np.float64 and array.ndim == 2, array.dtype
    row, n = array[entry["row"]], entry["values"]
    s, line = row[:n], lines[entry["step"], entry["layer"], entry["projection"]]
    assert n == min(line["rows"], line["cols"]) and np.isnan(row[n:]).all() and (np.diff(s) <= 0).all(), entry
    if entry["of"] == "weight":
        assert list(s[:10]) == line["sigma_top"] and s[-1] == line["sigma_min"], entry
        assert abs(entropy_rank(s) / line["effective_rank"] - 1) < 1e-9, entry
    elif entry["of"] == "update":
        assert list(s[:10]) == line["update_sigma"], entry
        assert abs(np.sqrt((s**2).sum()) / line["update_norm"] - 1) < 1e-4, entry  # micro has no decay
        assert np.allclose(quantiles(s), line["update_sigma_quantiles"], rtol=1e-6), entry
    elif entry["of"] == "momentum":
        assert abs(entropy_rank(s) / line["update_rank"] - 1) < 1e-9, entry
    else:
        assert entry["of"] == "orthogonal" and s[0] == line["orthogonality_of_update"][5], entry
        assert np.allclose(quantiles(s), line["orthogonality_of_update"][1:5], rtol=1e-6), entry
    if entry["of"] == "weight" and entry["step"] == step:
        expected = np.linalg.svd(of_weights[entry["layer"], entry["projection"]], compute_uv=False)
        assert np.abs(s - expected).max() < 1e-12 * s[0], (entry, np.abs(s - expected).max() / s[0])
        n_compared += 1
assert n_compared == len(of_weights) == 12, n_compared
assert sum(len(array) for array in arrays.values()) == len(index), "rows without a line"
print(f"{len(index)} spectra, {n_compared} of them against numpy.linalg.svd")
