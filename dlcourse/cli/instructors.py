"""The commands of those who teach: hand out, take in, grade, give back."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from dlcourse.cli.common import bar, err, out, repository, short

if TYPE_CHECKING:
    from dlcourse.grading.collecting.collect import Collected
    from dlcourse.grading.course import Course

PANEL = "For instructors"
commands = typer.Typer()

CourseOption = Annotated[
    Path | None,
    typer.Option(
        "--course",
        metavar="DIR",
        envvar="DLCOURSE_COURSE",
        show_envvar=True,
        show_default=False,
        help="The class's folder; [cyan]course/[/cyan] in the repository by default.",
    ),
]
DbOption = Annotated[
    str,
    typer.Option(
        "--db",
        metavar="URL",
        envvar="DLCOURSE_DB",
        show_envvar=True,
        show_default=False,
        help="The gradebook, such as [cyan]postgresql://user@host/grades[/cyan]; a file in the class by default.",
    ),
]
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
PartArgument = Annotated[
    str, typer.Argument(metavar="PART", help="A part of the book, such as [cyan]neurons[/cyan].")
]


class Format(enum.StrEnum):
    """The ways in which grades are written down."""

    csv = "csv"
    moodle = "moodle"
    canvas = "canvas"


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
    class_ = _course(course, db)
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
    _say_taken(_course(course, db).collect(part, source, roster=roster))


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
    class_ = _course(course, db)
    class_.chapters(part)
    if submissions is not None:
        _say_taken(class_.collect(part, submissions))
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
    class_ = _course(course, db)
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


@commands.command(rich_help_panel=PANEL)
def feedback(part: PartArgument, db: DbOption = "", course: CourseOption = None) -> None:
    """Write the pages that learners get back: their notebook, the verdicts, your comments.

    [bold]Example[/bold]

    [cyan]dlcourse feedback neurons[/cyan]

    Hidden checks are not shown.
    """
    class_ = _course(course, db)
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
    class_ = _course(course, db)
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


def _say_taken(taken: Collected) -> None:
    notebooks = f"{taken.notebooks} notebook{'' if taken.notebooks == 1 else 's'}"
    learners = f"{taken.learners} learner{'' if taken.learners == 1 else 's'}"
    out.print(f"Took in {notebooks} of {learners}.")
    for line in taken.notes:
        out.print(Text.assemble(("Note: ", "bold"), line), highlight=False)
    for line in taken.left_out:
        err.print(Text.assemble(("Left out: ", "yellow"), line), highlight=False)


def _grades_file(format_name: str) -> str:
    return "grades.csv" if format_name == "csv" else f"grades-{format_name}.csv"


def _course(folder: Path | None, db: str = "") -> Course:
    from dlcourse.grading.course import Course

    return Course(repository(), folder, db)


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
