"""An exercise's text as notebooks: with its solutions, without them, or with a learner's answers.

The source of an exercise is a MyST text notebook whose cells carry nbgrader's metadata. Everything here is a pure
function of that text, so the same exercise gives the same notebook, byte for byte, on every machine.
"""

from __future__ import annotations

import copy
import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

from dlcourse.grading.errors import GradingError, did_you_mean

Notebook = Any  # nbformat.NotebookNode: nbformat has no types
Cell = Any

FIELDS = ("grade", "grade_id", "locked", "schema_version", "solution", "task")
_SOLUTION = re.compile(r"^[^\n]*BEGIN SOLUTION[^\n]*\n(.*?)^[^\n]*END SOLUTION[^\n]*$", re.M | re.S)
_HIDDEN = re.compile(r"^[^\n]*BEGIN HIDDEN TESTS[^\n]*\n(.*?)^[^\n]*END HIDDEN TESTS[^\n]*$", re.M | re.S)
_MARKER = re.compile(r"(BEGIN|END) (SOLUTION|HIDDEN TESTS)")


@dataclass(frozen=True)
class Task:
    """One thing to implement: the cell that takes the answer and the cells that grade it."""

    name: str
    visible: tuple[str, ...]
    hidden: tuple[str, ...]
    points: float

    @property
    def cells(self) -> tuple[str, ...]:
        """The grade_ids of all cells whose points this task decides."""
        return self.visible + self.hidden


def read_exercise(path: Path) -> Notebook:
    """Read an exercise from its text file, with its solutions and hidden checks.

    Args:
        path: The MyST text notebook, `exercises/<part>/<chapter>.md`.

    Returns:
        A valid notebook whose cell ids depend on the cells alone.

    Raises:
        GradingError: The file is missing, is no MyST notebook, or its nbgrader metadata is incomplete.
    """
    if not path.is_file():
        siblings = sorted(p.stem for p in path.parent.glob("*.md"))
        hint = did_you_mean(path.stem, siblings) or f" There are: {', '.join(siblings) or 'none'}."
        raise GradingError(f"There is no exercise {path}.{hint}")
    return parse_exercise(path.read_text(encoding="utf-8"), name=f"{path.parent.name}/{path.name}")


def parse_exercise(text: str, *, name: str) -> Notebook:
    """Turn an exercise's text into a notebook and check that it can be graded.

    Args:
        text: The MyST text notebook.
        name: How error messages call it.

    Returns:
        The notebook, with solutions and hidden checks.

    Raises:
        GradingError: The text is no MyST notebook, or its nbgrader metadata is incomplete.
    """
    import jupytext
    import nbformat

    if "format_name: myst" not in text.partition("\n---\n")[0]:
        raise GradingError(
            f"{name} is not an exercise: it has no MyST notebook header; "
            "copy the lines between the two --- of another exercise to its top."
        )
    try:
        notebook = jupytext.reads(text, fmt="md:myst")
    except Exception as error:  # jupytext raises what its parsers raise
        raise GradingError(f"{name} is not an exercise: {_first_line(error)}") from error
    notebook.metadata.pop("jupytext", None)
    notebook.metadata["language_info"] = {"name": "python"}
    _name_cells(notebook)
    _fold_checks(notebook)
    _check_metadata(notebook, name)
    tasks(notebook, name=name)
    nbformat.validate(notebook)
    return notebook


def _fold_checks(notebook: Notebook) -> None:
    """Fold the checks in JupyterLab: a learner runs them, and what they say matters more than how they say it."""
    for cell in notebook.cells:
        if graded(cell) and cell.cell_type == "code" and "### BEGIN HIDDEN TESTS" not in cell.source:
            cell.metadata.setdefault("jupyter", {})["source_hidden"] = True


def graded(cell: Cell) -> bool:
    """Tell whether a cell's output is worth points."""
    return bool(cell.metadata.get("nbgrader", {}).get("grade"))


def grade_id(cell: Cell) -> str:
    """Return a cell's nbgrader name, or an empty string."""
    return str(cell.metadata.get("nbgrader", {}).get("grade_id", ""))


