"""Grades as the files that people and learning platforms read."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from dlcourse.grading.books.grades import GradeTable, Learner, LearnerGrades
from dlcourse.grading.errors import GradingError


def write(tables: Sequence[GradeTable], format_name: str, target: Path, *, force: bool) -> None:
    """Write the grades of parts to a file.

    Args:
        tables: The grades.
        format_name: One of `FORMATS`.
        target: The file.
        force: Replace a file that differs.

    Raises:
        GradingError: The file exists and differs.
    """
    text = FORMATS[format_name](tables)
    if target.exists() and not force and target.read_text(encoding="utf-8-sig") != text:
        raise GradingError(
            f"{target} exists with other grades; choose another file with --to, or say --force."
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")


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
                + ["; ".join(row.remarks + row.flags + row.notes), row.isolation]
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
