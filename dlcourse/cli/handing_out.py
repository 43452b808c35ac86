"""The commands with which an instructor hands out notebooks and takes them in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dlcourse.cli.classes import PANEL, CourseOption, DbOption, PartArgument, find_course, say_taken
from dlcourse.cli.common import bar, out, short

commands = typer.Typer()


@commands.command(rich_help_panel=PANEL)
def release(
    part: Annotated[
        str | None,
        typer.Argument(metavar="[PART]", help="A part of the book; all parts if left out."),
    ] = None,
    db: DbOption = "",
    course: CourseOption = None,
    force: Annotated[
        bool, typer.Option("--force", help="Release again although learners have handed in.")
    ] = False,
) -> None:
    """Make the notebooks that you hand out: without solutions, without hidden checks.

    [bold]Examples[/bold]

    [cyan]dlcourse release[/cyan]

    [cyan]dlcourse release neurons[/cyan]

    They are made from the text files in [cyan]exercises/[/cyan].

    A notebook that would show a solution or a hidden check is not released.
    """
    class_ = find_course(course, db)
    parts = [part] if part else list(class_.parts)
    for name in parts:
        class_.chapters(name)
    with bar("Releasing", "parts") as step:
        for done, name in enumerate(parts):
            step(done, len(parts), name)
            class_.release(name, force=force)
    for name in parts:
        chapters = ", ".join(class_.chapters(name))
        out.print(
            f"Released [bold]{name}[/bold] ({chapters}): [cyan]{short(class_.folder / 'release' / name)}[/cyan]"
        )


@commands.command(rich_help_panel=PANEL)
def collect(
    part: PartArgument,
    source: Annotated[
        Path | None,
        typer.Argument(
            metavar="[SOURCE]",
            help="A folder or a zip: one folder for each learner, or what Moodle or Canvas let you download. "
            "nbgrader's exchange if left out.",
        ),
    ] = None,
    roster: Annotated[
        Path | None,
        typer.Option(
            "--roster",
            metavar="FILE",
            help="Who is who: the class as a CSV file that Moodle or Canvas exports.",
        ),
    ] = None,
    db: DbOption = "",
    course: CourseOption = None,
) -> None:
    """Take in what learners handed in; nothing of it is run.

    [bold]Examples[/bold]

    [cyan]dlcourse collect neurons ~/Downloads/submissions.zip[/cyan]    (from Moodle or Canvas)

    [cyan]dlcourse collect neurons ~/Downloads/submissions.zip --roster ~/Downloads/grades.csv[/cyan]

    [cyan]dlcourse collect neurons ~/handed-in[/cyan]    (one folder for each learner)

    [cyan]dlcourse collect neurons[/cyan]    (on a JupyterHub, from the exchange)

    What cannot be taken in is said with its reason, and kept in [cyan]course/collected[/cyan].

    What a newer submission replaces is kept in [cyan]course/earlier[/cyan].
    """
    if roster is not None and source is None:
        raise typer.BadParameter(
            "it goes with a folder or a zip; the exchange knows who is who", param_hint="--roster"
        )
    say_taken(find_course(course, db).collect(part, source, roster=roster))
