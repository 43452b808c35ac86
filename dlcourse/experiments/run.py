"""One run from the first step to the last table, kept in a folder: what it was made with, how it went, where it stands.

``run.json`` holds settings, history and scores, ``checkpoint.npz`` the network after the last whole epoch, ``curve.png``
the picture. A run that was interrupted goes on from there bit for bit.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import dlcourse
from dlcourse.experiments import own
from dlcourse.experiments.errors import ExperimentError
from dlcourse.experiments.networks import OPTIMIZERS, SCHEDULES, build
from dlcourse.experiments.sets import SETS
from dlcourse.experiments.settings import Settings, choose, go_on, read
from dlcourse.experiments.task import Task
from dlcourse.figures import style
from dlcourse.figures.curves import training_curve
from dlcourse.grading.errors import did_you_mean
from dlcourse.learning._trainable import Trainable
from dlcourse.learning.gradient_descent import DivergenceError
from dlcourse.training import History, Progress, _checkpoint, fit

ABOUT, CHECKPOINT, CURVE = FILES = ("run.json", "checkpoint.npz", "curve.png")


@dataclass
class Run:
    """A run that can begin or go on.

    Attributes:
        settings: what decides how it goes.
        task: what is learnt.
        folder: where it is kept.
        model: the network, untrained until it is loaded from the checkpoint.
        done: how many epochs lie behind it.
        seconds: how long these took.
    """

    settings: Settings
    task: Task
    folder: Path
    model: Trainable
    done: int = 0
    seconds: float = 0.0

    @property
    def checkpoint(self) -> Path:
        """The file with the network after the last whole epoch."""
        return self.folder / CHECKPOINT


@dataclass
class Outcome:
    """How a run ended.

    Attributes:
        history: all of its whole epochs.
        seconds: how long they took, those before a pause included.
        interrupted: whether somebody pressed Ctrl-C.
        scores: of each part by name, and of the baseline on the test part; empty if interrupted.
        losses: of each part by name; empty if interrupted.
    """

    history: History
    seconds: float
    interrupted: bool = False
    scores: dict[str, dict[str, float]] = field(default_factory=dict)
    losses: dict[str, float] = field(default_factory=dict)


def prepare(
    data: str,
    given: Mapping[str, Any],
    folder: Path | None = None,
    *,
    resume: bool = False,
    replace: bool = False,
) -> Run:
    """Load the data, choose what was not asked for, and make or find the folder.

    Args:
        data: name of a shipped data set, or the path of an ``.npz`` file with ``x`` and ``y``.
        given: the settings that were asked for, by name.
        folder: where to keep the run; ``build/train/NAME`` if left out.
        resume: whether to go on with the run in the folder.
        replace: whether to write over a run in the folder.

    Returns:
        The run.

    Raises:
        ExperimentError: if it cannot begin or go on, with the reason and the remedy.
    """
    shipped = data in SETS
    if not shipped:
        data = str(_own_file(data))
    folder = folder or Path("build") / "train" / Path(data).stem
    load = SETS[data].load if shipped else partial(own.load, Path(data))
    if resume:
        saved, seconds = _saved(folder)
        done = _history(folder / CHECKPOINT).epochs
        settings, task = go_on(saved, data, given, done), load()
    else:
        _expect_room(folder, replace)
        task, done, seconds = load(), 0, 0.0
        settings = choose(data, given, SETS[data].defaults if shipped else own.suited(task))
    rows = len(task.training.x)
    if settings.network == "batchnorm" and rows % settings.batch == 1:
        raise ExperimentError(
            f"With --batch {settings.batch} the last of {rows} examples is alone in its batch, which then has no spread "
            f"to normalize by; choose --batch {settings.batch + 1}."
        )
    weights, dropped = (np.random.default_rng((settings.seed, stream)) for stream in (0, 1))
    model = build(
        settings.network,
        (task.n_in, *settings.hidden, task.n_out),
        output=task.output,
        activation=settings.activation,
        dropout=settings.dropout,
        device=settings.device,
        rng=weights,
        chance=dropped,
    )
    return Run(settings, task, folder, model, done, seconds)


def train(run: Run, *, progress: Progress | None = None) -> Outcome:
    """Train until the end, or until somebody presses Ctrl-C, and keep what was reached.

    Args:
        run: from :func:`prepare`.
        progress: called after each step; see :func:`dlcourse.training.fit`.

    Returns:
        How it went.

    Raises:
        ExperimentError: if the loss left the numbers, or the data are no longer those of the checkpoint.
    """
    settings, task, model = run.settings, run.task, run.model
    run.folder.mkdir(parents=True, exist_ok=True)
    if not run.done:  # what another run left there was to be replaced
        for name in FILES:
            (run.folder / name).unlink(missing_ok=True)
    _write(run, Outcome(_history(run.checkpoint), run.seconds))
    steps = settings.epochs * -(-len(task.training.x) // settings.batch)
    schedule = SCHEDULES[settings.schedule](settings.rate, max(1, steps))
    optimizer = OPTIMIZERS[settings.optimizer].make(
        model.parameters, rate=schedule, weight_decay=settings.weight_decay
    )
    start, interrupted = time.perf_counter(), False
    try:
        history = fit(
            model,
            *task.training,
            optimizer=optimizer,
            epochs=settings.epochs,
            batch=settings.batch,
            rng=np.random.default_rng((settings.seed, 2)),
            validation=(task.validation.x, task.validation.y),
            patience=settings.patience or None,
            progress=progress,
            checkpoint=run.checkpoint,
            resume=run.done > 0,
        )
    except KeyboardInterrupt:
        history, interrupted = _history(run.checkpoint), True
    except DivergenceError as error:
        outcome = Outcome(_history(run.checkpoint), run.seconds + time.perf_counter() - start)
        _write(run, outcome)
        kept = outcome.history.epochs
        raise ExperimentError(
            f"The loss is no longer a finite number in epoch {kept + 1}: lower --rate, which was {settings.rate:g}, a "
            "tenth of it is a good try; "
            + (
                f"the network after epoch {kept} is kept in {run.checkpoint}."
                if kept
                else "nothing was kept."
            )
        ) from error
    except ValueError as error:
        if not run.done:
            raise
        raise ExperimentError(
            f"The run in {run.folder} cannot go on, for its data or its network are no longer those that it began with; "
            "start another one, in another folder (--out)."
        ) from error
    outcome = Outcome(history, run.seconds + time.perf_counter() - start, interrupted)
    if not interrupted:
        for name, part in task.parts.items():
            outcome.scores[name] = task.scores(task.answers(model, part), part)
            outcome.losses[name] = float(model.loss(*part))
        outcome.scores["baseline"] = task.scores(task.baseline.answers, task.test)
    _write(run, outcome)
    if history.epochs and not interrupted:
        _draw(run, history)
    return outcome


def _own_file(name: str) -> Path:
    """Return the path of the user's file; a name without a dot was meant to be a shipped data set."""
    path = Path(name).expanduser().resolve()
    if not path.exists() and not path.suffix:
        raise ExperimentError(
            f"There is no data set {name!r} and no such file.{did_you_mean(name, SETS)} There are: {', '.join(SETS)}."
        )
    return path


