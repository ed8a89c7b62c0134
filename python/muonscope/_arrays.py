"""Arrays of NumPy, PyTorch and others as contiguous NumPy arrays of a type that the library reads."""

from __future__ import annotations

from typing import Any

import numpy as np

# By dtype.name; "bfloat16" is that of the package ml_dtypes.
ELEMENTS = {"float16": "F16", "float32": "F32", "float64": "F64", "bfloat16": "BF16"}


def refuse_spread(array: Any, name: str) -> None:
    """TypeError: it is a DTensor of PyTorch."""
    if hasattr(array, "full_tensor"):
        raise TypeError(
            f"{name}: its parts lie on several processes (FSDP, tensor parallel), which muonscope does not gather: give array.full_tensor(), or run "
            "`muonscope analyze` on a checkpoint"
        )


def to_numpy(array: Any, name: str) -> np.ndarray:
    """A tensor of PyTorch, on any device, or anything that numpy.asarray takes.  bfloat16 of PyTorch, which NumPy lacks, becomes
    float32, which holds it exactly.  No copy where none is needed.  TypeError: not real floating-point numbers of 16 to 64 bits."""
    refuse_spread(array, name)
    if hasattr(array, "detach"):
        array = array.detach().cpu()
        if str(array.dtype) == "torch.bfloat16":
            array = array.float()
        array = array.numpy()
    array = np.asarray(array)
    if array.dtype.kind == "c":
        raise TypeError(f"{name}: elements are {array.dtype.name}: it takes real matrices")
    if array.dtype.kind in "SUMm":
        raise TypeError(f"{name}: elements are {array.dtype.name}, no numbers: must be one of {', '.join(ELEMENTS)}")
    if array.dtype.name not in ELEMENTS:
        raise TypeError(f"{name}: elements are {array.dtype.name}, must be one of {', '.join(ELEMENTS)}: convert it, e.g. by astype('float64')")
    return array


def to_matrix(array: Any, name: str) -> np.ndarray:
    """The same, row-major and in this machine's byte order.  ValueError: it has not two dimensions, or no elements."""
    matrix = to_numpy(array, name)
    if matrix.ndim != 2:
        raise ValueError(f"{name}: a matrix has 2 dimensions, this array has {matrix.ndim}: {matrix.shape}")
    if matrix.size == 0:
        raise ValueError(f"{name}: the matrix {matrix.shape[0]} x {matrix.shape[1]} is empty")
    return np.ascontiguousarray(matrix, dtype=matrix.dtype.newbyteorder("="))
