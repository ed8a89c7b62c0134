"""python -m muonscope prepare: tables into a folder of token shards.

pyarrow reads them, `muonscope data prepare --piped` does all the rest: tokens, splits and shards are those of the same text in JSONL."""

from __future__ import annotations

import argparse
import signal
import struct
import subprocess
import sys
from typing import BinaryIO, Callable, Dict, Iterator, List, Optional

from ._library import Error
from ._prepare_inputs import Input, from_datasets, from_path
from ._prepare_records import choose_field, holds_ids, id_lists, packed_ids, texts
from ._program import path_argument, program

# Options of `muonscope data prepare`, which checks them: docs/data.md.
_PASSED_ON = {
    "tokenizer": ("FILE", "the tokenizer (default tokenizer.json)"),
    "name": ("NAME", "what shards are called (default data)"),
    "validation_fraction": ("X", "share of the documents in the val split (default 0.02)"),
    "seed": ("N", "chooses which documents those are (default 0)"),
    "document_end": ("TOKEN", "the special token before each document (default <|endoftext|>); none: no token"),
    "document_tokens": ("N", "--packed with --document_end none: how many ids make a document (default 2048)"),
    "on_error": ("WHAT", "stop, skip or replace: what becomes of a row that is null, not UTF-8, ... (default stop)"),
    "shard_tokens": ("N", "tokens in a shard (default 100000000)"),
    "threads": ("N", "CPU threads; 0: all processors (default)"),
}
# Of docs/data.md, --piped: the length that ends all, with a reason.
_GIVES_UP = 0xFFFFFFFF


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m muonscope prepare",
        allow_abbrev=False,
        description="Turns Parquet, Arrow and data sets of Hugging Face into a folder of token shards, as `muonscope data prepare` does "
        "with text.  docs/data.md has examples.",
    )
    parser.add_argument("paths", nargs="*", metavar="PATH", help="files, folders and patterns of Parquet and Arrow; folders of save_to_disk")
    parser.add_argument("--output", required=True, metavar="DIR", help="the folder to make; it must not exist, or be empty")
    parser.add_argument("--dataset", metavar="NAME", help="a data set that the library datasets loads, in place of PATH")
    parser.add_argument("--config", metavar="NAME", help="its configuration")
    parser.add_argument("--split", metavar="NAME", help="of a folder or data set with several splits")
    parser.add_argument("--field", metavar="COLUMN", help="of texts or lists of ids; a.b is b within a (default: text or input_ids)")
    parser.add_argument("--packed", action="store_true", help="rows of ids are cut anywhere: only the token between documents ends one")
    parser.add_argument("--validation", metavar="PATH", help="all of it is the val split, and all else the train split")
    parser.add_argument("--validation_split", metavar="NAME", help="the same with another split of the data set or folder")
    for name, (argument, text) in _PASSED_ON.items():
        parser.add_argument(f"--{name}", metavar=argument, help=text)
    return parser


def _say(line: str) -> None:
    print(f"prepare: {line}", file=sys.stderr)


def _find(arguments: argparse.Namespace, split: Optional[str]) -> List[Input]:
    if arguments.dataset:
        return from_datasets(arguments.dataset, arguments.config, split)
    return [source for path in arguments.paths for source in from_path(path, split, _say)]


def _validation(arguments: argparse.Namespace) -> "tuple[Optional[str], List[Input]]":
    """Its name, and what it is of; None: the program draws the split."""
    if arguments.validation:
        return arguments.validation, from_path(arguments.validation, None, _say)
    if not arguments.validation_split:
        return None, []
    of = arguments.dataset or " ".join(arguments.paths)
    return f"{of} ({arguments.validation_split})", _find(arguments, arguments.validation_split)


class _Pipe:
    """Pieces for `muonscope data prepare --piped`, in the order of its files."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def add(self, piece: bytes) -> None:
        if piece:
            self._stream.write(struct.pack("<I", len(piece)) + piece)

    def end_file(self) -> None:
        self._stream.write(struct.pack("<I", 0))

    def give_up(self, reason: str) -> None:
        text = reason.encode("utf-8", "replace")[:900].decode("utf-8", "ignore").encode()
        self._stream.write(struct.pack("<II", _GIVES_UP, len(text)) + text)


def _write(pipe: _Pipe, files: "List[List[Input]]", records: Callable[[Input], Iterator[bytes]]) -> None:
    try:
        for inputs in files:
            for source in inputs:
                for piece in records(source):
                    pipe.add(piece)
            pipe.end_file()
    except BrokenPipeError:
        raise
    except Exception as error:
        pipe.give_up(str(error) if isinstance(error, Error) else f"{type(error).__name__}: {error}")


def _run(command: List[str], files: "List[List[Input]]", records: Callable[[Input], Iterator[bytes]]) -> int:
    """The program's exit status.  It says itself what is wrong, and leaves nothing half-written, whichever of the two stops."""
    process = subprocess.Popen(command, stdin=subprocess.PIPE)
    assert process.stdin is not None
    # The program ends by it in its own way; the pipe then breaks, or Python waits for the program below.
    before = signal.signal(signal.SIGTERM, lambda number, frame: process.send_signal(number))
    try:
        with process.stdin as stream:
            _write(_Pipe(stream), files, records)
    except (BrokenPipeError, KeyboardInterrupt):
        pass  # the program has ended, or got Ctrl-C too
    status = process.wait()
    signal.signal(signal.SIGTERM, before)
    return 128 - status if status < 0 else status


def main(words: List[str]) -> int:
    """The exit status."""
    parser = _parser()
    arguments = parser.parse_args(words)
    try:
        import pyarrow  # noqa: F401
    except ImportError as error:
        raise ImportError("prepare needs pyarrow: pip install 'muonscope[data]', or pip install pyarrow") from error
    if bool(arguments.paths) == bool(arguments.dataset):
        parser.error("give PATH..., or --dataset NAME")
    if arguments.config and not arguments.dataset:
        parser.error("--config belongs to --dataset")
    if arguments.validation and arguments.validation_split:
        parser.error("--validation and --validation_split name two val splits: give one of them")
    inputs = _find(arguments, arguments.split)
    validation_name, validation = _validation(arguments)
    field = choose_field(inputs, arguments.field)
    is_ids = holds_ids(inputs + validation, field)
    if arguments.packed and not is_ids:
        raise Error(f"--packed is for lists of token ids: the column {field} of {inputs[0].name} has texts")
    formats = {False: "jsonl", True: "uint32" if arguments.packed else "ids"}
    command = [program(), "data", "prepare", "--piped", f"--output={path_argument(arguments.output)}", f"--format={formats[is_ids]}"]
    if not arguments.packed:
        command.append(f"--field={field}")
    if validation_name is not None:
        command.append(f"--validation={validation_name}")
    passed: Dict[str, Optional[str]] = {name: getattr(arguments, name) for name in _PASSED_ON}
    command += [f"--{name}={value}" for name, value in passed.items() if value is not None]
    command += ["--", *(source.name for source in inputs)]
    files = [[source] for source in inputs] + ([validation] if validation else [])
    records = packed_ids if arguments.packed else id_lists if is_ids else texts
    return _run(command, files, lambda source: records(source, field))
