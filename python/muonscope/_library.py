"""libmuonscope by ctypes: loading it, its structures, its errors."""

from __future__ import annotations

import concurrent.futures
import ctypes
import functools
from pathlib import Path
from typing import Any, Callable, Dict, Type

FOLDER = Path(__file__).absolute().parent
# Types of library/layout.h; all others are structures.
TYPES: Dict[str, Any] = {
    "?": ctypes.c_bool,
    "c": ctypes.c_char,
    "i": ctypes.c_int,
    "I": ctypes.c_uint,
    "q": ctypes.c_int64,
    "Q": ctypes.c_size_t,
    "d": ctypes.c_double,
    "P": ctypes.c_void_p,
}


class Error(Exception):
    """What muonscope refuses, or cannot do: its message.  `status`: the kind, e.g. "invalid argument" or "non-finite number"."""

    def __init__(self, message: str, status: str = "") -> None:
        super().__init__(message)
        self.status = status


class _Layout(ctypes.Structure):
    _fields_ = [
        ("structure", ctypes.c_char_p),
        ("member", ctypes.c_char_p),
        ("type", ctypes.c_char_p),
        ("offset", ctypes.c_size_t),
        ("size", ctypes.c_size_t),
    ]


@functools.lru_cache(maxsize=None)
def library() -> ctypes.CDLL:
    """The bundled libmuonscope, loaded at the first call.  ImportError: it, or a library of the system that it needs, is missing."""
    path = FOLDER / "lib" / "libmuonscope.so.0"
    try:
        loaded = ctypes.CDLL(str(path))
    except OSError as error:
        raise ImportError(
            f"{path} cannot be loaded: {error}. Its libraries are packages of Debian: ci/setup.sh in muonscope's source installs them"
        ) from error
    for name in ("ms_version", "ms_status_message", "ms_status_text"):
        getattr(loaded, name).restype = ctypes.c_char_p
    loaded.ms_layout_row.restype = ctypes.c_bool
    loaded.ms_layout_row.argtypes = [ctypes.c_int, ctypes.POINTER(_Layout)]
    return loaded


@functools.lru_cache(maxsize=None)
def layout_rows() -> "list[tuple[str, str, str, int, int]]":
    """The rows of library/layout.def: structure, member, type, offset, size."""
    rows, row = [], _Layout()
    while library().ms_layout_row(len(rows), ctypes.byref(row)):
        rows.append((row.structure.decode(), row.member.decode(), row.type.decode(), row.offset, row.size))
    return rows


def make_structures(rows: "list[tuple[str, str, str, int, int]]") -> Dict[str, Type[ctypes.Structure]]:
    """The structures of the rows as ctypes has them.  ImportError: ctypes would put a member elsewhere than the library does."""
    made: Dict[str, Type[ctypes.Structure]] = {}
    members: "list[tuple[str, str, int, int]]" = []
    for structure, member, type_, offset, size in rows:
        if type_ == "=":
            continue
        if member:
            members.append((member, type_, offset, size))
            continue
        fields = []
        for name, letter, _, n_bytes in members:
            element = TYPES[letter] if letter in TYPES else made[letter]
            n = n_bytes // ctypes.sizeof(element)
            fields.append((name, element * n if n > 1 else element))
        new = type(structure, (ctypes.Structure,), {"_fields_": fields})
        for name, _, at, n_bytes in members:
            here = getattr(new, name)
            if (here.offset, here.size) != (at, n_bytes):
                raise ImportError(
                    f"{structure}.{name} lies at {at}, {n_bytes} bytes, in libmuonscope, and at {here.offset}, {here.size} bytes, here: "
                    "the package and the library do not belong together; install them again"
                )
        if ctypes.sizeof(new) != size:
            raise ImportError(
                f"{structure} has {size} bytes in libmuonscope and {ctypes.sizeof(new)} here: "
                "the package and the library do not belong together; install them again"
            )
        made[structure] = new
        members = []
    if ctypes.sizeof(made["ms_layout"]) != ctypes.sizeof(_Layout):
        raise ImportError("ms_layout has another size in libmuonscope: install the package again")
    return made


@functools.lru_cache(maxsize=None)
def structures() -> Dict[str, Type[ctypes.Structure]]:
    """Every structure of library/layout.def by its name."""
    return make_structures(layout_rows())


@functools.lru_cache(maxsize=None)
def constants(enumeration: str) -> Dict[str, int]:
    """The values of an enumeration of library/layout.def by their names."""
    return {member: offset for structure, member, type_, offset, _ in layout_rows() if structure == enumeration and type_ == "="}


def apart(call: Callable[[], Any]) -> Any:
    """The result of `call` in a thread of its own.  The library makes OpenMP of the thread that computes use one thread; in the
    caller's, PyTorch would be left with one too."""
    with concurrent.futures.ThreadPoolExecutor(1) as executor:
        return executor.submit(call).result()


def check(status: int) -> None:
    """Raises the calling thread's message where a function of the library returned anything but MS_OK."""
    if status != 0:
        raise Error(library().ms_status_message().decode(), library().ms_status_text(status).decode())
