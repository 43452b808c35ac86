"""The command that trains a network from the shell."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from dlcourse.cli.common import bar, err, out, short

if TYPE_CHECKING:
    from dlcourse.experiments.run import Outcome, Run
    from dlcourse.training import History

PANEL = "For learners"
commands = typer.Typer()

# The names stand here a second time, and a test compares them: what help shows must not import NumPy.
Network = enum.StrEnum("Network", "fused plain tensor linear batchnorm layernorm dropout torch")
Activation = enum.StrEnum("Activation", "relu tanh sigmoid gelu")
OptimizerName = enum.StrEnum("OptimizerName", "adamw adam rmsprop sgd momentum nesterov")
ScheduleName = enum.StrEnum("ScheduleName", "constant cosine step warmup")


def _units(text: str) -> str:
    """Accept whole numbers above 0 with commas between them."""
    for word in text.split(","):
        if not (word.strip().isdecimal() and int(word) > 0):
            raise typer.BadParameter(f"{word!r} is no number of units; write 256 or 256,128")
    return text


@commands.command(rich_help_panel=PANEL)
def train(
    data: Annotated[
        str | None,
        typer.Argument(
            metavar="[DATA]",
            help="A shipped data set, or your own [cyan].npz[/cyan] file with x and y; all are listed if left out.",
        ),
    ] = None,
    network: Annotated[
        Network | None, typer.Option(help="The kind of network.", show_default="by data set")
    ] = None,
    hidden: Annotated[
        list[str] | None,
        typer.Option(
            metavar="UNITS",
            parser=_units,
            help="Units of a hidden layer; give it again, or [cyan]256,128[/cyan], for more layers.",
            show_default="by data set",
        ),
    ] = None,
    activation: Annotated[
        Activation | None, typer.Option(help="Of the hidden layers.", show_default="relu")
    ] = None,
    dropout: Annotated[
        float | None,
        typer.Option(min=0.0, max=0.95, help="Share of units dropped at each step.", show_default="0.5"),
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(
            metavar="auto|cpu|cuda|mps",
            help="Where PyTorch computes; auto: a GPU if there is one. Chooses [cyan]--network torch[/cyan].",
            show_default="auto",
        ),
    ] = None,
    optimizer: Annotated[OptimizerName | None, typer.Option(show_default="adamw")] = None,
    rate: Annotated[
        float | None,
        typer.Option(min=0.0, help="Learning rate, the largest one.", show_default="by optimizer"),
    ] = None,
    schedule: Annotated[
        ScheduleName | None,
        typer.Option(help="How the rate changes over the run.", show_default="constant"),
    ] = None,
    weight_decay: Annotated[
        float | None,
        typer.Option(min=0.0, help="How strongly weights are kept small.", show_default="by data set"),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(min=1, help="How often each example is seen at most.", show_default="by data set"),
    ] = None,
    batch: Annotated[
        int | None, typer.Option(min=1, help="Examples a step.", show_default="by data set")
    ] = None,
    patience: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Stop after so many epochs without a smaller validation loss; 0: never.",
            show_default="by data set",
        ),
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Of all that is drawn.", show_default="0")] = None,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FOLDER",
            help="Where to keep the run.",
            show_default="build/train/DATA, below the current folder",
        ),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Go on with the run in the folder; its options need not be repeated."),
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace the run in the folder.")] = False,
) -> None:
    """Train a network of the course, on a shipped data set or on your own.

    [bold]Examples[/bold]

    [cyan]dlcourse train[/cyan]    (what can be trained)

    [cyan]dlcourse train digits[/cyan]

    [cyan]dlcourse train digits --network plain --hidden 256,128 --optimizer sgd --rate 0.2 --seed 1[/cyan]

    [cyan]dlcourse train digits --resume --epochs 100[/cyan]

    [cyan]dlcourse train mine.npz --out mine[/cyan]    (made with np.savez("mine.npz", x=x, y=y))

    Integers in y are classes, from 0; other numbers are values.

    Ctrl-C keeps the last whole epoch: [cyan]--resume[/cyan] goes on from there as if nothing had happened.

    The folder holds the checkpoint, the curve as a picture, and settings and history as JSON.
    """
    if data is None:
        _list()
        return
    if resume and force:
        raise typer.BadParameter("choose one of --resume and --force", param_hint="--resume")
    given: dict[str, Any] = {
        "network": network,
        "hidden": tuple(int(word) for text in hidden for word in text.split(",")) if hidden else None,
        "activation": activation,
        "dropout": dropout,
        "device": device,
        "optimizer": optimizer,
        "rate": rate,
        "schedule": schedule,
        "weight_decay": weight_decay,
        "epochs": epochs,
        "batch": batch,
        "patience": patience,
        "seed": seed,
    }
    # Enumerations are for the command line only; JSON and error messages have plain words.
    given = {
        name: str(value) if isinstance(value, enum.StrEnum) else value
        for name, value in given.items()
        if value is not None
    }
    with err.status("Loading"):
        from dlcourse.experiments.run import prepare, train

        run = prepare(data, given, folder, resume=resume, replace=force)
    _say_what(run)
    with bar("Training", "steps") as step:
        outcome = train(run, progress=lambda done, of, history: step(done, of, _now(history)))
    if outcome.interrupted:
        _say_stopped(run, outcome, data, folder)
        raise typer.Exit(130)
    _say_how_well(run, outcome)


def _list() -> None:
    """Say what can be trained on what."""
    from dlcourse.experiments.networks import NETWORKS
    from dlcourse.experiments.sets import SETS

    table = Table("Data set", "Question", box=None, title="dlcourse train DATA", title_justify="left")
    for name, shipped in SETS.items():
        table.add_row(Text(name, "cyan"), shipped.question)
    table.add_row(Text("FILE.npz", "cyan"), 'your own, made with np.savez("FILE.npz", x=x, y=y)')
    out.print(table)
    table = Table("Network", "", box=None, title="--network NETWORK", title_justify="left")
    for name, network in NETWORKS.items():
        table.add_row(Text(name, "cyan"), network.about)
    out.print(table)


def _say_what(run: Run) -> None:
    """Say what is about to be trained on what."""
    task, settings = run.task, run.settings
    sizes = "-".join(map(str, (task.n_in, *settings.hidden, task.n_out)))
    examples = ", ".join(f"{len(part.x):,} {name}" for name, part in task.parts.items())
    kind = "classes" if task.classes else "value" if task.n_out == 1 else "values"
    done = f", {run.done} done" if run.done else ""
    where = f" on {_name_of(run.model)}" if settings.network == "torch" else ""
    out.print(f"{Path(settings.data).name}: {examples} examples; {task.n_out} {kind}", highlight=False)
    out.print(
        f"{settings.network} {sizes}{where}, {settings.optimizer} at rate {settings.rate:g}, "
        f"{settings.epochs} epochs at most{done}, seed {settings.seed}",
        highlight=False,
    )


def _name_of(model: Any) -> str:
    from dlcourse.gpus import _device

    return _device.name(model.device)


def _now(history: History) -> str:
    """Say in a few words where a run stands."""
    words = f"epoch {history.epochs + 1}, loss {history.steps[-1]:.3f}"
    if history.accuracy:
        return f"{words}, validation accuracy {history.accuracy[-1]:.1%}"
    return f"{words}, validation loss {history.validation_loss[-1]:.3f}" if history.validation_loss else words


def _say_stopped(run: Run, outcome: Outcome, data: str, folder: Path | None) -> None:
    """Say what was kept and how to go on."""
    import shlex

    kept = outcome.history.epochs
    command = ["dlcourse", "train", data, *([] if folder is None else ["--out", str(folder)]), "--resume"]
    out.print(
        f"Stopped. The network after epoch {kept} is kept in {short(run.checkpoint.resolve())}."
        if kept
        else "Stopped before the first epoch was complete.",
        highlight=False,
    )
    out.print(f"Go on with: [cyan]{shlex.join(command)}[/cyan]", highlight=False, soft_wrap=True)


def _say_how_well(run: Run, outcome: Outcome) -> None:
    """Show the scores beside those of the baseline, and what was written where."""
    from dlcourse.experiments.run import FILES
    from dlcourse.experiments.task import ERROR

    task, history = run.task, outcome.history
    names = list(outcome.scores["test"])
    table = Table("", "examples", "loss", *names)
    for column in table.columns[1:]:
        column.justify = "right"
    for part, scores in outcome.scores.items():
        shown = [
            f"{v:.3g} {task.unit}".strip() if name == ERROR else f"{v:.1%}" for name, v in scores.items()
        ]
        if part == "baseline":
            table.add_section()
            table.add_row(f"{task.baseline.name}, test", str(len(task.test.x)), "", *shown)
        else:
            table.add_row(part, str(len(task.parts[part].x)), f"{outcome.losses[part]:.4f}", *shown)
    out.print(table)
    ours, theirs = (outcome.scores[part][names[0]] for part in ("test", "baseline"))
    better = ours < theirs if names[0] == ERROR else ours > theirs
    verdict = "Better" if better else "[yellow]Not better[/yellow]"
    out.print(f"{verdict} than '{task.baseline.name}', by {names[0]} on the test examples.", highlight=False)
    how = f"stopped after {history.epochs}" if history.stopped else f"{history.epochs}"
    best = f"; kept is epoch {history.best}" if run.settings.patience and history.best else ""
    out.print(f"{outcome.seconds:.1f} s; epochs: {how}{best}.", highlight=False)
    for note in task.notes:
        out.print(Text.assemble(("Note: ", "bold"), note))
    for name in FILES:
        out.print(
            f"Saved [cyan]{short((run.folder / name).resolve())}[/cyan]", highlight=False, soft_wrap=True
        )
