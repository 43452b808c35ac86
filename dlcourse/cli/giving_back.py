"""The commands with which an instructor gives back feedback and grades, and sees all of it on a made-up class."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Annotated

import typer

from dlcourse.cli.classes import PANEL, CourseOption, DbOption, PartArgument, find_course
from dlcourse.cli.common import bar, err, out, repository, short

commands = typer.Typer()


class Format(enum.StrEnum):
    """The ways in which grades are written down."""

    csv = "csv"
    moodle = "moodle"
    canvas = "canvas"


@commands.command(rich_help_panel=PANEL)
def feedback(part: PartArgument, db: DbOption = "", course: CourseOption = None) -> None:
    """Write the pages that learners get back: their notebook, the verdicts, your comments.

    [bold]Example[/bold]

    [cyan]dlcourse feedback neurons[/cyan]

    Hidden checks are not shown.
    """
    class_ = find_course(course, db)
    with bar(f"Writing feedback on {part}", "learners") as step:
        pages = class_.feedback(part, on_progress=step)
    out.print(f"Wrote {len(pages)} pages: [cyan]{short(class_.folder / 'feedback')}[/cyan]")


@commands.command(rich_help_panel=PANEL)
def export(
    format_: Annotated[
        Format, typer.Option("--format", help="Plain CSV, or the columns that Moodle or Canvas import.")
    ] = Format.csv,
    to: Annotated[
        Path | None,
        typer.Option("--to", metavar="FILE", help="The file; in the class's folder by default."),
    ] = None,
    db: DbOption = "",
    course: CourseOption = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file with other grades.")] = False,
) -> None:
    """Write the grades of all graded parts to a file.

    [bold]Examples[/bold]

    [cyan]dlcourse export[/cyan]

    [cyan]dlcourse export --format moodle --to ~/moodle.csv[/cyan]

    [bold]Moodle[/bold]: Grades, Import, CSV file; map Username, ID number or Email address to find the learner.

    [bold]Canvas[/bold]: Gradebook, Import; the learner is found by ID, or by SIS Login ID.
    """
    class_ = find_course(course, db)
    target = to or class_.folder / _grades_file(format_)
    out.print(f"Wrote [cyan]{short(class_.export(format_, target, force=force))}[/cyan]")


@commands.command(name="sample-class", rich_help_panel=PANEL)
def sample_class() -> None:
    """Make up a class, grade it, and show what an instructor gets.

    [bold]Example[/bold]

    [cyan]dlcourse sample-class[/cyan]

    The submissions are made from the exercises and the classic mistakes beside them.

    All of it goes to [cyan]build/sample-class[/cyan]; your own class in [cyan]course/[/cyan] is not touched.
    """
    from dlcourse.cli.shown import grade_table
    from dlcourse.grading import sample
    from dlcourse.grading.books.export import FORMATS
    from dlcourse.grading.sandbox import isolation

    root = repository()
    with err.status("Making up a class"):
        class_ = sample.make(root)
    unsafe = isolation().backend is None
    if unsafe:
        out.print(
            f"There is no sandbox here ({isolation().words}). The sample class is graded without one: it was made from "
            "the course's own files."
        )
    for part in class_.parts:
        with bar(f"Grading {part}", "notebooks") as step:
            table = class_.grade(part, unsafe=unsafe, on_progress=step)
        with bar(f"Writing feedback on {part}", "learners") as step:
            class_.feedback(part, on_progress=step)
        for shown in grade_table(table):
            out.print(shown)
    for name in FORMATS:
        class_.export(name, class_.folder / _grades_file(name))
    folder = short(class_.folder)
    out.print("Read on:")
    out.print(f"  the feedback    [cyan]{folder}/feedback/[/cyan]LEARNER/PART/CHAPTER.html")
    out.print(
        f"  the grades      [cyan]{folder}/grades.csv[/cyan] (also grades-moodle.csv, grades-canvas.csv)"
    )
    out.print(
        f"  in formgrader   [cyan]DLCOURSE_COURSE={folder} jupyter lab[/cyan], menu Nbgrader, Formgrader"
    )


def _grades_file(format_name: str) -> str:
    return "grades.csv" if format_name == "csv" else f"grades-{format_name}.csv"
