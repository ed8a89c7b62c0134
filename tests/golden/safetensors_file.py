"""Writes and reads safetensors files with NumPy alone (format: huggingface/safetensors, README and tensor.rs).

u64 little-endian header length N | N bytes of JSON, padded with spaces so that N % 8 == 0 | tensor bytes without holes.
Kept apart from the C writer on purpose: the goldens must not depend on the code they test."""
import json
import struct

import numpy

DTYPES = {"F64": "<f8", "F32": "<f4", "I64": "<i8", "I32": "<i4", "U16": "<u2", "U8": "|u1"}
NAMES = {numpy.dtype(text): name for name, text in DTYPES.items()}


def write(path, tensors, metadata):
    """tensors: {name: numpy array}; metadata: {key: text}.  Tensors go by alignment (largest first), then by name."""
    header = {"__metadata__": dict(metadata, format="pt")}
    blobs, offset = [], 0
    for name in sorted(tensors, key=lambda n: (-tensors[n].dtype.itemsize, n)):
        array = numpy.ascontiguousarray(tensors[name])
        header[name] = {"dtype": NAMES[array.dtype], "shape": list(array.shape),
                        "data_offsets": [offset, offset + array.nbytes]}
        blobs.append(array.tobytes())
        offset += array.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as stream:
        stream.write(struct.pack("<Q", len(text)) + text + b"".join(blobs))


def read(path):
    """Returns ({name: array}, {key: text})."""
    with open(path, "rb") as stream:
        data = stream.read()
    (size,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8:8 + size])
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        begin, end = (8 + size + offset for offset in entry["data_offsets"])
        tensors[name] = numpy.frombuffer(data[begin:end], DTYPES[entry["dtype"]]).reshape(entry["shape"])
    return tensors, metadata
