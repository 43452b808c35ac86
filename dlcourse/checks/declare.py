"""The words in which a test cell is written.

A :class:`Check` is data: which of the learner's names is called, on which inputs, compared with what,
worth how many points, and which sentence belongs to which mistake. Nothing here runs anybody's code. That is
why one declaration serves the notebook, a page in the browser, and a grader that keeps the learner's function in
another process.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from dlcourse.checks.inputs import Case, Drawn


@dataclass(frozen=True)
class Check:
    """One graded statement about one of the learner's names.

    Args:
        name: the name that the learner defines.
        what: the statement, as the end of "``name`` ...": "adds the bias".
        on: inputs, from :func:`given`, :func:`drawn` or :func:`value`.
        against: dotted path of the reference, ``"dlcourse.neurons.neuron.weighted_sum"``.
        through: dotted path of a function that calls the learner's in a way of its own, ``through(learners, *inputs)``:
            in several processes, for example. What it returns is compared.
        expects: with ``through``, dotted path of a function of the inputs that gives the right result of ``through``. It
            is called in place of the reference, which would need the processes too.
        accept: instead of a reference: gets the learner's value and the arguments, and returns ``None`` or the
            sentence that says what is wrong.
        points: what the statement is worth; all of it or nothing.
        mistakes: sentence for the learner, and the wrong value it belongs to, written as a function of the reference,
            the arguments and the gradients pulled back:
            ``{"You left out the bias b": lambda right, x, w, b: right(x, w, 0.0)}``.
        rtol: relative tolerance; 1e-4 at least where the learner answers in float32, and 1e-3 on a GPU.
        atol: absolute tolerance; 1e-5 at least where the learner answers in float32, and 1e-4 on a GPU.
        dtype: whether the result must have the reference's dtype.
        quiet: whether a NumPy warning, such as an overflow, is a mistake; or the sentence for it.
        forbid: dotted names that the answer may not use, ``("scipy.special.softmax",)``.
        loops: whether Python loops and comprehensions are allowed in the answer.
        builds_on: the learner's earlier names that this one may call, with the references that stand in for them if the
            answer fails with the learner's own, so that a mistake costs its own task only.
    """

    name: str
    what: str
    on: Sequence[Case | Drawn]
    against: str = ""
    through: str = ""
    expects: str = ""
    accept: Callable[..., str | None] | None = None
    points: float = 1.0
    mistakes: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    rtol: float = 1e-6
    atol: float = 1e-8
    dtype: bool = False
    quiet: bool | str = False
    forbid: Sequence[str] = ()
    loops: bool = True
    builds_on: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if bool(self.against) == (self.accept is not None):
            raise ValueError(
                f"Check {self.name!r} needs exactly one of against= and accept=: name the reference, "
                "or give the function that judges the value"
            )
        if bool(self.expects) != bool(self.through and self.against):
            raise ValueError(
                f"Check {self.name!r} needs expects= where it has both through= and against=, and only there: name the "
                "function that gives the right result of through="
            )
        if not self.on or self.points <= 0:
            raise ValueError(
                f"Check {self.name!r} needs at least one input in on= and points above 0, "
                f"got {len(self.on)} inputs and {self.points} points"
            )

    def again(self, what: str, *, on: Sequence[Case | Drawn], points: float) -> Check:
        """Declare the same check on other inputs, as a hidden check does."""
        return replace(self, what=what, on=on, points=points)

    def cases(self, seed: int | None = None) -> list[Case]:
        """Draw what is left to draw.

        Args:
            seed: the same seed gives the same inputs; without one it follows from the check's own words, so that a
                notebook run twice says the same thing twice.
        """
        own = zlib.crc32(f"{self.name}: {self.what}".encode())
        rng = np.random.default_rng([own, seed or 0])
        made: list[Case] = []
        for entry in self.on:
            made += entry.cases(rng) if isinstance(entry, Drawn) else [entry]
        return [replace(case, through=self.through) for case in made] if self.through else made


@dataclass(frozen=True)
class Mistake:
    """A classic mistake, for the file ``exercises/<part>/<chapter>_mistakes.py``.

    Args:
        task: ``grade_id`` of the solution cell that ``code`` replaces.
        name: what went wrong, in a few words.
        code: the wrong answer, whole.
        loses: points lost by ``grade_id`` of the check cell; cells that are not named lose nothing.
        told: what the report of each losing cell must contain.
    """

    task: str
    name: str
    code: str
    loses: Mapping[str, float]
    told: str
