"""Spectra of weight matrices, and the files of muonscope's runs.  docs/python.md has examples."""

from ._library import Error
from ._program import analyze
from ._run import Run, read_run
from ._spectrum import spectrum
from ._tracker import Tracker

__all__ = ["Error", "Run", "Tracker", "analyze", "read_run", "spectrum"]


def __getattr__(name: str) -> str:
    if name == "__version__":
        from ._library import library

        return library().ms_version().decode()
    raise AttributeError(f"module 'muonscope' has no attribute '{name}'")
