"""How a hostile or odd submission is written down.

A recipe says what somebody hands in and what is honest: which tasks it costs, what the learner is told, what the
instructor is shown. Everything that it does not mention must be as if the work were right: a recipe that says nothing but
its name earns all points. To add one, append it to the list `RECIPES` of the file that fits:

    Recipe(
        "ends its process",
        answers={"add": "import os\nos._exit(0)"},
        costs=["add"],
        told={"add_check": "ended"},
    )

The words PORT, ABSTRACT, SECRET, GRADEBOOK, CHAPTER, SOLUTION, PASTED, NEIGHBOUR and HOST stand, between two @, for what
only this run of the tests knows: a port and an abstract socket outside of the sandbox, a file that no learner may read,
a gradebook, the files of the reference and of the exercise, the reference's text, a process outside, this machine's name.

Whatever the recipe, the tests look for the hidden inputs, the right values that belong to them, the seed and the text of
hidden checks in everything that the learner gets, and for processes that are left behind.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dlcourse.grading.execution.jobs import Limits

QUICK = Limits(cell_seconds=2, check_seconds=1, notebook_seconds=30, output=5_000, memory=2**30)
"""What a submission may use here."""

HURRIED = Limits(cell_seconds=1, check_seconds=0.5, notebook_seconds=30, output=5_000, memory=2**30)
"""What one may use that will not end, so that it costs the tests little time."""


@dataclass(frozen=True)
class Recipe:
    """One submission, and what is honest.

    Args:
        name: what it does, as the end of "a submission that ...".
        exercise: `odds`, the small one in `exercise.py`, or a chapter of the book.
        answers: code of some tasks; the others are answered right.
        blank: whether tasks that `answers` does not name are left as they were released instead.
        first: code of a cell that the learner put above everything else.
        last: code of a cell that the learner put below everything else.
        before: code of a first cell of another learner, whose notebook is graded just before.
        notebook: changes the file: gets it as plain data; what it returns, if anything, is written in its place.
        file: makes what is handed in instead of a file with that notebook.
        costs: tasks that earn nothing.
        earns: points of single test cells, where a task is neither right nor lost; None where any points are fair.
        told: for a test cell what its report must say, as a regular expression.
        shows: for a cell what its output must say; `first` and `last` are those two cells.
        unsaid: what must stand nowhere in what the learner gets.
        flag: what intake must find odd, as a regular expression; without one it must find nothing.
        note: what the execution must find odd; empty for nothing at all, None for whatever it says.
        limits: what the submission may use.
        slow: whether it takes seconds even on a quick machine.
    """

    name: str
    exercise: str = "odds"
    answers: Mapping[str, str] = field(default_factory=dict)
    blank: bool = False
    first: str = ""
    last: str = ""
    before: str = ""
    notebook: Callable[[dict[str, Any]], Any] | None = None
    file: Callable[[Path], None] | None = None
    costs: Sequence[str] = ()
    earns: Mapping[str, float | None] = field(default_factory=dict)
    told: Mapping[str, str] = field(default_factory=dict)
    shows: Mapping[str, str] = field(default_factory=dict)
    unsaid: Sequence[str] = ()
    flag: str = ""
    note: str | None = None
    limits: Limits = QUICK
    slow: bool = False


EVERYTHING = ("add", "Tally", "double", "countdown", "squash", "power", "cubes", "interval", "half")
"""The tasks of the small exercise."""

RIGHT_ADD = "def add(a, b):\n    return a + b\n"
WRONG_ADD = "def add(a, b):\n    return a - b\n"
