"""What all optimizers have in common: parameters that are changed in place, block by block, and a state to resume from.

Chapter: book/training/optimizers.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import inf, isfinite
from typing import Any, ClassVar, NamedTuple

import numpy as np

from dlcourse.learning._flat import aligned, runs
from dlcourse.neurons._arrays import FloatArrays
from dlcourse.training._schedules import Schedule, as_schedule, expect_rate

BLOCK = 49_152
"""Numbers updated at once: small enough that a block and its moments stay in the cache from one line to the next."""

_SWEEP = 64  # steps between two looks for moments that are too small to matter


class Block(NamedTuple):
    """Views of one stretch of a network's numbers, all of one length."""

    x: np.ndarray[Any, Any]
    """The parameters."""
    g: np.ndarray[Any, Any]
    """Their gradient; read only."""
    s: np.ndarray[Any, Any]
    """Room for what is computed on the way."""
    moments: tuple[np.ndarray[Any, Any], ...]
    """What the optimizer remembers of earlier gradients."""


class Optimizer:
    """Changes parameters in place, gradient after gradient; what all optimizers have in common.

    Parameters that lie in one buffer without gaps are updated in one pass (:func:`dlcourse.learning._flat.runs`).

    Args:
        parameters: contiguous arrays, all float32 or all float64.
        rate: one number, or a schedule that gives the rate of each step.
        weight_decay: how much of each parameter is added to its gradient; 0 for none.

    Attributes:
        parameters: as given.
        schedule: gives the rate of each step.
        steps: how many have been taken.

    Raises:
        TypeError: if the parameters are no floating-point arrays of one dtype.
        ValueError: if there are none, one comes twice, or a setting is out of its range.
    """

    MOMENTS: ClassVar[tuple[str, ...]] = ()
    """Names of the arrays that the optimizer keeps, each as long as all parameters together."""
    DECOUPLED: ClassVar[bool] = False
    """Whether weight decay shrinks the parameters themselves, as in AdamW."""

    def __init__(self, parameters: FloatArrays, rate: float | Schedule, weight_decay: float = 0.0):
        self.parameters = tuple(parameters)
        _expect_parameters(type(self).__name__, self.parameters)
        expect_in(type(self).__name__, 0.0, None, weight_decay=weight_decay)
        self.schedule = as_schedule(rate)
        self.weight_decay = weight_decay
        self.steps = 0
        self._runs = runs(self.parameters)
        count, dtype = sum(run.size for run in self._runs), self._runs[0].dtype
        self._moments = {name: aligned(count, dtype) for name in self.MOMENTS}
        self._scratch = aligned((2, min(BLOCK, count)), dtype)
        self._known: tuple[FloatArrays, list[Block]] | None = None

    @property
    def rate(self) -> float:
        """The rate of the next step."""
        rate = self.schedule(self.steps)
        if not 0 <= rate < inf:
            expect_rate(f"step {self.steps} of {type(self).__name__}", rate)
        return rate

    def step(self, gradients: FloatArrays) -> None:
        """Change the parameters in place.

        Args:
            gradients: one a parameter, in the same order and of the same shape and dtype; they stay as they are.

        Raises:
            ValueError: if the gradients do not fit the parameters.
        """
        rate = self.rate
        blocks = self._blocks(gradients)
        self.steps += 1
        self._update(self._decayed(blocks, rate) if self.weight_decay else blocks, rate)
        if self.steps % _SWEEP == 0:
            self._sweep()

    def state(self) -> dict[str, Any]:
        """Return copies of all that changes from step to step: plain arrays and numbers, for a checkpoint.

        The parameters are not among it: they belong to the network.
        """
        return {"steps": self.steps} | {name: array.copy() for name, array in self._moments.items()}

    def load(self, state: dict[str, Any]) -> None:
        """Continue from a state: the next steps are then the same, bit for bit.

        Args:
            state: from :meth:`state` of an optimizer of the same kind, for parameters of the same shapes.

        Raises:
            ValueError: if it is the state of another kind of optimizer, or of another network.
        """
        names = {"steps", *self._moments}
        if set(state) != names:
            raise ValueError(
                f"{type(self).__name__} expects a state of {sorted(names)}, got {sorted(state)}: "
                "build the same optimizer that wrote it"
            )
        for name, array in self._moments.items():
            if np.shape(state[name]) != array.shape or np.asarray(state[name]).dtype != array.dtype:
                raise ValueError(
                    f"{type(self).__name__} expects {name} of shape {array.shape} and {array.dtype}, got "
                    f"{np.shape(state[name])} and {np.asarray(state[name]).dtype}: "
                    "build the same network that the state was written for"
                )
        self.steps = int(state["steps"])
        for name, array in self._moments.items():
            array[:] = state[name]

    def _sweep(self) -> None:
        """Set moments to 0 that would soon be subnormal: the processor takes a hundred times as long for such a number.

        Where the gradient stays 0 (a dead unit, a pixel without ink) a moment shrinks with each step, to the smallest
        number there is, and never reaches 0 by itself. One such number in a hundred makes Adam take twice as long.
        """
        room = self._scratch[0]
        for array in self._moments.values():
            least = 1000 * np.finfo(array.dtype).tiny
            for i in range(0, array.size, room.size):
                block = array[i : i + room.size]
                block *= np.abs(block, out=room[: block.size]) >= least

    def _update(self, blocks: Iterable[Block], rate: float) -> None:
        raise NotImplementedError(f"{type(self).__name__} must say how it updates a block")

    def _decayed(self, blocks: list[Block], rate: float) -> Iterable[Block]:
        """Apply weight decay: to the parameters if it is decoupled, else to a copy of their gradient."""
        for block in blocks:
            if self.DECOUPLED:
                np.multiply(block.x, 1 - rate * self.weight_decay, out=block.x)
                yield block
            else:
                g = self._scratch[1, : block.x.size]
                np.multiply(block.x, self.weight_decay, out=g)
                g += block.g
                yield block._replace(g=g)

    def _blocks(self, gradients: FloatArrays) -> list[Block]:
        """Pair parameters, gradients and moments, block by block."""
        if self._known is not None and (
            gradients is self._known[0] or _same_arrays(self._known[0], gradients)
        ):
            return self._known[1]
        _expect_gradients(type(self).__name__, gradients, self.parameters)
        contiguous = [np.ascontiguousarray(g) for g in gradients]
        xs, gs = self._runs, runs(contiguous)
        if [x.size for x in xs] != [g.size for g in gs]:
            xs, gs = ([a.reshape(-1) for a in arrays] for arrays in (self.parameters, contiguous))
        blocks, start, size = [], 0, self._scratch.shape[1]
        for x, g in zip(xs, gs, strict=True):
            for i in range(0, x.size, size):
                n = min(size, x.size - i)
                here = slice(start + i, start + i + n)
                moments = tuple(array[here] for array in self._moments.values())
                blocks.append(Block(x[i : i + n], g[i : i + n], self._scratch[0, :n], moments))
            start += x.size
        # Gradients that are written into the same arrays at each step need this only once.
        if _same_arrays(contiguous, gradients):
            self._known = (tuple(gradients), blocks)
        return blocks


