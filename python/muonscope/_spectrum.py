"""The spectrum of one matrix."""

from __future__ import annotations

import ctypes
import functools
import math
import threading
from typing import Any, Dict, List

import numpy as np

from ._arrays import ELEMENTS, to_matrix
from ._library import apart, check, constants, library, structures

# Calls of OpenBLAS from several threads want room that is taken before (platform/blas.h): one call at a time.
_lock = threading.Lock()


def _compute(matrix: np.ndarray, name: str) -> "tuple[Dict[str, Any], np.ndarray]":
    """All keys of tracker/metrics.def that ms_spectrum has, and all singular values."""
    if max(matrix.shape) > 2**31 - 1:
        raise ValueError(f"{name}: {matrix.shape[0]} x {matrix.shape[1]}: a side is longer than 2147483647")
    element = constants("ms_element")[ELEMENTS[matrix.dtype.name]]
    text = name.encode()
    given = structures()["ms_analysis_input"](
        name=ctypes.cast(ctypes.c_char_p(text), ctypes.c_void_p),
        after=matrix.ctypes.data,
        after_type=element,
        rows=matrix.shape[0],
        cols=matrix.shape[1],
    )
    found = structures()["ms_analysis"]()

    def compute() -> "tuple[Dict[str, Any], np.ndarray]":
        try:
            check(library().ms_analysis_compute(ctypes.byref(given), ctypes.byref(found)))
            values = np.array((ctypes.c_double * found.n_values).from_address(found.values))
            return _figures(found.spectrum), values
        finally:
            library().ms_analysis_finish(ctypes.byref(found))

    with _lock:
        return apart(compute)


def _figures(spectrum: Any) -> Dict[str, Any]:
    """A struct ms_spectrum: None for NaN, and of a LIST as many numbers as it has."""
    arrays = {key for key, _ in spectrum._fields_ if isinstance(getattr(spectrum, key), ctypes.Array)}
    figures: Dict[str, Any] = {}
    for key, _ in spectrum._fields_:
        value = getattr(spectrum, key)
        if key in arrays:
            figures[key] = [None if math.isnan(x) else x for x in value[: getattr(spectrum, "n_" + key)]]
        elif key.removeprefix("n_") not in arrays:
            figures[key] = None if math.isnan(value) else value
    return figures


@functools.lru_cache(maxsize=None)
def _keys() -> List[str]:
    """The keys that need no update: those of a matrix of which every one is defined."""
    figures, _ = _compute(np.diag(np.arange(8.0, 0, -1)), "a diagonal matrix")
    return [key for key, value in figures.items() if not (value is None or isinstance(value, list) and None in value)]


def spectrum(array: Any, name: str = "matrix", *, singular_values: bool = False) -> Dict[str, Any]:
    """The figures of one matrix [rows, cols]: every key of `muonscope tracker describe` that needs no update, None where it is not
    defined for this matrix.  All arithmetic is f64 and on one thread, as in `analyze`, with the same bits.

    array: NumPy's float16, float32, float64 (or ml_dtypes' bfloat16), in any layout; a tensor of PyTorch on any device.
    name: for messages.
    singular_values: also all of them, descending, under the key "singular_values".

    muonscope.Error: an element is NaN or infinite (it is named).  TypeError, ValueError: not such an array."""
    matrix = to_matrix(array, name)
    figures, values = _compute(matrix, name)
    out: Dict[str, Any] = {"rows": matrix.shape[0], "cols": matrix.shape[1]}
    out.update((key, figures[key]) for key in _keys())
    if singular_values:
        out["singular_values"] = values
    return out
