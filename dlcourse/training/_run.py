"""What belongs to a training run beside the network, and how all of it goes into a checkpoint and comes back.

A run goes on bit for bit only if nothing is forgotten: the parameters, what the optimizer and the network remember, the
state of the generator that draws the order, the history, and the best state so far. It goes on only where it began: with
the same data, the same kind of optimizer and the same batches. Chapter: book/training/evaluation.md.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np

from dlcourse.learning._trainable import Trainable
from dlcourse.neurons._arrays import Array
from dlcourse.training import _checkpoint


@dataclass
class History:
    """How a training run went.

    Attributes:
        steps: loss of each batch, before its step.
        loss: mean of these a sample, one an epoch.
        validation_loss: loss on the validation set after each epoch; empty without one.
        accuracy: share of the validation set that was classified rightly after each epoch; empty for values.
        best: number of the epoch with the smallest validation loss, from 1; 0 if there is none.
        stopped: whether it ended early, because ``patience`` epochs brought nothing better.
    """

    steps: list[float] = field(default_factory=list)
    loss: list[float] = field(default_factory=list)
    validation_loss: list[float] = field(default_factory=list)
    accuracy: list[float] = field(default_factory=list)
    best: int = 0
    stopped: bool = False

    @property
    def epochs(self) -> int:
        """How many epochs are complete."""
        return len(self.loss)


@runtime_checkable
class Stepping(Protocol):
    """What the loop needs of an optimizer: :class:`dlcourse.training.optimizers.Optimizer` is one."""

    parameters: tuple[Array, ...]

    @property
    def rate(self) -> float:
        """The rate of the next step."""
        ...

    def step(self, gradients: Any) -> None:
        """Change the parameters in place."""
        ...

    def state(self) -> dict[str, Any]:
        """Return what changes from step to step."""
        ...

    def load(self, state: dict[str, Any]) -> None:
        """Continue from a state."""
        ...


def snapshot(model: Trainable) -> dict[str, Array]:
    """Copy all of a model that training changes."""
    copies = {f"parameter {i}": p.copy() for i, p in enumerate(model.parameters)}
    if hasattr(model, "state"):
        copies |= {f"model {name}": np.array(value) for name, value in model.state().items()}
    return copies


def restore(model: Trainable, copies: dict[str, Array]) -> None:
    """Bring a model into the state in which it was copied."""
    if hasattr(model, "load"):
        model.load(_named(copies, "model "))
    for i, parameter in enumerate(model.parameters):
        parameter[...] = copies[f"parameter {i}"]


def describe(
    model: Trainable,
    x: Array,
    y: Array,
    optimizer: Stepping,
    batch: int,
    rng: np.random.Generator,
    validation: tuple[Array, Array] | None,
) -> dict[str, Any]:
    """Describe what must be the same where a run goes on, in words for the error message."""
    return {
        "network": ", ".join(f"{p.dtype} {p.shape}" for p in model.parameters),
        "optimizer": type(optimizer).__name__,
        "generator": type(rng.bit_generator).__name__,
        "batch": batch,
        "training set": _digest(x, y),
        "validation set": "none" if validation is None else _digest(*validation),
    }


def _digest(x: Array, y: Array) -> str:
    """Tell sets apart by what is in them, without keeping it."""
    digest = hashlib.blake2b(digest_size=8)
    for array in (x, y):
        digest.update(f"{array.dtype} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return f"{len(x)} samples ({digest.hexdigest()})"


def save(
    path: str | os.PathLike[str],
    run: dict[str, Any],
    model: Trainable,
    optimizer: Stepping,
    rng: np.random.Generator,
    history: History,
    best: dict[str, Array],
) -> None:
    """Write everything into a checkpoint."""
    arrays = snapshot(model) | {f"best {name}": copy for name, copy in best.items()}
    arrays |= {f"optimizer {name}": np.asarray(value) for name, value in optimizer.state().items()}
    about = {"run": run, "rng": rng.bit_generator.state, "history": asdict(history)}
    _checkpoint.save(path, arrays, about)


def load(
    path: str | os.PathLike[str],
    run: dict[str, Any],
    model: Trainable,
    optimizer: Stepping,
    rng: np.random.Generator,
) -> tuple[History, dict[str, Array]]:
    """Bring everything into the state of a checkpoint, and return the history and the best state of the model."""
    arrays, about = _checkpoint.read(path)
    for what, here in run.items():
        there = about["run"].get(what)
        if there != here:
            raise ValueError(
                f"the checkpoint {path} is of another run: its {what} is {there}, here it is {here}; "
                "give fit what that run had, or start a new run without resume=True"
            )
    # The optimizer refuses a state that does not fit; only then is anything changed.
    optimizer.load(_named(arrays, "optimizer "))
    restore(model, arrays)
    rng.bit_generator.state = about["rng"]
    best = {name.removeprefix("best "): array for name, array in arrays.items() if name.startswith("best ")}
    return History(**about["history"]), best


def _named(arrays: dict[str, Array], prefix: str) -> dict[str, Any]:
    """Select arrays by the beginning of their names; those of one number become that number."""
    chosen = {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
    return {name: array if array.ndim else array.item() for name, array in chosen.items()}
