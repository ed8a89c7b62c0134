"""`python -m muonscope tensorboard`: runs as event files, written by the package `tensorboard`."""

from __future__ import annotations

import argparse
import csv
import datetime
import os
import shutil
import tempfile
import warnings
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple, Sequence, Tuple

from ._library import Error
from ._program import StrPath, error_of, path_argument, run_program

# Of each matrix, unless others are asked for: keys of spectra.jsonl, as `muonscope tracker describe` has them.
SPECTRA = ("sigma_max", "frobenius", "stable_rank", "spectral_entropy", "orthogonality_error", "alignment_left", "cosine", "update_ratio", "growth")

_SUFFIX = ".muonscope"  # of the event files, which are replaced when they are written again
_PLACE = ("run", "seed", "step", "tokens", "layer", "projection", "rows", "cols")


class Scalar(NamedTuple):
    tag: str
    step: int
    time: float  # seconds since 1970
    value: float


def _begin(folder: Path) -> float:
    """When the run began: the first time in run.log; Tracker writes none, and config.yaml at its end."""
    try:
        with open(folder / "run.log", encoding="utf-8", errors="replace") as file:
            text = file.readline().partition(" ")[0]
        return datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=datetime.timezone.utc).timestamp()
    except (OSError, ValueError):
        return (folder / "config.yaml").stat().st_mtime


def _rows(path: Path) -> Iterator[Dict[str, str]]:
    if path.exists():
        with open(path, newline="", encoding="utf-8") as file:
            yield from csv.DictReader(file)


def _scalars(folder: Path, tables: Path, keys: Sequence[str]) -> Iterator[Scalar]:
    begin, seconds, times = _begin(folder), 0.0, {0: 0.0}
    for row in _rows(tables / "losses.csv"):
        step = int(row["step"])
        seconds += float(row.get("ms") or 0) / 1000
        times[step] = seconds
        for key, text in row.items():
            if key not in _PLACE and text:
                yield Scalar(f"train/{key}", step, begin + seconds, float(text))
    for row in _rows(tables / "spectra.csv"):
        missing = [key for key in keys if key not in row]
        if missing:
            raise Error(f"--key {missing[0]}: spectra have no such column; `muonscope export csv` writes all that there are")
        step = int(row["step"])
        for key in keys:
            if row[key]:
                tag = f"{key}/{row['projection']}/layer_{int(row['layer']):02d}"
                yield Scalar(tag, step, begin + times.get(step, seconds), float(row[key]))


def _write(folder: Path, to: Path, keys: Sequence[str]) -> Tuple[int, int]:
    """Scalars and tags that were written."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    try:
        to.mkdir(parents=True, exist_ok=True)
        temporary = tempfile.TemporaryDirectory(prefix=".muonscope-", dir=to)
    except OSError as error:
        raise Error(f"cannot write {to}: {error.strerror}") from error
    with temporary as scratch:
        options = [f"--table={table}" for table, file in (("losses", "metrics.jsonl"), ("spectra", "spectra.jsonl")) if (folder / file).exists()]
        if not options:
            raise Error(f"{folder} is no run with metrics.jsonl or spectra.jsonl")
        done = run_program("export", "csv", path_argument(folder), f"--out={path_argument(Path(scratch) / 'csv')}", *options)
        if done.returncode != 0:
            raise error_of(done)
        if done.stderr.strip():
            warnings.warn(done.stderr.strip(), stacklevel=3)
        writer = EventFileWriter(os.path.join(scratch, "events"), max_queue_size=1000, filename_suffix=_SUFFIX)
        n, tags = 0, set()
        try:
            for tag, step, time, value in _scalars(folder, Path(scratch) / "csv", keys):
                writer.add_event(Event(wall_time=time, step=step, summary=Summary(value=[Summary.Value(tag=tag, simple_value=value)])))
                n += 1
                tags.add(tag)
        finally:
            writer.close()
        (made,) = (Path(scratch) / "events").iterdir()
        older = [path for path in to.iterdir() if path.name.startswith("events.out.tfevents.") and path.name.endswith(_SUFFIX)]
        # What the file is called has its time; TensorBoard takes files of one folder in the order of their names.
        os.replace(made, to / made.name)
        for path in older:
            if path.name != made.name:
                path.unlink()
    return n, len(tags)


def write_tensorboard(paths: Sequence[StrPath], out: StrPath, *, keys: Sequence[str] = SPECTRA) -> List[str]:
    """Writes OUT/NAME for each run of that name, for `tensorboard --logdir OUT`: what is there of an earlier call is replaced.  Returns a
    line for each.

    keys: columns of the table `spectra` of `muonscope export csv`.  ImportError: no package tensorboard."""
    try:
        import tensorboard  # noqa: F401
    except ImportError as error:
        raise ImportError("event files are written by the package tensorboard: pip install 'muonscope[tensorboard]', or pip install tensorboard") from error
    names: Dict[str, StrPath] = {}
    for path in paths:
        name = Path(path).resolve().name
        if name in names:
            raise Error(f"{os.fspath(names[name])} and {os.fspath(path)} are both called {name}: write them to two folders")
        names[name] = path
    said = []
    for name, path in names.items():
        to = Path(out) / name
        is_new = not to.exists()
        try:
            n, n_tags = _write(Path(path), to, keys)
        except BaseException:
            if is_new and to.exists():
                shutil.rmtree(to)
            raise
        said.append(f"{to}: {n} scalars, {n_tags} tags")
    return said


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="muonscope tensorboard", description="Writes runs as event files for TensorBoard.", allow_abbrev=False)
    parser.add_argument("paths", metavar="RUN", nargs="+", help="folders of runs, or of Tracker")
    parser.add_argument("--out", required=True, metavar="FOLDER", help="a folder for each run is made in it, or written again")
    parser.add_argument("--key", action="append", metavar="KEY", help=f"a column of spectra, several times (default {', '.join(SPECTRA)})")
    given = parser.parse_args(arguments)
    for line in write_tensorboard(given.paths, given.out, keys=given.key or SPECTRA):
        print(line, flush=True)
