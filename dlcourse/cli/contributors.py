"""The commands of those who change the course."""

from __future__ import annotations

from typing import Annotated

import typer

from dlcourse.cli.common import bar, out, repository, short

PANEL = "For contributors"
commands = typer.Typer()


@commands.command(rich_help_panel=PANEL)
def build(
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Run every cell again, also those that did not change.")
    ] = False,
) -> None:
    """Build the book into [cyan]build/book[/cyan]; what did not change is kept.

    [bold]Examples[/bold]

    [cyan]dlcourse build[/cyan]

    [cyan]dlcourse build --fresh[/cyan]

    A failing cell or a warning fails the build.
    """
    from dlcourse.publishing.build import build as build_book

    with bar("Building the book", "steps") as step:
        built = build_book(repository(), fresh=fresh, on_progress=step)
    out.print(
        f"Built {built.pages} pages in {built.seconds:.0f} s; ran {built.executed} notebooks, "
        f"{built.reused} did not change."
    )
    out.print(f"Read it: [cyan]{short(built.index)}[/cyan], or run [cyan]dlcourse serve[/cyan].")
