"""The class's books, which nbgrader keeps: opening them, and the one entry that nbgrader does not make itself."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dlcourse.grading.config import configure


def open_api(folder: Path, *, sockets: Path | None = None) -> Any:
    """Open nbgrader on a class.

    Args:
        folder: The class's folder, which is made if need be.
        sockets: Where kernels put their sockets; they use TCP ports if it is left out.

    Returns:
        nbgrader's `NbGraderAPI`.
    """
    from nbgrader.apps import NbGraderAPI
    from nbgrader.coursedir import CourseDirectory

    # nbgrader reads relations of records that it has not added to its session yet; SQLAlchemy copes.
    warnings.filterwarnings("ignore", message="Object of type <Submitted.*> not in session")
    # nbgrader puts a deleted check back without the id that newer notebooks give to cells.
    warnings.filterwarnings("ignore", message="Cell is missing an id field")
    folder.mkdir(parents=True, exist_ok=True)
    config = configure(folder)
    if sockets:
        # Kernels that start at the same time can choose the same TCP port, and then never answer.
        config.KernelManager.transport = "ipc"
        config.KernelManager.ip = str(sockets / f"kernel-{os.getpid()}")
    return NbGraderAPI(coursedir=CourseDirectory(config=config), config=config)


@contextmanager
def gradebook(api: Any) -> Iterator[Any]:
    """Lend the gradebook and close it afterwards.

    Args:
        api: nbgrader's `NbGraderAPI`.

    Yields:
        nbgrader's `Gradebook`.
    """
    book = api.gradebook
    try:
        yield book
    finally:
        book.close()


def give_nothing(api: Any, part: str, chapter: str, learner: str, *, needs_look: bool) -> None:
    """Set a notebook's automatic points to 0: an earlier grading must not stay in their place.

    Args:
        api: nbgrader's `NbGraderAPI`.
        part: The assignment.
        chapter: The notebook in it.
        learner: Whose notebook it is.
        needs_look: Whether a person must look at it.
    """
    autograded = api.coursedir.format_path(api.coursedir.autograded_directory, learner, part)
    Path(autograded, f"{chapter}.ipynb").unlink(missing_ok=True)
    with gradebook(api) as book:
        book.update_or_create_student(learner)
        book.update_or_create_submission(part, learner)
        notebook = book.find_submission_notebook(chapter, part, learner)
        for grade in notebook.grades:
            grade.auto_score = 0
            grade.needs_manual_grade = needs_look
        book.db.commit()
