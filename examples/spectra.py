#!/usr/bin/env python3
"""Prints the spectrum of a NumPy matrix, computed by libmuonscope through ctypes.

Usage: spectra.py [--library FILE] [MATRIX.npy]
FILE: libmuonscope.so.0 where the loader does not find it; MATRIX.npy: a 2-dimensional array, else a random one is made.
"""
import argparse
import ctypes

import numpy as np


def load(path):
    library = ctypes.CDLL(path)
    doubles = np.ctypeslib.ndpointer(np.float64, 1, flags="C_CONTIGUOUS")
    matrix = np.ctypeslib.ndpointer(np.float32, 2, flags="C_CONTIGUOUS")
    library.ms_spectrum_of_matrix.argtypes = [matrix, ctypes.c_int, ctypes.c_int, doubles, doubles]
    library.ms_spectrum_of_matrix.restype = ctypes.c_int
    for name in ("ms_spectrum_scalar_name", "ms_status_message", "ms_version"):
        getattr(library, name).restype = ctypes.c_char_p
    return library


def spectrum(library, matrix):
    """Singular values, descending, and a dictionary of metrics (tracker/spectrum.h) of a 2-dimensional array."""
    if np.ndim(matrix) != 2:
        raise ValueError(f"a matrix has 2 dimensions, this array has {np.ndim(matrix)}: {np.shape(matrix)}")
    matrix = np.ascontiguousarray(matrix, dtype=np.float32)
    names = []
    while (name := library.ms_spectrum_scalar_name(len(names))) is not None:
        names.append(name.decode())
    values, scalars = np.empty(min(matrix.shape)), np.empty(len(names))
    if library.ms_spectrum_of_matrix(matrix, *matrix.shape, values, scalars) != 0:
        raise ValueError(library.ms_status_message().decode())
    return values, dict(zip(names, scalars))


def main():
    parser = argparse.ArgumentParser(description="Prints the spectrum of a NumPy matrix.")
    parser.add_argument("--library", default="libmuonscope.so.0")
    parser.add_argument("matrix", nargs="?")
    arguments = parser.parse_args()
    library = load(arguments.library)
    if arguments.matrix:
        matrix = np.load(arguments.matrix)
    else:
        matrix = np.random.default_rng(1).standard_normal((96, 160))
    try:
        values, metrics = spectrum(library, matrix)
    except ValueError as error:
        parser.exit(1, f"spectra.py: {arguments.matrix or 'the random matrix'}: {error}\n")
    expected = np.linalg.svd(np.asarray(matrix, dtype=np.float32).astype(np.float64), compute_uv=False)
    print(f"muonscope {library.ms_version().decode()}, a matrix of {matrix.shape[0]} x {matrix.shape[1]}")
    print("singular values", " ".join(f"{value:.6f}" for value in values[:10]))
    print(f"farthest from numpy.linalg.svd, over the largest: {np.abs(values - expected).max() / expected[0]:.1e}")
    for name, value in metrics.items():
        if not np.isnan(value):
            print(f"{name:24}{value:.6f}")


if __name__ == "__main__":
    main()
