"""Files that the tests write."""

import json
import struct

import numpy as np

DTYPES = {"float16": "F16", "float32": "F32", "float64": "F64"}


def write_safetensors(path, tensors):
    """A safetensors file of NumPy arrays by their names."""
    header, data = {}, b""
    for name, array in tensors.items():
        raw = np.ascontiguousarray(array).tobytes()
        header[name] = {"dtype": DTYPES[array.dtype.name], "shape": list(array.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)
