"""The commands with which an instructor grades, and grades again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from dlcourse.cli.classes import PANEL, CourseOption, DbOption, PartArgument, find_course, say_taken
from dlcourse.cli.common import bar, err, out

if TYPE_CHECKING:
    from dlcourse.grading.course import Course

commands = typer.Typer()

UnsafeOption = Annotated[
    bool,
    typer.Option(
        "--unsafe",
        help="Where there is no sandbox, run learners' code without one: it can do all that you can do.",
    ),
]
WorkersOption = Annotated[
    int | None,
    typer.Option(
        "--workers",
        min=1,
        metavar="N",
        show_default=False,
        help="Processes that execute; one a core by default.",
    ),
]
DeviceOption = Annotated[
    str,
    typer.Option(
        "--device",
        metavar="auto|cpu",
        envvar="DLCOURSE_DEVICE",
        show_envvar=True,
        show_default="auto",
        help="Where tensors are checked; auto: on the CPU, and on a GPU too if there is one.",
    ),
]


@commands.command(rich_help_panel=PANEL)
def grade(
    part: PartArgument,
    submissions: Annotated[
        Path | None,
        typer.Option(
            "--submissions",
            metavar="SOURCE",
            help="Take these in first, as [cyan]dlcourse collect[/cyan] does: a folder or a zip.",
        ),
    ] = None,
    unsafe: UnsafeOption = False,
    dask: Annotated[
        str | None,
        typer.Option(
            "--dask",
            metavar="ADDRESS",
            help="Execute on a Dask cluster, such as [cyan]tls://scheduler:8786[/cyan].",
        ),
    ] = None,
    workers: WorkersOption = None,
    device: DeviceOption = "",
    db: DbOption = "",
    course: CourseOption = None,
) -> None:
    """Grade what was handed in for a part and is not graded yet.

    [bold]Examples[/bold]

    [cyan]dlcourse grade neurons --submissions ~/Downloads/handed-in[/cyan]

    [cyan]dlcourse grade neurons[/cyan]    (what is in course/submitted already)

    Learners' code runs in a sandbox. A submission that cannot be graded gets a line with its reason and does not stop
    the others. Ctrl-C loses nothing that was graded: run the same command again to go on.

    Then look at the grades in formgrader ([cyan]jupyter lab[/cyan], menu Nbgrader), write the feedback and export.
    """
    class_ = find_course(course, db, device)
    class_.chapters(part)
    if submissions is not None:
        say_taken(class_.collect(part, submissions))
    _grade(class_, part, unsafe=unsafe, dask=dask, workers=workers)


@commands.command(rich_help_panel=PANEL)
def regrade(
    part: Annotated[
        str | None,
        typer.Argument(
            metavar="[PART]", help="Execute and record this part again, though nothing has changed."
        ),
    ] = None,
    learner: Annotated[
        str | None, typer.Option("--learner", metavar="NAME", help="Only this learner's submission.")
    ] = None,
    receipt: Annotated[
        Path | None,
        typer.Option(
            "--receipt",
            metavar="FILE",
            help="Repeat the verdict of a receipt from [cyan]course/graded/receipts[/cyan]; nothing is recorded.",
        ),
    ] = None,
    unsafe: UnsafeOption = False,
    workers: WorkersOption = None,
    device: DeviceOption = "",
    db: DbOption = "",
    course: CourseOption = None,
) -> None:
    """Grade again from the start, or check that a verdict repeats.

    [bold]Examples[/bold]

    [cyan]dlcourse regrade neurons[/cyan]

    [cyan]dlcourse regrade neurons --learner ada[/cyan]

    [cyan]dlcourse regrade --receipt course/graded/receipts/neurons/ada.json[/cyan]

    Scores and comments that you gave by hand stay.

    With a receipt, the exit status is 1 if the verdict is another one.
    """
    from dlcourse.cli.shown import repeated

    if (part is None) == (receipt is None):
        raise typer.BadParameter("name a part, or a receipt", param_hint="PART or --receipt")
    if learner is not None and part is None:
        raise typer.BadParameter("it goes with a part; a receipt says whose it is", param_hint="--learner")
    class_ = find_course(course, db, device)
    if part is not None:
        _grade(class_, part, unsafe=unsafe, workers=workers, learner=learner, afresh=True)
        return
    assert receipt is not None
    if unsafe:
        _say_unsafe()
    with err.status("Executing again"):
        found = class_.repeat(receipt, unsafe=unsafe)
    for shown in repeated(found):
        out.print(shown)
    raise typer.Exit(0 if all(chapter.same for chapter in found) else 1)


def _grade(class_: Course, part: str, *, unsafe: bool, **how: Any) -> None:
    """Grade, with a progress bar, and show the grades."""
    from dlcourse.cli.shown import grade_table

    if unsafe:
        _say_unsafe()
    try:
        with bar(f"Grading {part}", "notebooks") as step:
            table = class_.grade(part, unsafe=unsafe, on_progress=step, **how)
    except KeyboardInterrupt:
        err.print("Stopped. What was graded is kept: run the same command again to go on.")
        raise typer.Exit(130) from None
    for shown in grade_table(table):
        out.print(shown)


def _say_unsafe() -> None:
    err.print(
        Text.assemble(
            ("Unsafe: ", "bold red"),
            "where there is no sandbox, learners' code runs as you: it can read and change your files. "
            "The reports say so.",
        )
    )
