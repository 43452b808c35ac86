"""A class's grades as plain data, and as the files that learning platforms import."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Sequence
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
class Finding:
    """What the grader found out about a submitted notebook, beside its points.

    Args:
        reason: why it has no grade, or an empty string.
        flags: what an instructor should look at, a sentence each.
        sha256: the digest of the file as it was handed in.
    """

    reason: str = ""
    flags: tuple[str, ...] = ()
    sha256: str = ""


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
    """

    chapter: str
    points: float
    total: float
    remark: str = ""
    needs_look: bool = False
    flags: tuple[str, ...] = ()


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
        isolation: what kept the submissions' code away from the grader.
        rows: one a learner.
    """

    part: str
    chapters: tuple[str, ...]
    totals: tuple[float, ...]
    isolation: str
    rows: tuple[LearnerGrades, ...]

    @property
    def total(self) -> float:
        """Points possible in the part."""
        return sum(self.totals)


def to_csv(tables: Sequence[GradeTable]) -> str:
    """Write all there is to know: one row a learner and part.

    Args:
        tables: The grades of one or more parts.

    Returns:
        Comma-separated values with a header.
    """
    chapters = [(table.part, chapter) for table in tables for chapter in table.chapters]
    header = ["part", "learner", "first_name", "last_name", "email"]
    header += [f"{part}/{chapter}" for part, chapter in chapters]
    rows = []
    for table in tables:
        for row in table.rows:
            who = row.learner
            points = {(table.part, grade.chapter): _number(grade.points) for grade in row.chapters}
            rows.append(
                [table.part, who.name, who.first_name, who.last_name, who.email]
                + [points.get(key, "") for key in chapters]
                + [_number(row.points), _number(table.total), "yes" if row.needs_look else ""]
                + ["; ".join(row.remarks + row.flags), table.isolation]
            )
    return _written([*header, "points", "max_points", "needs_a_look", "remarks", "isolation"], rows)


def to_moodle(tables: Sequence[GradeTable]) -> str:
    """Write what Moodle imports (Grades, Import, CSV file).

    Moodle finds the user by one column: map `Username`, `ID number` or `Email address`. Grade and feedback stand side by
    side, because a feedback imported alone would erase the grade.

    Args:
        tables: The grades of one or more parts.

    Returns:
        Comma-separated values with a header.
    """
    header = ["Username", "ID number", "Email address", "First name", "Last name"]
    for table in tables:
        header += [f"Assignment: {table.part} (Real)", f"Assignment: {table.part} (Feedback)"]

    def cells(table: GradeTable, row: LearnerGrades | None) -> list[str]:
        if row is None:
            return ["-", ""]
        parts = [f"{g.chapter} {g.points:g} of {g.total:g}" for g in row.chapters]
        return [_number(row.points), "; ".join(parts + row.remarks)]

    rows = [
        [who.name, who.platform_id, who.email, who.first_name, who.last_name, *rest]
        for who, rest in _merged(tables, cells)
    ]
    return _written(header, rows)


def to_canvas(tables: Sequence[GradeTable]) -> str:
    """Write what Canvas imports (Gradebook, Import).

    Canvas finds the student by `ID`, else by `SIS Login ID`, else by name. The second row gives the points possible.

    Args:
        tables: The grades of one or more parts.

    Returns:
        Comma-separated values with a header.
    """
    header = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section"]
    header += [table.part for table in tables]
    possible = ["    Points Possible", "", "", "", "", *(_number(table.total) for table in tables)]

    def cells(table: GradeTable, row: LearnerGrades | None) -> list[str]:
        return ["" if row is None else _number(row.points)]

    rows = []
    for who, rest in _merged(tables, cells):
        name = ", ".join(part for part in (who.last_name, who.first_name) if part) or who.name
        rows.append([name, who.platform_id, "", who.name, "", *rest])
    return _written(header, [possible, *rows])


FORMATS: dict[str, Callable[[Sequence[GradeTable]], str]] = {
    "csv": to_csv,
    "moodle": to_moodle,
    "canvas": to_canvas,
}
"""The ways of writing grades down, by name."""


def _merged(
    tables: Sequence[GradeTable], cells: Callable[[GradeTable, LearnerGrades | None], list[str]]
) -> list[tuple[Learner, list[str]]]:
    """Give every learner one row over all parts, by last name."""
    people = {row.learner.name: row.learner for table in tables for row in table.rows}
    found = [{row.learner.name: row for row in table.rows} for table in tables]
    return [
        (
            who,
            [
                cell
                for table, rows in zip(tables, found, strict=True)
                for cell in cells(table, rows.get(who.name))
            ],
        )
        for who in sorted(people.values(), key=lambda who: (who.last_name, who.first_name, who.name))
    ]


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _written(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return out.getvalue()
