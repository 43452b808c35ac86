"""The training loop: batch after batch, epoch after epoch, until the network no longer gets better.

It knows nothing of how gradients come about, so the same few lines train every network of the course. Where the run was
interrupted it goes on bit for bit. Chapters: book/training/regularization.md, book/training/evaluation.md. Source:
Goodfellow et al. (2016), sections 7.8 and 8.1.3.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from math import isfinite
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Shaped

from dlcourse.learning._trainable import Trainable
from dlcourse.learning.gradient_descent import DivergenceError, minibatches
from dlcourse.neurons._arrays import Array
from dlcourse.neurons._softmax import InfiniteScoreError
from dlcourse.training._run import History, Stepping, describe, load, restore, save, snapshot

Samples: TypeAlias = Shaped[np.ndarray, "n ..."]
HeldOut: TypeAlias = Shaped[np.ndarray, "held_out ..."]
Progress: TypeAlias = Callable[[int, int, History], None]
"""Called after each step as ``progress(steps_done, steps_in_all, history)``."""


def fit(
    model: Trainable,
    x: Samples,
    y: Samples,
    *,
    optimizer: Stepping,
    epochs: int,
    batch: int,
    rng: np.random.Generator,
    validation: tuple[HeldOut, HeldOut] | None = None,
    patience: int | None = None,
    progress: Progress | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    resume: bool = False,
) -> History:
    """Train a network: a step on each batch, and each sample once an epoch.

    With a checkpoint, the state after each epoch is written to a file. A run that is interrupted, and called again
    with the same arguments and ``resume=True``, ends with the same parameters as one that was not, bit for bit. A model
    that has more to remember than its parameters says so with ``state()`` and ``load(state)``, as optimizers do.

    Args:
        model: what to train, in place.
        x: samples, one a row, ``(n, ...)``.
        y: class indices, ``(n,)``, or values, ``(n, n_out)``.
        optimizer: made from ``model.parameters``.
        epochs: how often each sample is seen, those before a resumed checkpoint included.
        batch: samples a step; the last batch of an epoch may be smaller.
        rng: draws the order of the samples.
        validation: samples and targets that are not trained on.
        patience: stop after as many epochs without a smaller validation loss, and return to the best state.
        progress: called after each step, as ``progress(steps_done, steps_in_all, history)``; a bar fits here.
        checkpoint: the file to write after each epoch; an older one is written over.
        resume: whether to go on from ``checkpoint``.

    Returns:
        How it went.

    Raises:
        ValueError: if the arguments do not fit together, or the checkpoint is of another run.
        FileNotFoundError: if there is no checkpoint to resume.
        DivergenceError: if the loss is no longer a finite number.

    Example:
        >>> from dlcourse.learning.backpropagation import TrainableMLP
        >>> from dlcourse.neurons.network import MLP
        >>> from dlcourse.training.optimizers import SGD
        >>> model = TrainableMLP(MLP("value", np.array([[0.0]]), np.array([0.0])))
        >>> x = np.array([[1.0], [2.0], [3.0]])
        >>> optimizer = SGD(model.parameters, rate=0.1)
        >>> history = fit(model, x, 2 * x + 1, optimizer=optimizer, epochs=200, batch=3, rng=np.random.default_rng(0))
        >>> model.predict(np.array([[10.0]])).round(2), history.loss[-1] < history.loss[0]
        (array([[21.]]), True)
    """
    _expect_run(model, x, y, optimizer, epochs, batch, validation, patience)
    history, best = History(), snapshot(model)
    about = describe(model, x, y, optimizer, batch, rng, validation) if checkpoint is not None else {}
    if resume:
        if checkpoint is None:
            raise ValueError("fit expects a checkpoint to resume from, got none: pass checkpoint='run.npz'")
        history, best = load(checkpoint, about, model, optimizer, rng)
    in_all = epochs * -(-len(x) // batch)
    while history.epochs < epochs and not _exhausted(history, patience):
        _epoch(model, x, y, optimizer, batch, rng, history, progress, in_all)
        if validation is not None:
            _validate(model, *validation, history)
            if history.best == history.epochs:
                best = snapshot(model)
        if checkpoint is not None:
            save(checkpoint, about, model, optimizer, rng, history, best)
    history.stopped = _exhausted(history, patience) and history.epochs < epochs
    if patience is not None:
        restore(model, best)
    return history


def _epoch(
    model: Trainable,
    x: Array,
    y: Array,
    optimizer: Stepping,
    batch: int,
    rng: np.random.Generator,
    history: History,
    progress: Progress | None,
    in_all: int,
) -> None:
    """Take one step on each batch, in random order."""
    total = 0.0
    for step, rows in enumerate(minibatches(len(x), batch, rng=rng), start=1):
        where = f"epoch {history.epochs + 1}, step {step}"
        # Numbers that grow without bound are told below, with what to do; NumPy's warning would only come before.
        with np.errstate(over="ignore", invalid="ignore"):
            try:
                loss, gradients = model.loss_and_gradients(x[rows], y[rows])
            except InfiniteScoreError as error:
                raise _diverged(where, float("inf"), history, optimizer) from error
            except ValueError as error:
                error.add_note(f"This was in {where}; the losses before were {_last(history.steps)}.")
                raise
            if not isfinite(loss):
                raise _diverged(where, loss, history, optimizer)
            optimizer.step(gradients)
        history.steps.append(loss)
        total += loss * len(rows)
        if progress is not None:
            progress(len(history.steps), in_all, history)
    if not all(np.isfinite(p).all() for p in model.parameters):
        raise _diverged(f"epoch {history.epochs + 1}, after its last step", float("nan"), history, optimizer)
    history.loss.append(total / len(x))


def _validate(model: Trainable, x: Array, y: Array, history: History) -> None:
    """Look at samples that are not trained on."""
    with np.errstate(over="ignore", invalid="ignore"):
        try:
            loss = float(model.loss(x, y))
        except InfiniteScoreError:
            loss = float("inf")
    if not isfinite(loss):
        raise DivergenceError(
            f"the validation loss is {loss} after epoch {history.epochs}, while that in training is "
            f"{history.loss[-1]:.3g}: look for NaN or unusually large numbers in the validation set"
        )
    if all(loss < earlier for earlier in history.validation_loss):
        history.best = history.epochs
    history.validation_loss.append(loss)
    if y.dtype.kind in "iu":
        history.accuracy.append(float(np.mean(model.predict(x) == y)))


def _exhausted(history: History, patience: int | None) -> bool:
    return patience is not None and history.epochs - history.best >= patience


def _last(losses: list[float]) -> str:
    return ", ".join(f"{loss:.3g}" for loss in losses[-3:]) or "none"


def _diverged(where: str, loss: float, history: History, optimizer: Stepping) -> DivergenceError:
    """Say where the loss left the numbers, and what to do."""
    if not history.steps:
        remedy = "the network is wrong before its first step: draw smaller weights, and scale x to about 1"
    else:
        remedy = (
            f"the losses before were {_last(history.steps)}; lower the rate, which was {optimizer.rate:g} "
            "(a tenth of it is a good try), or clip the gradients with clip_by_norm"
        )
    return DivergenceError(f"the loss is {loss} in {where}: {remedy}")


def _expect_run(
    model: Trainable,
    x: Any,
    y: Any,
    optimizer: Stepping,
    epochs: int,
    batch: int,
    validation: tuple[Any, Any] | None,
    patience: int | None,
) -> None:
    """Refuse arguments that do not fit together before anything is changed."""
    mine, theirs = model.parameters, optimizer.parameters
    if len(mine) != len(theirs) or not all(_same_memory(a, b) for a, b in zip(mine, theirs, strict=True)):
        raise ValueError(
            "the optimizer changes other arrays than the model has: make the model first, then the optimizer from "
            "model.parameters"
        )
    for name, count, least in (("epochs", epochs, 0), ("batch", batch, 1), ("patience", patience, 1)):
        if count is not None and count < least:
            raise ValueError(f"fit expects {name} of at least {least}, got {count}")
    if patience is not None and validation is None:
        raise ValueError(
            "early stopping needs samples that are not trained on: pass validation=(x, y), or no patience"
        )
    sets = {"training": (x, y)} | ({} if validation is None else {"validation": validation})
    for name, (samples, targets) in sets.items():
        if len(samples) != len(targets) or len(samples) == 0:
            raise ValueError(
                f"the {name} set needs one target a sample and at least one sample, got {len(samples)} samples and "
                f"{len(targets)} targets"
            )
        for what, array in (("x", samples), ("y", targets)):
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                raise ValueError(
                    f"{what} of the {name} set holds NaN or inf: leave out or fill what was not measured"
                )


def _same_memory(one: Array, other: Array) -> bool:
    return one.shape == other.shape and bool(np.shares_memory(one, other))
