"""The grades of a class, as the gradebook and the receipts have them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dlcourse.grading.books.grades import ChapterGrade, GradeTable, Learner, LearnerGrades
from dlcourse.grading.books.outcomes import file_digest
from dlcourse.grading.books.receipts import ChapterReceipt, Receipts


def read_grades(
    book: Any, receipts: Receipts, autograded: Path, part: str, chapters: Sequence[str]
) -> GradeTable:
    """Read the grades of a part, with what was changed by hand in formgrader.

    Args:
        book: nbgrader's `Gradebook`.
        receipts: What the grades stand on.
        autograded: nbgrader's folder of autograded notebooks.
        part: The assignment.
        chapters: Its notebooks, in the book's order.

    Returns:
        The grades.
    """
    assignment = book.find_assignment(part)
    totals = {notebook.name: notebook.max_score for notebook in assignment.notebooks}

    def place(name: str) -> tuple[int, str]:
        return (chapters.index(name) if name in chapters else len(chapters), name)

    rows = []
    for submission in assignment.submissions:
        name = submission.student.id
        receipt = receipts.find(part, name)
        entries = receipt.chapters if receipt else {}
        grades = [
            _chapter_grade(
                notebook,
                _valid(entries.get(notebook.name), autograded / name / part / f"{notebook.name}.ipynb"),
            )
            for notebook in sorted(submission.notebooks, key=lambda n: place(n.name))
        ]
        rows.append(LearnerGrades(learner_of(submission.student), tuple(grades)))
    rows.sort(key=lambda row: (row.learner.last_name, row.learner.first_name, row.learner.name))
    known = sorted(totals, key=place)
    return GradeTable(part, tuple(known), tuple(totals[name] for name in known), tuple(rows))


def learner_of(student: Any) -> Learner:
    """Return what the gradebook knows of somebody.

    Args:
        student: nbgrader's `Student`.

    Returns:
        The same as plain data.
    """
    return Learner(
        student.id,
        student.first_name or "",
        student.last_name or "",
        student.email or "",
        student.lms_user_id or "",
    )


def _valid(entry: ChapterReceipt | None, path: Path) -> ChapterReceipt:
    """Return what a grade stands on; what the notebook says itself, if nbgrader's own commands graded it since."""
    entry = entry or ChapterReceipt()
    if entry.notebook == file_digest(path):
        return entry
    try:
        about = json.loads(path.read_bytes())["metadata"].get("dlcourse", {})
    except (OSError, ValueError, KeyError):
        return ChapterReceipt()
    return ChapterReceipt(isolation=about.get("isolation", ""), low_trust=tuple(about.get("low_trust", ())))


def _chapter_grade(notebook: Any, found: ChapterReceipt) -> ChapterGrade:
    penalty = notebook.late_submission_penalty or 0.0
    waits = bool(notebook.needs_manual_grade)
    remark = found.reason or ("waits for a grade by hand" if waits else "")
    if penalty:
        remark = "; ".join(filter(None, (remark, f"{penalty:g} points off for being late")))
    return ChapterGrade(
        notebook.name,
        max(0.0, notebook.score - penalty),
        notebook.max_score,
        remark,
        waits or bool(found.flags),
        found.flags,
        found.isolation,
        tuple(
            f"{name!r} is a plain assert: it ran beside the learner's code, low trust"
            for name in found.low_trust
        ),
    )
