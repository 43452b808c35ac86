"""The commands of those who learn."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dlcourse.cli.common import bar, err, out, repository

PANEL = "For learners"
commands = typer.Typer()


@commands.command(rich_help_panel=PANEL)
def doctor() -> None:
    """Say what is installed, which device is used, and how to get what is missing.

    [bold]Example[/bold]

    [cyan]dlcourse doctor[/cyan]

    The exit status is 1 only if something is missing that the course cannot do without.
    """
    from dlcourse.cli.doctor import examine

    with err.status("Looking around"):
        findings = examine(Path.cwd())
    for table in findings.tables():
        out.print(table)
    if findings.missing:
        err.print(f"[bold red]Needed and missing:[/bold red] {'; '.join(findings.missing)}")
        raise typer.Exit(1)


@commands.command(rich_help_panel=PANEL)
def check(
    notebook: Annotated[
        Path, typer.Argument(metavar="NOTEBOOK", help="Your notebook, an [cyan].ipynb[/cyan] file.")
    ],
    timeout: Annotated[
        float, typer.Option(min=0.1, metavar="SECONDS", help="How long one cell may run.")
    ] = 30.0,
) -> None:
    """Run your notebook's checks and say what they say.

    [bold]Examples[/bold]

    [cyan]dlcourse check neuron.ipynb[/cyan]

    [cyan]dlcourse check neuron.ipynb --timeout 120[/cyan]

    These are the checks that you see in JupyterLab, in the same words. The file is not changed.

    The exit status is 1 if a check fails.
    """
    from dlcourse.cli.shown import verdicts
    from dlcourse.grading.intake.reading import read_notebook
    from dlcourse.grading.proof import Prover, require_checks

    read = read_notebook(notebook)
    require_checks(read, name=notebook.name)
    with bar(f"Running {notebook.name}", "cells") as step:
        proof = Prover(timeout=timeout).run(
            read, folder=notebook.resolve().parent, on_cell=lambda done, all_: step(done, all_, "")
        )
    shown, passed = verdicts(read, proof)
    for line in shown:
        out.print(line)
    raise typer.Exit(0 if passed else 1)


@commands.command(rich_help_panel=PANEL)
def serve(
    port: Annotated[int, typer.Option(min=1, max=65535, help="The port to listen on.")] = 8000,
) -> None:
    """Show the book in your browser, from this machine only.

    [bold]Examples[/bold]

    [cyan]dlcourse build[/cyan], then [cyan]dlcourse serve[/cyan]

    [cyan]dlcourse serve --port 9000[/cyan]

    Stop it with Ctrl-C.
    """
    from dlcourse.publishing.serve import serve as serve_book

    serve_book(
        repository(),
        port,
        on_ready=lambda address: out.print(
            f"The book is at [bold cyan]{address}[/bold cyan]. Stop with Ctrl-C."
        ),
    )
