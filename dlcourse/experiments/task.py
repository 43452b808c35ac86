"""A task: examples in three parts, and what a network must do better than.

A network learns from the first part, the second one says when to stop, and the third one is looked at once. What scales
the inputs is measured on the first part alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from dlcourse.introduction.features import standardize_by
from dlcourse.learning._trainable import Trainable
from dlcourse.neurons._arrays import Array
from dlcourse.neurons.network import accuracy
from dlcourse.training.evaluation import balanced_accuracy, class_scores, confusion_matrix
from dlcourse.training.generalization import Parts

ERROR = "mean absolute error"
_UNEQUAL = 1.3  # times the share of a class if all were as frequent: from here on accuracy alone misleads


class Part(NamedTuple):
    """Some of the examples, as the network gets them.

    Attributes:
        x: one example a row, float32, ``(n, n_in)``.
        y: class indices, ``(n,)``, or scaled values, float32, ``(n, n_out)``.
    """

    x: Array
    y: Array


class Baseline(NamedTuple):
    """What answers without learning from the inputs.

    Attributes:
        name: what it does, in words.
        answers: for the test part, classes, ``(n,)``, or values in their unit, ``(n, n_out)``.
    """

    name: str
    answers: Array


@dataclass(frozen=True)
class Task:
    """Something to learn.

    Attributes:
        training: what the parameters are learnt from.
        validation: what says when to stop.
        test: what judges, once.
        baseline: what to do better than.
        classes: their names; none if values are to be found.
        unit: of the values.
        mean: of the values in the training part, ``(n_out,)``.
        spread: their standard deviation there, ``(n_out,)``.
        notes: what the reader of the results should know.
    """

    training: Part
    validation: Part
    test: Part
    baseline: Baseline
    classes: tuple[str, ...] = ()
    unit: str = ""
    mean: Array | float = 0.0
    spread: Array | float = 1.0
    notes: tuple[str, ...] = ()

    @property
    def output(self) -> str:
        """The output of a network for it: ``"class"`` or ``"value"``."""
        return "class" if self.classes else "value"

    @property
    def n_in(self) -> int:
        """How many numbers describe an example."""
        return int(self.training.x.shape[1])

    @property
    def n_out(self) -> int:
        """How many numbers a network gives back."""
        return len(self.classes) or int(self.training.y.shape[1])

    @property
    def parts(self) -> dict[str, Part]:
        """The three parts by name."""
        return {"training": self.training, "validation": self.validation, "test": self.test}

    def answers(self, model: Trainable, part: Part) -> Array:
        """Let a network answer: classes, or values in their unit."""
        answers = model.predict(part.x)
        return answers if self.classes else answers * self.spread + self.mean

    def scores(self, answers: Array, part: Part) -> dict[str, float]:
        """Say how good answers are; the first score is the one that counts.

        Args:
            answers: classes, ``(n,)``, or values in their unit, ``(n, n_out)``.
            part: the examples that they answer.

        Returns:
            Scores by name: the mean absolute error, or accuracy; where classes are unequally frequent, balanced accuracy
            before it, and of two classes recall and precision of the rarer one.
        """
        if not self.classes:
            return {ERROR: float(np.abs(answers - (part.y * self.spread + self.mean)).mean())}
        scores = {"accuracy": accuracy(answers, part.y)}
        counts = np.bincount(self.training.y, minlength=len(self.classes))
        if counts.max() * len(counts) > _UNEQUAL * counts.sum():
            matrix = confusion_matrix(answers, part.y, len(self.classes))
            scores = {"balanced accuracy": balanced_accuracy(matrix)} | scores
            if len(self.classes) == 2:
                each, rare = class_scores(matrix), int(counts.argmin())
                scores |= {f"recall of {self.classes[rare]}": float(each.recall[rare])}
                scores |= {f"precision of {self.classes[rare]}": float(each.precision[rare])}
        return scores


def of_classes(
    x: Array,
    y: Array,
    parts: Parts,
    *,
    classes: Sequence[str],
    baseline: tuple[str, Array] | None = None,
    standardize: bool = True,
    notes: Sequence[str] = (),
) -> Task:
    """Make a task whose answers are classes.

    Args:
        x: one example a row, ``(n, n_in)``.
        y: class indices, ``(n,)``.
        parts: which rows are for what.
        classes: their names.
        baseline: its name, and its answers for all examples, ``(n,)``; the most frequent class if left out.
        standardize: whether to scale each input by what the training part says.
        notes: what the reader of the results should know.

    Returns:
        The task.
    """
    y = y.astype(np.int64)
    if baseline is None:
        frequent = int(np.bincount(y[parts.train]).argmax())
        baseline = (f"always {classes[frequent]}", np.full(len(y), frequent))
    name, answers = baseline
    return Task(
        *_divided(x, y, parts, standardize),
        Baseline(name, answers[parts.test]),
        tuple(classes),
        notes=tuple(notes),
    )


def of_values(
    x: Array,
    y: Array,
    parts: Parts,
    *,
    unit: str = "",
    baseline: tuple[str, Array] | None = None,
    notes: Sequence[str] = (),
) -> Task:
    """Make a task whose answers are values; the network learns them scaled as the inputs are.

    Args:
        x: one example a row, ``(n, n_in)``.
        y: values, ``(n, n_out)``.
        parts: which rows are for what.
        unit: of the values.
        baseline: its name, and its answers for all examples, ``(n, n_out)``; the mean of the training part if left out.
        notes: what the reader of the results should know.

    Returns:
        The task.
    """
    mean, spread = y[parts.train].mean(axis=0), y[parts.train].std(axis=0)  # (n_out,) each
    spread = np.where(spread == 0, 1, spread)
    if baseline is None:
        baseline = ("always the mean", np.broadcast_to(mean, y.shape))
    name, answers = baseline
    scaled = ((y - mean) / spread).astype(np.float32)  # (n, n_out)
    return Task(
        *_divided(x, scaled, parts, standardize=True),
        Baseline(name, answers[parts.test]),
        unit=unit,
        mean=mean,
        spread=spread,
        notes=tuple(notes),
    )


def _divided(x: Array, y: Array, parts: Parts, standardize: bool) -> tuple[Part, Part, Part]:
    """Put the examples into their parts, and scale the inputs by what the training part says."""
    inputs = [x[rows] for rows in parts]
    if standardize:
        # In float64: a large mean with a small spread would lose its digits in float32.
        exact = inputs[0].astype(np.float64)
        inputs = [standardize_by(exact, each.astype(np.float64)).astype(np.float32) for each in inputs]
    train, validation, test = (
        Part(np.ascontiguousarray(each, np.float32), y[rows])
        for each, rows in zip(inputs, parts, strict=True)
    )
    return train, validation, test
