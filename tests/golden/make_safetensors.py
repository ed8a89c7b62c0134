"""Makes tests/golden/reference.safetensors with the reference implementation (Python package safetensors): one tensor of
every dtype that muonscope stores, a scalar and an empty tensor.

    python3 tests/golden/make_safetensors.py      (from the root; needs safetensors 0.8)

Element i of tensor number n (in the order below) has the bytes of (17 n + i + 1) % 251, repeated over its width, so that
a reader in any language can check every byte."""
import ctypes
import os

from safetensors import TensorSpec, serialize_file

TENSORS = [("bytes", "uint8", "U8", (3,)), ("half", "float16", "F16", (2, 2)), ("brain", "bfloat16", "BF16", (5,)),
           ("tokens", "uint16", "U16", (2, 1, 3)), ("single", "float32", "F32", (2, 3)), ("index", "int32", "I32", (4,)),
           ("double", "float64", "F64", (1, 2, 1, 2)), ("count", "int64", "I64", (2,)), ("scalar", "float32", "F32", ()),
           ("empty", "float32", "F32", (0, 7)), ("a", "float32", "F32", (1,)), ("truth", "bool", "BOOL", (3,)),
           ("small", "int8", "I8", (5,)), ("short", "int16", "I16", (3,)), ("unsigned", "uint32", "U32", (2,)),
           ("long", "uint64", "U64", (1, 1, 1, 1, 1, 1, 1, 2)), ("complex", "complex64", "C64", (2,)),
           ("e4m3", "float8_e4m3fn", "F8_E4M3", (2, 2)), ("e5m2", "float8_e5m2", "F8_E5M2", (2, 2)),
           ("e8m0", "float8_e8m0fnu", "F8_E8M0", (2, 2))]
WIDTH = {"U8": 1, "F16": 2, "BF16": 2, "U16": 2, "F32": 4, "I32": 4, "F64": 8, "I64": 8, "BOOL": 1, "I8": 1, "I16": 2,
         "U32": 4, "U64": 8, "C64": 8, "F8_E4M3": 1, "F8_E5M2": 1, "F8_E8M0": 1}


def main():
    tensors, buffers = {}, []
    for n, (name, library_dtype, dtype, shape) in enumerate(TENSORS):
        count = 1
        for dimension in shape:
            count *= dimension
        data = b"".join(bytes([(17 * n + i + 1) % 251]) * WIDTH[dtype] for i in range(count))
        buffers.append(ctypes.create_string_buffer(data, max(len(data), 1)))
        tensors[name] = TensorSpec(dtype=library_dtype, shape=list(shape), data_ptr=ctypes.addressof(buffers[-1]),
                                   data_len=len(data))
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "reference.safetensors")
    serialize_file(tensors, path, metadata={"format": "pt"})


if __name__ == "__main__":
    main()
