"""Spectra of anybody's own training."""

from __future__ import annotations

import ctypes
import json
import math
import os
import weakref
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Tuple

import numpy as np

from ._library import apart, check, layout_rows, library, structures
from ._hooks import Attached
from ._matrices import Matrix, as_float32, find_matrices, parameters_of
from ._program import StrPath

_ARRAYS = ("weight_before", "weight_after", "momentum", "orthogonal")


def _close(tracker: Any) -> None:
    check(library().ms_tracker_close(tracker))


class Tracker:
    """Records the matrices of a training to a folder that `muonscope plot`, `report`, `compare` and `export csv` read.

        with muonscope.Tracker(model, "runs/mine", every=100, tokens_per_step=16384) as tracker:
            for batch in data:
                ...
                tracker.before_step()
                optimizer.step()
                tracker.after_step(loss=loss.item(), lr=optimizer.param_groups[0]["lr"])

    Or once, before the training: `tracker.attach(optimizer)`.

    Before the first step, and at every step whose number is a multiple of `every`, the matrices are copied, as f32; a thread of the
    library computes their spectra while training goes on.  What the tracker cannot know (momentum, gradients, bounds) is null.

    model: what has named_parameters(), or a mapping of names to arrays, whose elements change in place.
    path: a folder that is not there yet, or empty.
    tokens_per_step: what a step reads; the x of plots and comparisons.
    matrices: {parameter's name: (layer, projection)}; else all whose names are known (docs/analyze.md), fused ones split by `heads`,
        `kv_heads` and `head_size`, or what model.config says of them.
    seed, config: what `compare` groups and pairs runs by, e.g. config={"optimizer.name": "adamw"}: keys of muonscope's configuration.
    threads, slots: that compute; snapshots that may wait.  when_behind: "wait" for a free slot, or "skip" the snapshot (`n_skipped`).

    Errors of the background thread are raised by the next call; NaN in a weight is one.  One thread may use a tracker."""

    def __init__(
        self,
        model: Any,
        path: StrPath,
        *,
        every: int,
        tokens_per_step: int,
        matrices: Optional[Mapping[str, Tuple[int, str]]] = None,
        heads: Optional[int] = None,
        kv_heads: Optional[int] = None,
        head_size: Optional[int] = None,
        seed: int = 1,
        config: Optional[Mapping[str, Any]] = None,
        threads: int = 1,
        slots: int = 2,
        when_behind: str = "wait",
    ) -> None:
        for name, value in (("every", every), ("tokens_per_step", tokens_per_step), ("threads", threads), ("slots", slots)):
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"Tracker: {name} is {value!r}, must be a whole number, at least 1")
        names = list((ctypes.c_char_p * 2).in_dll(library(), "ms_when_behind_names"))
        if when_behind.encode() not in names:
            raise ValueError(f"Tracker: when_behind is {when_behind!r}, must be wait or skip")
        self.matrices: List[Matrix] = find_matrices(model, matrices, heads, kv_heads, head_size)
        self.step = 0
        self._begun = 0  # the step that before_step() was called for
        self._skipped = 0  # of the closed tracker
        self.model, self._every, self._tokens_per_step = model, every, tokens_per_step
        self._folder = Path(path)
        self._config: Dict[str, Any] = {**(config or {}), "train.seed": seed, "tracker.every": every}
        self._slot: Any = None
        self._attached: Optional[Attached] = None
        if self._folder.exists() and (not self._folder.is_dir() or any(self._folder.iterdir())):
            raise FileExistsError(f"{os.fspath(path)} is there and not an empty folder: choose another one")
        self._folder.mkdir(parents=True, exist_ok=True)
        self._write_config()
        self._metrics = open(self._folder / "metrics.jsonl", "w", encoding="utf-8", buffering=1)
        self._handle = self._create(threads, slots, names.index(when_behind.encode()))
        self._finalize = weakref.finalize(self, _close, self._handle)
        self._acquire()
        if self._slot is not None:
            self._slot.has_update = False
            self._copy("weight_after")
            self._submit()

    def _create(self, threads: int, slots: int, when_behind: int) -> Any:
        n = len(self.matrices)
        tracked = (structures()["ms_tracked_matrix"] * n)()
        texts = [ctypes.c_char_p(matrix.projection.encode()) for matrix in self.matrices]
        for here, matrix, text in zip(tracked, self.matrices, texts):
            here.projection = ctypes.cast(text, ctypes.c_void_p)
            here.layer, here.rows, here.cols = matrix.layer, matrix.rows, matrix.cols
        path = ctypes.c_char_p(os.fsencode(self._folder / "spectra.jsonl"))
        options = structures()["ms_tracker_options"](
            path=ctypes.cast(path, ctypes.c_void_p),
            matrices=ctypes.addressof(tracked),
            n_matrices=n,
            n_slots=slots,
            n_threads=threads,
            when_behind=when_behind,
            resume_after_step=-1,
        )
        handle = ctypes.c_void_p()

        def create() -> None:
            check(library().ms_blas_prepare())
            check(library().ms_blas_reserve(min(threads + 1, 32)))  # and one for spectrum()
            check(library().ms_tracker_create(ctypes.byref(options), ctypes.byref(handle)))

        apart(create)
        return handle

    def _write_config(self) -> None:
        sections: Dict[str, List[str]] = {}
        for key, value in {**self._config, "train.steps": self.step}.items():
            section, _, name = key.partition(".")
            sections.setdefault(section, []).append(f"  {name}: {json.dumps(value)}\n")
        text = "# Made by muonscope.Tracker beside a training of another program: a key that is not here is not known.\n"
        text += "".join(f"{section}:\n{''.join(lines)}" for section, lines in sections.items())
        (self._folder / "config.yaml").write_text(text, encoding="utf-8")

    def _acquire(self) -> None:
        slot = ctypes.c_void_p()
        check(library().ms_tracker_acquire(self._handle, ctypes.byref(slot)))
        if not slot:
            return  # skipped
        self._slot = structures()["ms_tracker_slot"].from_address(slot.value)
        n = len(self.matrices)
        for structure, member, type_, _, _ in layout_rows():
            if structure == "ms_tracker_slot" and type_ == "P" and member not in _ARRAYS:
                np.ctypeslib.as_array(ctypes.cast(getattr(self._slot, member), ctypes.POINTER(ctypes.c_double)), (n,))[:] = math.nan

    def _copy(self, member: str) -> None:
        to = ctypes.cast(getattr(self._slot, member), ctypes.POINTER(ctypes.c_void_p))
        parameters, name, array = parameters_of(self.model), None, None
        for i, matrix in enumerate(self.matrices):
            if matrix.parameter != name:
                name = matrix.parameter
                array = as_float32(parameters[name], name)
                if tuple(array.shape) != tuple(matrix.shape):
                    raise ValueError(f"Tracker: {name} is {array.shape} now, and was {tuple(matrix.shape)} when the tracker was made")
            library().ms_part_copy(ctypes.byref(matrix.part), ctypes.c_void_p(array.ctypes.data), ctypes.c_size_t(4), ctypes.c_void_p(to[i]))

    def _submit(self) -> None:
        slot, self._slot = self._slot, None
        step, tokens = ctypes.c_int64(self.step), ctypes.c_int64(self.step * self._tokens_per_step)
        check(library().ms_tracker_submit(self._handle, ctypes.byref(slot), step, tokens))

    def before_step(self) -> None:
        """Call before the optimizer changes the weights: copies them where the coming step is recorded."""
        self._check_open()
        self._begun = self.step + 1
        if (self.step + 1) % self._every == 0 and self._slot is None:
            self._acquire()
            if self._slot is not None:
                self._copy("weight_before")

    def after_step(self, *, loss: Optional[float] = None, lr: Optional[float] = None, decay_share: Optional[float] = None) -> None:
        """Call after it: counts the step, and copies the weights where it is recorded.

        loss, lr: of the step, for metrics.jsonl; plots and reports want the loss, `compare` both.
        decay_share: the share of the weights that decoupled decay took away (lr times weight decay; 0: none); without it the spectrum
        of the update without its decay is null."""
        self._check_open()
        if (self.step + 1) % self._every == 0 and self._begun != self.step + 1:
            raise RuntimeError(f"Tracker: step {self.step + 1} is recorded: before_step() must be called before the weights change")
        self.step += 1
        if loss is not None:
            line = {"step": self.step, "tokens": self.step * self._tokens_per_step}
            line.update((key, float(value) if math.isfinite(value) else None) for key, value in (("loss", loss), ("lr", lr)) if value is not None)
            self._metrics.write(json.dumps(line) + "\n")
        if self._slot is not None:
            if decay_share is not None:
                self._slot.decay_share = decay_share
            self._copy("weight_after")
            self._submit()

    def attach(self, *optimizers: Any) -> "Tracker":
        """Calls before_step() and after_step() around the step of an optimizer of PyTorch, by its hooks, until the tracker is closed.

        A step is one of each optimizer, where there are several (e.g. Muon for matrices and AdamW for the rest); set_loss() comes before
        it then, since a GradScaler may leave the step of one out.  `lr` is that of the first group of the first; decay_share that of the
        tracked parameters, where it is decoupled and the same for all.  A step that no optimizer took is not counted.  Returns the tracker.
        TypeError: no such hooks; RuntimeError: attached already."""
        self._check_open()
        if self._attached is not None:
            raise RuntimeError("Tracker: it is attached already; name all optimizers in one attach()")
        self._attached = Attached(self, optimizers)
        return self

    def set_loss(self, loss: Optional[float]) -> None:
        """The loss of the coming step of the attached optimizers, or None: it is not known.  Call it before optimizer.step(), of several
        before the first of them; a step that one of them left out ends here."""
        if self._attached is None:
            raise RuntimeError("Tracker: set_loss() is for attach(); after_step() takes the loss")
        self._attached.set_loss(loss)

    @property
    def is_recorded(self) -> bool:
        """Between before_step() and after_step(): whether this step's matrices are recorded."""
        return self._slot is not None

    @property
    def n_skipped(self) -> int:
        """Snapshots that were not taken because the tracker was behind (when_behind="skip")."""
        if not self._finalize.alive:
            return self._skipped
        count = library().ms_tracker_n_skipped
        count.restype = ctypes.c_int64
        return count(self._handle)

    def _check_open(self) -> None:
        if not self._finalize.alive:
            raise RuntimeError("Tracker: it is closed")

    def close(self) -> None:
        """Waits until every snapshot is in the file, and closes it.  At the end of a program without it the file is completed all
        the same, but config.yaml says 0 steps."""
        if not self._finalize.alive:
            return
        if self._attached is not None:
            self._attached.remove()
        self._metrics.close()
        self._write_config()
        self._skipped = self.n_skipped
        self._finalize()

    def __enter__(self) -> "Tracker":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