def _same_arrays(left: FloatArrays, right: FloatArrays) -> bool:
    return len(left) == len(right) and all(a is b for a, b in zip(left, right, strict=True))


def _expect_parameters(optimizer: str, parameters: tuple[Any, ...]) -> None:
    """Refuse what cannot be changed in place, or would be changed twice."""
    if not parameters:
        raise ValueError(f"{optimizer} expects at least one parameter, got none: pass model.parameters")
    kinds = {str(getattr(p, "dtype", type(p).__name__)) for p in parameters}
    if len(kinds) > 1 or not isinstance(parameters[0], np.ndarray) or parameters[0].dtype.kind != "f":
        raise TypeError(
            f"{optimizer} expects parameters as floating-point arrays of one dtype, got {', '.join(sorted(kinds))}: "
            "pass a list of arrays, all of them p.astype(np.float32) or all of them p.astype(np.float64)"
        )
    if len({id(p) for p in parameters}) < len(parameters):
        raise ValueError(
            f"{optimizer} expects each parameter once, got one array twice: it would move twice a step"
        )
    if not all(p.flags.writeable for p in parameters):
        raise ValueError(f"{optimizer} changes parameters in place, got one that is read-only: pass p.copy()")


def _expect_gradients(optimizer: str, gradients: FloatArrays, parameters: FloatArrays) -> None:
    """Refuse gradients of other shapes or another dtype: NumPy would stretch or convert them silently."""
    if len(gradients) != len(parameters):
        raise ValueError(
            f"{optimizer}.step expects {len(parameters)} gradients, one a parameter, got {len(gradients)}: "
            "pass them in the order of the parameters"
        )
    for i, (g, p) in enumerate(zip(gradients, parameters, strict=True)):
        if np.shape(g) != p.shape or getattr(g, "dtype", None) != p.dtype:
            raise ValueError(
                f"{optimizer}.step expects gradient {i} of shape {p.shape} and {p.dtype}, got {np.shape(g)} and "
                f"{getattr(g, 'dtype', type(g).__name__)}: a gradient has the shape and dtype of its parameter"
            )


def expect_in(optimizer: str, lowest: float, limit: float | None, **settings: float) -> None:
    """Refuse a setting out of its range, given by name."""
    for name, value in settings.items():
        if not (isfinite(value) and lowest <= value and (limit is None or value < limit)):
            upper = "" if limit is None else f" and below {limit}"
            raise ValueError(f"{optimizer} expects {name} of at least {lowest}{upper}, got {value}")