def _saved(folder: Path) -> tuple[Settings, float]:
    """Read what a folder's run was made with, and how long it took."""
    try:
        about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        return read(about["settings"]), float(about["seconds"])
    except (FileNotFoundError, NotADirectoryError):
        raise ExperimentError(
            f"There is no run in {folder} that could go on; start one without --resume, or name its folder with --out."
        ) from None
    except (KeyError, TypeError, ValueError) as error:
        raise ExperimentError(
            f"{folder / ABOUT} is damaged or of another version; start the run again without --resume, with --force."
        ) from error


def _history(checkpoint: Path) -> History:
    """Read how far a checkpoint came."""
    if not checkpoint.is_file():
        return History()
    try:
        return History(**_checkpoint.read(checkpoint)[1]["history"])
    except (KeyError, TypeError, ValueError) as error:
        raise ExperimentError(
            f"{checkpoint} is damaged or of another version; start the run again without --resume, with --force."
        ) from error


def _expect_room(folder: Path, replace: bool) -> None:
    """Refuse a folder that holds a run already."""
    if folder.exists() and not folder.is_dir():
        raise ExperimentError(f"{folder} is a file; name a folder with --out.")
    if not replace and any((folder / name).exists() for name in FILES):
        raise ExperimentError(
            f"{folder} holds a run already; go on with it (--resume), choose another folder (--out), or replace it "
            "(--force)."
        )


def _write(run: Run, outcome: Outcome) -> None:
    """Write down what a run was made with and how it went; a crash on the way leaves the older file whole."""
    about = {
        "dlcourse": dlcourse.__version__,
        "command": run.settings.command(run.folder),
        "settings": asdict(run.settings),
        "seconds": round(outcome.seconds, 3),
        "scores": outcome.scores,
        "losses": outcome.losses,
        "history": asdict(outcome.history),
    }
    beside = run.folder / f"{ABOUT}.{os.getpid()}.part"
    try:
        beside.write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
        beside.replace(run.folder / ABOUT)
    finally:
        beside.unlink(missing_ok=True)


def _draw(run: Run, history: History) -> None:
    """Draw the curve, on paper of its own: a file has no page behind it."""
    name = Path(run.settings.data).stem
    figure = training_curve(history, title=f"{name}, {run.settings.network} network")
    with style.context():  # the letters of a picture are chosen when it is written
        figure.savefig(run.folder / CURVE, dpi=150, facecolor=style.PAPER)
