"""A class's grades as plain data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Learner:
    """Who handed something in, as the gradebook knows them."""

    name: str
    first_name: str = ""
    last_name: str = ""
    email: str = ""
    platform_id: str = ""

    @property
    def label(self) -> str:
        """The full name where it is known, else the id."""
        return f"{self.first_name} {self.last_name}".strip() or self.name


@dataclass(frozen=True)
class ChapterGrade:
    """One notebook's grade.

    Args:
        chapter: the notebook.
        points: points earned, late penalty taken off.
        total: points possible.
        remark: why it has no grade or fewer points; an empty string if there is nothing to say.
        needs_look: whether a person must look at it.
        flags: what the instructor should look at; not for the learner.
        isolation: what kept the learner's code away from everything else; empty if nothing was executed.
        notes: what the instructor should know, and need not look at; not for the learner.
    """

    chapter: str
    points: float
    total: float
    remark: str = ""
    needs_look: bool = False
    flags: tuple[str, ...] = ()
    isolation: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class LearnerGrades:
    """One learner's grades in a part."""

    learner: Learner
    chapters: tuple[ChapterGrade, ...]

    @property
    def points(self) -> float:
        """Points earned."""
        return sum(grade.points for grade in self.chapters)

    @property
    def needs_look(self) -> bool:
        """Whether a person must look at any of the notebooks."""
        return any(grade.needs_look for grade in self.chapters)

    @property
    def remarks(self) -> list[str]:
        """All remarks, each with its notebook's name."""
        return [f"{grade.chapter}: {grade.remark}" for grade in self.chapters if grade.remark]

    @property
    def flags(self) -> list[str]:
        """All flags, each with its notebook's name."""
        return [f"{grade.chapter}: {flag}" for grade in self.chapters for flag in grade.flags]

    @property
    def notes(self) -> list[str]:
        """All notes, each with its notebook's name."""
        return [f"{grade.chapter}: {note}" for grade in self.chapters for note in grade.notes]

    @property
    def isolation(self) -> str:
        """What kept the learner's code away from everything else."""
        return _joined(grade.isolation for grade in self.chapters)

    @property
    def look(self) -> str:
        """What to look at first, and how many things more; empty if nobody needs to look."""
        found = [f"{g.chapter}: {words}" for g in self.chapters if g.needs_look
                 for words in (*filter(None, [g.remark]), *g.flags)]  # fmt: skip
        if not found:
            return "yes" if self.needs_look else ""
        return found[0] + (f" (and {len(found) - 1} more)" if len(found) > 1 else "")


@dataclass(frozen=True)
class GradeTable:
    """The grades of a class in one part.

    Args:
        part: the assignment.
        chapters: its notebooks, in the book's order.
        totals: points possible in each.
        rows: one a learner.
    """

    part: str
    chapters: tuple[str, ...]
    totals: tuple[float, ...]
    rows: tuple[LearnerGrades, ...]

    @property
    def total(self) -> float:
        """Points possible in the part."""
        return sum(self.totals)

    @property
    def isolation(self) -> str:
        """What kept the learners' code away from everything else; several, if they were not graded alike."""
        return _joined(grade.isolation for row in self.rows for grade in row.chapters)


def _joined(words: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(filter(None, words)))
