"""Verdicts and grades as a terminal shows them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from dlcourse.grading.notebooks import Notebook, total_points
from dlcourse.grading.proof import CellResult, Proof, visible_checks

if TYPE_CHECKING:
    from dlcourse.grading.books.grades import GradeTable
    from dlcourse.grading.books.repeat import Repeated


_MANY = 5
"""What is said of more learners than this is said once."""


def verdicts(notebook: Notebook, proof: Proof) -> tuple[list[RenderableType], bool]:
    """Show what the checks of a learner's notebook say.

    Args:
        notebook: What was run.
        proof: What its cells did.

    Returns:
        What to print, and whether all visible checks passed.
    """
    visible = [proof.checks[name] for name in visible_checks(notebook)]
    table = Table("", "Check", "Points", show_lines=True)
    table.columns[0].no_wrap = table.columns[2].no_wrap = True
    for cell in visible:
        for passed, name, worth, says in _rows(cell):
            mark = Text("passed", "green") if passed else Text("not yet", "bold red")
            words = Text.assemble((name, "bold"), f"\n{says}" if says else "")
            table.add_row(mark, words, worth)
    points = sum(cell.points for cell in visible)
    total = sum(cell.total for cell in visible)
    lines: list[RenderableType] = [table]
    for cell in proof.cells:
        if cell.error and not cell.graded and not cell.error.startswith("NotImplementedError"):
            where = f"the cell {cell.name!r}" if cell.name else "a cell of yours"
            lines.append(Text.assemble(("Stopped: ", "bold red"), f"{where}: {cell.error}"))
    lines.append(Text.assemble((f"{points:g} of {total:g} points", "bold"), " in the checks you can see."))
    later = total_points(notebook) - total
    if later:
        lines.append(Text(f"{later:g} more points are given on other inputs when you hand in.", "dim"))
    return lines, points == total


def grade_table(table: GradeTable) -> Iterator[RenderableType]:
    """Show the grades of a class.

    Args:
        table: The grades.

    Yields:
        What to print.
    """
    shown = Table(title=f"{table.part}: {len(table.rows)} learners", title_style="bold")
    shown.add_column("Learner")
    for chapter, total in zip(table.chapters, table.totals, strict=True):
        shown.add_column(f"{chapter}\n[dim]of {total:g}[/dim]", justify="right")
    shown.add_column(f"Total\n[dim]of {table.total:g}[/dim]", justify="right")
    shown.add_column("Needs a look")
    for row in table.rows:
        points = {grade.chapter: grade for grade in row.chapters}
        cells = [f"{points[c].points:g}" if c in points else "" for c in table.chapters]
        shown.add_row(
            Text(row.learner.label), *cells, Text(f"{row.points:g}", "bold"), Text(row.look, "yellow")
        )
    yield shown
    common = Counter(remark for row in table.rows for remark in row.remarks + row.flags)
    for row in table.rows:
        for remark in row.remarks + row.flags:
            if common[remark] <= _MANY:
                yield Text.assemble((f"{row.learner.label}: ", "bold"), remark)
    for remark, count in common.items():
        if count > _MANY:
            yield Text.assemble((f"{count} of {len(table.rows)} learners: ", "bold"), remark)
    for note, count in Counter(note for row in table.rows for note in row.notes).items():
        yield Text(f"{note} ({count} of {len(table.rows)} learners)", "dim")
    yield Text.assemble("Isolation of the learners' code: ", (table.isolation, "yellow"))


def repeated(found: Sequence[Repeated]) -> Iterator[RenderableType]:
    """Show whether verdicts repeat.

    Args:
        found: What came of each notebook.

    Yields:
        What to print.
    """
    for chapter in found:
        words = ("the same verdict", "green") if chapter.same else ("another verdict", "bold red")
        yield Text.assemble((f"{chapter.chapter}: ", "bold"), words, f", {chapter.points:g} points")
        for difference in chapter.differences:
            yield Text(f"  {difference}")
        for circumstance in chapter.circumstances:
            yield Text(f"  {circumstance}", "dim")


def _rows(cell: CellResult) -> Iterator[tuple[bool, str, str, str]]:
    if cell.report is None:
        says = cell.error or ("" if cell.points == cell.total else "It wrote to stderr.")
        yield cell.points == cell.total, cell.name, f"{cell.points:g} of {cell.total:g}", says
        return
    for verdict in cell.report["verdicts"]:
        says = "\n".join(filter(None, (verdict["message"], verdict.get("example", ""))))
        points = f"{verdict['points']:g} of {verdict['total']:g}"
        yield verdict["passed"], f"{verdict['name']} {verdict['what']}", points, says
