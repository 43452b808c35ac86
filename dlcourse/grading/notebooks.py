"""An exercise's text as notebooks: with its solutions, without them, or with a learner's answers.

The source of an exercise is a MyST text notebook whose cells carry nbgrader's metadata. Everything here is a pure
function of that text, so the same exercise gives the same notebook, byte for byte, on every machine.
"""

from __future__ import annotations

import copy
import hashlib
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dlcourse.grading.cells import (
    Cell,
    Notebook,
    answer_cells,
    assert_clean,
    check_metadata,
    grade_id,
    graded,
)
from dlcourse.grading.errors import GradingError, did_you_mean

__all__ = [
    "Cell",
    "Notebook",
    "Task",
    "assert_clean",
    "grade_id",
    "graded",
    "parse_exercise",
    "read_exercise",
    "reference",
    "reference_answers",
    "released",
    "tasks",
    "total_points",
    "untouched",
    "with_answers",
]


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
    check_metadata(notebook, name)
    tasks(notebook, name=name)
    nbformat.validate(notebook)
    return notebook


def _fold_checks(notebook: Notebook) -> None:
    """Fold the checks in JupyterLab: a learner runs them, and what they say matters more than how they say it."""
    for cell in notebook.cells:
        if graded(cell) and cell.cell_type == "code" and "### BEGIN HIDDEN TESTS" not in cell.source:
            cell.metadata.setdefault("jupyter", {})["source_hidden"] = True


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
    answers = [grade_id(cell) for cell in answer_cells(notebook)]
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
    cells = {grade_id(cell): cell for cell in answer_cells(result)}
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
    return {grade_id(cell): cell.source for cell in answer_cells(reference(notebook))}


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


def _name_cells(notebook: Notebook) -> None:
    """Give every cell an id that depends on its name or text, not on chance."""
    seen: Counter[str] = Counter()
    for cell in notebook.cells:
        digest = hashlib.sha256(f"{cell.cell_type}\n{cell.source}".encode()).hexdigest()[:8]
        base = re.sub(r"[^a-zA-Z0-9_-]", "-", grade_id(cell))[:56] or f"{cell.cell_type}-{digest}"
        seen[base] += 1
        cell.id = base if seen[base] == 1 else f"{base}-{seen[base]}"


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
