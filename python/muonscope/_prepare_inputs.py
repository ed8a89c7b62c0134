"""Where `python -m muonscope prepare` reads: files and folders of Parquet and Arrow, and the library `datasets`."""

from __future__ import annotations

import glob
import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterator, List, NamedTuple, Optional

from ._library import Error

if TYPE_CHECKING:
    import pyarrow

# Rows that are held at a time.
ROWS = 1000
# How the last message of an Arrow stream looks: datasets always writes it.
_END_OF_STREAM = b"\xff\xff\xff\xff\0\0\0\0"
# Names of splits in names of files, as `datasets` takes them.
_SPLIT_WORDS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "dev", "val"),
    "test": ("test", "testing", "eval", "evaluation"),
}


class Input(NamedTuple):
    """One table, usually a file."""

    name: str  # in messages and in dataset.json
    schema: "pyarrow.Schema"
    # Its rows in order, a few at a time, of the column with this name or path alone, or with others beside it.
    batches: Callable[[str], Iterator["pyarrow.RecordBatch"]]


def _reason(error: BaseException) -> str:
    """The first line of a message of pyarrow or datasets."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else 'no message'}"


# ---- files ----


def _parquet(path: Path) -> Input:
    import pyarrow
    import pyarrow.parquet

    # Column chunks are read through a buffer, so that memory does not grow with a row group.
    def open_file() -> Any:
        return pyarrow.parquet.ParquetFile(path, buffer_size=1 << 20, pre_buffer=False)

    def batches(column: str) -> Iterator["pyarrow.RecordBatch"]:
        try:
            with open_file() as file:
                n_rows = 0
                for batch in file.iter_batches(batch_size=ROWS, columns=[column]):
                    n_rows += batch.num_rows
                    yield batch
                if n_rows != file.metadata.num_rows:
                    raise Error(f"{path}: {n_rows} rows were read of the {file.metadata.num_rows} that it says it has")
        except (OSError, pyarrow.ArrowException) as error:
            raise Error(f"{path}: damaged or truncated Parquet: {_reason(error)}") from error

    try:
        with open_file() as file:
            return Input(str(path), file.schema_arrow, batches)
    except (OSError, pyarrow.ArrowException) as error:
        raise Error(f"{path}: damaged or truncated Parquet: {_reason(error)}") from error


def _read_stream(path: Path, file: Any) -> Iterator["pyarrow.RecordBatch"]:
    """The batches of an Arrow stream.  One that ends between two batches looks whole to pyarrow, so its last bytes are looked at, and
    where the reader stopped."""
    import pyarrow.ipc

    file.seek(max(0, file.size() - len(_END_OF_STREAM)))
    if file.read() != _END_OF_STREAM:
        raise Error(f"{path}: truncated: the mark at the end of an Arrow stream is missing")
    file.seek(0)
    yield from pyarrow.ipc.open_stream(file)
    if file.tell() != file.size():
        raise Error(f"{path}: damaged: its Arrow stream ends at byte {file.tell()} of {file.size()}")


def _arrow(path: Path, is_stream: bool) -> Input:
    import pyarrow
    import pyarrow.ipc

    def batches(column: str) -> Iterator["pyarrow.RecordBatch"]:
        try:
            with pyarrow.memory_map(str(path)) as file:
                if is_stream:
                    whole = _read_stream(path, file)
                else:
                    reader = pyarrow.ipc.open_file(file)
                    whole = (reader.get_batch(i) for i in range(reader.num_record_batches))
                for batch in whole:
                    for start in range(0, batch.num_rows, ROWS):
                        yield batch.slice(start, ROWS)
        except (OSError, pyarrow.ArrowException) as error:
            raise Error(f"{path}: damaged or truncated Arrow: {_reason(error)}") from error

    try:
        with pyarrow.memory_map(str(path)) as file:
            schema = (pyarrow.ipc.open_stream(file) if is_stream else pyarrow.ipc.open_file(file)).schema
    except (OSError, pyarrow.ArrowException) as error:
        raise Error(f"{path}: damaged or truncated Arrow: {_reason(error)}") from error
    return Input(str(path), schema, batches)


def _is_table(path: Path) -> bool:
    """By the name or by the first bytes: Parquet or Arrow."""
    return path.suffix in (".parquet", ".arrow", ".feather") or _magic(path)[:4] in (b"PAR1", b"ARRO", b"\xff\xff\xff\xff")


def _magic(path: Path) -> bytes:
    if path.exists() and not path.is_file():
        raise Error(f"{path} is no file")
    try:
        with open(path, "rb") as file:
            return file.read(6)
    except OSError as error:
        raise Error(f"cannot read {path}: {error.strerror}") from error


def _file(path: Path) -> Input:
    magic = _magic(path)
    if magic[:4] == b"PAR1":
        return _parquet(path)
    if magic == b"ARROW1" or magic[:4] == b"\xff\xff\xff\xff":
        return _arrow(path, magic != b"ARROW1")
    if not magic:
        raise Error(f"{path} is empty")
    raise Error(f"{path} is neither Parquet nor Arrow; `muonscope data prepare` reads text, JSONL and token ids")


# ---- folders ----


def _read_json(path: Path) -> Any:
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError) as error:
        raise Error(f"{path}: {_reason(error)}") from error


def _saved(folder: Path) -> List[Input]:
    """What save_to_disk of a Dataset wrote."""
    state = _read_json(folder / "state.json")
    files = state.get("_data_files") if isinstance(state, dict) else None
    if files == []:
        raise Error(f"{folder}: its state.json lists no data files: the data set has no rows")
    names = [file.get("filename") for file in files if isinstance(file, dict)] if isinstance(files, list) else []
    if not names or len(names) != len(files) or not all(isinstance(name, str) and Path(name).name == name for name in names):
        raise Error(f"{folder}: its state.json does not list data files in it: it is no folder of save_to_disk")
    if state.get("_indices_data_files"):
        raise Error(f"{folder}: its rows are reordered by a file of indices: load it with datasets and save_to_disk again")
    missing = [name for name in names if not (folder / name).exists()]
    if missing:
        raise Error(f"{folder}: {len(missing)} of the {len(names)} files that its state.json lists are missing: {missing[0]}, ...")
    return [_file(folder / name) for name in names]


def _split_of(relative: Path) -> str:
    """The split that a file's name, or a folder's, says: "train", "validation", "test", or ""."""
    words = re.split(r"[-._ /0-9]+", str(relative))
    return next((split for word in words for split, names in _SPLIT_WORDS.items() if word in names), "")


def choose_split(where: str, found: List[str], wanted: Optional[str]) -> str:
    """The one that is wanted, or the only one."""
    if wanted is None and len(found) == 1:
        return found[0]
    if wanted is None:
        raise Error(f"{where} has several splits: --split NAME takes one of {', '.join(found)}, --validation_split another")
    if wanted not in found:
        raise Error(f"{where} has no split {wanted}; there are {', '.join(found)}")
    return wanted


def _tables_below(folder: Path) -> "tuple[List[Path], List[Path]]":
    """Files of Parquet and Arrow, and all others, in the order of `muonscope data prepare`; names with a dot first are left out."""
    tables: List[Path] = []
    others: List[Path] = []
    for name in sorted(os.listdir(folder), key=os.fsencode):
        path = folder / name
        if name.startswith("."):
            continue
        if path.is_dir():
            if not path.is_symlink():
                below = _tables_below(path)
                tables += below[0]
                others += below[1]
        else:
            (tables if _is_table(path) else others).append(path)
    return tables, others


def _folder(folder: Path, split: Optional[str], say: Callable[[str], None]) -> List[Input]:
    if (folder / "dataset_dict.json").exists():
        names = _read_json(folder / "dataset_dict.json")
        splits = names.get("splits") if isinstance(names, dict) else None
        if not isinstance(splits, list) or not splits or not all(isinstance(name, str) and Path(name).name == name for name in splits):
            raise Error(f"{folder}: its dataset_dict.json lists no splits")
        chosen = folder / choose_split(str(folder), splits, split)
        if not (chosen / "state.json").exists():
            raise Error(f"{folder}: its dataset_dict.json lists the split {chosen.name}, which is not there")
        return _saved(chosen)
    if (folder / "state.json").exists():
        return _saved(folder)
    tables, others = _tables_below(folder)
    if not tables:
        raise Error(
            f"{folder} is no data set: no file of Parquet or Arrow, no state.json or dataset_dict.json of save_to_disk; "
            "`muonscope data prepare` reads text, JSONL and token ids"
        )
    by_split: Dict[str, List[Path]] = {}
    for table in tables:
        by_split.setdefault(_split_of(table.relative_to(folder)), []).append(table)
    if len(by_split) > 1 or split is not None:
        if "" in by_split and len(by_split) > 1:
            raise Error(
                f"{folder}: {by_split[''][0]} is of no split by its name, others are of {', '.join(s for s in by_split if s)}: "
                "name the files, or a pattern for them"
            )
        tables = by_split[choose_split(str(folder), [name or "(none by name)" for name in by_split], split)]
    if others:
        say(f"{folder}: {len(others)} files that are neither Parquet nor Arrow are left out: {others[0].relative_to(folder)}, ...")
    return [_file(table) for table in tables]


def from_path(path: str, split: Optional[str], say: Callable[[str], None]) -> List[Input]:
    """The tables of a file, a folder or a pattern (*, ?, [...], ** for folders), in the order of their names by byte.  `say` gets a
    line for the user.  muonscope.Error: there is none, or one cannot be read."""
    if os.path.isdir(path):
        return _folder(Path(path), split, say)
    if os.path.lexists(path):
        return [_file(Path(path))]
    if not glob.has_magic(path):
        raise Error(f"{path} is not there; --dataset NAME names a data set of the library datasets")
    found = sorted(glob.glob(path, recursive=True), key=os.fsencode)
    if not found:
        raise Error(f"no file matches {path}")
    return [table for name in found for table in from_path(name, split, say)]


# ---- the library datasets ----


def from_datasets(name: str, config: Optional[str], split: Optional[str]) -> List[Input]:
    """A split of a data set that `datasets` loads: of its Hub, its cache or a folder of files that it knows.  muonscope.Error: it
    cannot, or there are several splits and none is chosen; ImportError: it is not installed."""
    try:
        import datasets
    except ImportError as error:
        raise ImportError("--dataset needs the library datasets: pip install datasets") from error
    where = name if config is None else f"{name}/{config}"
    # What it raises is of many kinds, and of other libraries.
    try:
        if split is None:
            split = choose_split(where, list(datasets.get_dataset_split_names(name, config)), None)
        dataset = datasets.load_dataset(name, config, split=split)
    except Error:
        raise
    except Exception as error:
        raise Error(f"{where}: datasets cannot load it: {_reason(error)}") from error

    def batches(column: str) -> Iterator["pyarrow.RecordBatch"]:
        top = column if column in dataset.column_names else column.split(".")[0]
        for table in dataset.select_columns([top]).with_format("arrow").iter(batch_size=ROWS):
            yield from table.to_batches()

    return [Input(f"{where}/{split}", dataset.features.arrow_schema, batches)]
