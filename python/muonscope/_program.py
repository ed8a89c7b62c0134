"""The program `muonscope` that is bundled with the package."""

from __future__ import annotations

import json
import os
import subprocess
import warnings
from typing import Any, Dict, List, Optional, Union

from ._library import FOLDER, Error

StrPath = Union[str, "os.PathLike[str]"]


def program() -> str:
    """Its path.  FileNotFoundError: the package was not installed."""
    path = FOLDER / "bin" / "muonscope"
    if not path.exists():
        raise FileNotFoundError(f"{path} is missing: the package is built by `pip install .` in muonscope's source")
    return str(path)


def run_program(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Runs it to its end; it gets Ctrl-C too.  stdout and stderr are kept as text.  It works for this process alone, which mpirun or
    srun may have started as one of several."""
    environment = {**os.environ, "MUONSCOPE_PARALLEL": "none"}
    command = [program(), *arguments]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, env=environment)


def error_of(done: "subprocess.CompletedProcess[str]") -> Error:
    """What it said last, without its name."""
    lines = done.stderr.strip().splitlines() or [f"muonscope ended with status {done.returncode} and said nothing"]
    prefix = "muonscope: "
    return Error(lines[-1][len(prefix) :] if lines[-1].startswith(prefix) else lines[-1])


def path_argument(path: StrPath) -> str:
    """One that is no option, whatever its name."""
    text = os.fspath(path)
    return "./" + text if text.startswith("-") else text


def analyze(
    path: StrPath,
    *,
    against: Optional[StrPath] = None,
    match: Optional[str] = None,
    largest: Optional[int] = None,
    top: int = 10,
    threads: int = 0,
) -> List[Dict[str, Any]]:
    """What `muonscope analyze` prints of a safetensors file, a folder of them or a run: a dictionary for each matrix, in the order of
    the names; pandas.DataFrame(...) makes a table of them.  Keys and options: docs/analyze.md.

    A matrix without figures has the key "error", and a warning says so.  muonscope.Error: there is no line at all."""
    arguments = ["analyze", path_argument(path), "--format", "jsonl", "--top", str(top), "--threads", str(threads)]
    for option, value in (("--against", against and path_argument(against)), ("--match", match), ("--largest", largest)):
        if value is not None:
            arguments.append(f"{option}={value}")
    done = run_program(*arguments)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    if done.returncode != 0 and not (done.returncode == 1 and lines):
        raise error_of(done)
    if done.returncode == 1:
        warnings.warn(f"{os.fspath(path)}: {error_of(done)}", stacklevel=2)
    return lines
