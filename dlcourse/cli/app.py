"""The command line as a whole: each module brings the commands of those who use them, in the order of the help."""

from __future__ import annotations

import typer

from dlcourse.cli import contributors, giving_back, grading, handing_out, learners, milestones, training

app = typer.Typer(
    name="dlcourse",
    rich_markup_mode="rich",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="[dim]dlcourse COMMAND --help shows examples of each command.[/dim]",
)
for group in (learners, training, milestones, handing_out, grading, giving_back, contributors):
    app.add_typer(group.commands)


@app.callback()
def dlcourse() -> None:
    """A deep-learning course: a book, a package, and exercises that tell you what is wrong.

    [bold]Learners[/bold] read the book and solve exercises.
    [bold]Instructors[/bold] hand them out, grade them and return them.
    [bold]Contributors[/bold] change the book.
    """
