"""What a check is asked on: inputs that are given or drawn, and what is done with the result.

Nothing here runs anybody's code, and a draw is made only when its seed is known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

Size = str | int


@dataclass(frozen=True)
class Draw:
    """A random input that is not drawn yet.

    Args:
        sample: turns a generator and a shape into values.
        shape: axes by name (``"batch"``) or by length (``3``).
    """

    sample: Callable[[np.random.Generator, tuple[int, ...]], Any]
    shape: tuple[Size, ...]


def normal(*shape: Size, scale: float = 1.0) -> Draw:
    """Declare normally distributed numbers of mean 0 and standard deviation ``scale``."""
    return Draw(lambda rng, size: scale * rng.standard_normal(size), shape)


def uniform(low: float, high: float, *shape: Size) -> Draw:
    """Declare uniform numbers in ``[low, high)``."""
    return Draw(lambda rng, size: rng.uniform(low, high, size), shape)


def integers(low: int, high: int, *shape: Size) -> Draw:
    """Declare whole numbers in ``[low, high)``; one number if no axis is named."""
    return Draw(lambda rng, size: rng.integers(low, high, size) if size else _one(rng, low, high), shape)


def _one(rng: np.random.Generator, low: int, high: int) -> int:
    return int(rng.integers(low, high))


@dataclass(frozen=True)
class Tensor:
    """A torch tensor that is not made yet; see :func:`tensor`."""

    value: Any
    dtype: str


def tensor(value: Any, dtype: str = "float32") -> Tensor:
    """Declare a torch tensor, which is made when the learner's code is called.

    Until then it is plain data, so that a check can be declared, sent and read where torch is not installed.

    Args:
        value: numbers, an array, or a draw.
        dtype: its dtype in torch: ``"float32"``, ``"int64"``, ...
    """
    return Tensor(np.array(value) if isinstance(value, list) else value, dtype)


@dataclass(frozen=True)
class Step:
    """One thing done after the first call: ``call``, ``read``, ``pull``, ``argument`` or ``take``."""

    kind: str
    name: str = ""
    args: tuple[Any, ...] = ()


def call(method: str, *args: Any) -> Step:
    """Declare a call of a method of the object that the first call returned."""
    return Step("call", method, args)


def read(attribute: str) -> Step:
    """Declare a look at an attribute of the object that the first call returned."""
    return Step("read", attribute)


def pull(*gradients: Any) -> Step:
    """Declare a call of the pullback: the second item that the first call returned."""
    return Step("pull", "", gradients)


def argument(index: int) -> Step:
    """Declare a look at an argument of the first call after that call, where the task is to change it in place.

    Args:
        index: which argument, counted from 0.
    """
    return Step("argument", "", (index,))


def take(count: int) -> Step:
    """Declare that the first items of a generator are looked at; no more than these are ever asked for.

    Args:
        count: how many. Another ``take`` behind this one goes on where it stopped.
    """
    return Step("take", "", (count,))


@dataclass(frozen=True)
class Case:
    """One input with nothing left to draw.

    Args:
        args: arguments of the first call, or ``None`` where the name itself is the value.
        then: steps done with the result; if there are any, their results are what is compared.
        raises: name of the exception that is the right answer here, or ``""``.
        through: dotted path of what calls the learner's function, or ``""`` where it is called directly.
    """

    args: tuple[Any, ...] | None
    then: tuple[Step, ...] = ()
    raises: str = ""
    through: str = ""

    def __post_init__(self) -> None:
        count = len(self.args or ())
        for index in self.watched:
            if not 0 <= index < count:
                raise ValueError(
                    f"argument({index}) needs an argument of that number, got {count} arguments: "
                    "count them from 0"
                )

    @property
    def watched(self) -> set[int]:
        """Positions of the arguments that the learner's code is asked to change."""
        return {step.args[0] for step in self.then if step.kind == "argument"}

    @property
    def size(self) -> int:
        """Count the numbers in the input, so that the smallest failing one can be shown."""
        return _count(self.args or ()) + sum(_count(step.args) for step in self.then)

    @property
    def on_device(self) -> bool:
        """Whether there are tensors in the input, which may be on a GPU."""
        return any(map(_has_tensor, (self.args or (), *(step.args for step in self.then))))


def _has_tensor(value: Any) -> bool:
    return isinstance(value, Tensor) or (isinstance(value, list | tuple) and any(map(_has_tensor, value)))


def _count(value: Any) -> int:
    if isinstance(value, Tensor):
        return _count(value.value)
    return sum(map(_count, value)) if isinstance(value, list | tuple) else int(np.size(value))


def given(*args: Any, then: Sequence[Step] = (), raises: type[Exception] | None = None) -> Case:
    """Declare a fixed input; lists become float arrays.

    Args:
        args: what the learner's name is called with. Each call gets its own copy, of a random generator too, so that the
            learner's function and the reference draw the same numbers. A generator stands last; where the function
            takes ``rng`` by name only, it is passed by name.
        then: steps after the call, for classes, pullbacks, generators and changes in place.
        raises: the exception that bad input must raise.
    """
    steps = tuple(replace(step, args=_arrays(step.args)) for step in then)
    return Case(_arrays(args), steps, raises.__name__ if raises else "")


def value() -> Case:
    """Declare that the learner's name holds the answer itself and is not called."""
    return Case(None)


def _arrays(args: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(np.array(a, dtype=float) if isinstance(a, list) else a for a in args)


@dataclass(frozen=True)
class Drawn:
    """Inputs that are drawn from a seed; see :func:`drawn`."""

    args: tuple[Any, ...]
    then: tuple[Step, ...]
    times: int
    sizes: Mapping[str, int]

    def cases(self, rng: np.random.Generator) -> list[Case]:
        """Draw the inputs.

        Axes of different names get different lengths: equal ones would hide a sum over the wrong axis.
        """
        return [self._case(rng) for _ in range(self.times)]

    def _case(self, rng: np.random.Generator) -> Case:
        lengths = dict(self.sizes)
        free = [int(n) for n in rng.permutation(np.arange(2, 10)) if n not in lengths.values()]
        drawn_before: dict[int, Any] = {}

        def fill(arg: Any) -> Any:
            if isinstance(arg, list | tuple):
                return type(arg)(map(fill, arg))
            if isinstance(arg, Tensor):
                return replace(arg, value=fill(arg.value))
            if not isinstance(arg, Draw):
                return arg
            if id(arg) not in drawn_before:
                for axis in arg.shape:
                    if isinstance(axis, str) and axis not in lengths:
                        lengths[axis] = free.pop()
                shape = tuple(lengths[axis] if isinstance(axis, str) else axis for axis in arg.shape)
                drawn_before[id(arg)] = arg.sample(rng, shape)
            return drawn_before[id(arg)]

        return Case(fill(self.args), tuple(replace(step, args=fill(step.args)) for step in self.then))


def drawn(
    *args: Any,
    then: Sequence[Step] = (),
    times: int = 3,
    sizes: Mapping[str, int] | None = None,
) -> Drawn:
    """Declare inputs that are drawn from a seed.

    Args:
        args: :func:`normal`, :func:`uniform`, :func:`integers`, tuples of these, or fixed values. A draw that stands in
            two places is drawn once.
        then: steps on the result, with draws among their arguments if wanted.
        times: how many inputs are drawn.
        sizes: lengths of named axes; the others are drawn from 2 to 9.
    """
    return Drawn(args, tuple(then), times, dict(sizes or {}))
