"""Exercises become the notebooks that nbgrader keeps: the instructor's, and the released ones without solutions."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dlcourse.grading import notebooks
from dlcourse.grading.errors import GradingError, reason
from dlcourse.grading.intake import reading

Exercises = Mapping[str, notebooks.Notebook]
"""A part's exercises, with solutions and hidden checks, by chapter."""


def release(api: Any, folder: Path, part: str, exercises: Exercises) -> list[Path]:
    """Make the notebooks that learners get, and enter the part into the gradebook.

    Args:
        api: nbgrader's `NbGraderAPI`.
        folder: The class's folder.
        part: The part.
        exercises: Its exercises.

    Returns:
        The released notebooks.

    Raises:
        GradingError: A source notebook was edited by hand, nbgrader refuses, or a released notebook would show a
            solution or a hidden check.
    """
    _write_sources(folder, part, exercises)
    result = api.generate_assignment(part, force=True, create=True)
    if not result["success"]:
        raise GradingError(f"nbgrader could not release {part}: {reason(result)}.")
    paths = released(folder, part, exercises)
    try:
        for chapter, path in zip(exercises, paths, strict=True):
            notebooks.assert_clean(exercises[chapter], reading.read_notebook(path), name=f"{part}/{chapter}")
    except GradingError:
        shutil.rmtree(folder / "release" / part)
        raise
    return paths


def handed_out(part: str, chapter: str, exercise: notebooks.Notebook) -> str:
    """Return the file that `release` makes of an exercise, without a class.

    Args:
        part: The part.
        chapter: The exercise's name in it.
        exercise: The exercise, with its solutions and hidden checks.

    Returns:
        The text of the notebook.

    Raises:
        GradingError: It would show a solution or a hidden check.
    """
    import nbformat
    from nbgrader.preprocessors import ComputeChecksums

    notebook, _ = ComputeChecksums().preprocess(notebooks.released(exercise), {})
    notebooks.assert_clean(exercise, notebook, name=f"{part}/{chapter}")
    notebook.metadata["dlcourse"] = _made_from(part, chapter, exercise)
    return str(nbformat.writes(notebook)) + "\n"


def released(folder: Path, part: str, exercises: Exercises) -> list[Path]:
    """Return where the released notebooks of a part are."""
    return [folder / "release" / part / f"{chapter}.ipynb" for chapter in exercises]


def is_current(folder: Path, part: str, exercises: Exercises) -> bool:
    """Tell whether what was released was made from the exercises as they are now.

    Args:
        folder: The class's folder.
        part: The part.
        exercises: Its exercises.

    Returns:
        True if releasing again would change nothing.
    """
    return all(
        path.is_file() and _mark(reading.read_notebook(path)) == _digest(exercises[chapter])
        for chapter, path in zip(exercises, released(folder, part, exercises), strict=True)
    )


def _write_sources(folder: Path, part: str, exercises: Exercises) -> None:
    """Write the notebooks that nbgrader reads, and drop those whose exercise is gone."""
    import nbformat

    source = folder / "source" / part
    source.mkdir(parents=True, exist_ok=True)
    for path in source.glob("*.ipynb"):
        notebook = reading.read_notebook(path)
        if _mark(notebook) != _digest(notebook):
            raise GradingError(
                f"{path} was edited by hand and would be overwritten; carry the edits into "
                f"exercises/{part}/{path.stem}.md, or move the notebook away."
            )
    for path in source.glob("*.ipynb"):
        if path.stem not in exercises:
            path.unlink()
    for chapter, notebook in exercises.items():
        notebook.metadata["dlcourse"] = _made_from(part, chapter, notebook)
        nbformat.write(notebook, source / f"{chapter}.ipynb")


def _made_from(part: str, chapter: str, notebook: notebooks.Notebook) -> dict[str, str]:
    return {"source": f"exercises/{part}/{chapter}.md", "sha256": _digest(notebook)}


def _mark(notebook: notebooks.Notebook) -> str:
    """Return what a notebook says that it was made from; empty if it does not."""
    return str(notebook.metadata.get("dlcourse", {}).get("sha256", ""))


def _digest(notebook: notebooks.Notebook) -> str:
    cells = [[cell.cell_type, cell.source, cell.metadata.get("nbgrader")] for cell in notebook.cells]
    return hashlib.sha256(json.dumps(cells, sort_keys=True).encode()).hexdigest()
