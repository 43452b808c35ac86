"""What the commands for instructors share: which class and gradebook they mean, and what was taken in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from dlcourse.cli.common import err, out, repository

if TYPE_CHECKING:
    from dlcourse.grading.collecting.collect import Collected
    from dlcourse.grading.course import Course

PANEL = "For instructors"

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
PartArgument = Annotated[
    str, typer.Argument(metavar="PART", help="A part of the book, such as [cyan]neurons[/cyan].")
]


def find_course(folder: Path | None, db: str = "", device: str = "") -> Course:
    """Find the class that a command is about.

    Args:
        folder: where it is; `course/` in the repository around the current folder if left out.
        db: address of its gradebook; a file in the class if left out.
        device: where tensors among the inputs of checks are made, if it is graded.
    """
    from dlcourse.grading.course import Course

    return Course(repository(), folder, db, device)


def say_taken(taken: Collected) -> None:
    """Say what was taken in, and what was not and why."""
    notebooks = f"{taken.notebooks} notebook{'' if taken.notebooks == 1 else 's'}"
    learners = f"{taken.learners} learner{'' if taken.learners == 1 else 's'}"
    out.print(f"Took in {notebooks} of {learners}.")
    for line in taken.notes:
        out.print(Text.assemble(("Note: ", "bold"), line), highlight=False)
    for line in taken.left_out:
        err.print(Text.assemble(("Left out: ", "yellow"), line), highlight=False)
