"""The commands of those who change the course."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dlcourse.cli.common import bar, err, out, repository, short

PANEL = "For contributors"
commands = typer.Typer()


@commands.command(rich_help_panel=PANEL)
def build(
    folder: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FOLDER]",
            help="With --site: where the copy goes; [cyan]build/site[/cyan] if not said.",
            show_default=False,
        ),
    ] = None,
    site: Annotated[
        bool,
        typer.Option(
            "--site", help="Also copy the site to a folder that any web host serves, below any path."
        ),
    ] = False,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Run every cell again, also those that did not change.")
    ] = False,
) -> None:
    """Build the book into [cyan]build/book[/cyan]; what did not change is kept.

    [bold]Examples[/bold]

    [cyan]dlcourse build[/cyan]

    [cyan]dlcourse build --fresh[/cyan]

    [cyan]dlcourse build --site public[/cyan]

    A failing cell or a warning fails the build.
    """
    from dlcourse.publishing import hosting
    from dlcourse.publishing.build import build as build_book

    if folder is not None and not site:
        raise typer.BadParameter(f"Did you mean --site {folder}? A folder is for the copy of the site.")
    root = repository()
    target = folder or hosting.default_folder(root)
    if site:
        hosting.check(target)
    _hand_over_exercises(root)
    with bar("Building the book", "steps") as step:
        built = build_book(root, fresh=fresh, on_progress=step)
    out.print(
        f"Built {built.pages} pages in {built.seconds:.0f} s; ran {built.executed} notebooks, "
        f"{built.reused} did not change."
    )
    if built.note:
        err.print(built.note)
    if site:
        out.print(f"Put it on a web host: [cyan]{short(hosting.export(built.site, target))}[/cyan].")
    out.print(f"Read it: [cyan]{short(built.index)}[/cyan], or run [cyan]dlcourse serve[/cyan].")


def _hand_over_exercises(root: Path) -> None:
    """Give the book the notebooks that learners get; without the grader there are none, and no such pages."""
    from dlcourse.publishing.live.exercise_pages.notebooks import keep

    released: dict[str, str] = {}
    try:
        from dlcourse.grading.course import Course
        from dlcourse.grading.release import handed_out

        course = Course(root)
        for part, chapters in course.parts.items():
            for chapter in chapters:
                released[f"{part}/{chapter}"] = handed_out(part, chapter, course.exercise(part, chapter))
    except ModuleNotFoundError as error:
        released.clear()
        err.print(
            f"The exercises are no pages of this book, for {error.name} is not installed. To have them: "
            "[cyan]pip install -e '.\\[book,grading]'[/cyan], then build again."
        )
    keep(root, released)
