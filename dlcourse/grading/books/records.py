"""The class's books, which nbgrader keeps: opening them, and keeping them open while much is written."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbgrader.api import (
    Assignment,
    BaseCell,
    Comment,
    Grade,
    Gradebook,
    MissingEntry,
    Notebook,
    SubmittedAssignment,
    SubmittedNotebook,
)
from nbgrader.converters import autograde
from nbgrader.preprocessors import latesubmissions, saveautogrades
from sqlalchemy import create_engine, select
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from dlcourse.grading.config import read_config

LOCK_SECONDS = 60
"""How long a gradebook in a file is waited for while formgrader writes to it."""


def open_api(folder: Path, root: Path, *, db: str = "", device: str = "", unsafe: bool = False) -> Any:
    """Open nbgrader on a class.

    Args:
        folder: The class's folder, which is made if need be.
        root: The repository.
        db: The gradebook's address, if it is not the one that the configuration finds.
        device: Where tensors among the inputs of checks are made, if that is not what the configuration finds.
        unsafe: Whether learners' code may run without a sandbox.

    Returns:
        nbgrader's `NbGraderAPI`.
    """
    from nbgrader.apps import NbGraderAPI
    from nbgrader.coursedir import CourseDirectory

    # nbgrader reads relations of records that it has not added to its session yet; SQLAlchemy copes.
    warnings.filterwarnings("ignore", message="Object of type <Submitted.*> not in session")
    folder.mkdir(parents=True, exist_ok=True)
    config = read_config(folder, root, db=db, device=device, unsafe=unsafe)
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


class Book(Gradebook):
    """A gradebook that stays open, and in which nothing is final until `keep`.

    nbgrader opens its gradebook for every step and commits after every cell. With one connection and one commit a
    submission is recorded several times faster, and either wholly or not at all.
    """

    engine: Any
    db: Any

    def __init__(self, api: Any) -> None:
        url = api.coursedir.db_url
        super().__init__(url, api.course_id)
        self.db.remove()
        if self.engine.dialect.name == "sqlite":
            self.engine.dispose()
            self.engine = create_engine(url, connect_args={"timeout": LOCK_SECONDS})
        self.db = scoped_session(sessionmaker(class_=_Waiting, bind=self.engine))
        self._rows: dict[Any, dict[str, Any]] = {}

    def find_grade(self, grade_cell: str, notebook: str, assignment: str, student: str) -> Any:
        """Find the grade of a cell; all those of its notebook are read at once."""
        return self._row(Grade, grade_cell, notebook, assignment, student)

    def find_comment(self, solution_cell: str, notebook: str, assignment: str, student: str) -> Any:
        """Find the comment on a cell; all those of its notebook are read at once."""
        return self._row(Comment, solution_cell, notebook, assignment, student)

    def _row(self, kind: Any, cell: str, notebook: str, assignment: str, student: str) -> Any:
        key = (kind, notebook, assignment, student)
        if key not in self._rows:
            query = (
                select(BaseCell.name, kind)
                .join(BaseCell, BaseCell.id == kind.cell_id)
                .join(SubmittedNotebook, SubmittedNotebook.id == kind.notebook_id)
                .join(Notebook, Notebook.id == SubmittedNotebook.notebook_id)
                .join(SubmittedAssignment, SubmittedAssignment.id == SubmittedNotebook.assignment_id)
                .join(Assignment, Assignment.id == SubmittedAssignment.assignment_id)
                .where(Notebook.name == notebook, Assignment.name == assignment)
                .where(SubmittedAssignment.student_id == student)
            )
            self._rows[key] = dict(self.db.execute(query).all())
        try:
            return self._rows[key][cell]
        except KeyError:
            raise MissingEntry(
                f"No such {kind.__name__}: {assignment}/{notebook}/{cell} for {student}"
            ) from None

    def close(self) -> None:
        """Stay open: the steps of nbgrader close what they believe to be theirs. The next one reads everything anew."""
        self._rows.clear()
        self.db.expire_all()

    def keep(self) -> None:
        """Make final what was written."""
        self._rows.clear()
        Session.commit(self.db())
        self.db.remove()

    def forget(self) -> None:
        """Undo what was written since `keep`."""
        self._rows.clear()
        self.db.rollback()
        self.db.remove()

    def end(self) -> None:
        """Close the connection; what was not kept is undone."""
        super().close()


class _Waiting(Session):
    """A session whose commits wait for `Book.keep`."""

    def commit(self) -> None:
        self.flush()


@contextmanager
def open_once(api: Any) -> Iterator[Book]:
    """Let nbgrader's autograder use one open gradebook for all its steps.

    Args:
        api: nbgrader's `NbGraderAPI`.

    Yields:
        The gradebook.
    """
    book = Book(api)
    modules = (autograde, saveautogrades, latesubmissions)
    for module in modules:
        module.Gradebook = lambda *_: book
    try:
        yield book
    finally:
        for module in modules:
            module.Gradebook = Gradebook
        book.end()


Scores = dict[str, float | None]
"""Automatic scores by the name of the cell."""


@dataclass(frozen=True)
class Standing:
    """What the gradebook holds of one submission.

    Args:
        scores: automatic scores by notebook and cell.
        seconds_late: how late it is, by the gradebook.
    """

    scores: Mapping[str, Scores]
    seconds_late: float


def standings(book: Any, part: str, learner: str | None = None) -> dict[str, Standing]:
    """Read what the gradebook holds, in two queries whatever the size of the class.

    Args:
        book: nbgrader's `Gradebook`.
        part: The assignment.
        learner: One learner, or everybody.

    Returns:
        One entry a learner with a submission.
    """
    query = (
        select(SubmittedAssignment.student_id, Notebook.name, BaseCell.name, Grade.auto_score)
        .select_from(Grade)
        .join(BaseCell, BaseCell.id == Grade.cell_id)
        .join(SubmittedNotebook, SubmittedNotebook.id == Grade.notebook_id)
        .join(Notebook, Notebook.id == SubmittedNotebook.notebook_id)
        .join(SubmittedAssignment, SubmittedAssignment.id == SubmittedNotebook.assignment_id)
        .join(Assignment, Assignment.id == SubmittedAssignment.assignment_id)
        .where(Assignment.name == part)
    )
    late = (
        select(SubmittedAssignment)
        .join(Assignment, Assignment.id == SubmittedAssignment.assignment_id)
        .where(Assignment.name == part)
    )
    if learner is not None:
        query = query.where(SubmittedAssignment.student_id == learner)
        late = late.where(SubmittedAssignment.student_id == learner)
    scores: dict[str, dict[str, Scores]] = {}
    for who, chapter, cell, score in book.db.execute(query):
        scores.setdefault(who, {}).setdefault(chapter, {})[cell] = score
    return {
        submission.student_id: Standing(scores.get(submission.student_id, {}), submission.total_seconds_late)
        for submission in book.db.execute(late).scalars()
    }
