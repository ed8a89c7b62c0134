"""Tracker's calls around the steps of optimizers of PyTorch, by the hooks that these have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, List, Optional, Sequence, Set

from ._matrices import parameters_of

if TYPE_CHECKING:
    from ._tracker import Tracker


def _decay_of(group: Any, optimizer: Any) -> Optional[float]:
    """The share that decoupled decay takes of a group's weights; None: it is not decoupled, or not known."""
    decay = group.get("weight_decay")
    if decay == 0:
        return 0.0
    # Since PyTorch 2.7 groups say it themselves.
    is_decoupled = group.get("decoupled_weight_decay", type(optimizer).__name__ in ("AdamW", "Muon"))
    return group["lr"] * decay if is_decoupled and isinstance(decay, (int, float)) else None


class Attached:
    """Hooks in some optimizers.  One step of the tracker is one step of each of them, in any order."""

    def __init__(self, tracker: "Tracker", optimizers: Sequence[Any]) -> None:
        self.loss: Optional[float] = None
        self._tracker, self._optimizers = tracker, optimizers
        self._begun: Set[int] = set()
        self._done: Set[int] = set()
        self._handles: List[Any] = []
        if not optimizers:
            raise TypeError("Tracker.attach: which optimizer?")
        for optimizer in optimizers:
            if not hasattr(optimizer, "register_step_pre_hook"):
                raise TypeError(
                    f"Tracker.attach: a {type(optimizer).__name__} has no register_step_pre_hook, which PyTorch's optimizers have: "
                    "call before_step() and after_step()"
                )
        for i, optimizer in enumerate(optimizers):
            self._handles.append(optimizer.register_step_pre_hook(lambda *_, i=i: self._before(i)))
            self._handles.append(optimizer.register_step_post_hook(lambda *_, i=i: self._after(i)))

    def _before(self, i: int) -> None:
        if i in self._begun:
            raise RuntimeError(f"Tracker: optimizer {i} steps again, and not all that are attached have stepped")
        if not self._begun:
            self._tracker.before_step()
        self._begun.add(i)

    def _after(self, i: int) -> None:
        self._done.add(i)
        if len(self._done) < len(self._optimizers):
            return
        loss, self.loss = self.loss, None
        self._begun, self._done = set(), set()
        self._tracker.after_step(loss=loss, lr=self._optimizers[0].param_groups[0]["lr"], decay_share=self._decay_share())

    def _decay_share(self) -> Optional[float]:
        """That of all tracked parameters; None where it is not one."""
        parameters = parameters_of(self._tracker.model)
        tracked = {id(parameters[matrix.parameter]) for matrix in self._tracker.matrices}
        shares = {
            _decay_of(group, optimizer)
            for optimizer in self._optimizers
            for group in optimizer.param_groups
            if any(id(parameter) in tracked for parameter in group["params"])
        }
        return shares.pop() if len(shares) == 1 else None

    def remove(self) -> None:
        for handle in self._handles:
            handle.remove()
