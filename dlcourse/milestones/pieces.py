"""What a milestone is made of: pieces that a learner writes, and stages that train with them.

A stage names its pieces as `use.linear_op`. What is behind the name is the learner's function or the package's: the stage
does not know.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from dlcourse.milestones.clock import Clock


class MilestoneError(Exception):
    """Something the learner can mend; its text is one sentence with the remedy."""


class Use:
    """The pieces of one run by name, each the learner's or the package's.

    Args:
        pieces: all pieces of the milestone.
        yours: the learner's, by name; the package stands in for the others.
        clock: counts and times the calls.
    """

    def __init__(self, pieces: Sequence[Piece], yours: Mapping[str, Any], clock: Clock) -> None:
        self._functions = {
            piece.name: clock.timed(
                piece.name, yours.get(piece.name, piece.package(self)), guarded=piece.name in yours
            )
            for piece in pieces
        }

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("_") or name not in self._functions:
            raise AttributeError(name)
        return self._functions[name]


@dataclass(frozen=True)
class Piece:
    """One task of an exercise that a milestone puts to work.

    Args:
        name: the task's ``grade_id``, and the name that the learner defines.
        chapter: the notebook.
        does: what it does, in a few words.
        package: gives the package's; where that one calls other pieces, it calls those in use.
    """

    name: str
    chapter: str
    does: str
    package: Callable[[Use], Callable[..., Any]]


def same(function: Callable[..., Any]) -> Callable[[Use], Callable[..., Any]]:
    """Declare a function of the package that calls no other piece.

    Args:
        function: the package's.
    """
    return lambda use: function


@dataclass(frozen=True)
class Moment:
    """One step of a stage.

    Args:
        seen: the loss, or the number of wrong answers, as the pieces in use say it.
        parameters: what is being trained, as it is now.
    """

    seen: float
    parameters: Sequence[Any]


@dataclass(frozen=True)
class Result:
    """How a stage ended.

    Args:
        says: the result in a few words: "4 of 4 right".
        reached: whether that is the goal.
        value: the same as a number: accuracy, from 0 to 1.
    """

    says: str
    reached: bool
    value: float


@dataclass(frozen=True)
class Stage:
    """Something that learns.

    Args:
        name: as in "on the digits".
        measure: what the curve shows: "loss".
        steps: how many steps it takes.
        run: takes the steps, ends with the result.
        truth: the measure of some parameters, computed by the package alone.
        few: how many steps show whether it learns.
    """

    name: str
    measure: str
    steps: int
    run: Callable[[Use], Generator[Moment, None, Result]]
    truth: Callable[[Sequence[Any]], float]
    few: int


@dataclass(frozen=True)
class Quantity:
    """Something that a piece takes part in, with the right value beside it.

    Args:
        kind: "gradient", "step", "loss", ...: what is said of one is said of several together.
        of: which one: "W1"; empty if there is only one.
        got: as the pieces in use say it.
        right: found without them.
        scales: what a factor between the two means: ``{32.0: "you forgot 1/batch"}``.
    """

    kind: str
    of: str
    got: Any
    right: Any
    scales: Mapping[float, str] = field(default_factory=dict)


Found: TypeAlias = Quantity | str
"""A quantity to be compared, or a sentence that says what is wrong."""


@dataclass(frozen=True)
class Milestone:
    """What the learner's own code does at the end of a part.

    Args:
        part: the part.
        title: as a heading.
        pieces: what the learner's notebooks have to give, in the order of the book.
        stages: what learns with them.
        probes: measure what a wrong piece breaks, one after the other.
    """

    part: str
    title: str
    pieces: tuple[Piece, ...]
    stages: tuple[Stage, ...]
    probes: tuple[Callable[[Use], Iterator[Found]], ...]

    @property
    def chapters(self) -> tuple[str, ...]:
        """The notebooks in which its pieces are, in order."""
        return tuple(dict.fromkeys(piece.chapter for piece in self.pieces))
