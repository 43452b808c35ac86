"""The command `milestone`: a learner's own functions train, and what they did is shown."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from dlcourse.cli.common import bar, err, out, short

if TYPE_CHECKING:
    from dlcourse.milestones import Report
    from dlcourse.milestones.run import Line

PANEL = "For learners"
_WIDE = 90
commands = typer.Typer()


@commands.command(rich_help_panel=PANEL)
def milestone(
    part: Annotated[
        str,
        typer.Argument(
            metavar="PART", help="[cyan]neurons[/cyan], [cyan]learning[/cyan] or [cyan]training[/cyan]."
        ),
    ],
    notebooks: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[NOTEBOOK]...",
            help="Your notebooks, or the folder that they are in.",
            show_default=False,
        ),
    ] = None,
    figure: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Where the curve is saved.", show_default="milestone-PART.png"),
    ] = None,
    as_is: Annotated[
        bool, typer.Option("--as-is", help="Train with your wrong pieces, too, and look what happens.")
    ] = False,
    timeout: Annotated[
        float,
        typer.Option(min=0.1, metavar="SECONDS", help="How long one of your cells or functions may run."),
    ] = 10.0,
) -> None:
    """Let your own functions learn: they take the place of the package's, and train.

    [bold]Examples[/bold]

    [cyan]dlcourse milestone learning[/cyan]

    [cyan]dlcourse milestone learning my-notebooks[/cyan]

    [cyan]dlcourse milestone training optimizers.ipynb --figure curve.svg[/cyan]

    Without NOTEBOOK, your notebooks are looked for here, in the folder PART, and where `dlcourse release` puts them.
    What is not solved yet, or wrong, is taken from the package. What is wrong is named by what it breaks.

    The exit status is 1 if a piece is wrong, a notebook cannot be read, or the goal is missed.
    """
    import os

    os.environ["MPLBACKEND"] = "Agg"  # a learner's plot opens no window
    from dlcourse import milestones
    from dlcourse.milestones.curves import save

    wanted = milestones.milestone(part)
    files = milestones.find(wanted, notebooks or [], [] if notebooks else list(_usual(part)))
    path = figure or Path(f"milestone-{part}.png")
    try:
        with bar(wanted.title, "steps") as step:
            report = milestones.run(wanted, files, limit=timeout, as_is=as_is, progress=step)
    except milestones.Interrupted as interrupt:
        from dlcourse.cli import fail

        fail(str(interrupt), status=130)
    for line in shown(report, wide=out.width >= _WIDE):
        out.print(line)
    save(report, path)
    out.print(f"The curves: [cyan]{short(path.resolve())}[/cyan]")
    for note in report.handed.notes:
        err.print(Text(note, "yellow"))
    raise typer.Exit(0 if report.reached and not report.handed.unread else 1)


def _usual(part: str) -> Iterator[Path]:
    """Return the folders in which a learner works."""
    from dlcourse.cli.root import NotInCourseError, find_root
    from dlcourse.grading.config import course_folder

    yield from (Path.cwd(), Path.cwd() / part)
    try:
        yield course_folder(find_root(Path.cwd())) / "release" / part
    except NotInCourseError:
        return


def shown(report: Report, *, wide: bool = False) -> Iterator[RenderableType]:
    """Show what a milestone showed.

    Args:
        report: what happened.
        wide: whether there is room to say what each piece does.

    Yields:
        What to print.
    """
    from dlcourse.milestones.curves import spark

    yield Text(report.milestone.title, "bold")
    for folder in dict.fromkeys(path.parent for path in report.handed.files):
        names = ", ".join(path.name for path in report.handed.files if path.parent == folder)
        yield Text(f"Read from {short(folder.resolve())}: {names}", "dim")
    table = Table("Piece", *([""] if wide else []), "Whose", "Calls", "Time")
    for column in table.columns[-2:]:
        column.justify = "right"
    for line in report.lines:
        share = f"{line.seconds / report.seconds:.1%}" if line.calls else ""
        does = [Text(line.work.piece.does, "dim")] if wide else []
        table.add_row(line.work.piece.name, *does, _whose(line), f"{line.calls:,}", share)
    yield table
    for line in report.wrong:
        yield Text.assemble(("Wrong: ", "bold red"), (line.work.piece.name, "bold"), f". {line.breaks}")
        if line.work.told and line.work.told.rstrip(".") not in line.breaks:
            yield Text(f"       The check says: {line.work.told}", "dim")
    for trained in report.trained:
        yield Text.assemble((f"{trained.stage.name}  ", "bold"), (f"{trained.stage.measure}", "dim"))
        yield Text(f"  {spark(trained.curve)}", "cyan")
        if trained.result:
            style = "green" if trained.result.reached else "bold red"
            yield Text.assemble("  ", (trained.result.says, style))
        else:
            yield Text.assemble(
                "  ", (f"Stopped at step {len(trained.curve) + 1}: ", "bold red"), trained.stopped
            )
    took = f"{report.seconds:.1f} s" if report.seconds >= 1 else f"{1000 * report.seconds:.0f} ms"
    yield Text.assemble((f"{report.yours:.0%}", "bold"), f" of the {took} of training ran in your code.")


def _whose(line: Line) -> Text:
    if line.yours:
        if line.breaks:
            return Text("yours, wrong", "bold red")
        return Text("yours" if line.calls else "yours, not needed", "green")
    return Text.assemble("package's: ", (line.work.state, "bold red" if line.breaks else "yellow"))
