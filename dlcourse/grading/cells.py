"""The cells of an exercise: which take an answer, which are graded, and what their nbgrader metadata must say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from textwrap import dedent
from typing import Any

from dlcourse.grading.errors import GradingError

Notebook = Any  # nbformat.NotebookNode: nbformat has no types
Cell = Any

FIELDS = ("grade", "grade_id", "locked", "schema_version", "solution", "task")
_SOLUTION = re.compile(r"^[^\n]*BEGIN SOLUTION[^\n]*\n(.*?)^[^\n]*END SOLUTION[^\n]*$", re.M | re.S)
_HIDDEN = re.compile(r"^[^\n]*BEGIN HIDDEN TESTS[^\n]*\n(.*?)^[^\n]*END HIDDEN TESTS[^\n]*$", re.M | re.S)
_MARKER = re.compile(r"(BEGIN|END) (SOLUTION|HIDDEN TESTS)")


def graded(cell: Cell) -> bool:
    """Tell whether a cell's output is worth points."""
    return bool(cell.metadata.get("nbgrader", {}).get("grade"))


def grade_id(cell: Cell) -> str:
    """Return a cell's nbgrader name, or an empty string."""
    return str(cell.metadata.get("nbgrader", {}).get("grade_id", ""))


def assert_clean(source: Notebook, release: Notebook, *, name: str) -> None:
    """Make sure that nothing which learners must not see is in the file they get.

    Args:
        source: The exercise, with its solutions and hidden checks.
        release: The notebook about to be handed out.
        name: How error messages call it.

    Raises:
        GradingError: A solution, a hidden check, a marker or an output is in the released notebook.
    """
    shown = [(grade_id(cell) or cell.id, _flat(cell.source)) for cell in release.cells]
    for cell in source.cells:
        for kind, pattern in (("solution", _SOLUTION), ("hidden check", _HIDDEN)):
            for body in pattern.findall(cell.source):
                secret = _flat(dedent(body))
                for where, text in shown:
                    if secret and secret in text:
                        raise GradingError(
                            f"{name} was not released: the {kind} of {grade_id(cell)!r} stands in the "
                            f"cell {where!r}; take it out of that cell of the exercise."
                        )
    for cell in release.cells:
        if _MARKER.search(cell.source):
            raise GradingError(
                f"{name} was not released: a solution or hidden-test marker is left in the cell "
                f"{grade_id(cell) or cell.id!r}; its region is not closed in the exercise."
            )
        if cell.get("outputs"):
            raise GradingError(
                f"{name} was not released: the cell {grade_id(cell) or cell.id!r} has an output; "
                "exercises are kept without outputs."
            )


def answer_cells(notebook: Notebook) -> Iterator[Cell]:
    """Go through the code cells that take an answer."""
    for cell in notebook.cells:
        if cell.cell_type == "code" and cell.metadata.get("nbgrader", {}).get("solution"):
            yield cell


def check_metadata(notebook: Notebook, name: str) -> None:
    """Make sure that an exercise can be graded.

    Args:
        notebook: The exercise, with its solutions and hidden checks.
        name: How error messages call it.

    Raises:
        GradingError: A cell's nbgrader metadata is incomplete or says what is not in the cell.
    """
    seen: set[str] = set()
    for position, cell in enumerate(notebook.cells, start=1):
        metadata = cell.metadata.get("nbgrader")
        if metadata is None:
            continue
        if not isinstance(metadata, dict):
            raise GradingError(
                f"{name}: the nbgrader metadata of cell {position} is {metadata!r}; "
                "it must be one line of JSON in braces."
            )
        missing = [field for field in FIELDS if field not in metadata]
        if missing or not str(metadata.get("grade_id", "")).strip():
            raise GradingError(
                f"{name}: the nbgrader metadata of cell {position} ({_start(cell)}) lacks "
                f"{', '.join(missing) or 'a grade_id'}; add it to the line that begins with ':nbgrader:'."
            )
        if metadata["grade_id"] in seen:
            raise GradingError(
                f"{name}: the grade_id {metadata['grade_id']!r} is used twice; "
                "give each cell a name of its own."
            )
        seen.add(metadata["grade_id"])
        if metadata["grade"] and not isinstance(metadata.get("points"), int | float):
            raise GradingError(
                f"{name}: the graded cell {metadata['grade_id']!r} has no points; "
                'add "points": 1 to its metadata.'
            )
        _check_regions(cell, name)
    if not any(True for _ in answer_cells(notebook)):
        raise GradingError(
            f"{name} is not an exercise: no code cell takes an answer; "
            'give one a grade_id and "solution": true.'
        )


def _check_regions(cell: Cell, name: str) -> None:
    metadata = cell.metadata["nbgrader"]
    if metadata["solution"] and cell.cell_type == "code" and not _SOLUTION.search(cell.source):
        raise GradingError(
            f"{name}: the answer cell {metadata['grade_id']!r} has no solution; put it between "
            "the lines '### BEGIN SOLUTION' and '### END SOLUTION'."
        )
    if metadata["grade_id"].endswith("_hidden") and _flat(_HIDDEN.sub("", cell.source)):
        raise GradingError(
            f"{name}: the hidden check {metadata['grade_id']!r} shows some of its lines to learners; put "
            "all but comments between '### BEGIN HIDDEN TESTS' and '### END HIDDEN TESTS'."
        )


def _start(cell: Cell) -> str:
    return repr(next(iter(cell.source.strip().split("\n")))[:40])


def _flat(text: str) -> str:
    """Return a text without indentation, blank lines and comments: what is compared for leaks."""
    lines = (line.strip() for line in text.split("\n"))
    return "\n".join(line for line in lines if line and not line.startswith("#"))
