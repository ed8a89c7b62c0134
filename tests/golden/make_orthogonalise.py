"""Makes tests/golden/model/orthogonalise.safetensors: Muon's orthogonalisation alone, in f64, for each coefficient set.

    python3 tests/golden/make_orthogonalise.py    (from the root; needs PyTorch and NumPy)

For each shape an input (f32 values; a spread of singular values from 1 down to 1e-3) and for each coefficient set the
output.  Tensors: input.RxC [R, C] F32; output.SET.RxC [R, C] F64; singular_values.SET.RxC [min(R, C)] F64."""
import os

import numpy
import torch

import safetensors_file
from muon import COEFFICIENTS, orthogonalise

SHAPES = [(8, 8), (24, 16), (16, 24), (5, 13), (1, 7)]


def main():
    torch.set_num_threads(1)
    tensors = {}
    for rows, cols in SHAPES:
        generator = numpy.random.default_rng([7, rows, cols])
        rank = min(rows, cols)
        left = numpy.linalg.qr(generator.standard_normal((rows, rank)))[0]
        right = numpy.linalg.qr(generator.standard_normal((cols, rank)))[0]
        u = (left * numpy.logspace(0, -3, rank)) @ right.T
        label = f"{rows}x{cols}"
        tensors[f"input.{label}"] = u.astype(numpy.float32)
        for name in COEFFICIENTS:
            o = orthogonalise(torch.tensor(tensors[f"input.{label}"]).double(), name).numpy()
            tensors[f"output.{name}.{label}"] = o
            tensors[f"singular_values.{name}.{label}"] = numpy.linalg.svd(o, compute_uv=False)
            values = tensors[f"singular_values.{name}.{label}"]
            print(f"{name:18s} {label:6s} singular values {values.min():.4f}..{values.max():.4f}")
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "model", "orthogonalise.safetensors")
    safetensors_file.write(path, tensors, {"torch": torch.__version__, "numpy": numpy.__version__})


if __name__ == "__main__":
    main()
