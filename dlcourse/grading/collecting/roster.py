"""A roster: the class as a learning platform exports it, a CSV file with one line a person."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path

from dlcourse.grading.books.grades import Learner
from dlcourse.grading.errors import GradingError

ROSTER_LIMIT = 20 * 2**20
"""Bytes above which a file is no roster."""

_COLUMNS = {
    "username": ("username", "sis login id", "login id"),
    "first_name": ("first name", "given name"),
    "last_name": ("last name", "surname", "family name"),
    "full_name": ("full name", "student", "student name", "name"),
    "platform_id": ("id number", "id", "canvas user id"),
    "email": ("email address", "email", "e-mail"),
    "participant": ("identifier",),  # of the grading worksheet of one Moodle assignment
    "handed_in": ("last modified (submission)",),
}


@dataclass(frozen=True)
class Row:
    """Somebody in a roster.

    Args:
        learner: their name in the class, or an empty name if the roster has no user name; and all else about them.
        participant: Moodle's number for them in one assignment.
        handed_in: when they handed in, as the platform writes it.
    """

    learner: Learner
    participant: str = ""
    handed_in: str = ""


def read_roster(path: Path) -> list[Row]:
    """Read the class from a CSV file as Moodle (Grades, Export) and Canvas (Gradebook, Export) write it.

    Args:
        path: The file.

    Returns:
        One row a person.

    Raises:
        GradingError: It is missing, or no such file.
    """
    if not path.is_file():
        raise GradingError(f"There is no file {path}; give the CSV file with the class in it.")
    if path.stat().st_size > ROSTER_LIMIT:
        raise GradingError(
            f"{path} is too large for a list of learners; give the CSV file with the class in it."
        )
    try:
        text = path.read_text(encoding="utf-8-sig")
        header = text.partition("\n")[0]
        comma = max(",;\t", key=header.count)
        table = list(csv.reader(io.StringIO(text, newline=""), delimiter=comma))
    except (UnicodeError, csv.Error) as error:
        raise GradingError(f"{path} is not a CSV file in UTF-8; export it again.") from error
    titles = [title.strip().casefold() for title in table[0]] if table else []
    columns = {
        field: titles.index(known[0])
        for field, names in _COLUMNS.items()
        if (known := [name for name in names if name in titles])
    }
    if not columns.keys() & {"username", "last_name", "full_name", "participant"}:
        raise GradingError(
            f"{path} names nobody: its first line needs a column Username, SIS Login ID, Last name, Full name, Student "
            "or Identifier."
        )
    rows = (
        {field: line[place].strip() if place < len(line) else "" for field, place in columns.items()}
        for line in table[1:]
    )
    return [_row(row) for row in rows if any(row.values()) and row.get("full_name") != "Points Possible"]


def _row(row: dict[str, str]) -> Row:
    full = row.get("full_name", "")
    last, comma, first = full.partition(",")
    if not comma:
        first, _, last = full.rpartition(" ")
    learner = Learner(
        row.get("username", ""),
        row.get("first_name") or first.strip(),
        row.get("last_name") or last.strip(),
        row.get("email", ""),
        row.get("platform_id", ""),
    )
    number = re.search(r"\d+$", row.get("participant", ""))
    return Row(learner, number[0] if number else "", row.get("handed_in", ""))