def tasks(notebook: Notebook, *, name: str = "the notebook") -> list[Task]:
    """List what a learner is asked to write, in order.

    A task is a code cell that takes an answer; `<task>_check` and `<task>_hidden` (and any other graded cell whose
    name begins with `<task>_`) grade it.

    Args:
        notebook: An exercise, with or without its solutions.
        name: How error messages call it.

    Returns:
        The tasks.

    Raises:
        GradingError: A task has no visible check, or a graded cell belongs to no task.
    """
    answers = [grade_id(cell) for cell in _answer_cells(notebook)]
    belongs: dict[str, list[Cell]] = {task: [] for task in answers}
    for cell in notebook.cells:
        if not graded(cell) or cell.metadata["nbgrader"]["solution"]:
            continue
        owners = [task for task in answers if grade_id(cell).startswith(task + "_")]
        if not owners:
            raise GradingError(
                f"{name}: the graded cell {grade_id(cell)!r} belongs to no task; "
                f"name it <task>_check or <task>_hidden after one of: {', '.join(answers)}."
            )
        belongs[max(owners, key=len)].append(cell)
    result = []
    for task, cells in belongs.items():
        visible = [grade_id(cell) for cell in cells if not grade_id(cell).endswith("_hidden")]
        if not visible:
            raise GradingError(
                f"{name}: the task {task!r} has no check; "
                f"add a graded, locked cell with the grade_id {task + '_check'!r} below it."
            )
        hidden = [grade_id(cell) for cell in cells if grade_id(cell).endswith("_hidden")]
        points = sum(float(cell.metadata["nbgrader"]["points"]) for cell in cells)
        result.append(Task(task, tuple(visible), tuple(hidden), points))
    return result


def total_points(notebook: Notebook) -> float:
    """Return how many points a notebook is worth."""
    return sum(float(cell.metadata["nbgrader"]["points"]) for cell in notebook.cells if graded(cell))


def with_answers(notebook: Notebook, answers: Mapping[str, str]) -> Notebook:
    """Return a copy of a notebook in which some answer cells hold other code.

    Args:
        notebook: Any version of an exercise.
        answers: The new source by the task's name.

    Returns:
        The copy; every other cell is as it was.

    Raises:
        GradingError: There is no such task.
    """
    result = copy.deepcopy(notebook)
    cells = {grade_id(cell): cell for cell in _answer_cells(result)}
    for task, source in answers.items():
        if task not in cells:
            hint = did_you_mean(task, cells) or f" There are: {', '.join(cells)}."
            raise GradingError(f"The exercise has no task {task!r}.{hint}")
        cells[task].source = source
    return result


def reference(notebook: Notebook) -> Notebook:
    """Return the exercise as somebody who solved everything would hand it in: hidden checks included."""
    result = copy.deepcopy(notebook)
    for cell in result.cells:
        cell.source = "\n".join(
            line for line in cell.source.split("\n") if not re.search(r"(BEGIN|END) SOLUTION", line)
        )
    return result


def reference_answers(notebook: Notebook) -> dict[str, str]:
    """Return the solution of every task, by the task's name."""
    return {grade_id(cell): cell.source for cell in _answer_cells(reference(notebook))}


def untouched(notebook: Notebook) -> Notebook:
    """Return the exercise with stubs in place of solutions, but with its hidden checks (to be graded)."""
    from nbgrader.preprocessors import ClearSolutions

    result, _ = ClearSolutions().preprocess(copy.deepcopy(notebook), {})
    return result


def released(notebook: Notebook) -> Notebook:
    """Return what learners get: stubs for solutions, no hidden check, as nbgrader makes it."""
    from nbgrader.preprocessors import ClearHiddenTests, ClearOutput, LockCells

    result = untouched(notebook)
    for step in (LockCells(), ClearOutput(), ClearHiddenTests()):
        result, _ = step.preprocess(result, {})
    return result


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


def _answer_cells(notebook: Notebook) -> Iterator[Cell]:
    for cell in notebook.cells:
        if cell.cell_type == "code" and cell.metadata.get("nbgrader", {}).get("solution"):
            yield cell


def _name_cells(notebook: Notebook) -> None:
    """Give every cell an id that depends on its name or text, not on chance."""
    seen: Counter[str] = Counter()
    for cell in notebook.cells:
        digest = hashlib.sha256(f"{cell.cell_type}\n{cell.source}".encode()).hexdigest()[:8]
        base = re.sub(r"[^a-zA-Z0-9_-]", "-", grade_id(cell))[:56] or f"{cell.cell_type}-{digest}"
        seen[base] += 1
        cell.id = base if seen[base] == 1 else f"{base}-{seen[base]}"


def _check_metadata(notebook: Notebook, name: str) -> None:
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
    if not any(True for _ in _answer_cells(notebook)):
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


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
