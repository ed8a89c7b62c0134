"""The tensors of a folder of weights, as `muonscope analyze` opens it: checked and mapped by the library, in one file or in shards."""

from __future__ import annotations

import ctypes
import os
from typing import Any, Dict, Tuple

import numpy as np

from ._library import Error, check, library, structures
from ._program import StrPath

# Elements of safetensors that are real numbers, as NumPy reads them; BF16 are the high halves of f32.
_ELEMENTS = {"F16": "<f2", "F32": "<f4", "F64": "<f8", "BF16": "<u2"}


class Weights:
    """Open weights: their shapes by name, and the numbers of one.  The files must not be truncated while they are open.

    muonscope.Error: no such path, no weights in it, a file that is damaged, or a shard that is missing."""

    def __init__(self, path: StrPath) -> None:
        self._handle = ctypes.c_void_p()
        check(library().ms_foreign_open(ctypes.c_char_p(os.fsencode(path)), ctypes.byref(self._handle)))
        call = library().ms_foreign_faults
        call.restype = ctypes.POINTER(structures()["ms_foreign_fault"])
        n = ctypes.c_size_t()
        faults = call(self._handle, ctypes.byref(n))
        if n.value > 0:
            name, message = (ctypes.string_at(text).decode() for text in (faults[0].name, faults[0].message))
            self.close()
            message = f"{os.fspath(path)}: {name}: {message}"
            raise Error(message)
        count, at = library().ms_foreign_count, library().ms_foreign_at
        count.restype, at.restype = ctypes.c_size_t, ctypes.POINTER(structures()["ms_safetensor"])
        at.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
        self._tensors: Dict[str, Any] = {}
        for i in range(count(self._handle)):
            tensor = at(self._handle, i).contents
            self._tensors[ctypes.string_at(tensor.name).decode()] = tensor

    def shapes(self) -> Dict[str, Tuple[int, ...]]:
        return {name: tuple(tensor.shape[: tensor.rank]) for name, tensor in self._tensors.items()}

    def read(self, name: str) -> np.ndarray:
        """The tensor as f32, of which f64 is rounded.  muonscope.Error: its elements are no real numbers, or one is not finite."""
        tensor = self._tensors[name]
        dtype = ctypes.string_at(tensor.dtype).decode()
        if dtype not in _ELEMENTS:
            raise Error(f"{name}: elements are {dtype}, must be one of {', '.join(_ELEMENTS)}")
        raw = (ctypes.c_char * tensor.size_bytes).from_address(tensor.data) if tensor.size_bytes else b""
        array = np.frombuffer(raw, _ELEMENTS[dtype])
        if dtype == "BF16":
            array = (array.astype("<u4") << 16).view("<f4")
        array = array.astype(np.float32).reshape(tuple(tensor.shape[: tensor.rank]))
        if not np.isfinite(array).all():
            at = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
            raise Error(f"{name}: element {at} is {array[at]}")
        return array

    def close(self) -> None:
        library().ms_foreign_close(self._handle)
        self._handle = ctypes.c_void_p()

    def __enter__(self) -> "Weights":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
