"""The files of a run as tables of pandas."""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, NamedTuple

from ._program import StrPath, error_of, path_argument, run_program

if TYPE_CHECKING:
    import pandas


class Run(NamedTuple):
    """A run's tables, with the columns of `muonscope export csv` (docs/export.md); one without a row is empty, without columns."""

    config: Dict[str, Any]  # every key of its configuration
    metrics: "pandas.DataFrame"  # a row a step or validation: the table `losses`
    spectra: "pandas.DataFrame"  # a row a step, layer and projection
    probes: "pandas.DataFrame"  # a row a step and layer


# Which table of `export csv` each is, and the file it is made of.
_TABLES = {"metrics": ("losses", "metrics.jsonl"), "spectra": ("spectra", "spectra.jsonl"), "probes": ("probes", "probes.jsonl")}


def read_run(path: StrPath) -> Run:
    """Reads a run's folder, also while it trains.  Needs pandas.  Numbers are to the bit those of the files.

    What is cut or out of order in the files is left out, with a warning.  muonscope.Error: no run; ImportError: no pandas."""
    try:
        import pandas
    except ImportError as error:
        raise ImportError("muonscope.read_run needs pandas: pip install pandas") from error
    folder = Path(path)
    wanted = {name: table for name, (table, file) in _TABLES.items() if (folder / file).exists() and (folder / file).stat().st_size > 0}
    with tempfile.TemporaryDirectory(prefix="muonscope-") as scratch:
        options = [f"--table={table}" for table in ("runs", *wanted.values())]
        done = run_program("export", "csv", path_argument(path), f"--out={scratch}/csv", *options)
        if done.returncode != 0:
            raise error_of(done)
        if done.stderr.strip():
            warnings.warn(done.stderr.strip(), stacklevel=2)
        # Text is text: a run may be called NA.
        read = {
            table: pandas.read_csv(
                f"{scratch}/csv/{table}.csv", float_precision="round_trip", dtype={"run": str}, keep_default_na=False, na_values=[""]
            )
            for table in ("runs", *wanted.values())
        }
    config = {key: value for key, value in read["runs"].iloc[0].to_dict().items() if key not in ("run", "seed")}
    return Run(config=config, **{name: read[wanted[name]] if name in wanted else pandas.DataFrame() for name in _TABLES})
