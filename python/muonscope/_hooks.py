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
    """Hooks in some optimizers.  One step of the tracker is one step of each of them, in any order.

    An optimizer may leave a step out: a GradScaler does that, for each optimizer by itself, where a gradient is not finite.  Of several
    optimizers only set_loss(), which comes before the steps of all, then tells which steps belong together."""

    def __init__(self, tracker: "Tracker", optimizers: Sequence[Any]) -> None:
        self._tracker, self._optimizers = tracker, optimizers
        self._loss: Optional[float] = None
        self._lr: Optional[float] = None
        self._is_announced = False  # set_loss() was called since the last step
        self._begun: Set[int] = set()
        self._done: Set[int] = set()
        self._shares: Set[Optional[float]] = set()  # that decay took of tracked parameters
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

    def set_loss(self, loss: Optional[float]) -> None:
        self._finish()
        self._loss, self._is_announced = loss, True

    def _before(self, i: int) -> None:
        if i in self._begun:
            raise RuntimeError(f"Tracker: optimizer {i} steps again, and not all that are attached have stepped: call set_loss() before each step")
        if not self._begun:
            if len(self._optimizers) > 1 and not self._is_announced:
                raise RuntimeError(
                    f"Tracker: {len(self._optimizers)} optimizers are attached: call set_loss(), with the loss or None, before they step; "
                    "else nothing tells where a step ends of which one is left out, as a GradScaler does"
                )
            self._is_announced = False
            self._lr = self._optimizers[0].param_groups[0]["lr"]
            self._tracker.before_step()
        self._begun.add(i)

    def _after(self, i: int) -> None:
        self._done.add(i)
        if self._tracker.is_recorded:
            self._shares |= {_decay_of(group, self._optimizers[i]) for group in self._tracked_groups(i)}
        if len(self._done) == len(self._optimizers):
            self._finish()

    def _finish(self) -> None:
        """Ends the step that has begun, if one has; of optimizers that left it out, decay took nothing.  One that failed did not step."""
        if not self._done:
            self._begun = set()
            return
        if self._tracker.is_recorded and any(self._tracked_groups(i) for i in range(len(self._optimizers)) if i not in self._done):
            self._shares.add(0.0)
        decay_share = self._shares.pop() if len(self._shares) == 1 else None
        loss, self._loss = self._loss, None
        self._begun, self._done, self._shares = set(), set(), set()
        self._tracker.after_step(loss=loss, lr=self._lr, decay_share=decay_share)

    def _tracked_groups(self, i: int) -> List[Any]:
        parameters = parameters_of(self._tracker.model)
        tracked = {id(parameters[matrix.parameter]) for matrix in self._tracker.matrices}
        return [group for group in self._optimizers[i].param_groups if any(id(parameter) in tracked for parameter in group["params"])]

    def remove(self) -> None:
        """Ends the last step, too."""
        for handle in self._handles:
            handle.remove()
        self._finish()
