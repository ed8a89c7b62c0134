"""Which matrices a model has: layers and projections by the names of its parameters, as `muonscope analyze` finds them."""

from __future__ import annotations

import ctypes
import math
import warnings
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Tuple

import numpy as np

from ._arrays import refuse_spread, to_numpy
from ._library import library, structures


class Matrix(NamedTuple):
    """One tracked matrix [rows, cols], and where it lies in a parameter."""

    layer: int
    projection: str
    rows: int
    cols: int
    parameter: str
    shape: Tuple[int, ...]  # of the parameter
    part: Any  # ms_part


def parameters_of(model: Any) -> Dict[str, Any]:
    """The parameters by their names: of what has named_parameters(), or a mapping of arrays."""
    if hasattr(model, "named_parameters"):
        return dict(model.named_parameters())
    if isinstance(model, Mapping):
        return dict(model)
    raise TypeError(f"a {type(model).__name__} has no named_parameters(), and is no mapping of names to arrays")


def as_float32(array: Any, name: str) -> np.ndarray:
    """Row-major; a copy only where it must be."""
    return np.ascontiguousarray(to_numpy(array, name), dtype=np.float32)


def _sizes(model: Any, shapes: Dict[str, Tuple[int, ...]], heads: Optional[int], kv_heads: Optional[int], head_size: Optional[int]) -> Any:
    """What fused matrices are split by: the arguments, else the model's `config`, by the names of transformers and nanoGPT."""
    config = getattr(model, "config", None)

    def of_config(*names: str) -> int:
        values = [getattr(config, name, None) for name in names]
        return next((value for value in values if isinstance(value, int) and value > 0), 0)

    n_heads = heads or of_config("num_attention_heads", "n_head")
    size = head_size or of_config("head_dim") or (of_config("hidden_size", "n_embd") // n_heads if n_heads else 0)
    type_ = getattr(config, "model_type", "")
    return structures()["ms_model_sizes"](
        has_config=config is not None,
        type=type_.encode()[:63] if isinstance(type_, str) else b"",
        heads=n_heads,
        kv_heads=kv_heads or of_config("num_key_value_heads") or n_heads,
        head_size=size,
        latent=of_config("kv_lora_rank"),
        not_rotated=of_config("qk_nope_head_dim"),
        values=of_config("v_head_dim"),
        # As ms_foreign_open finds out.
        is_conv1d=any(name.endswith("attn.c_attn.weight") and len(shape) == 2 and shape[1] > shape[0] for name, shape in shapes.items()),
    )


def _parts(name: str, shape: Tuple[int, ...], sizes: Any) -> List[Any]:
    if len(shape) > 8:
        return []
    tensor = structures()["ms_safetensor"](rank=len(shape), size_bytes=4 * math.prod(shape))
    texts = ctypes.c_char_p(name.encode()), ctypes.c_char_p(b"F32")
    tensor.name, tensor.dtype = (ctypes.cast(text, ctypes.c_void_p) for text in texts)
    for i, n in enumerate(shape):
        tensor.shape[i] = n
    call, get = library().ms_parts_of, library().ms_parts_get
    call.restype, get.restype = structures()["ms_parts"], structures()["ms_part"]
    get.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_int64]
    parts = call(ctypes.byref(tensor), ctypes.byref(sizes))
    if parts.note:
        warnings.warn(f"{name}: {parts.note.decode()}; Tracker takes heads, kv_heads and head_size", stacklevel=5)
    return [get(ctypes.addressof(parts), i, s) for s in range(parts.n_slices) for i in range(parts.n)]


def find_matrices(
    model: Any, mapping: Optional[Mapping[str, Tuple[int, str]]], heads: Optional[int], kv_heads: Optional[int], head_size: Optional[int]
) -> List[Matrix]:
    """In the order of the layers.  mapping: parameter's name -> (layer, projection), each taken whole; None: all that the rules know,
    in layers.  ValueError: none, or two of one name."""
    parameters = parameters_of(model)
    shapes = {name: tuple(parameter.shape) for name, parameter in parameters.items()}
    for name, parameter in parameters.items():
        refuse_spread(parameter, name)
    found: List[Matrix] = []
    if mapping is not None:
        for name, (layer, projection) in mapping.items():
            if len(shapes.get(name, ())) != 2:
                raise ValueError(f"matrices: {name!r} is {'no parameter' if name not in shapes else f'of shape {shapes[name]}'}: must be a matrix of the model")
            rows, cols = shapes[name]
            part = structures()["ms_part"](rows=rows, cols=cols, stored_cols=cols, block=rows, period=rows)
            found.append(Matrix(layer, projection, rows, cols, name, shapes[name], part))
    else:
        sizes = _sizes(model, shapes, heads, kv_heads, head_size)
        for name, shape in shapes.items():
            for part in _parts(name, shape, sizes):
                if part.projection and part.layer >= 0:
                    projection = ctypes.string_at(part.projection).decode() + (f"_{part.expert}" if part.expert >= 0 else "")
                    found.append(Matrix(part.layer, projection, part.rows, part.cols, name, shape, part))
    if not found:
        raise ValueError("no parameter has a name that is known (docs/analyze.md lists them): name the matrices with matrices={name: (layer, projection)}")
    first: Dict[Tuple[int, str], str] = {}
    for matrix in found:
        other = first.setdefault((matrix.layer, matrix.projection), matrix.parameter)
        if other is not matrix.parameter:
            raise ValueError(f"layer {matrix.layer} {matrix.projection} is both {other} and {matrix.parameter}: choose with matrices={{name: (layer, projection)}}")
    return sorted(found, key=lambda matrix: matrix.layer)
